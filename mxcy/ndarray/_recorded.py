"""Views, copies and assignments on the tape: what arrays do outside the operators.

Each is a linear function whose transpose is here too, so that gradients have gradients. The objects below
stand on the tape in the place of an operator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from .._array import Array, empty
from .._index import same_view
from ..kernels import cpu as kernels
from ..ops.reduction import _sum_like
from . import _indexing
from ._tape import RECORDING, STATE, Node, alias, note_write, place_of, refuse_integers, refuse_leaves, shell

__all__ = ["assign", "cast_into", "get_item", "reshape"]


class _Linear:
    """Something on the tape with one result whose gradient needs no values."""

    __slots__ = ()
    name = ""

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted):
        """Return the gradients of the operands, see `Operator.gradient`."""
        found = self.transposed(g_outputs[0], wanted)
        return [g if want else None for g, want in zip(found, wanted, strict=True)]

    def transposed(self, g, wanted):
        """Return what flows to each operand."""
        raise NotImplementedError


def _link(function: _Linear, places: list, result: Any) -> Any:
    if STATE.mode == RECORDING and any(places):
        result._tape = (Node(function, None, places), 0, result._version)
    return result


# --- reading --------------------------------------------------------------------------------------
class _GetItem(_Linear):
    __slots__ = ("key", "shape")
    name = "getitem"

    def __init__(self, key, shape):
        self.key, self.shape = key, shape

    def transposed(self, g, wanted):
        return [_put_item(g, self.key, self.shape)]


class _PutItem(_Linear):
    __slots__ = ("key",)
    name = "getitem_backward"

    def __init__(self, key):
        self.key = key

    def transposed(self, g, wanted):
        return [get_item(g, self.key)]


def get_item(x: Any, key: Any) -> Any:
    """Return x[key], on the tape if this thread records."""
    if STATE.mode != RECORDING or x._tape is None:
        return alias(x)[key]
    place = place_of(x)
    key = _frozen(key)
    return _link(_GetItem(key, x.shape), [place], alias(x)[key])


def _put_item(g: Any, key: Any, shape: tuple) -> Any:
    """Return zeros of a shape with g added at [key]."""
    result = kernels.fill(empty(shape, Array.dtype.__get__(g), g._face, g._context_code), 0)
    view, indices = result._view(key), None
    if view is None:
        view, indices = _indexing.resolve(result, key)
    if indices is None:
        kernels.copy(g, out=view)
    else:
        kernels.index_put(view, indices, g, accumulate=True)
    return _link(_PutItem(key), [place_of(g)], result)


def _frozen(key: Any) -> Any:
    """A key that does not change when the arrays in it do."""
    if isinstance(key, tuple):
        return tuple([_frozen(item) for item in key])
    if isinstance(key, Array):
        return kernels.copy(key)
    return np.array(key) if isinstance(key, (list, np.ndarray)) else key


class _Reshape(_Linear):
    __slots__ = ("shape",)
    name = "reshape"

    def __init__(self, shape):
        self.shape = shape

    def transposed(self, g, wanted):
        return [reshape(g, self.shape)]


def reshape(x: Any, shape: tuple) -> Any:
    """Return a view of x with another shape (a copy where no view can be), on the tape."""
    place = place_of(x) if STATE.mode == RECORDING else None
    view = x._reshape_view(shape)
    return _link(_Reshape(x.shape), [place], kernels.copy(x)._reshape_view(shape) if view is None else view)


# --- writing --------------------------------------------------------------------------------------
class _Assign(_Linear):
    __slots__ = ("key", "value")  # of the value only shape and dtype
    name = "setitem"

    def __init__(self, key, value):
        self.key, self.value = key, value

    def transposed(self, g, wanted):
        old = _erase(g, self.key) if wanted[0] else None
        return [old, _fit(get_item(g, self.key), self.value) if wanted[1] else None]


class _Erase(_Linear):
    __slots__ = ("key",)
    name = "setitem_backward"

    def __init__(self, key):
        self.key = key

    def transposed(self, g, wanted):
        return [_erase(g, self.key)]


def _erase(g: Any, key: Any) -> Any:
    """Return a copy of g with zeros at [key]."""
    result = kernels.copy(g)
    result[key] = 0
    return _link(_Erase(key), [place_of(g)], result)


def _fit(g: Any, value: Any) -> Any:
    """The gradient of a value that was broadcast and converted when it was assigned."""
    if g.shape != value.shape:
        extra = max(0, value.ndim - g.ndim)
        g = _sum_like(g, shell(reshape(value, value.shape[extra:])))
        g = reshape(g, value.shape)
    return g if g.dtype == value.dtype else ops.cast(g, dtype=value.dtype)


def assign(x: Any, key: Any, value: Any) -> None:
    """Do x[key] = value where x or value may be on the tape."""
    if STATE.mode != RECORDING:
        alias(x)[key] = alias(value) if isinstance(value, Array) else value
        note_write(x)
        return
    refuse_leaves("setitem", [x])
    value_place = place_of(value)
    if value_place is not None:
        refuse_integers(x, key)
    place = x._tape if _completes(x, key, value) else place_of(x)
    key = _frozen(key)
    alias(x)[key] = alias(value) if isinstance(value, Array) else value
    note_write(x, forget=True)
    if place is not None or value_place is not None:
        kept = None if value_place is None else shell(value)
        _link(_Assign(key, kept), [place, value_place], x)


def _completes(x: Any, key: Any, value: Any) -> bool:
    """Whether this ends `x[key] += ...`, which has written x[key] through a view and now assigns it."""
    if x._tape is None or not isinstance(value, Array) or x._tape[0].inputs is None:
        return False
    view = x._view(key)
    return view is not None and same_view(view, value) and x._version == x._tape[2] + 1


class _Cast(_Linear):
    __slots__ = ("source",)
    name = "copyto"

    def __init__(self, source):
        self.source = source

    def transposed(self, g, wanted):
        g = g if g.context == self.source.context else g.as_in_context(self.source.context)
        return [g if g.dtype == self.source.dtype else ops.cast(g, dtype=self.source.dtype)]


def cast_into(x: Any, other: Any) -> Any:
    """Write x to an array of the same shape, on any device and of any dtype; return that."""
    place = None
    if STATE.mode == RECORDING:
        refuse_leaves("copyto", [other])
        place = place_of(x)
    kernels.copy(alias(x), out=other)
    note_write(other, STATE.mode == RECORDING)
    return _link(_Cast(shell(x)), [place], other) if place is not None else other
