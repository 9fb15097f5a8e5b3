"""Functions of `mx.np` and `mx.npx` by the names of MXNet's operators (`_np_sum`, `_npx_relu`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import numpy, numpy_extension
from .errors import ArgumentError, message

__all__: list[str] = []

ROOTS = {"_np_": (numpy, ("random", "linalg")), "_npx_": (numpy_extension, ("image", "random"))}


def _get_builtin_op(op_name: str) -> Callable | None:
    """The function of an operator; None for names of other operators, an ArgumentError if there is none."""
    for prefix, (module, parts) in ROOTS.items():
        if op_name.startswith(prefix):
            name: str = op_name.removeprefix(prefix)
            found: Any = module
            for part in parts:
                if name.startswith(f"_{part}_"):
                    found, name = getattr(module, part), name.removeprefix(f"_{part}_")
            function = getattr(found, name, None)
            if function is None:
                text = f"a function of {found.__name__}"
                raise ArgumentError(message("_get_builtin_op", "op_name", text, op_name))
            return function
    return None
