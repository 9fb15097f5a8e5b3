"""Nested lists of arrays or symbols as flat lists, and back."""

from __future__ import annotations

from typing import Any

from .._array import Array
from ..context import Context
from ..errors import ArgumentError, problem
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["converted", "flatten", "has_numpy", "kinds", "regroup"]

# A format is 0 for an array, n for a symbol of n outputs, -1 for None, or a list of formats.


def flatten(args: Any, what: str) -> tuple[list, Any]:
    """Return (list of arrays or symbols, format) of nested lists; `what` is for errors."""
    if isinstance(args, Array):
        return [args], 0
    if isinstance(args, Symbol):
        count = len(args.list_outputs())
        return [args], count if count > 1 else 0
    if args is None:
        return [None], -1
    if not isinstance(args, (list, tuple)):
        text = f"the {what} must be (nested) lists of Symbol or NDArray, got {type(args).__name__}"
        raise ArgumentError(problem("HybridBlock", None, text))
    flat: list = []
    formats = []
    for item in args:
        found, form = flatten(item, what)
        flat += found
        formats.append(form)
    return flat, formats


def regroup(flat: list, form: Any) -> Any:
    """Return nested lists from a flat one and its format."""
    items = iter(flat)

    def take(part: Any) -> Any:
        if isinstance(part, list):
            return [take(inner) for inner in part]
        if part > 1:
            return [next(items) for _ in range(part)]
        item = next(items)
        if part == -1 and item is not None:
            text = "an argument that was None at first must stay None"
            raise ArgumentError(problem("HybridBlock", None, text))
        return item

    return take(form)


def kinds(args: Any) -> tuple[bool, bool, list[Context]]:
    """Return (whether there are symbols, whether there are arrays, devices) of nested lists."""
    if isinstance(args, Array):
        return False, True, [args.context]
    if isinstance(args, Symbol):
        return True, False, []
    symbols = arrays = False
    devices: dict[Context, None] = {}
    if isinstance(args, (list, tuple)):
        for item in args:
            found = kinds(item)
            symbols, arrays = symbols or found[0], arrays or found[1]
            devices.update(dict.fromkeys(found[2]))
    return symbols, arrays, list(devices)


def has_numpy(args: Any) -> bool:
    """Whether there are arrays of mx.np, or symbols that stand for such, in nested lists."""
    if isinstance(args, (list, tuple)):
        return any(map(has_numpy, args))
    if isinstance(args, Symbol):
        return type(args) is not Symbol
    return isinstance(args, Array) and not isinstance(args, NDArray)


def converted(args: Any, numpy: bool) -> Any:
    """Nested lists with all arrays in the class of mx.np, or of mx.nd; on the tape if they are."""
    if isinstance(args, (list, tuple)):
        return [converted(item, numpy) for item in args]
    if not isinstance(args, Array):
        return args
    return args.as_np_ndarray() if numpy else args.as_nd_ndarray()
