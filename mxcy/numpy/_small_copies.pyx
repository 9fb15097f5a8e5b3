# cython: cdivision=True
"""Copies of small arrays in other layouts, views of their memory as other dtypes, and single numbers.

As in `_small.pyx`: what is here is done at once, and the functions return None for what is not for here.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from .._array cimport DTYPE_COUNT, MAX_NDIM, Array, adopt_var, new_like, new_view
from .._invoke cimport is_enabled, readable_data
from ._small cimport is_ours

from ..dtypes import DTYPES

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT32, INT64, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64
    const uint8_t* ITEMSIZE

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(PyObject*, int*) except? -1

cdef extern from *:
    uint16_t swapped16 "__builtin_bswap16"(uint16_t) noexcept
    uint32_t swapped32 "__builtin_bswap32"(uint32_t) noexcept
    uint64_t swapped64 "__builtin_bswap64"(uint64_t) noexcept

cdef enum:
    FEW_BYTES = 16384  # of a copy that is made here

# Dtypes by what they are called.
cdef dict codes = {float: FLOAT64, int: INT64, bool: BOOL}
for _code, _dtype in enumerate(DTYPES):
    if _dtype.isbuiltin == 1:
        codes[_dtype], codes[_dtype.type], codes[_dtype.name] = _code, _code, _code

# By the name of a rule, what it allows: a byte for each pair of codes.
cdef dict casts = {
    rule: bytes([np.can_cast(a, b, rule) for a in DTYPES for b in DTYPES])
    for rule in ("no", "equiv", "safe", "same_kind", "unsafe")
}


cdef int known_code(dtype) except -3:
    if dtype is None:
        return -1
    if type(dtype) is type or type(dtype) is str or isinstance(dtype, np.dtype):
        return codes.get(dtype, UNKNOWN)
    return UNKNOWN


cdef bint may_cast(int source, int target, casting) except -1:
    allowed = casts.get(casting) if type(casting) is str else None
    return allowed is not None and (<const uint8_t*><const char*><bytes>allowed)[source * DTYPE_COUNT + target] != 0


# --- copies -------------------------------------------------------------------------------------------
cdef char* few_bytes(Array x) noexcept:
    """The elements of an array that autograd does not follow, if they are few; else NULL."""
    if x.size * ITEMSIZE[x.dtype_code] > FEW_BYTES or x.grad_info is not NULL:
        return NULL
    return readable_data(<PyObject*>x)


cdef Array flattened(Array x):
    """A copy of a contiguous array along one axis."""
    cdef char* data = few_bytes(x)
    if data is NULL:
        return None
    made = new_like(x, 1, &x.size, x.dtype_code)
    memcpy(made.var.data.load(), data, x.size * ITEMSIZE[x.dtype_code])
    made.var.version += 1
    return made


cdef bytes bytes_of(Array x):
    """The elements of a contiguous array as bytes."""
    cdef char* data = readable_data(<PyObject*>x)
    return None if data is NULL else PyBytes_FromStringAndSize(data, x.size * ITEMSIZE[x.dtype_code])


cdef Array with_bytes_swapped(Array x):
    """A copy of a contiguous array, with the bytes of each number in reverse order."""
    cdef int64_t item = ITEMSIZE[x.dtype_code] >> (x.dtype_code >= COMPLEX64), count, i
    cdef char* data = few_bytes(x)
    cdef char* to
    if data is NULL or x.ndim_ == 0:
        return None
    made = new_like(x, x.ndim_, x.dims, x.dtype_code)
    to = made.var.data.load()
    count = x.size * ITEMSIZE[x.dtype_code] // item
    if item == 8:
        for i in range(count):
            (<uint64_t*>to)[i] = swapped64((<uint64_t*>data)[i])
    elif item == 4:
        for i in range(count):
            (<uint32_t*>to)[i] = swapped32((<uint32_t*>data)[i])
    elif item == 2:
        for i in range(count):
            (<uint16_t*>to)[i] = swapped16((<uint16_t*>data)[i])
    else:
        memcpy(to, data, count)
    made.var.version += 1
    return made


cdef Array repeated(Array x, repeats, axis):
    """The elements of a contiguous array, each as often as a number or a vector of integers says."""
    cdef int64_t item = ITEMSIZE[x.dtype_code], each = 0, total = 0, i, k
    cdef int64_t* counts = NULL
    cdef char* data = few_bytes(x)
    cdef char* to
    if data is NULL or axis is not None and (x.ndim_ != 1 or type(axis) is not int or axis != 0 and axis != -1):
        return None
    if type(repeats) is int:
        if not 0 <= repeats <= FEW_BYTES:
            return None
        each = repeats
        total = each * x.size
    elif is_ours(repeats) and (<Array>repeats).dtype_code == INT64 and (<Array>repeats).ndim_ == 1:
        counts = <int64_t*>readable_data(<PyObject*>repeats)
        if counts is NULL or (<Array>repeats).size != x.size:
            return None
        for i in range(x.size):
            if not 0 <= counts[i] <= FEW_BYTES:
                return None
            total += counts[i]
    else:
        return None
    if total * item > FEW_BYTES:
        return None
    made = new_like(x, 1, &total, x.dtype_code)
    to = made.var.data.load()
    for i in range(x.size):
        for k in range(each if counts is NULL else counts[i]):
            if item == 8:
                (<int64_t*>to)[0] = (<int64_t*>data)[i]
            else:
                memcpy(to, data + i * item, item)
            to += item
    made.var.version += 1
    return made


cdef bint is_nonzero(const char* at, int code) noexcept:
    if code == FLOAT64:
        return (<double*>at)[0] != 0
    if code == FLOAT32:
        return (<float*>at)[0] != 0
    cdef uint64_t bits = 0
    memcpy(&bits, at, ITEMSIZE[code])
    return bits != 0


cdef tuple places_of(Array x):
    """The positions of elements of a vector that are not zero."""
    cdef char* data = few_bytes(x)
    cdef int64_t item = ITEMSIZE[x.dtype_code], count = 0, i
    cdef int64_t* to
    if data is NULL or x.ndim_ != 1 or x.dtype_code == FLOAT16 or x.dtype_code == BFLOAT16 or x.dtype_code >= COMPLEX64:
        return None
    for i in range(x.size):
        count += is_nonzero(data + i * item, x.dtype_code)
    if count * 8 > FEW_BYTES:
        return None
    made = new_like(x, 1, &count, INT64)
    to = <int64_t*>made.var.data.load()
    for i in range(x.size):
        if is_nonzero(data + i * item, x.dtype_code):
            to[0] = i
            to += 1
    made.var.version += 1
    return (made,)


# --- views --------------------------------------------------------------------------------------------
cdef bint is_aligned(Array x, int64_t item) noexcept:
    """Whether numbers of another size can begin where the array begins."""
    cdef char* data = x.var.data.load()
    return data is not NULL and (<uint64_t>data + x.offset) % item == 0 and not x.var.on_gpu()


cdef Array over(Array x, int64_t offset, const int64_t* dims, const int64_t* strides, int code):
    x.var.refs.fetch_add(1)
    return adopt_var(x.var, x.face, x.offset + offset, x.ndim_, dims, strides, code, x.read_only)


cdef Array viewed_as(Array x, int code):
    """The memory of an array read as another dtype, of another size only along the last axis of a run."""
    cdef int64_t dims[MAX_NDIM]
    cdef int64_t item = ITEMSIZE[code], own = ITEMSIZE[x.dtype_code]
    if x.grad_info is not NULL or not is_aligned(x, item):
        return None
    if item == own:
        return over(x, 0, x.dims, x.dims + x.ndim_, code)
    if x.ndim_ == 0 or not x.c_contiguous or x.dims[x.ndim_ - 1] * own % item != 0:
        return None
    memcpy(dims, x.dims, x.ndim_ * sizeof(int64_t))
    dims[x.ndim_ - 1] = dims[x.ndim_ - 1] * own // item
    return over(x, 0, dims, NULL, code)


cdef Array field_of(Array x, int code, offset):
    """A part of each element of an array."""
    cdef int64_t item = ITEMSIZE[code], at
    if x.grad_info is not NULL or x.ndim_ == 0 or type(offset) is not int or not is_aligned(x, item):
        return None
    if not 0 <= offset <= ITEMSIZE[x.dtype_code] - item or offset % item != 0:
        return None
    at = offset
    return over(x, at, x.dims, x.dims + x.ndim_, code)


cdef Array diagonal_of(Array x, offset, axis1, axis2):
    """A view of a diagonal of two axes, which cannot be written and comes last."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int n = x.ndim_, one, two, i, at = 0
    cdef int64_t start, rows, columns, length, begin
    if type(offset) is not int or type(axis1) is not int or type(axis2) is not int or x.grad_info is not NULL:
        return None
    if not -n <= axis1 < n or not -n <= axis2 < n or not -2**40 < offset < 2**40:
        return None
    one, two, start = axis1, axis2, offset
    one, two = one + n if one < 0 else one, two + n if two < 0 else two
    if one == two:
        return None
    for i in range(n):
        if i != one and i != two:
            dims[at], dims[n - 1 + at] = x.dims[i], x.dims[n + i]
            at += 1
    rows = x.dims[one] + (start if start < 0 else 0)
    columns = x.dims[two] - (start if start > 0 else 0)
    length = max(min(rows, columns), 0)
    begin = start * x.dims[n + two] if start > 0 else -start * x.dims[n + one]
    dims[at], dims[n - 1 + at] = length, x.dims[n + one] + x.dims[n + two]
    made = new_view(x, x.offset + (begin if length > 0 else 0), n - 1, dims, dims + n - 1)
    made.read_only = 1
    return made


# --- numbers ------------------------------------------------------------------------------------------
cdef object number_at(Array x, tuple position):
    cdef int64_t offset = x.offset, at, extent
    cdef int n = x.ndim_, i, overflow = 0
    cdef char* data
    cdef Py_ssize_t given = len(position)
    if x.var.on_gpu() or not is_enabled() or not x.var.readable() or x.grad_info is not NULL:
        return None
    data = x.var.data.load()
    if data is NULL or not (given == n or given == 1 and x.c_contiguous):
        return None
    for i in range(given):
        extent = x.dims[i] if given == n else x.size
        index = position[i]
        if type(index) is not int:
            return None
        at = PyLong_AsLongLongAndOverflow(<PyObject*>index, &overflow)
        at += extent if at < 0 else 0
        if overflow or not 0 <= at < extent:
            return None
        offset += at * (x.dims[n + i] if given == n else ITEMSIZE[x.dtype_code])
    data += offset
    if x.dtype_code == FLOAT64:
        return (<double*>data)[0]
    if x.dtype_code == FLOAT32:
        return <double>(<float*>data)[0]
    if x.dtype_code == INT64:
        return (<int64_t*>data)[0]
    if x.dtype_code == INT32:
        return (<int32_t*>data)[0]
    return data[0] != 0 if x.dtype_code == BOOL else None
