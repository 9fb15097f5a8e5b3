"""Keys that are not basic (lists, arrays, booleans), and assignment, as MXNet's NDArray understands them.

The compiled core handles integers, slices, None and an ellipsis. What comes here follows NumPy's rules for
integer arrays, with MXNet's two peculiarities: booleans are the integers 0 and 1, never a mask, and index
arrays of floats are truncated.
"""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

from .._array import Array, from_numpy
from .._index import same_view
from ..dtypes import DTYPES
from ..errors import ArgumentError, ArgumentTypeError, ArrayIndexError, message, problem
from ..kernels import cpu as kernels
from ..ops import wrap_scalar

__all__ = ["assign", "get_advanced", "set_advanced"]

NUMBERS = (int, float, complex, np.number, np.bool_)
FEW = 100  # elements that Python compares faster than a function of NumPy is called
KEYS = "integers, slices, None, '...', lists or arrays of integers"


def get_advanced(x: Any, key: Any) -> Any:
    """Return a new array of the elements that a key with index arrays selects."""
    view, indices = resolve(x, key)
    return view if indices is None else kernels.index_get(view, indices)


def set_advanced(x: Any, key: Any, value: Any) -> None:
    """Write the elements that a key with index arrays selects; of duplicates the last value stays."""
    view, indices = resolve(x, key)
    if indices is None:
        assign(view, value)
    elif isinstance(value, NUMBERS):
        kernels.index_put(view, indices, _number(view, value))
    else:
        arrays = [index for index in indices if index is not None]
        ndim = view.ndim - len(arrays) + max(index.ndim for index in arrays)
        kernels.index_put(view, indices, _without_leading(_source(x, value), ndim))


def resolve(x: Any, key: Any) -> tuple[Any, list | None]:
    """Split a key: return the view by its slices and Nones, and for each axis of it an index or None.

    The second result is None if there was no array in the key.
    """
    if not isinstance(key, tuple):
        index = _item(key)
        if x.ndim > 0 and isinstance(index, (np.ndarray, Array)):
            return x, [_index(index, 0, x.shape[0])]
    items = [_item(item) for item in (key if isinstance(key, tuple) else (key,))]
    _expand_ellipsis(items, x.ndim)
    if not any(isinstance(item, (np.ndarray, Array)) for item in items):
        return x[tuple(items)], None
    basic: list = []
    indices: list = []
    axis = 0  # of x
    for item in items:
        if item is None or isinstance(item, slice):
            basic.append(item)
            indices.append(None)
        else:
            basic.append(slice(None))
            indices.append(_index(item, axis, x.shape[axis]))
        axis += item is not None
    indices += [None] * (x.ndim - axis)
    return x[tuple(basic)], indices


def _item(item: Any) -> Any:
    """An item of a key as an int, a slice, None, an ellipsis or an array of integers."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        return int(item)
    if isinstance(item, Array):
        return _array_item(item)
    if isinstance(item, (list, tuple, range, np.ndarray)):
        return _host_item(item)
    if hasattr(item, "__index__"):
        return item.__index__()
    text = message("getitem", "key", KEYS, f"{item!r} of type {type(item).__name__}")
    raise ArgumentError(text)


def _array_item(item: Any) -> Any:
    kind = np.dtype(item.dtype).kind
    if kind == "b":
        got = "an array of bool, which would not be a mask"
        hint = "use contrib.boolean_mask, or astype('int32') for the rows 0 and 1"
        raise ArgumentError(message("getitem", "key", "an array of integers", got, hint))
    if kind in "iu":
        return item
    return kernels.astype(item, DTYPES[7])


def _host_item(item: Any) -> np.ndarray:
    try:
        array = np.asarray(item)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(message("getitem", "key", KEYS, reprlib.repr(item)))
    return array.astype(np.int64, copy=False)


def _expand_ellipsis(items: list, ndim: int) -> None:
    """Replace the ellipsis, if there is one, by the slices that it stands for."""
    used = sum(item is not None and item is not Ellipsis for item in items)
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if used > ndim:
        raise ArrayIndexError(message("getitem", "key", f"at most {ndim} indices", used))
    if len(places) > 1:
        raise ArrayIndexError(message("getitem", "key", "at most one ellipsis", len(places)))
    for place in places:
        items[place : place + 1] = [slice(None)] * (ndim - used)


def _index(item: Any, axis: int, extent: int) -> Any:
    """An index of one axis as an array. What is not an array of ours is checked at once."""
    if isinstance(item, Array):
        return item
    index = np.asarray(item, np.int64)
    if index.size:
        low, high = _bounds(index)
        wrong = low if low < -extent else high
        if not -extent <= wrong < extent:
            text = f"index {wrong} is out of bounds for axis {axis} with size {extent}"
            raise ArrayIndexError(problem("getitem", "key", text))
    return index


def _bounds(index: np.ndarray) -> tuple[int, int]:
    if index.size > FEW:
        return index.min(), index.max()
    values = index.ravel().tolist()
    return min(values), max(values)


def assign(view: Any, value: Any) -> None:
    """Write a number, or anything like an array that broadcasts to the view's shape, cast to its dtype."""
    if isinstance(value, NUMBERS):
        kernels.fill(view, _number(view, value))
        return
    source = _without_leading(_source(view, value), view.ndim)
    if not same_view(source, view):
        kernels.copy(source._broadcast_view(view.shape), view)


def _without_leading(source: Any, ndim: int) -> Any:
    """A view without the leading axes of extent 1 that what is assigned to does not have."""
    extra = max(0, source.ndim - max(ndim, 1))
    if extra and set(source.shape[:extra]) == {1}:
        return source._reshape_view(source.shape[extra:])
    return source


def _number(like: Any, value: Any) -> Any:
    """A number converted to the dtype of an array as C converts it."""
    dtype = np.dtype(like.dtype)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, complex) and dtype.kind != "c":
        raise ArgumentTypeError(message("setitem", "value", f"a real number for {dtype}", value))
    return wrap_scalar(value, dtype)


def _source(like: Any, value: Any) -> Any:
    """What is assigned as an array, on the side of `like`."""
    if isinstance(value, Array):
        return value
    if isinstance(value, NUMBERS):
        value = np.asarray(_number(like, value), like.dtype)
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biufc" and array.dtype not in DTYPES:
        expected = "a number or an array of numbers"
        raise ArgumentTypeError(message("setitem", "value", expected, reprlib.repr(value)))
    return from_numpy(array)
