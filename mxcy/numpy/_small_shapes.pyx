# cython: cdivision=True
"""Views, fills and choices of arrays that autograd does not follow, at once: see `_small.pyx`.

The functions return None for what is not for here, which takes the usual way.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.math cimport ceil
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from .._array cimport DTYPE_COUNT, MAX_NDIM, Array, FastLoop, LoopFunction, new_array, new_like, new_view, steal
from .._engine cimport var_ensure_data
from .._invoke cimport is_element, is_number, readable_data, same_shape, store_scalar
from .._loops cimport ResolvedLoop
from ._calls cimport face
from ._small cimport cast, copied, is_ours
from ._small_copies cimport known_code
from ._vectorcall cimport vectorcall

from .._loops import resolve
from ..context import _defaults, _elsewhere
from ..dtypes import DTYPES, code_of
from ..errors import DTypeError

__all__ = [
    "clip", "common_type", "filled", "isfortran", "isscalar", "iterable", "ndim", "result_type", "shape", "size",
    "squeeze", "swapaxes", "unstack", "where",
]  # fmt: skip

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT32, INT64, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64
    const uint8_t* ITEMSIZE

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint is_f_contiguous(int, const int64_t*, const int64_t*, int64_t)

cdef extern from "fp_status.hpp" namespace "mxcy" nogil:
    int take_fp_flags()

cdef enum:
    FEW = 4096          # elements
    FEW_BYTES = 16384   # up to which a new buffer is there at once
    MOST = 8            # arguments
    EXACT = 1 << 24     # integers below are numbers of every dtype of 32 bits

cdef FastLoop limits[DTYPE_COUNT]
cdef list elsewhere = _elsewhere
cdef object _NOTHING = np._NoValue
cdef list dtypes = list(DTYPES)
cdef tuple NUMBERS = (int, float, bool, complex)
cdef tuple COMMON = (np.float16, np.float32, np.float64, None, np.complex64, np.complex128)
cdef object _result_type = getattr(np.result_type, "_implementation", np.result_type)


def _find_loops():
    cdef ResolvedLoop found
    for code in range(INT64 - 5, DTYPE_COUNT):
        if code in (FLOAT16, BFLOAT16) or code >= COMPLEX64:
            continue
        try:
            found = resolve(np._core.umath.clip, (code,) * 3)
        except DTypeError:
            continue
        if not found.python and found.declared == (code,) * 4:
            limits[<int>code].function, limits[<int>code].data = <LoopFunction>found.loop, found.data
            limits[<int>code].limit = FEW


# --- questions ----------------------------------------------------------------------------------------
def ndim(a):
    """The number of axes of an array."""
    return (<Array>a).ndim_ if is_ours(a) else None


def shape(a):
    """The extents of an array."""
    return a.shape if is_ours(a) else None


def size(a):
    """The number of elements of an array."""
    return (<Array>a).size if is_ours(a) else None


def isfortran(a):
    """Whether the elements lie in one run in Fortran order and not in that of C."""
    if not is_ours(a):
        return None
    cdef Array x = <Array>a
    return not x.c_contiguous and is_f_contiguous(x.ndim_, x.dims, x.dims + x.ndim_, ITEMSIZE[x.dtype_code])


def isscalar(element):
    """Whether this is a number: true for Python's."""
    return True if type(element) in NUMBERS else None


def iterable(y):
    """Whether an array can be iterated over."""
    return (<Array>y).ndim_ > 0 if is_ours(y) else None


def result_type(*arrays_and_dtypes):
    """The dtype that NumPy chooses for arrays, dtypes and Python's numbers."""
    cdef PyObject* given[MOST]
    cdef Py_ssize_t n = len(arrays_and_dtypes), i
    if n > MOST:
        return None
    for i in range(n):
        x = arrays_and_dtypes[i]
        if is_ours(x):
            given[i] = <PyObject*>dtypes[(<Array>x).dtype_code]
        elif type(x) in NUMBERS or type(x) is type or type(x) is str or isinstance(x, np.dtype):
            given[i] = <PyObject*>x
        else:
            return None
    try:
        return steal(vectorcall(<PyObject*>_result_type, given, n, NULL))
    except (TypeError, ValueError):
        return None  # said by who takes the usual way


def common_type(*arrays):
    """The class of numbers that holds those of arrays: floats, complex ones if an array has such."""
    cdef int most = 0, precision, code
    cdef bint is_complex = False
    for a in arrays:
        if not is_ours(a):
            return None
        code = (<Array>a).dtype_code
        if code == BOOL or code == BFLOAT16:
            return None
        is_complex = is_complex or code >= COMPLEX64
        precision = 0 if code == FLOAT16 else 1 if code == FLOAT32 or code == COMPLEX64 else 2
        most = max(most, precision)
    return COMMON[3 * is_complex + most]


# --- views --------------------------------------------------------------------------------------------
cdef Array squeezed(Array x, axis):
    """A view without axes of extent 1, or without one of them."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int i, left = 0, only = -1
    if axis is not None:
        if type(axis) is not int or not -x.ndim_ <= axis < x.ndim_:
            return None
        only = axis + x.ndim_ if axis < 0 else axis
        if x.dims[only] != 1:
            return None
    for i in range(x.ndim_):
        left += i != only if only >= 0 else x.dims[i] != 1
    if left == x.ndim_:
        return x
    cdef int at = 0
    for i in range(x.ndim_):
        if i != only if only >= 0 else x.dims[i] != 1:
            dims[at] = x.dims[i]
            dims[left + at] = x.dims[x.ndim_ + i]
            at += 1
    return new_view(x, x.offset, left, dims, dims + left)


cdef Array swapped(Array x, axis1, axis2):
    """A view with two axes exchanged."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int n = x.ndim_, i, k
    if type(axis1) is not int or type(axis2) is not int or not -n <= axis1 < n or not -n <= axis2 < n:
        return None
    i, k = axis1, axis2
    i, k = i + n if i < 0 else i, k + n if k < 0 else k
    memcpy(dims, x.dims, 2 * n * sizeof(int64_t))
    dims[i], dims[k], dims[n + i], dims[n + k] = dims[k], dims[i], dims[n + k], dims[n + i]
    return new_view(x, x.offset, n, dims, dims + n)


cdef Array raveled(Array x):
    """A view of all elements along one axis."""
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    if not x.c_contiguous or x.ndim_ == 0 and x.read_only:
        return None
    made = new_view(x, x.offset, 1, &x.size, &item)
    made.whole = x.whole
    return made


cdef Array viewed(Array x):
    """A view of all elements."""
    return new_view(x, x.offset, x.ndim_, x.dims, x.dims + x.ndim_)


def squeeze(a, axis=None):
    """A view without axes of extent 1, or without one of them."""
    return squeezed(<Array>a, axis) if is_ours(a) else None


def swapaxes(a, axis1, axis2):
    """A view with two axes exchanged."""
    return swapped(<Array>a, axis1, axis2) if is_ours(a) else None


def unstack(x, /, *, axis=0):
    """The entries of an axis."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int n, at, i, k = 1
    if not is_ours(x) or type(axis) is not int or not -(<Array>x).ndim_ <= axis < (<Array>x).ndim_:
        return None
    n, at = (<Array>x).ndim_, axis
    at += n if at < 0 else 0
    if at == 0:
        return tuple(x)
    for i in range(n):
        if i == at:
            dims[0], dims[n] = (<Array>x).dims[i], (<Array>x).dims[n + i]
        else:
            dims[k], dims[n + k] = (<Array>x).dims[i], (<Array>x).dims[n + i]
            k += 1
    return tuple(new_view(x, (<Array>x).offset, n, dims, dims + n))


# --- fills --------------------------------------------------------------------------------------------
cpdef bint on_cpu() except -1:
    """Whether new arrays are made in main memory."""
    cdef list stack
    if elsewhere[0] is False:
        return True
    stack = _defaults.stack
    return stack[len(stack) - 1].device_typeid == 1


cdef Array filled_with(int ndim, const long long* shape, int code, value, Array like):
    """A new array filled with a number that the dtype holds (with the face and on the device of `like`)."""
    cdef char cell[16]
    cdef int64_t item = ITEMSIZE[code], count = 1, i
    cdef char* data
    cdef Array made
    for i in range(ndim):
        count *= shape[i]
    if count * item > FEW_BYTES:
        return None
    memset(cell, 0, sizeof(cell))
    if code == BOOL:
        if value is not True and value is not False and not (type(value) is int and 0 <= value < 2):
            return None
        cell[0] = bool(value)
    elif type(value) is int and value == 0:
        pass
    elif not is_number(<PyObject*>value) or not store_scalar(<PyObject*>value, code, cell):
        return None
    made = new_array(face(), ndim, <int64_t*>shape, code) if like is None else new_like(like, ndim, <int64_t*>shape, code)
    data = var_ensure_data(made.var)
    if item == 1 or type(value) is int and value == 0:
        memset(data, cell[0], count * item)
    elif item == 8:
        for i in range(count):
            (<int64_t*>data)[i] = (<int64_t*>cell)[0]
    elif item == 4:
        for i in range(count):
            (<int32_t*>data)[i] = (<int32_t*>cell)[0]
    else:
        for i in range(count):
            memcpy(data + i * item, cell, item)
    made.var.version += 1
    return made


cdef Array of_values(shape, dtype, Array values):
    """A copy of values that have this shape."""
    cdef int64_t dims[MAX_NDIM]
    cdef int n = read_extents(shape, dims)
    if dtype is not None or n != values.ndim_ or memcmp(dims, values.dims, n * sizeof(int64_t)) != 0:
        return None
    return copied(values)


cpdef Array filled(object shape, object dtype, object value):
    """A new array filled with a number; without a dtype that of the number."""
    cdef long long dims[MAX_NDIM]
    cdef int n, code
    if is_ours(value):
        return of_values(shape, dtype, <Array>value)
    if dtype is float:
        code = FLOAT64
    elif dtype is not None:
        code = code_of(dtype)
    elif type(value) is float:
        code = FLOAT64
    elif type(value) is int or type(value) is bool:
        code = INT64 if type(value) is int else BOOL
    else:
        return None
    n = read_extents(shape, <int64_t*>dims)
    if n >= 0 and on_cpu():
        return filled_with(n, dims, code, value, None)
    return None


cdef int read_extents(shape, int64_t* dims) except -2:
    """Reads a shape of few extents, none of them large; returns how many, -1 for what is not for here."""
    cdef int n = 0
    if type(shape) is int:
        if not 0 <= shape <= FEW:
            return -1
        dims[0] = shape
        return 1
    if type(shape) is not tuple or len(<tuple>shape) > 4:
        return -1
    for given in <tuple>shape:
        if type(given) is not int or not 0 <= given <= FEW:
            return -1
        dims[n] = given
        n += 1
    return n


cdef Array counted(start, stop, step, dtype):
    """`arange` of Python's numbers."""
    cdef int code = known_code(dtype)
    cdef Array made
    if code == -1 and (type(start) is float or type(stop) is float or type(step) is float):
        return counted_floats(start, stop, step)
    made = counted_integers(start, stop, step) if code == -1 or code in (INT32, INT64, FLOAT32, FLOAT64) else None
    if made is None or code == -1 or code == INT64:
        return made
    if not -EXACT < start < EXACT or not -EXACT < stop < EXACT:
        return None
    return cast(made, code)


cdef Array counted_integers(start, stop, step):
    cdef int64_t first, last, by, n, i
    cdef Array made
    cdef int64_t* data
    if type(start) is not int or type(stop) is not int or type(step) is not int:
        return None
    if not -2**60 < start < 2**60 or not -2**60 < stop < 2**60 or not 0 < step < 2**31:
        return None
    first, last, by = start, stop, step
    n = (last - first + by - 1) // by if last > first else 0
    if n * 8 > FEW_BYTES or not on_cpu():
        return None
    made = new_array(face(), 1, &n, INT64)
    data = <int64_t*>var_ensure_data(made.var)
    for i in range(n):
        data[i] = first + i * by
    made.var.version += 1
    return made


cdef Array counted_floats(start, stop, step):
    """As NumPy counts: a multiple of the difference of the first two, added to the first."""
    cdef double first, last, by, count
    cdef int64_t n, i
    cdef double* data
    for x in (start, stop, step):
        if type(x) is not float and (type(x) is not int or not -2**52 < x < 2**52):
            return None
    first, last, by = start, stop, step
    if by == 0:
        return None
    count = ceil((last - first) / by)
    if not 0 < count <= FEW_BYTES / 8 or not on_cpu():
        return None
    n = <int64_t>count
    made = new_array(face(), 1, &n, FLOAT64)
    data = <double*>var_ensure_data(made.var)
    by = first + by - first
    for i in range(n):
        data[i] = first + i * by
    if n > 1:
        data[1] = first + <double>step
    made.var.version += 1
    return made


# --- choices ------------------------------------------------------------------------------------------
cdef Array limited(Array x, low, high):
    """The elements limited to a range of numbers."""
    cdef FastLoop* loop = &limits[x.dtype_code]
    cdef char bottom[16]
    cdef char top[16]
    cdef char* args[4]
    cdef Py_ssize_t strides[4]
    cdef Py_ssize_t n = x.size
    if n >= loop.limit or not is_number(<PyObject*>low) or not is_number(<PyObject*>high):
        return None
    if not store_scalar(<PyObject*>low, x.dtype_code, bottom) or not store_scalar(<PyObject*>high, x.dtype_code, top):
        return None
    args[0], args[1], args[2] = readable_data(<PyObject*>x), bottom, top
    if args[0] is NULL or n * ITEMSIZE[x.dtype_code] > FEW_BYTES:
        return None
    cdef Array made = new_like(x, x.ndim_, x.dims, x.dtype_code)
    args[3] = var_ensure_data(made.var)
    strides[0] = strides[3] = ITEMSIZE[x.dtype_code]
    strides[1] = strides[2] = 0
    loop.function(args, &n, strides, loop.data)
    take_fp_flags()  # comparisons with NaN: NumPy's loop clears them, too
    made.var.version += 1
    return made


def clip(a, a_min=_NOTHING, a_max=_NOTHING, out=None, *, min=_NOTHING, max=_NOTHING, **kwargs):
    """The elements limited to a range of numbers."""
    if out is not None or kwargs or not is_ours(a):
        return None
    if a_min is _NOTHING and a_max is _NOTHING:
        a_min, a_max = min, max
    elif min is not _NOTHING or max is not _NOTHING:
        return None
    return limited(<Array>a, a_min, a_max)


cdef char* element_or_data(x, Array like, char* cell, int64_t* step) except? NULL:
    """Where the elements of an operand of `where` are; NULL if that is not for here."""
    if is_ours(x):
        if (<Array>x).dtype_code != like.dtype_code or not same_shape(<PyObject*>x, <PyObject*>like):
            return NULL
        step[0] = ITEMSIZE[like.dtype_code]
        return readable_data(<PyObject*>x)
    step[0] = 0
    if like.dtype_code == BOOL or not (is_number(<PyObject*>x) or is_element(<PyObject*>x, like.dtype_code)):
        return NULL
    return cell if store_scalar(<PyObject*>x, like.dtype_code, cell) else NULL


def where(condition, a, b):
    """The elements of a where a condition holds, else those of b; one of both may be a number."""
    cdef char cell[16]
    cdef int64_t steps[2]
    cdef char* args[4]
    cdef int64_t i, item
    cdef Array like
    if not is_ours(condition) or not (is_ours(a) or is_ours(b)):
        return None
    like = <Array>a if is_ours(a) else <Array>b
    item = ITEMSIZE[like.dtype_code]
    if (<Array>condition).dtype_code != BOOL or not same_shape(<PyObject*>condition, <PyObject*>like):
        return None
    if like.ndim_ == 0 or like.size > FEW or like.size * item > FEW_BYTES:
        return None
    args[0] = readable_data(<PyObject*>condition)
    args[1] = element_or_data(a, like, cell, &steps[0])
    args[2] = element_or_data(b, like, cell, &steps[1])
    if args[0] is NULL or args[1] is NULL or args[2] is NULL:
        return None
    made = new_like(like, like.ndim_, like.dims, like.dtype_code)
    args[3] = var_ensure_data(made.var)
    if item == 8:
        for i in range(like.size):
            (<int64_t*>args[3])[i] = (<int64_t*>(args[1] + i * steps[0]))[0] if args[0][i] else (<int64_t*>(args[2] + i * steps[1]))[0]
    else:
        for i in range(like.size):
            memcpy(args[3] + i * item, args[1] + i * steps[0] if args[0][i] else args[2] + i * steps[1], item)
    made.var.version += 1
    return made


_find_loops()
