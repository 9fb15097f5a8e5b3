"""Launching kernels: from arrays to one engine operation, and the slow road through NumPy.

A kernel is a C function over tensors (native/op.hpp). `launch` builds the operation that holds the
tensors' shapes and its parameters in one block of memory and hands it to the engine, which keeps the
buffers alive until it has run.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset
from libcpp.vector cimport vector

import numpy as np

from . import _array
from ._array cimport Array, new_like, read_shape, require_writable
from ._device cimport load_kernels, on_gpu
from ._gpu cimport one_device
from ._engine cimport CVar, Kernel, Op, OP_OVERWRITES, Runtime, push, runtime

from .dtypes import DTYPES, code_of
from .errors import ArgumentTypeError, AxisError, DTypeError, ShapeError, message, wrap

__all__ = ["array_beside", "empty_like", "push_numpy"]


cdef extern from "launch.hpp" namespace "mxcy" nogil:
    cdef cppclass LaunchOp(Op):
        @staticmethod
        LaunchOp* make(const Runtime* runtime, Kernel kernel, int n_outputs, int n_inputs, int64_t dims,
                       const void* params, size_t nparams)
        void set(int i, CVar* var, int64_t offset, int64_t size, int ndim, uint8_t dtype, const int64_t* dims)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t ITEMSIZE[15]
    const uint8_t BOOL, INT64, FLOAT64

cdef Kernel copy_kernel = NULL  # lent by kernels/cpu/copying, which imports this module

cdef void lend_copy(Kernel kernel) noexcept:
    global copy_kernel
    copy_kernel = kernel


cdef int launch(Kernel kernel, const char* name, list outputs, list inputs, const void* params,
                size_t nparams, float cost_ns, int flags=0) except -1:
    cdef int n_outputs = len(outputs), n_inputs = len(inputs), i
    cdef int64_t dims = 0, nbytes = 0
    cdef bint covers = not flags & LAUNCH_UPDATES
    cdef Array x
    cdef vector[CVar*] reads, writes
    cdef list operands = [separate(x, outputs, flags) for x in inputs]
    for x in outputs:
        dims += x.ndim_
        nbytes += x.var.nbytes
        writes.push_back(x.var)
        covers = covers and x.whole
    for x in operands:
        dims += x.ndim_
        nbytes += x.var.nbytes
        reads.push_back(x.var)
    if on_gpu(operands, outputs):
        if name.decode() in load_kernels().ON_HOST:
            return launch_on_host(kernel, name, outputs, operands, params, nparams, flags)
        load_kernels().launch(name.decode(), outputs, operands, PyBytes_FromStringAndSize(<char*>params, nparams),
                              bool(flags & LAUNCH_UPDATES))
        return 0
    cdef LaunchOp* op = LaunchOp.make(runtime(), kernel, n_outputs, n_inputs, dims, params, nparams)
    if op == NULL:
        raise MemoryError
    i = 0
    for x in outputs:
        op.set(i, x.var, x.offset, x.size, x.ndim_, x.dtype_code, x.dims)
        i += 1
    for x in operands:
        op.set(i, x.var, x.offset, x.size, x.ndim_, x.dtype_code, x.dims)
        i += 1
    op.name = name
    op.cost_ns = cost_ns
    op.bytes = nbytes
    if covers:
        op.flags |= OP_OVERWRITES
    return push(op, reads.data(), n_inputs, writes.data(), n_outputs)


cdef Array separate(Array x, list outputs, int flags):
    """Return x, or a copy of it if writing an output could change what the kernel reads from x."""
    cdef Array out
    for out in outputs:
        if x.var != out.var or not ranges_meet(x, out):
            continue
        if flags & LAUNCH_ELEMENTWISE and same_view(x, out):
            continue
        return copied(x, x.dtype_code)
    return x


cdef bint same_view(Array a, Array b) noexcept:
    cdef int i
    if a.offset != b.offset or a.ndim_ != b.ndim_ or ITEMSIZE[a.dtype_code] != ITEMSIZE[b.dtype_code]:
        return False
    for i in range(2 * a.ndim_):
        if a.dims[i] != b.dims[i]:
            return False
    return True


cdef bint ranges_meet(Array a, Array b) noexcept:
    cdef int64_t a_low, a_high, b_low, b_high
    if a.size == 0 or b.size == 0:
        return False
    byte_range(a, &a_low, &a_high)
    byte_range(b, &b_low, &b_high)
    return a_low < b_high and b_low < a_high


cdef void byte_range(Array x, int64_t* low, int64_t* high) noexcept:
    cdef int i
    cdef int64_t reach
    low[0] = x.offset
    high[0] = x.offset + ITEMSIZE[x.dtype_code]
    for i in range(x.ndim_):
        reach = (x.dims[i] - 1) * x.dims[x.ndim_ + i]
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach


cdef Array copied(Array x, uint8_t dtype):
    cdef Array out = new_like(x, x.ndim_, x.dims, dtype)
    launch(copy_kernel, "copy", [out], [x], NULL, 0, 50 + 0.3 * x.size)
    return out


cdef Array operand(str op, str argument, object x):
    if not isinstance(x, Array):
        raise ArgumentTypeError(message(op, argument, "an array", type(x).__name__))
    return <Array>x


cdef Array contiguous(Array x):
    return x if x.c_contiguous else copied(x, x.dtype_code)


cdef Array converted(Array x, uint8_t dtype):
    return x if x.dtype_code == dtype else copied(x, dtype)


cdef Array result(str op, Array like, object out, int ndim, const int64_t* shape, uint8_t dtype):
    if out is None:
        return new_like(like, ndim, shape, dtype)
    return checked_out(op, out, ndim, shape, dtype)


cdef Array checked_out(str op, object out, int ndim, const int64_t* shape, uint8_t dtype):
    cdef Array given = operand(op, "out", out)
    cdef int i
    require_writable(given, op)
    cdef bint fits = given.ndim_ == ndim
    if fits:
        for i in range(ndim):
            fits = fits and given.dims[i] == shape[i]
    elif ndim == 0 and given.ndim_ == 1:  # what faces without 0-d arrays have in its place
        fits = given.dims[0] == 1
    if not fits:
        wanted = tuple([shape[i] for i in range(ndim)])
        raise ShapeError(message(op, "out", f"shape {wanted}", given.shape))
    if given.dtype_code != dtype:
        raise DTypeError(message(op, "out", f"dtype {DTYPES[dtype]}", DTYPES[given.dtype_code]))
    return given


cdef int broadcast_shape(list arrays, int64_t* shape) except -1:
    cdef Array x
    cdef int ndim = 0, d
    cdef int64_t* own
    for x in arrays:
        ndim = max(ndim, x.ndim_)
    for d in range(ndim):
        shape[d] = 1
    for x in arrays:
        own = shape + (ndim - x.ndim_)
        for d in range(x.ndim_):
            if own[d] == 1:
                own[d] = x.dims[d]
            elif x.dims[d] != 1 and x.dims[d] != own[d]:
                return -2
    return ndim


cdef int number_bytes(str op, str argument, object number, char* to) except -1:
    cdef double real
    cdef int64_t integer
    memset(to, 0, 16)
    if isinstance(number, bool):
        to[0] = number
        return BOOL
    if isinstance(number, float):
        real = number
        memcpy(to, &real, 8)
        return FLOAT64
    if isinstance(number, int) and -2**63 <= number < 2**63:
        integer = number
        memcpy(to, &integer, 8)
        return INT64
    element = np.asarray(number)
    if element.ndim:
        raise ShapeError(message(op, argument, "a number", f"an array of shape {element.shape}"))
    cdef int code = code_of(element.dtype)
    cdef bytes data = element.astype(DTYPES[code]).tobytes()
    memcpy(to, <const char*>data, len(data))
    return code


cdef int normal_axis(str op, object axis, int ndim) except -1:
    cdef object index
    try:
        index = axis.__index__()
    except AttributeError:
        raise ArgumentTypeError(message(op, "axis", "an int", type(axis).__name__)) from None
    if not -ndim <= index < ndim:
        text = message(op, "axis", f"-{ndim} to {ndim - 1}" if ndim else "none, as there is none", index)
        raise AxisError(text, index, ndim)
    return index + ndim if index < 0 else index


def empty_like(Array x not None, shape):
    """Return a new array of a shape with the face, dtype and device of x."""
    cdef int64_t dims[32]
    return new_like(x, read_shape(shape, dims), dims, x.dtype_code)


def array_beside(Array x not None, values):
    """Return an array with the values of a NumPy array, with the face and on the device of x."""
    cdef Array made = _array.from_numpy(np.asarray(values), x.face), result
    if not x.var.on_gpu():
        return made
    result = new_like(x, made.ndim_, made.dims, made.dtype_code)
    launch(copy_kernel, "copy", [result], [made], NULL, 0, 0)
    return result


def push_numpy(function, inputs, outputs, name):
    """Run a NumPy function at once, in this thread, on zero-copy views; for rare operations.

    Waits for the inputs. With `outputs` (a list of arrays) calls `function(*inputs, *outputs)`, which
    fills the outputs, and returns them. With None, the function returns an array or a tuple of arrays,
    which come back as a list with the face of the first input. Errors of the function come out as both
    an `MXNetError` and what NumPy raised. Arrays of a GPU are copied to main memory and back: of all
    operators, only those that come through here are computed by the host.
    """
    if on_gpu(list(inputs), list(outputs or ())):
        return push_numpy_beside(function, inputs, outputs, name)
    views = [x.view_numpy(False) for x in inputs]
    targets = [out.view_numpy(True) for out in outputs] if outputs is not None else []
    try:
        found = function(*views, *targets)
    except Exception as error:
        error.add_note(f"in {name}")
        raise wrap(error) from None
    if outputs is not None:
        return outputs
    found = found if isinstance(found, (tuple, list)) else (found,)
    return [_array.from_numpy(a, (<Array>inputs[0]).face) for a in found]


cdef list push_numpy_beside(function, inputs, outputs, name):
    """Run a function on copies of arrays that are on a GPU, and put the results there."""
    cdef Array x, result
    one_device(name, list(inputs), list(outputs or ()))
    here = [_array.from_numpy(x.view_numpy(False), x.face) for x in inputs]
    if outputs is not None:
        made = [_array.empty(out.shape, DTYPES[(<Array>out).dtype_code]) for out in outputs]
        push_numpy(function, here, made, name)
    else:
        made = push_numpy(function, here, None, name)
        outputs = [new_like(<Array>inputs[0], x.ndim_, x.dims, x.dtype_code) for x in made]
    for result, x in zip(outputs, made, strict=True):
        launch(copy_kernel, "copy", [result], [x], NULL, 0, 0)
    return outputs


cdef int launch_on_host(Kernel kernel, const char* name, list outputs, list inputs, const void* params,
                        size_t nparams, int flags) except -1:
    """Run a kernel of the CPU on copies of arrays that are on a GPU, and put the results there."""
    cdef Array x
    one_device(name.decode(), inputs, outputs)
    here = [_array.from_numpy(x.view_numpy(False), x.face) for x in inputs]
    made = [_array.from_numpy(x.view_numpy(False), x.face) for x in outputs]
    launch(kernel, name, made, here, params, nparams, 0, flags)
    for x, source in zip(outputs, made, strict=True):
        launch(copy_kernel, "copy", [x], [source], NULL, 0, 0)
    return 0
