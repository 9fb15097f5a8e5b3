"""Matrix products on blocks of the result (native/matmul.hpp): by the inner loop of `numpy.matmul`, or by our
own where they are small or fit the caches (native/products.hpp).

Half types are multiplied as float32 and rounded once. Integers use a loop of our own. Operands that BLAS
cannot read where they are (a step between the elements of both axes) are copied first.
"""

import ctypes

import numpy as np

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy

from ._array cimport Array, new_like, new_view
from ._device cimport load_kernels, on_gpu
from ._epilogue cimport CEpilogue, Finisher, apart, joined, push_finished
from ._engine cimport Op, runtime
from ._loops cimport (
    Loop, PackedLoops, ResolvedLoop, ThinPlan, packed_product_of, small_product_of, thin_product_of,
)
from ._pointwise cimport (
    BlockOp, Numbers, Space, aligned, check_out, copy_into, copy_of, is_aligned, may_overlap,
    push_over, static_name,
)

from ._epilogue import Epilogue
from ._loops import resolve_product
from ._pointwise import compile_program
from .dtypes import numpy_dtype
from .errors import ShapeError, message

__all__ = ["matmul"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        FLOAT32
    const unsigned char* ITEMSIZE

ctypedef int (*GetThreads)() noexcept nogil
ctypedef void (*SetThreads)(int) noexcept nogil

cdef extern from "products.hpp" namespace "mxcy" nogil:
    enum:
        PRODUCT_SMALL, PRODUCT_PACKED
    int product_kind(int64_t m, int64_t n, int64_t p)
    bint is_thin(int64_t m, int64_t n, int64_t p)

cdef extern from "matmul.hpp" namespace "mxcy" nogil:
    void use_blas_threads "mxcy::BlasThreads::use"(GetThreads, SetThreads)
    cdef cppclass MatmulOp(BlockOp):
        Loop loop
        void* loop_data
        Space batch
        int64_t m, n, p, a_m, a_n, b_n, b_p, out_m, out_p
        float product_ns
        const PackedLoops* packed
        ThinPlan thin
        Finisher* finisher
    MatmulOp* new_matmul "new mxcy::MatmulOp"()

cdef enum:
    MAX_NDIM = 32

    SHORT_ROW = 32  # as in native/pointwise.hpp

cdef dict _sums = {}


def _find_blas_threads():
    """Tell the machine how to set the threads of NumPy's OpenBLAS, if it has one."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    except (AttributeError, OSError):
        return False
    for prefix in ("scipy_openblas_", "openblas_"):
        for suffix in ("64_", ""):
            getter = getattr(library, f"{prefix}get_num_threads{suffix}", None)
            setter = getattr(library, f"{prefix}set_num_threads{suffix}", None)
            if getter is not None and setter is not None:
                _use(ctypes.cast(getter, ctypes.c_void_p).value, ctypes.cast(setter, ctypes.c_void_p).value)
                return True
    return False


def _use(uintptr_t getter, uintptr_t setter):
    use_blas_threads(<GetThreads><void*>getter, <SetThreads><void*>setter)


HAS_BLAS_THREADS = _find_blas_threads()


def matmul(a, b, transpose_a=False, transpose_b=False, out=None, add_to=None, name="matmul", epilogue=None):
    """Multiply matrices: `a` of shape (..., m, n) and `b` of shape (..., n, p) give (..., m, p).

    The leading axes broadcast. `transpose_a` and `transpose_b` swap the last two axes of an operand
    without a copy. `add_to` is added to the product and broadcasts to it; then comes the `epilogue`, which
    reads `out` and what else it names. Types are promoted as by `numpy.matmul`. Raises `ShapeError` for matrices that do not fit and for operands of fewer than two
    axes, `DTypeError` for types without product or another `out`.
    """
    cdef Array first = a, second = b, x
    if first.ndim_ < 2 or second.ndim_ < 2:
        found = f"{first.ndim_} and {second.ndim_}"
        raise ShapeError(message(name, None, "arrays with at least 2 axes", found))
    cdef ResolvedLoop loop = resolve_product((first.dtype_code, second.dtype_code))
    if transpose_a:
        first = _swapped(first)
    if transpose_b:
        second = _swapped(second)
    cdef bint gpu = on_gpu([first, second], [])
    codes = loop.declared if gpu else loop.stored  # cuBLAS takes half types as they are
    first = _operand(first, codes[0])
    second = _operand(second, codes[1])
    return _multiply(loop, codes[2], first, second, out, name, gpu, add_to, epilogue)


cdef Array _swapped(Array x):
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int n = x.ndim_
    memcpy(dims, x.dims, 2 * n * sizeof(int64_t))
    dims[n - 2], dims[n - 1] = x.dims[n - 1], x.dims[n - 2]
    dims[2 * n - 2], dims[2 * n - 1] = x.dims[2 * n - 1], x.dims[2 * n - 2]
    return new_view(x, x.offset, n, dims, dims + n)


cdef Array _operand(Array x, int code):
    """The operand in the dtype of the loop, laid out so that BLAS can read it."""
    if x.dtype_code != code:
        return copy_of(x, code)
    return aligned(x) if is_readable_by_blas(x) else copy_of(x, code)


cdef bint is_readable_by_blas(Array x) noexcept:
    """Whether one of the last two axes is dense and the other steps over whole rows of it."""
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    cdef int64_t rows = x.dims[x.ndim_ - 2], columns = x.dims[x.ndim_ - 1]
    cdef int64_t row = x.dims[2 * x.ndim_ - 2], column = x.dims[2 * x.ndim_ - 1]
    return (columns <= 1 or column == item) and (rows <= 1 or row >= columns * item and row % item == 0) or (
        (rows <= 1 or row == item) and (columns <= 1 or column >= rows * item and column % item == 0))


cdef Array _multiply(ResolvedLoop loop, int code, Array a, Array b, out, str name, bint gpu,
                     add_to, epilogue):
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t m = a.dims[a.ndim_ - 2], n = a.dims[a.ndim_ - 1], p = b.dims[b.ndim_ - 1]
    if b.dims[b.ndim_ - 2] != n:
        found = f"shapes {a.shape} and {b.shape}"
        raise ShapeError(message(name, "b", f"{n} rows, as a has columns", found, "transpose one"))
    cdef int ndim = _result_shape(name, a, b, shape)
    cdef Array result
    if out is None:
        result = new_like(a, ndim, shape, loop.declared[2])
    else:
        result = out
        check_out(name, result, loop.declared[2], ndim, shape)
    cdef Array target = result
    if (result.dtype_code != code or not is_aligned(result) or not is_readable_by_blas(result)
            or may_overlap(a, result) or may_overlap(b, result)):
        target = new_like(result, result.ndim_, result.dims, code)
    cdef list epilogues = [] if add_to is None else [_sum(result, add_to)]
    if epilogue is not None:
        epilogues.append(epilogue)
    if gpu:
        load_kernels().matmul(name, a, b, target)
    elif target is result:
        if _push(loop, a, b, target, name, epilogues):
            return result
    else:
        _push(loop, a, b, target, name, [])
    if target is not result:
        copy_into(target, result)
    apart(epilogues)
    return result


cdef int _result_shape(str name, Array a, Array b, int64_t* shape) except -1:
    cdef int ndim = max(a.ndim_, b.ndim_), i
    cdef int64_t left, right
    for i in range(ndim - 2):
        left = a.dims[i - ndim + a.ndim_] if i >= ndim - a.ndim_ else 1
        right = b.dims[i - ndim + b.ndim_] if i >= ndim - b.ndim_ else 1
        if left != right and left != 1 and right != 1:
            raise ShapeError(message(name, "b", f"leading axes that broadcast with {a.shape}", b.shape))
        shape[i] = right if left == 1 else left
    shape[ndim - 2], shape[ndim - 1] = a.dims[a.ndim_ - 2], b.dims[b.ndim_ - 1]
    return ndim


cdef bint _push(ResolvedLoop loop, Array a, Array b, Array out, str name, list epilogues) except -1:
    """Push the product; return whether with the epilogues."""
    cdef CEpilogue* epilogue = joined(epilogues, out, SHORT_ROW)
    cdef MatmulOp* op = new_matmul()
    cdef Numbers strides
    cdef int batch = out.ndim_ - 2, i, missing
    cdef Array x
    op.runtime = runtime()
    op.name = static_name(name)
    op.m, op.n, op.p = a.dims[a.ndim_ - 2], a.dims[a.ndim_ - 1], b.dims[b.ndim_ - 1]
    cdef int kind = product_kind(op.m, op.n, op.p)
    if is_thin(op.m, op.n, op.p):
        op.thin = thin_product_of(loop)
    if kind == PRODUCT_PACKED:
        op.packed = packed_product_of(loop)
    elif kind == PRODUCT_SMALL:
        loop = small_product_of(loop)
    op.loop, op.loop_data = loop.loop, loop.data
    for x in (a, b, out):
        op.add(x.var, x.offset, x.dtype_code)
        missing = out.ndim_ - x.ndim_
        for i in range(batch):
            if i < missing or x.dims[i - missing] == 1 and out.dims[i] != 1:
                strides.push_back(0)
            else:
                strides.push_back(x.dims[x.ndim_ + i - missing])
    op.batch = Space(batch, 3, out.dims, strides.data())
    op.batch.normalise(2)
    op.a_m, op.a_n = a.dims[2 * a.ndim_ - 2], a.dims[2 * a.ndim_ - 1]
    op.b_n, op.b_p = b.dims[2 * b.ndim_ - 2], b.dims[2 * b.ndim_ - 1]
    op.out_m, op.out_p = out.dims[2 * out.ndim_ - 2], out.dims[2 * out.ndim_ - 1]
    op.product_ns = _product_ns(loop, op.m, op.n, op.p, op.batch.size)
    op.cost_ns = 300 + op.product_ns * op.batch.size
    if epilogue is NULL:
        push_over(<Op*>op, [a, b], [out])
        return False
    op.finisher = epilogue.finisher()
    push_finished(<Op*>op, epilogue, epilogues, [a, b], out)
    return True


cdef float _product_ns(ResolvedLoop loop, int64_t m, int64_t n, int64_t p, int64_t count) noexcept:
    """One multiply-add costs about 15 ps in float32; thin products wait for memory instead."""
    cdef float arithmetic = loop.cost_ns * <float>m * <float>n * <float>p
    cdef float nbytes = ITEMSIZE[<int>loop.stored[0]] * (<float>m * n + <float>n * p + <float>m * p)
    return max(arithmetic, (0.02 if nbytes * count < 1_000_000 else 0.1) * nbytes)


cdef object _sum(Array result, Array other):
    """The epilogue that adds an array."""
    key = (result.dtype_code, other.dtype_code)
    program = _sums.get(key)
    if program is None:
        program = _sums[key] = compile_program(2, [(np.add, (0, 1))], [2], key, key[:1])
    return Epilogue(program, [result, other], [result], result.shape, 1)
