"""Decompositions and solutions of matrices, the last two axes of arrays; the axes before are the batch.

Cholesky, inverse, determinant and eigenvectors are the LAPACK loops that NumPy has as generalised ufuncs.
"""

from libc.stdint cimport int64_t, uint8_t

import numpy as np

from ..._array cimport Array, new_like
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport LAUNCH_UPDATES, contiguous, converted, launch, operand, result
from ..._loops cimport Loop, ResolvedLoop

from ..._loops import resolve_matrix_loop
from ...dtypes import DTYPES
from ...errors import DTypeError, ShapeError, message
from .copying import copy

__all__ = ["cholesky", "determinant", "eigh", "inverse", "lq", "slogdet", "solve_triangular"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        FLOAT16
        BFLOAT16
        FLOAT32

cdef extern from "mxcy/kernels/cpu/matrices.hpp" namespace "mxcy" nogil:
    cdef cppclass MatrixLoopParams:
        Loop loop
        void* data
        int64_t count
        int64_t extent
        int* core
        float matrix_ns
        const char* failed
    cdef cppclass TriangularParams:
        int64_t count, m, p
        bint lower, transpose
    int matrix_loop_kernel(KernelContext&)
    int solve_triangular_kernel(KernelContext&)
    int lq_kernel(KernelContext&)

HALVES = (FLOAT16, BFLOAT16)
LOOPS = np.linalg._umath_linalg


cdef Array matrices(str op, str argument, object x, bint square):
    """The operand in C order, if it holds real matrices; half types as float32."""
    cdef Array found = operand(op, argument, x)
    if DTYPES[found.dtype_code].kind != "f" and found.dtype_code not in HALVES:
        raise DTypeError(message(op, argument, "a floating-point type", DTYPES[found.dtype_code]))
    if found.ndim_ < 2 or square and found.dims[found.ndim_ - 2] != found.dims[found.ndim_ - 1]:
        kind = "square matrices" if square else "matrices"
        raise ShapeError(message(op, argument, f"{kind} in the last two axes", f"shape {found.shape}"))
    return contiguous(converted(found, FLOAT32 if found.dtype_code in HALVES else found.dtype_code))


cdef int64_t batch_of(Array x):
    cdef int64_t total = 1
    cdef int d
    for d in range(x.ndim_ - 2):
        total *= x.dims[d]
    return total


cdef Array target(str op, Array like, Array x, object out, int ndim):
    """A result with the first extents of `like`; `out`, of the dtype of x, if it can be written by a loop."""
    cdef uint8_t code = like.dtype_code
    cdef Array found
    if out is not None:
        found = result(op, like, out, ndim, like.dims, x.dtype_code)
        if found.c_contiguous and found.dtype_code == code:
            return found
    return new_like(like, ndim, like.dims, code)


cdef object finished(Array made, Array x, object out):
    """The result in the dtype of the operand x, in `out` if there is one."""
    if out is None:
        return converted(made, x.dtype_code)
    return made if made is out else copy(made, out=out)


cdef list run(str op, const char* name, object loop, object source, list outs, tuple core,
              const char* failed):
    """Fill the outputs, whose core axes are counted in `core`, by a loop over square matrices."""
    cdef MatrixLoopParams params
    cdef Array x = matrices(op, "x", source, True)
    cdef ResolvedLoop found = resolve_matrix_loop(loop, (x.dtype_code,))
    cdef int64_t n = x.dims[x.ndim_ - 1]
    cdef list made = [
        target(op, x, source, out, x.ndim_ - 2 + axes) for axes, out in zip(core, outs, strict=True)
    ]
    params.loop, params.data = found.loop, found.data
    params.count = batch_of(x)
    params.extent = n
    params.core[0] = 2
    for i, axes in enumerate(core):
        params.core[1 + i] = axes
    params.matrix_ns = 500 + 0.5 * <float>n * <float>n * <float>n
    params.failed = failed
    launch(matrix_loop_kernel, name, made, [x], &params, sizeof(params), params.matrix_ns * params.count)
    return [finished(a, source, out) for a, out in zip(made, outs, strict=True)]


def cholesky(x, out=None):
    """Return the lower triangular L with x = L Lᵀ; ValueError where a matrix is not positive definite."""
    return run("cholesky", "cholesky", LOOPS.cholesky_lo, x, [out], (2,),
               "cholesky(x): expected symmetric positive definite matrices")[0]


def inverse(x, out=None):
    """Return the inverse of every matrix; ValueError where one is singular."""
    return run("inverse", "inverse", LOOPS.inv, x, [out], (2,),
               "inverse(x): expected invertible matrices, got a singular one")[0]


def determinant(x, out=None):
    """Return the determinant of every matrix, in the shape of the batch."""
    return run("determinant", "determinant", LOOPS.det, x, [out], (0,), NULL)[0]


def slogdet(x, out=(None, None)):
    """Return the signs and the logarithms of the absolute values of the determinants."""
    return run("slogdet", "slogdet", LOOPS.slogdet, x, list(out), (0, 0), NULL)


def eigh(x, out=(None, None)):
    """Return ascending eigenvalues and the eigenvectors, as columns, of symmetric matrices.

    Reads the lower triangles.
    """
    return run("eigh", "eigh", LOOPS.eigh_lo, x, list(out), (1, 2),
               "eigh(x): the eigenvalues of a matrix did not converge")


def solve_triangular(a, b, lower=True, transpose=False, out=None):
    """Return X with op(a) X = b, where op transposes or not; reads one triangle of a."""
    cdef TriangularParams params
    cdef Array left = matrices("solve_triangular", "a", a, True)
    cdef Array right = matrices("solve_triangular", "b", b, False)
    cdef Array made
    if left.dtype_code != right.dtype_code:
        raise DTypeError(message("solve_triangular", "b", DTYPES[left.dtype_code], DTYPES[right.dtype_code]))
    if left.shape[: left.ndim_ - 1] != right.shape[: right.ndim_ - 1]:
        expected = f"shape {(*left.shape[: left.ndim_ - 1], 'any')}, from a {left.shape}"
        raise ShapeError(message("solve_triangular", "b", expected, right.shape))
    params.count, params.m, params.p = batch_of(right), left.dims[left.ndim_ - 1], right.dims[right.ndim_ - 1]
    params.lower, params.transpose = lower, transpose
    made = copy(right, out=target("solve_triangular", right, b, out, right.ndim_))
    launch(solve_triangular_kernel, "solve_triangular", [made], [left], &params, sizeof(params),
           100 + 0.3 * <float>params.count * params.m * params.m * params.p, LAUNCH_UPDATES)
    return finished(made, b, out)


def lq(x, out=(None, None)):
    """Return Q with orthonormal rows and the lower triangular L with x = L Q; no more rows than columns."""
    cdef Array source = matrices("lq", "x", x, False)
    cdef int64_t dims[32]
    cdef int64_t m = source.dims[source.ndim_ - 2], n = source.dims[source.ndim_ - 1]
    cdef int d
    cdef Array q, l
    if m > n:
        raise ShapeError(message("lq", "x", "no more rows than columns", f"shape {source.shape}"))
    for d in range(source.ndim_ - 1):
        dims[d] = source.dims[d]
    dims[source.ndim_ - 1] = m
    q = copy(source, out=target("lq", source, x, out[0], source.ndim_))
    l = new_like(source, source.ndim_, dims, source.dtype_code)
    if out[1] is not None:
        result("lq", source, out[1], source.ndim_, dims, (<Array>x).dtype_code)
    launch(lq_kernel, "lq", [q, l], [], NULL, 0, 100 + <float>batch_of(source) * m * m * n, LAUNCH_UPDATES)
    return [finished(q, x, out[0]), finished(l, x, out[1])]
