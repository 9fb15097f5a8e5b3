# cython: cdivision=True
"""Small arrays at once: methods and functions that would otherwise spend their time on the way to NumPy.

What is here is done in the calling thread, on contiguous arrays that nobody writes and that autograd does not
follow; the functions return None (or NULL) for everything else, which takes the usual way.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, intptr_t, uint8_t
from libc.string cimport memcpy, memmove, memset

import numpy as np

cimport numpy as cnp

from .._array cimport DTYPE_COUNT, Array, FastLoop, LoopFunction, new_like
from .._cast cimport cast_loop
from .._engine cimport report_fp_flags
from .._invoke cimport is_number, is_watched, readable_data, same_shape, store_scalar
from .._loops cimport ResolvedLoop
from ._calls cimport face

from .._loops import resolve, resolve_product
from ..dtypes import DTYPES
from ..errors import DTypeError

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, UINT64, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64
    const uint8_t* ITEMSIZE

cdef extern from "numpy/arrayobject.h":
    """
    static int mxcy_numpy_position(PyObject* dtype, void* data, npy_intp n, npy_intp* at, int largest) {
      PyArray_ArrFuncs* of = PyDataType_GetArrFuncs((PyArray_Descr*)dtype);
      return (largest ? of->argmax : of->argmin)(data, n, at, NULL);
    }
    """
    int numpy_position "mxcy_numpy_position"(PyObject* dtype, void*, Py_ssize_t n, Py_ssize_t* at, bint largest)

cnp.import_array()

cdef extern from "fp_status.hpp" namespace "mxcy" nogil:
    int take_fp_flags()

cdef enum:
    FEW = 4096          # elements
    MANY = 1 << 17      # of which the largest is found at once: in any order, at the rate of the cache
    FEW_BYTES = 16384   # up to which a new buffer is there at once

cdef FastLoop loops[REDUCTIONS][DTYPE_COUNT]
cdef FastLoop products[DTYPE_COUNT]
NAMES = ("sum", "prod", "max", "min", "any", "all")
cdef const char* c_names[REDUCTIONS]
cdef list _kept = [name.encode() for name in NAMES]


def _find_loops():
    cdef ResolvedLoop found
    cdef FastLoop* loop
    functions = (np.add, np.multiply, np.maximum, np.minimum, np.logical_or, np.logical_and)
    for kind, function in enumerate(functions):
        c_names[<int>kind] = <const char*><bytes>_kept[kind]
        for code in range(DTYPE_COUNT):
            wide = code in (INT64, UINT64) or code > BFLOAT16
            if code in (FLOAT16, BFLOAT16) or kind < 2 and not wide or kind > 3 and code != BOOL:
                continue
            try:
                found = resolve(function, (code, code))
            except DTypeError:
                continue
            if found.python or found.may_fail or found.declared != (code, code, code):
                continue
            if kind == PROD and code >= COMPLEX64:  # of complex infinities 1 times the first is no number
                continue
            loop = &loops[<int>kind][<int>code]
            loop.function, loop.data = <LoopFunction>found.loop, found.data
            loop.limit = MANY if kind == MAX or kind == MIN else FEW
    for code in (FLOAT32, FLOAT64):
        found = resolve_product((code, code))
        products[<int>code].function, products[<int>code].data = <LoopFunction>found.loop, found.data


# --- reductions ---------------------------------------------------------------------------------------
cdef Array reduced(Array x, int kind, PyObject* initial=NULL):
    """The reduction over all elements, or None."""
    cdef FastLoop* loop = &loops[kind][x.dtype_code]
    cdef char first[16]
    cdef char* args[3]
    cdef Py_ssize_t strides[3]
    cdef Py_ssize_t n = x.size
    cdef Array made
    cdef int flags
    if x.size == 0 or x.size >= loop.limit or not begins_with(initial, x.dtype_code, first):
        return None
    args[1] = readable_data(<PyObject*>x)
    if args[1] is NULL or x.grad_info is not NULL:
        return None
    made = new_like(x, 0, x.dims, x.dtype_code)
    args[0] = args[2] = made.var.data.load()
    strides[0] = strides[2] = 0
    strides[1] = ITEMSIZE[x.dtype_code]
    if kind == SUM or initial is not NULL:  # a sum begins with 0: the order of additions depends on their number
        memcpy(args[0], first, strides[1])
    else:
        memcpy(args[0], args[1], strides[1])
        args[1] += strides[1]
        n -= 1
    take_fp_flags()
    if n > 0:
        loop.function(args, &n, strides, loop.data)
    flags = take_fp_flags()
    made.var.version += 1
    if flags:
        report_fp_flags(c_names[kind], flags)
    return made


cdef bint begins_with(PyObject* initial, int code, char* first) except -1:
    """Writes what a reduction begins with, 0 without a number; false for what is no such number."""
    if initial is NULL:
        memset(first, 0, 16)
        return True
    return code != BOOL and is_number(initial) and store_scalar(initial, code, first)


cdef Array averaged(Array x):
    """The mean of all elements, or None."""
    cdef Array made
    if x.dtype_code != FLOAT64 and x.dtype_code != FLOAT32:
        return None
    made = reduced(x, SUM)
    if made is None:
        return None
    if x.dtype_code == FLOAT64:
        (<double*>made.var.data.load())[0] /= x.size
    else:
        (<float*>made.var.data.load())[0] /= x.size
    return made


cdef Array position(Array x, bint largest, bint keep=False):
    """The position of the first extreme element (`keep`: of a vector, along an axis), or None."""
    cdef char* data
    cdef Py_ssize_t at = 0
    if x.size == 0 or x.size >= FEW or x.grad_info is not NULL or x.dtype_code == BFLOAT16:
        return None
    data = readable_data(<PyObject*>x)
    if data is NULL:
        return None
    if keep and x.ndim_ != 1:
        return None
    cdef int64_t one = 1
    numpy_position(<PyObject*>DTYPES[x.dtype_code], data, x.size, &at, largest)
    cdef Array made = new_like(x, keep, &one, INT64)
    (<int64_t*>made.var.data.load())[0] = at
    made.var.version += 1
    return made


cdef Array reduced_along(Array x, int kind, int axis, PyObject* initial=NULL):
    """The reduction of a contiguous matrix along one of its axes, or None."""
    cdef FastLoop* loop = &loops[kind][x.dtype_code]
    cdef char* args[3]
    cdef Py_ssize_t strides[3]
    cdef Py_ssize_t n
    cdef char first[16]
    cdef int64_t item = ITEMSIZE[x.dtype_code], i, k
    cdef int64_t begun = kind != SUM and initial is NULL  # elements that the result begins with
    cdef char* data
    cdef char* out
    cdef Array made
    cdef int flags
    if x.ndim_ == 1 and (axis == 0 or axis == -1):
        return reduced(x, kind, initial)
    axis += 2 if axis < 0 else 0
    if x.ndim_ == 2 and axis == 0 and x.dims[1] == 1:  # NumPy adds as along one axis
        made = reduced(x, kind, initial)
        if made is not None:
            made.read_only = 0
            made = made._reshape_view((1,))
        return made
    if x.ndim_ != 2 or not 0 <= axis < 2 or x.size == 0 or x.size >= min(loop.limit, FEW) or x.grad_info is not NULL:
        return None
    if not begins_with(initial, x.dtype_code, first):
        return None
    data = readable_data(<PyObject*>x)
    if data is NULL:
        return None
    made = new_like(x, 1, &x.dims[1 - axis], x.dtype_code)
    out = made.var.data.load()
    take_fp_flags()
    if axis == 0:
        if begun:
            memcpy(out, data, x.dims[1] * item)
        else:
            for k in range(x.dims[1]):
                memcpy(out + k * item, first, item)
        strides[0] = strides[1] = strides[2] = item
        n = x.dims[1]
        for i in range(begun, x.dims[0]):
            args[0] = args[2] = out
            args[1] = data + i * n * item
            loop.function(args, &n, strides, loop.data)
    else:
        strides[0] = strides[2] = 0
        strides[1] = item
        n = x.dims[1] - begun
        for i in range(x.dims[0]):
            args[0] = args[2] = out + i * item
            if begun:
                memcpy(args[0], data + i * x.dims[1] * item, item)
            else:
                memcpy(args[0], first, item)
            args[1] = data + (i * x.dims[1] + begun) * item
            if n > 0:
                loop.function(args, &n, strides, loop.data)
    flags = take_fp_flags()
    made.var.version += 1
    if flags:
        report_fp_flags(c_names[kind], flags)
    return made


# --- copies -------------------------------------------------------------------------------------------
cdef Array copied(Array x):
    """A copy of a contiguous array, or None."""
    cdef char* data
    if x.size * ITEMSIZE[x.dtype_code] > FEW_BYTES or x.grad_info is not NULL or x.ndim_ == 0:
        return None
    data = readable_data(<PyObject*>x)
    if data is NULL:
        return None
    cdef Array made = new_like(x, x.ndim_, x.dims, x.dtype_code)
    memcpy(made.var.data.load(), data, x.size * ITEMSIZE[x.dtype_code])
    made.var.version += 1
    return made


cdef Array cast(Array x, int code):
    """The elements of a contiguous array in another dtype, where all values have a place; or None."""
    cdef bint floats = ((x.dtype_code == FLOAT32 or x.dtype_code == FLOAT64)
                        and (code == FLOAT32 or code == FLOAT64))
    cdef int flags
    cdef char* args[2]
    cdef intptr_t strides[2]
    cdef intptr_t n = x.size
    if code == x.dtype_code:
        return copied(x)
    if n * ITEMSIZE[code] > FEW_BYTES or n > FEW or x.grad_info is not NULL or x.ndim_ == 0:
        return None
    if x.dtype_code >= FLOAT16 and not floats or code == FLOAT16 or code == BFLOAT16:
        return None
    args[0] = readable_data(<PyObject*>x)
    if args[0] is NULL:
        return None
    cdef Array made = new_like(x, x.ndim_, x.dims, code)
    args[1] = made.var.data.load()
    strides[0], strides[1] = ITEMSIZE[x.dtype_code], ITEMSIZE[code]
    take_fp_flags()
    cast_loop(x.dtype_code, code)(args, &n, strides, NULL)
    flags = take_fp_flags()
    made.var.version += 1
    if flags:
        report_fp_flags("cast", flags)
    return made


cdef bint can_write(Array x) noexcept:
    return (x.var.idle() and not x.read_only and x.grad_info is NULL and not is_watched()
            and not x.var.on_gpu() and x.var.data.load() is not NULL)


cdef bint assign_array(Array view, Array value) noexcept:
    """Writes an array of the same shape and dtype in one run, or one element to all; false if it is neither."""
    cdef char* target
    cdef char* source
    cdef int64_t item = ITEMSIZE[view.dtype_code]
    if value.dtype_code != view.dtype_code or value.grad_info is not NULL or view.size > FEW:
        return False
    if not view.c_contiguous or not same_shape(<PyObject*>view, <PyObject*>value):
        return False
    source = readable_data(<PyObject*>value)
    if source is NULL or not can_write(view):
        return False
    target = view.var.data.load() + view.offset
    memmove(target, source, view.size * item)
    view.var.version += 1
    return True


cdef bint assign_number(Array view, PyObject* value) except -1:
    """Writes a Python number that the dtype holds to all elements of a vector or a run; false for others."""
    cdef char scalar[16]
    cdef char* target
    cdef int64_t item = ITEMSIZE[view.dtype_code], step = item, i
    if view.size > FEW or not is_number(value) or not can_write(view):
        return False
    if not view.c_contiguous:
        if view.ndim_ != 1:
            return False
        step = view.dims[1]
    if view.dtype_code == BOOL or not store_scalar(value, view.dtype_code, scalar):
        return False
    target = view.var.data.load() + view.offset
    for i in range(view.size):
        memcpy(target + i * step, scalar, item)
    view.var.version += 1
    return True


# --- functions ------------------------------------------------------------------------------------------
cdef bint is_ours(object x) noexcept:
    return isinstance(x, Array) and (<Array>x).face == face() and (<Array>x).grad_info is NULL


def reduce(int kind, x, axis=None):
    """Return one of NAMES over all elements or along one axis of an array of ours, None for others."""
    if not is_ours(x):
        return None
    if axis is None:
        return reduced(<Array>x, kind)
    return reduced_along(<Array>x, kind, axis) if type(axis) is int and -3 < axis < 3 else None


def mean(x):
    """Return the mean over all elements of an array of ours, None for others."""
    return averaged(<Array>x) if is_ours(x) else None


def arg(x, bint largest):
    """Return the position of the extreme element, None for what is not for here."""
    return position(<Array>x, largest) if is_ours(x) else None


def copy(x):
    """Return a copy of an array of ours, None for what is not for here."""
    return copied(<Array>x) if is_ours(x) else None


def matmul(a, b):
    """Return the product of small matrices or vectors of floats; None for what is not for here."""
    if not (is_ours(a) and is_ours(b)):
        return None
    cdef Array x = a, y = b, made
    cdef int code = x.dtype_code
    cdef char* args[3]
    cdef Py_ssize_t sizes[4]
    cdef Py_ssize_t steps[9]
    cdef int64_t shape[2]
    cdef int64_t item = ITEMSIZE[code], n
    cdef int ndim = 0, flags
    if code != y.dtype_code or code != FLOAT64 and code != FLOAT32 or x.size > FEW or y.size > FEW:
        return None
    if not (0 < x.ndim_ <= 2 and 0 < y.ndim_ <= 2) or x.size == 0 or y.size == 0:
        return None
    n = x.dims[x.ndim_ - 1]
    if n != y.dims[0] or not is_here(x) or not is_here(y):
        return None
    sizes[0], sizes[1], sizes[2], sizes[3] = 1, 1, n, 1
    memset(steps, 0, sizeof(steps))
    steps[4], steps[5], steps[6] = x.dims[2 * x.ndim_ - 1], y.dims[y.ndim_], item
    steps[3], steps[7], steps[8] = n * item, item, item
    if x.ndim_ == 2:
        sizes[1] = shape[ndim] = x.dims[0]
        steps[3] = x.dims[2]
        ndim += 1
    if y.ndim_ == 2:
        sizes[3] = shape[ndim] = y.dims[1]
        steps[6] = y.dims[3]
        ndim += 1
    steps[7] = sizes[3] * item
    if sizes[1] * sizes[3] * item > FEW_BYTES or sizes[1] * sizes[3] * n > 8 * FEW:
        return None
    made = new_like(x, ndim, shape, code)
    args[0], args[1] = x.var.data.load() + x.offset, y.var.data.load() + y.offset
    args[2] = made.var.data.load()
    take_fp_flags()
    products[code].function(args, sizes, steps, products[code].data)
    flags = take_fp_flags()
    made.var.version += 1
    if flags:
        report_fp_flags("matmul", flags)
    return made


cdef bint is_here(Array x) noexcept:
    return x.var.readable() and not x.var.on_gpu() and x.var.data.load() is not NULL


_find_loops()
