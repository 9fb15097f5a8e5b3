"""Matrices in compressed sparse rows (csr): products, conversions; and gathering of rows.

A csr matrix is given as three arrays: data, indices (int64, columns) and indptr (int64, where rows begin).
"""

from libc.stdint cimport int64_t, uint8_t

import numpy as np

from ..._array cimport Array, new_like
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, converted, launch, operand, result

from ...dtypes import DTYPES, code_of
from ...errors import DTypeError, ShapeError, message
from .copying import copy

__all__ = [
    "csr_back_product", "csr_count", "csr_dense", "csr_fill", "csr_merge", "csr_merge_count", "csr_product",
    "csr_transpose", "gather_rows",
]


cdef extern from "mxcy/kernels/cpu/sparse.hpp" namespace "mxcy" nogil:
    cdef cppclass CsrParams:
        int64_t rows, columns, n
    Kernel csr_product_kernel_of_cpu()
    Kernel csr_back_product_kernel_of_cpu()
    int csr_transpose_kernel(KernelContext&)
    int csr_dense_kernel(KernelContext&)
    int csr_count_kernel(KernelContext&)
    int csr_fill_kernel(KernelContext&)
    int csr_merge_count_kernel(KernelContext&)
    int csr_merge_kernel(KernelContext&)
    int gather_rows_kernel(KernelContext&)

cdef uint8_t INT64 = code_of(np.int64)

# What products are computed in.
COMPUTED = {"b": "int32", "i": "int64", "u": "int64"}


cdef list plain(str op, data, indices, indptr):
    """The three arrays in C order, the last two as int64."""
    return [
        contiguous(operand(op, "data", data)),
        contiguous(converted(operand(op, "indices", indices), INT64)),
        contiguous(converted(operand(op, "indptr", indptr), INT64)),
    ]


cdef uint8_t computed_in(uint8_t code) except 255:
    dtype = DTYPES[code]
    if dtype.kind == "c":
        raise DTypeError(message("dot", "lhs", "a real dtype", dtype))
    if dtype.name in ("float32", "float64", "int32", "int64"):
        return code
    return code_of(COMPUTED.get(dtype.kind, "float32"))


cdef object multiply(Kernel kernel, const char* name, list matrix, Array right, int64_t columns, bint back,
                     object out):
    """Launch a product in the dtype that it is computed in; the result has that of `right`."""
    cdef Array target, made
    cdef int64_t dims[2]
    cdef CsrParams params
    cdef uint8_t code = computed_in(right.dtype_code)
    cdef int64_t rows = (<Array>matrix[2]).size - 1
    if right.ndim_ != 2 or right.dims[0] != (rows if back else columns):
        raise ShapeError(message("dot", "rhs", f"shape ({rows if back else columns}, n)", right.shape))
    dims[0], dims[1] = columns if back else rows, right.dims[1]
    params.rows, params.columns, params.n = rows, columns, dims[1]
    target = result("dot", right, out, 2, dims, right.dtype_code)
    made = target
    if code != target.dtype_code or not target.c_contiguous:
        made = new_like(right, 2, dims, code)
    matrix[0] = contiguous(converted(matrix[0], code))
    launch(kernel, name, [made], [*matrix, contiguous(converted(right, code))], &params, sizeof(params),
           200 + 0.3 * (<Array>matrix[0]).size * (params.n + 3) + 1.0 * made.size)
    return target if made is target else copy(made, target)


def csr_product(data, indices, indptr, columns, dense, out=None):
    """Return the product (rows, n) of a csr matrix of so many columns and a dense matrix (columns, n).

    The dtype is that of `dense`. Half types are computed in float32. Indices out of range raise
    ArrayIndexError when the result is read.
    """
    return multiply(csr_product_kernel_of_cpu(), "csr_product", plain("dot", data, indices, indptr),
                    operand("dot", "rhs", dense), columns, False, out)


def csr_back_product(data, indices, indptr, columns, dense, out=None):
    """Return the product (columns, n) of the transposed matrix and a dense one (rows, n); see `csr_product`."""
    return multiply(csr_back_product_kernel_of_cpu(), "csr_back_product", plain("dot", data, indices, indptr),
                    operand("dot", "rhs", dense), columns, True, out)


def csr_transpose(data, indices, indptr, columns):
    """Return (data, indices, indptr) of the transposed matrix; its rows keep their order."""
    cdef list matrix = plain("transpose", data, indices, indptr)
    cdef Array values = matrix[0], made, rows, starts
    cdef int64_t ends = columns + 1
    cdef CsrParams params
    params.rows, params.columns, params.n = (<Array>matrix[2]).size - 1, columns, 0
    made = new_like(values, 1, values.dims, values.dtype_code)
    rows = new_like(values, 1, values.dims, INT64)
    starts = new_like(values, 1, &ends, INT64)
    launch(csr_transpose_kernel, "csr_transpose", [made, rows, starts], matrix, &params, sizeof(params),
           500 + 5.0 * values.size + 1.0 * ends)
    return made, rows, starts


def csr_dense(data, indices, indptr, columns, out=None):
    """Return a csr matrix as a dense one."""
    cdef list matrix = plain("tostype", data, indices, indptr)
    cdef Array values = matrix[0], target, made
    cdef int64_t dims[2]
    cdef CsrParams params
    dims[0], dims[1] = (<Array>matrix[2]).size - 1, columns
    params.rows, params.columns, params.n = dims[0], columns, 0
    target = result("tostype", values, out, 2, dims, values.dtype_code)
    made = target if target.c_contiguous else new_like(values, 2, dims, values.dtype_code)
    launch(csr_dense_kernel, "csr_dense", [made], matrix, &params, sizeof(params),
           200 + 0.3 * made.size + 2.0 * values.size)
    return target if made is target else copy(made, target)


cdef int matrix_params(Array dense, CsrParams* params) except -1:
    if dense.ndim_ != 2:
        raise ShapeError(message("tostype", "data", "a matrix", f"shape {dense.shape}"))
    params.rows, params.columns, params.n = dense.dims[0], dense.dims[1], 0
    return 0


def csr_count(dense):
    """Return how many elements of each row of a matrix are not zero, as int64."""
    cdef Array source = contiguous(operand("tostype", "data", dense)), counts
    cdef CsrParams params
    matrix_params(source, &params)
    counts = new_like(source, 1, source.dims, INT64)
    launch(csr_count_kernel, "csr_count", [counts], [source], &params, sizeof(params), 100 + 0.7 * source.size)
    return counts


def csr_fill(dense, indptr, count):
    """Return (data, indices): the elements of a matrix that are not zero, `count` of them, and their columns."""
    cdef Array source = contiguous(operand("tostype", "data", dense)), data, indices
    cdef int64_t size = count
    cdef CsrParams params
    matrix_params(source, &params)
    data = new_like(source, 1, &size, source.dtype_code)
    indices = new_like(source, 1, &size, INT64)
    launch(csr_fill_kernel, "csr_fill", [data, indices], [source, contiguous(operand("tostype", "indptr", indptr))],
           &params, sizeof(params), 100 + 1.0 * source.size)
    return data, indices


cdef list places(indices, indptr, others, starts):
    return [contiguous(converted(operand("csr_merge", "indices", x), INT64)) for x in (indices, indptr, others, starts)]


def csr_merge_count(indices, indptr, others, starts, bint both):
    """Return how many columns each row of two matrices has together, or (`both`) in common.

    Columns of a row ascend.
    """
    cdef list given = places(indices, indptr, others, starts)
    cdef Array counts
    cdef CsrParams params
    cdef int64_t rows = (<Array>given[1]).size - 1
    params.rows, params.columns, params.n = rows, 0, both
    counts = new_like(<Array>given[0], 1, &rows, INT64)
    launch(csr_merge_count_kernel, "csr_merge_count", [counts], given, &params, sizeof(params),
           100 + 3.0 * ((<Array>given[0]).size + (<Array>given[2]).size))
    return counts


def csr_merge(indices, indptr, others, starts, bint both, result_starts, count):
    """Return (columns, elements of the first matrix, of the second), -1 for none, of as many as were counted.

    `result_starts` is indptr of the result.
    """
    cdef list given = places(indices, indptr, others, starts)
    cdef CsrParams params
    cdef int64_t size = count
    params.rows, params.columns, params.n = (<Array>given[1]).size - 1, 0, both
    made = [new_like(<Array>given[0], 1, &size, INT64) for _ in range(3)]
    launch(csr_merge_kernel, "csr_merge", made, [*given, contiguous(operand("csr_merge", "starts", result_starts))],
           &params, sizeof(params), 100 + 4.0 * size)
    return made


def gather_rows(rows, positions, out=None):
    """Return the rows at these positions (int64); zeros where a position is negative."""
    cdef Array source = contiguous(operand("take", "rows", rows)), where
    cdef Array target, made
    cdef int64_t dims[32]
    cdef int d
    where = contiguous(converted(operand("take", "positions", positions), INT64))
    for d in range(source.ndim_):
        dims[d] = source.dims[d] if d else where.size
    target = result("take", source, out, source.ndim_, dims, source.dtype_code)
    made = target if target.c_contiguous else new_like(source, source.ndim_, dims, source.dtype_code)
    launch(gather_rows_kernel, "gather_rows", [made], [source, where], NULL, 0, 200 + 0.5 * made.size)
    return target if made is target else copy(made, target)
