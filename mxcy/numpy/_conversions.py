"""What methods of arrays do with one array: copies, casts, views of its memory, assignment in place."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as _np

from .._array import Array, overlay
from .._export import count_write, storage_nbytes
from .._index import set_readonly, set_shape
from ..dtypes import DTYPES
from ..errors import ArgumentError, message, problem
from ..kernels import cpu as kernels
from ._calls import unwrap, wrap, wrap_last
from ._functions import own

__all__ = [
    "astype", "base_of", "byteswap", "copy", "dump", "dumps", "flatten", "in_place", "number",
    "resize", "view",
]  # fmt: skip


def like(made: Any, a: Any) -> Any:
    """What was made of an array: without axes a constant only if the array is one."""
    if made.ndim == 0 and not a._is_constant():
        set_readonly(made, False)
    return made


@own
def copy(a, order="C"):
    """A new array with the same elements."""
    if order == "C" or (a._c_contiguous and order in ("K", "A")):
        return like(kernels.copy(a), a)
    return wrap(unwrap(a).copy(order))


@own
def astype(a, dtype, order="K", casting="unsafe", copy=True):
    """The elements converted to another dtype."""
    dtype = _np.dtype(dtype)
    fits = a._c_contiguous and order in ("K", "A", "C")
    if dtype == a.dtype and fits and _np.can_cast(dtype, dtype, casting):  # which refuses other words
        return like(kernels.copy(a), a) if copy else a
    floats_to_integers = a.dtype.kind in "fc" and dtype.kind in "biu"  # which NumPy may warn of
    if fits and dtype in DTYPES and dtype.isnative and casting == "unsafe" and not floats_to_integers:
        if a.dtype.kind != "c" or dtype.kind == "c":
            return like(kernels.astype(a, dtype), a)
    shown = unwrap(a)
    result = shown.astype(dtype, order, casting, copy=copy)
    return a if result is shown else wrap_last(result)


@own
def flatten(a, order="C"):
    """A copy of all elements along one axis."""
    if order != "C":
        return wrap(unwrap(a).flatten(order))
    made = kernels.copy(a)
    set_readonly(made, False)
    return made._reshape_view((a.size,))


@own
def view(a, dtype=None):
    """A view of the same memory, perhaps read as another dtype."""
    if dtype is None or (isinstance(dtype, type) and issubclass(dtype, (Array, _np.ndarray))):
        return a._strided(0, a.shape, a.strides)
    return wrap(unwrap(a).view(dtype))


def in_place(a: Any, method: str, *args: Any, **kwargs: Any) -> None:
    """Call a method of NumPy's arrays that changes the array."""
    getattr(a.view_numpy(writable=True), method)(*args, **kwargs)
    count_write(a)
    a._wrote()


def byteswap(a: Any, inplace: bool) -> Any:
    """The elements with their bytes in reverse order."""
    if inplace:
        in_place(a, "byteswap", True)
        return a
    return wrap(unwrap(a).byteswap())


def number(value: Any, dtype: Any) -> Any:
    """A number, from a number or anything with one element."""
    _np.empty((), dtype).fill(unwrap(value))  # which says what is wrong with other things
    return value


def resize(a: Any, shape: Any) -> None:
    """Give an array another shape of as many elements."""
    if not (a._c_contiguous or a.T._c_contiguous):
        text = "the elements are not one run of memory"
        raise ArgumentError(problem("resize", None, text, "copy the array"))
    if any(n < 0 for n in (shape if isinstance(shape, (tuple, list)) else (shape,))):
        raise ArgumentError(message("resize", "new_shape", "extents that are not negative", shape))
    set_shape(a, shape)


def base_of(a: Any) -> Any:
    """None for an array over all of its buffer, otherwise an array over all of that."""
    if a.nbytes == storage_nbytes(a) and (a.ndim == 0 or a._c_contiguous):
        return None
    if storage_nbytes(a) % a.itemsize:
        return overlay(a, (storage_nbytes(a),), _np.uint8, 0, False)
    return overlay(a, (storage_nbytes(a) // a.itemsize,), a.dtype, 0, False)


def dumps(a: Any) -> bytes:
    """The array as a pickle."""
    return pickle.dumps(a)


def dump(a: Any, file: Any) -> None:
    """Write an array to a file as a pickle."""
    if hasattr(file, "write"):
        pickle.dump(a, file)
    else:
        with open(file, "wb") as opened:
            pickle.dump(a, opened)
