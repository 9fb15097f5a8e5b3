"""cuBLAS, found at run time (native/cublas.hpp)."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._engine cimport Failure, Op
from ..._gpu cimport LibraryOp, Pointer, new_library_op, one_device, push_op, static_name

__all__ = ["gemm", "open_blas"]

cdef extern from "cublas.hpp" namespace "mxcy::blas" nogil:
    bint c_open "mxcy::blas::open" (const char* path)
    int c_gemm "mxcy::blas::gemm" (void* stream, char** addresses, const int64_t* integers,
                                   Failure& failure) noexcept


def open_blas(str path):
    """Open the library; return whether it is there."""
    cdef bytes name = path.encode()
    return bool(c_open(name))


def gemm(str name, list arrays, list offsets, list numbers):
    """Enqueue one product: arrays are a, b and the result, as cuBLAS names them."""
    cdef LibraryOp* op
    cdef Pointer pointer
    cdef Array x
    cdef int device = one_device(name, arrays[:2], arrays[2:])
    for number in numbers[2:6]:
        if number >= 2**31:
            raise OverflowError(f"{name}: an extent of {number} is too large for cuBLAS")
    op = new_library_op()
    try:
        op.name, op.device, op.function = static_name(name), device, c_gemm
        for x, offset in zip(arrays, offsets):
            pointer.slot, pointer.var, pointer.offset = 0, x.var, x.offset + <int64_t>offset
            op.pointers.push_back(pointer)
        for number in numbers:
            op.integers.push_back(number)
    except BaseException:
        del op
        raise
    push_op(<Op*>op, arrays[:2], arrays[2:], False)
