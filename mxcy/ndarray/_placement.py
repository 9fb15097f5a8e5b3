"""Shapes and contexts of new arrays."""

from __future__ import annotations

from functools import cache
from operator import index
from typing import Any

from .._array import empty
from ..context import Context, current_context
from ..errors import ArgumentError, ArgumentTypeError, message

__all__ = ["as_shape", "context_code", "context_of", "new"]

GPU = Context.devstr2type["gpu"]


@cache
def _context(code: int) -> Context:
    return Context(Context.devtype2str[code >> 8], code & 0xFF)


def context_of(x: Any) -> Context:
    """Return the context that holds an array."""
    return _context(x._context_code)


def context_code(context: Any) -> int:
    """Return the core's number of a context (None: the current one) on which arrays can be made."""
    if context is None:
        context = current_context()
    elif not isinstance(context, Context):
        raise ArgumentTypeError(message("array", "ctx", "a Context", repr(context), "pass mx.cpu()"))
    if context.device_id > 0xFF:
        raise ArgumentError(message("array", "ctx", "a device number below 256", context))
    return context.device_typeid << 8 | context.device_id


def as_shape(op: str, shape: Any) -> tuple[int, ...]:
    """Return a shape, given as one integer or several, as a tuple."""
    try:
        return tuple([index(n) for n in (shape if hasattr(shape, "__iter__") else (shape,))])
    except TypeError:
        raise ArgumentTypeError(message(op, "shape", "an integer or integers", repr(shape))) from None


def new(shape: Any, dtype: Any, context: Any, face: int) -> Any:
    """Return a new array with undefined contents on a context (None: the current one)."""
    return empty(shape, dtype, face, context_code(context))
