"""Other shapes of the same memory: all of them views where NumPy gives views."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as _np

from .._index import set_readonly
from ..errors import ArgumentError, AxisError, message
from ..kernels import cpu as kernels
from . import _small_shapes
from ._calls import as_array
from ._functions import Through, own, with_small

__all__ = [
    "broadcast_to", "expand_dims", "matrix_transpose", "moveaxis", "permute_dims", "ravel", "reshape",
    "squeeze", "swapaxes", "transpose",
]  # fmt: skip

_reshape = Through(_np.reshape)
_ravel = Through(_np.ravel)
_squeeze = Through(_np.squeeze)


def _owned(a: Any) -> Any:
    """An array without axes, or a copy of a result without axes: what is made of it can be written."""
    if not a._is_constant():
        return a
    made = kernels.copy(a)
    set_readonly(made, False)
    return made


@own
def reshape(a, /, shape, order="C", *, copy=None):
    """The elements in another shape (one extent may be -1), a view where that can be."""
    a = as_array(a)
    if a.ndim == 0:
        a = _owned(a)
    if order == "C" or (order == "A" and a._c_contiguous):
        view = a._reshape_view(shape)
        if view is None:
            if copy is False:
                raise ValueError("Unable to avoid creating a copy while reshaping.")
            return kernels.copy(a)._reshape_view(shape)
        return kernels.copy(view) if copy else view
    return _reshape(a, shape, order, copy=copy)


@own
def ravel(a, order="C"):
    """All elements along one axis, a view where that can be."""
    a = as_array(a)
    if a.ndim == 0:
        a = _owned(a)
    if order == "C" and a._c_contiguous:
        return a._reshape_view((-1,) if a.size else (0,))
    return _ravel(a, order)


@own
def transpose(a, axes=None):
    """A view with the axes in another order, reversed by default."""
    a = as_array(a)
    if axes is not None and not isinstance(axes, (tuple, list)):
        axes = tuple(axes)
    return a._transpose_view(axes)


permute_dims = transpose


def _axis(name: str, axis: Any, ndim: int) -> int:
    axis = index(axis)
    if not -ndim <= axis < ndim:
        expected = f"an axis of an array of {ndim} dimensions"
        raise AxisError(message(name, "axis", expected, axis), axis, ndim)
    return axis % ndim


@with_small(_small_shapes.swapaxes, 3)
def swapaxes(a, axis1, axis2):
    """A view with two axes exchanged."""
    a = as_array(a)
    order = list(range(a.ndim))
    i, k = _axis("swapaxes", axis1, a.ndim), _axis("swapaxes", axis2, a.ndim)
    order[i], order[k] = order[k], order[i]
    return a._transpose_view(order)


@own
def matrix_transpose(x, /):
    """A view with the last two axes exchanged."""
    x = as_array(x)
    if x.ndim < 2:
        raise ArgumentError(message("matrix_transpose", "x", "at least 2 axes", x.ndim))
    return x._transpose_view((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _listed(axis: Any) -> tuple:
    """The axes in a sequence, or the one given."""
    return tuple(axis) if hasattr(axis, "__iter__") and getattr(axis, "ndim", None) != 0 else (axis,)


def _axes(name: str, axis: Any, ndim: int) -> list[int]:
    axes = [_axis(name, i, ndim) for i in _listed(axis)]
    if len(set(axes)) < len(axes):
        raise ArgumentError(message(name, "axis", "each axis once", axis))
    return axes


@own
def moveaxis(a, source, destination):
    """A view with some axes at other places."""
    a = as_array(a)
    sources = _axes("moveaxis", source, a.ndim)
    places = _axes("moveaxis", destination, a.ndim)
    if len(sources) != len(places):
        got = f"{len(sources)} and {len(places)}"
        raise ArgumentError(message("moveaxis", None, "as many destinations as sources", got))
    order = [i for i in range(a.ndim) if i not in sources]
    for place, i in sorted(zip(places, sources, strict=True)):
        order.insert(place, i)
    return a._transpose_view(order)


@own
def expand_dims(a, axis):
    """A view with axes of extent 1 at these places."""
    a = as_array(a)
    given = _listed(axis)
    places = _axes("expand_dims", axis, a.ndim + len(given))
    return a._view(tuple([None if i in places else slice(None) for i in range(a.ndim + len(given))]))


@with_small(_small_shapes.squeeze, along=True)
def squeeze(a, axis=None):
    """A view without axes of extent 1, all of them or those given."""
    a = as_array(a)
    if a.ndim == 0 and axis is not None:
        return _squeeze(a, axis)
    axes = [i for i, n in enumerate(a.shape) if n == 1] if axis is None else _axes("squeeze", axis, a.ndim)
    if any(a.shape[i] != 1 for i in axes):
        expected = "axes of extent 1"
        raise ArgumentError(message("squeeze", "axis", expected, f"axis {axis} of shape {a.shape}"))
    if not axes:
        return a
    kept = [i for i in range(a.ndim) if i not in axes]
    return a._strided(0, tuple([a.shape[i] for i in kept]), tuple([a.strides[i] for i in kept]))


@own
def broadcast_to(array, shape, subok=False):
    """A view, which cannot be written, with a larger shape; extents of 1 are repeated, -2 stays as it is."""
    array = as_array(array)
    if type(shape) in (tuple, list) and -2 in shape:
        kept = (-2,) * (len(shape) - array.ndim) + array.shape
        shape = tuple([old if n == -2 else n for n, old in zip(shape, kept, strict=False)])
    return array._broadcast_view(shape)
