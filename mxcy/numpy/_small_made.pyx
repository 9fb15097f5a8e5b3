# cython: cdivision=True
"""Constructors with a way for small arrays, tried before the usual one: see `_small.pyx`.

The functions whose names end in `_few` are such ways only, with all arguments of the function (`_functions.Small`).
"""

from libc.stdint cimport int64_t, uint8_t

from .._array cimport MAX_NDIM, Array, new_like, new_view
from ._calls cimport face, given, taken
from ._small cimport cast, copied, is_ours
from ._small_copies cimport UNKNOWN, known_code
from ._small_shapes cimport counted, filled, filled_with, on_cpu, read_extents
from ._small_values cimport array_of

import numpy as np

from ._flat import FlatIterator
from ._small_choices import stack
from ._small_methods import Slow

__all__ = [
    "arange", "array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray", "copy_few", "diag_indices",
    "empty_like_few", "frombuffer", "full_like_few", "ones", "ones_like_few", "zeros", "zeros_like_few",
]  # fmt: skip

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    void c_strides(int, const int64_t*, int64_t, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef object _slow = Slow
cdef object np_frombuffer = np.frombuffer
cdef tuple PLAIN = (int, float, bool, list, tuple)

cdef enum:
    FEW = 4096  # elements


def zeros(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of zeros, of float64 by default."""
    made = None
    if order == "C" and device is None and ctx is None:
        made = filled(shape, float if dtype is None else dtype, 0)
    return _slow.zeros(shape, dtype, order, device=device, ctx=ctx) if made is None else made


def ones(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of ones, of float64 by default."""
    made = None
    if order == "C" and device is None and ctx is None:
        made = filled(shape, float if dtype is None else dtype, 1)
    return _slow.ones(shape, dtype, order, device=device, ctx=ctx) if made is None else made


def arange(start=None, stop=None, step=1, dtype=None, *, device=None, like=None, ctx=None):
    """Numbers from start to before stop, a step apart; `arange(stop)` starts at 0."""
    if stop is None:
        if start is None:
            raise TypeError("arange() requires stop to be specified.")
        start, stop = 0, start
    elif start is None:
        start = 0
    if device is None and ctx is None:
        made = counted(start, stop, step, dtype)
        if made is not None:
            return made
    return _slow.arange(start, stop, step, dtype, device, ctx)


def diag_indices(n, ndim=2, *, device=None, like=None, ctx=None):
    """The indices of the diagonal of a cube of n elements along each axis: one array for each."""
    made = None
    if type(n) is int and type(ndim) is int and device is None and ctx is None:
        made = counted(0, n, 1, None)
    return _slow.diag_indices(n, ndim, device=device, ctx=ctx) if made is None else (made,) * ndim


# --- from values --------------------------------------------------------------------------------------
cdef bint is_straight(order) noexcept:
    """Whether an array in C order stays in it."""
    return order == "K" or order == "C" or order == "A"


cdef Array copied_as(Array x, dtype, int ndim):
    """A copy of a contiguous array, perhaps in another dtype and with axes of extent 1 before its own."""
    cdef int code = known_code(dtype)
    made = None
    if code != UNKNOWN:
        made = copied(x) if code == -1 else cast(x, code)
    return with_axes(made, ndim) if made is not None and ndim > x.ndim_ else made


cdef Array with_axes(Array x, int ndim):
    """A view of an array in C order with axes of extent 1 before its own."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int i
    for i in range(ndim):
        dims[i] = 1 if i < ndim - x.ndim_ else x.dims[i - ndim + x.ndim_]
    c_strides(ndim, dims, ITEMSIZE[x.dtype_code], dims + ndim)
    made = new_view(x, x.offset, ndim, dims, dims + ndim)
    made.whole = x.whole
    return made


def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=None, like=None, device=None,
          ctx=None):  # fmt: skip
    """An array of the values of `object`: numbers, nested sequences, arrays, what has `__array__`.

    Without `dtype` it is the one that NumPy finds: int64, float64, complex128 or bool for Python's numbers.
    `copy=False` raises ValueError where a copy is needed, `copy=None` copies only then.
    """
    cdef int code
    if ndmax is not None:
        np.array(taken(object, []), dtype, ndmin=ndmin, ndmax=ndmax)  # says what has more axes
    if copy is True and device is None and ctx is None and type(ndmin) is int and ndmin < 8 and is_straight(order):
        if isinstance(object, Array):
            if is_ours(object):
                made = copied_as(<Array>object, dtype, ndmin)
                if made is not None:
                    return made
        elif ndmin <= 0 and type(object) in PLAIN and on_cpu():
            made = None
            code = known_code(dtype)
            if code != UNKNOWN:
                made = array_of(object, code)
                if made is None and dtype is None and type(object) is list:
                    made = stack(object)
            return given(np.array(taken(object, []), dtype), []) if made is None else made
        elif ndmin <= 1 and dtype is None and type(object) is FlatIterator:
            return object._as_array()
    if device is None and ctx is None and (type(object) in PLAIN or is_few(object)):
        return _slow.made_array(object, dtype, copy=copy, order=order, ndmin=ndmin)
    return _slow.array(object, dtype, copy=copy, order=order, ndmin=ndmin, device=device, ctx=ctx)


def frombuffer(buffer, dtype=float, count=-1, offset=0, *, device=None, like=None, ctx=None):
    """An array along one axis over the memory of bytes or a buffer."""
    if device is None and ctx is None and on_cpu() and not isinstance(buffer, Array):
        try:
            return given(np_frombuffer(buffer, dtype, count, offset), [])
        except (TypeError, ValueError):
            pass  # said by who takes the usual way
    return _slow.frombuffer(buffer, dtype, count, offset, device=device, ctx=ctx)


cdef bint is_few(object x) noexcept:
    """Whether this is an array of ours with so few elements that NumPy's way is the short one."""
    return is_ours(x) and (<Array>x).size <= FEW


cdef bint is_array(x) noexcept:
    return isinstance(x, Array) and (<Array>x).face == face()


def asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None, ctx=None):
    """The array itself if it is one with this dtype and order; otherwise an array of its values."""
    if dtype is None and copy is None and device is None and ctx is None:
        if isinstance(a, Array):
            if (<Array>a).face == face():
                if order is None or (<Array>a).c_contiguous and order in ("C", "K", "A"):
                    return a
        elif order is None and type(a) in PLAIN:
            return array(a)
    elif dtype is not None and device is None and ctx is None:
        return array(a, dtype, copy=copy, order="K" if order is None else order)
    return _slow.asarray(a, dtype, order, device=device, copy=copy, ctx=ctx)


def asanyarray(a, dtype=None, order=None, *, device=None, copy=None, like=None):
    """As `asarray`: the classes of arrays are not told apart."""
    if dtype is None and order is None and not copy and device is None and is_array(a):
        return a
    return asarray(a, dtype, order, device=device, copy=copy)


def ascontiguousarray(a, dtype=None, *, like=None):
    """An array with at least one axis whose elements lie in one run in C order, `a` itself if it is one."""
    if dtype is None and is_array(a) and (<Array>a).c_contiguous and (<Array>a).ndim_ > 0:
        return a
    return array(a, dtype, copy=None, order="C", ndmin=1)


def asfortranarray(a, dtype=None, *, like=None):
    """An array with at least one axis whose elements lie in one run in Fortran order."""
    if dtype is None and is_array(a) and (<Array>a).c_contiguous and (<Array>a).ndim_ == 1:
        return a
    return array(a, dtype, copy=None, order="F", ndmin=1)


# --- like others --------------------------------------------------------------------------------------
cdef Array like_few(a, dtype, order, shape, value):
    """A new array like a contiguous one, filled with a number unless that is None."""
    cdef int64_t dims[MAX_NDIM]
    cdef int64_t* extents
    cdef int n, code
    if not is_ours(a):
        if value is not None and shape is None and is_straight(order) and (type(a) is float or type(a) is int):
            return filled((), type(a) if dtype is None else dtype, value)
        return None
    cdef Array x = <Array>a
    if not x.c_contiguous or x.var.on_gpu() or not is_straight(order):
        return None
    extents, n, code = x.dims, x.ndim_, known_code(dtype)
    if code == UNKNOWN:
        return None
    code = x.dtype_code if code == -1 else code
    if shape is not None:
        extents, n = dims, read_extents(shape, dims)
        if n < 0:
            return None
    made = new_like(x, n, extents, code) if value is None else filled_with(n, <long long*>extents, code, value, x)
    if made is not None:
        made.read_only = 0
    return made


def empty_like_few(prototype, /, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """`empty_like` of a small array."""
    return like_few(prototype, dtype, order, shape, None) if device is None and ctx is None else None


def zeros_like_few(a, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """`zeros_like` of a small array."""
    return like_few(a, dtype, order, shape, 0) if device is None and ctx is None else None


def ones_like_few(a, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """`ones_like` of a small array."""
    return like_few(a, dtype, order, shape, 1) if device is None and ctx is None else None


def full_like_few(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """`full_like` of a small array, filled with a number."""
    if fill_value is None or device is not None or ctx is not None:
        return None
    return like_few(a, dtype, order, shape, fill_value)


def copy_few(a, order="K", subok=False):
    """`copy` of a small array."""
    return copied(<Array>a) if is_straight(order) and is_ours(a) else None
