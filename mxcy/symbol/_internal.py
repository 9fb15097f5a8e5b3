"""`mx.sym._internal`: operators of symbols under the names of MXNet's files, such as `_plus_scalar`."""

from __future__ import annotations

from typing import Any

from .. import ops
from .creation import made
from .function import SymbolFunction

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    op = None if name.startswith("__") else ops.lookup(name)
    if op is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if op.inputs:
        return SymbolFunction(op, name)
    return lambda name=None, attr=None, **attributes: made(op, attributes, {"name": name, "attr": attr})
