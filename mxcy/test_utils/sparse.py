"""Random sparse arrays for tests. Draws are NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from .. import ndarray as nd
from ..errors import ArgumentError, AssertedArgumentError, message
from ..ndarray import NDArray
from .surroundings import default_context, default_dtype

__all__ = [
    "create_sparse_array", "create_sparse_array_zd", "rand_sparse_ndarray", "shuffle_csr_column_indices",
]  # fmt: skip


def shuffle_csr_column_indices(csr: Any) -> None:
    """Put the columns of every row of a SciPy matrix in random order, without their elements."""
    for start, end in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        np.random.shuffle(csr.indices[start:end])


def rand_sparse_ndarray(shape: Any, stype: str, density: float | None = None, dtype: Any = None,
                        distribution: str | None = None, data_init: float | None = None,
                        rsp_indices: Any = None, modifier_func: Callable | None = None,
                        shuffle_csr_indices: bool = False, ctx: Any = None) -> tuple:  # fmt: skip
    """Return a random sparse array, and what it is made of: (values, indices) or (indptr, indices, values).

    Parameters
    ----------
    density : part of the rows or elements that is kept; random by default.
    distribution : of csr matrices "uniform", or "powerlaw": each row has twice as many elements as the last.
    data_init : a value for all elements.
    rsp_indices : the rows to keep.
    modifier_func : function of each element of a row-sparse array that gives the one to put.
    shuffle_csr_indices : whether columns of a row come in any order.
    """
    density = np.random.rand() if density is None else density
    dtype = default_dtype() if dtype is None else dtype
    ctx = ctx or default_context()
    if not 0 <= density <= 1:
        raise ArgumentError(message("rand_sparse_ndarray", "density", "0 to 1", density))
    kinds = ("uniform",) if stype == "row_sparse" else ("uniform", "powerlaw")
    if (distribution or "uniform") not in kinds:
        raise AssertedArgumentError(message("rand_sparse_ndarray", "distribution", kinds, distribution))
    if stype == "row_sparse":
        return _rows(tuple(shape), density, dtype, data_init, rsp_indices, modifier_func, ctx)
    if stype != "csr":
        expected = "'csr' or 'row_sparse'"
        raise AssertedArgumentError(message("rand_sparse_ndarray", "stype", expected, repr(stype)))
    if len(shape) != 2:
        raise AssertedArgumentError(message("rand_sparse_ndarray", "shape", "2 dimensions of csr", shape))
    if min(shape) <= 0:
        raise ArgumentError(message("rand_sparse_ndarray", "shape", "rows and columns", shape))
    if distribution == "powerlaw":
        made = nd.array(_doubling(tuple(shape), density), ctx, dtype).tostype("csr")
    else:
        half = np.dtype(dtype) == np.float16  # SciPy has no such matrices
        matrix = scipy.sparse.random(*shape, density, "csr", np.float32 if half else dtype)
        if data_init is not None:
            matrix.data.fill(data_init)
        if shuffle_csr_indices:
            shuffle_csr_column_indices(matrix)
        parts = (matrix.data, matrix.indices, matrix.indptr)
        made = nd.sparse.csr_matrix(parts, shape=tuple(shape), ctx=ctx, dtype=dtype)
    return made, (made.indptr, made.indices, made.data)


def _rows(shape: tuple, density: float, dtype: Any, data_init: float | None, indices: Any,
          modify: Callable | None, ctx: Any) -> tuple:  # fmt: skip
    if indices is not None and len(indices) > shape[0]:
        expected = f"at most {shape[0]} rows"
        raise AssertedArgumentError(message("rand_sparse_ndarray", "rsp_indices", expected, len(indices)))
    if indices is None:
        indices = np.flatnonzero(np.random.rand(shape[0]) < density)
    indices = np.asarray(indices, np.int64)
    if not len(indices):
        empty = np.array([], dtype=dtype)
        return nd.zeros(shape, stype="row_sparse", dtype=dtype, ctx=ctx), (empty, np.array([]))
    values = np.random.rand(len(indices), *shape[1:]).astype(dtype)
    if data_init is not None:
        values.fill(data_init)
    if modify is not None:
        values = np.array([modify(x) for x in values.ravel()], values.dtype).reshape(values.shape)
    made = nd.sparse.row_sparse_array((values, indices), shape=shape, dtype=dtype, ctx=ctx)
    return made, (values, indices)


def _doubling(shape: tuple[int, int], density: float) -> np.ndarray:
    """A matrix with an element in every row, and 1, 3, 7, ... more in them as long as some are left."""
    rows, columns = shape
    left = int(rows * columns * density)
    if left < 2 * rows:
        expected = f"at least {2 / columns} for shape {shape}"
        raise ArgumentError(message("rand_sparse_ndarray", "density", expected, density))
    made = np.zeros(shape)
    counts = np.minimum(2.0 ** np.minimum(np.arange(1, rows + 1), 62), columns).astype(np.int64)
    left -= rows
    for row, count in enumerate(counts):
        more = min(count - 1, left)
        made[row, : 1 + more] = 1 + np.random.uniform(0.001, 2, 1 + more)
        left -= more
    return made


def create_sparse_array(shape: Any, stype: str, data_init: float | None = None, rsp_indices: Any = None,
                        dtype: Any = None, modifier_func: Callable | None = None, density: float = 0.5,
                        shuffle_csr_indices: bool = False) -> NDArray:  # fmt: skip
    """Return a random sparse array; see `rand_sparse_ndarray`."""
    if stype not in ("csr", "row_sparse"):
        expected = "'csr' or 'row_sparse'"
        raise AssertedArgumentError(message("create_sparse_array", "stype", expected, repr(stype)))
    rows = None if rsp_indices is None or stype == "csr" else np.sort(np.asarray(rsp_indices))
    return rand_sparse_ndarray(
        shape, stype, density=density, dtype=dtype, data_init=data_init, rsp_indices=rows,
        modifier_func=modifier_func, shuffle_csr_indices=shuffle_csr_indices,
    )[0]  # fmt: skip


def create_sparse_array_zd(shape: Any, stype: str, density: float, data_init: float | None = None,
                           rsp_indices: Any = None, dtype: Any = None, modifier_func: Callable | None = None,
                           shuffle_csr_indices: bool = False) -> NDArray:  # fmt: skip
    """Return a random sparse array; a row-sparse one keeps the rows `rsp_indices`, or none."""
    return create_sparse_array(
        shape, stype, data_init, rsp_indices, dtype, modifier_func,
        0.0 if stype == "row_sparse" else density, shuffle_csr_indices,
    )  # fmt: skip
