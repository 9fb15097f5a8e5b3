"""New sparse arrays: from their parts, from dense arrays, and from SciPy's matrices."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .._array import from_numpy
from ..context import Context, current_context
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentError, ArgumentTypeError, ShapeError, message
from ..kernels import cpu as kernels
from ..ops import _storage
from ..ops._storage import Csr, Rows
from ._placement import as_shape, context_code, new
from ._sparse import BaseSparseNDArray, CSRNDArray, RowSparseNDArray, moved
from .ndarray import FACE, NDArray

__all__ = ["array", "csr_matrix", "empty", "row_sparse_array", "zeros"]


def zeros(stype: str, shape: Any, ctx: Any = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """Return a new array of zeros in a storage type: "csr", "row_sparse" or "default"."""
    dtype = DTYPES[code_of(np.float32 if dtype is None else dtype)]
    shape = as_shape("zeros", shape)
    if stype == "default":
        return kernels.fill(new(shape, dtype, ctx, FACE), 0)
    if stype not in ("csr", "row_sparse"):
        expected = "'default', 'csr' or 'row_sparse'"
        raise ArgumentError(message("zeros", "stype", expected, repr(stype)))
    if stype == "csr" and len(shape) != 2:
        raise ShapeError(message("zeros", "shape", "two extents for 'csr'", shape))
    if not shape:
        raise ShapeError(message("zeros", "shape", "at least one extent", shape))
    like = new((1,), dtype, ctx, FACE)
    return _storage.wrapped(_storage.empty(stype, shape, like))


def empty(stype: str, shape: Any, ctx: Any = None, dtype: Any = None) -> NDArray:
    """Return a new array that keeps no element, in a storage type; so it is all zeros."""
    return zeros(stype, shape, ctx, dtype)


def array(source_array: Any, ctx: Any = None, dtype: Any = None) -> BaseSparseNDArray:
    """Return a sparse array with the values of a sparse array or of a SciPy matrix in compressed rows.

    The dtype is by default that of the source.
    """
    if isinstance(source_array, BaseSparseNDArray):
        return _converted(source_array, source_array.stype, ctx, dtype)
    if is_scipy(source_array):
        return _from_scipy(source_array, ctx, dtype)
    expected = "a sparse array or a scipy.sparse.csr_matrix"
    got = type(source_array).__name__
    raise ArgumentError(message("array", "source_array", expected, got, "use nd.array for dense values"))


def csr_matrix(arg1: Any, shape: Any = None, ctx: Any = None, dtype: Any = None) -> CSRNDArray:
    """Return a new `CSRNDArray`.

    Parameters
    ----------
    arg1 : (data, indices, indptr); or (data, (row, col)), where elements of one place are added up; or a
        shape (M, N), for a matrix of zeros; or a matrix: dense, sparse, of NumPy or SciPy, or lists.
    shape : shape, by default what the places need.
    dtype : by default that of the data if it is an array, else float32.
    """
    if not isinstance(arg1, tuple):
        return _converted(arg1, "csr", ctx, dtype, shape)
    if len(arg1) == 2 and all(isinstance(n, (int, np.integer)) for n in arg1):
        return _shaped(zeros("csr", arg1, ctx, dtype), shape, "csr_matrix")
    if len(arg1) == 2:
        return _from_coordinates(*arg1, shape, ctx, dtype)
    if len(arg1) == 3:
        return _from_rows(*arg1, shape, ctx, dtype)
    expected = "(data, indices, indptr), (data, (row, col)) or a shape"
    raise ArgumentError(message("csr_matrix", "arg1", expected, f"a tuple of {len(arg1)}"))


def row_sparse_array(arg1: Any, shape: Any = None, ctx: Any = None, dtype: Any = None) -> RowSparseNDArray:
    """Return a new `RowSparseNDArray`.

    Parameters
    ----------
    arg1 : (data, indices), the rows that are kept and their numbers; or a shape, for an array of zeros; or
        an array: dense, sparse, of NumPy, or lists.
    shape : shape, by default as many rows as the indices need.
    dtype : by default that of the data if it is an array, else float32.
    """
    if not isinstance(arg1, tuple):
        return _converted(arg1, "row_sparse", ctx, dtype, shape)
    if all(isinstance(n, (int, np.integer)) for n in arg1):
        return _shaped(zeros("row_sparse", arg1, ctx, dtype), shape, "row_sparse_array")
    if len(arg1) != 2:
        expected = "(data, indices) or a shape"
        raise ArgumentError(message("row_sparse_array", "arg1", expected, f"a tuple of {len(arg1)}"))
    data, indices = _values(arg1[0], dtype), _places(arg1[1], "row_sparse_array", "indices")
    if data.ndim == 0 or len(data) != len(indices):
        expected = f"data with {len(indices)} rows, one for each index"
        raise ShapeError(message("row_sparse_array", "arg1", expected, f"shape {data.shape}"))
    if shape is None:
        if not len(indices):
            raise ArgumentError(message("row_sparse_array", "shape", "a shape, as there is no index", None))
        shape = int(indices.max()) + 1, *data.shape[1:]
    shape = as_shape("row_sparse_array", shape)
    if shape[1:] != data.shape[1:]:
        raise ShapeError(message("row_sparse_array", "arg1", f"rows of shape {shape[1:]}", data.shape[1:]))
    return _placed(_marked(Rows(shape, *_arrays(data, indices)), RowSparseNDArray), ctx)


# --- from values ----------------------------------------------------------------------------------------
def _values(source: Any, dtype: Any) -> np.ndarray:
    """Elements as a NumPy array: of their own dtype if they have one."""
    if isinstance(source, (NDArray, np.ndarray)):
        values = source.asnumpy() if isinstance(source, NDArray) else source
        return values.astype(values.dtype if dtype is None else dtype, copy=False)
    try:
        return np.array(source, np.float32 if dtype is None else dtype)
    except (TypeError, ValueError) as error:
        got = type(source).__name__
        raise ArgumentTypeError(message("array", "data", "numbers", got, str(error))) from None


def _places(source: Any, op: str, argument: str) -> np.ndarray:
    """Places as a NumPy array of int64."""
    values = np.asarray(source.asnumpy() if isinstance(source, NDArray) else source)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iuf"):
        got = f"{values.dtype} of shape {values.shape}"
        raise ArgumentTypeError(message(op, argument, "integers along one axis", got))
    return values.astype(np.int64)


def _arrays(*values: np.ndarray) -> list[NDArray]:
    return [from_numpy(np.ascontiguousarray(x), FACE) for x in values]


def _placed(part: Any, ctx: Any) -> Any:
    """What users see of a part that was made on cpu(0), on their device."""
    code = context_code(ctx)
    return _storage.wrapped(part if code == part.data._context_code else moved(part, code))


def _shaped(made: Any, shape: Any, op: str) -> Any:
    if shape is not None and made.shape != as_shape(op, shape):
        raise ShapeError(message(op, "shape", made.shape, shape))
    return made


def is_scipy(x: Any) -> bool:
    """Whether x is a sparse matrix of SciPy, which nobody can have made without importing it."""
    scipy = sys.modules.get("scipy.sparse")
    return scipy is not None and scipy.issparse(x)


def _from_scipy(matrix: Any, ctx: Any, dtype: Any) -> CSRNDArray:
    rows = matrix.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    data = rows.data if dtype is None else rows.data.astype(DTYPES[code_of(dtype)])
    return _from_rows(data, rows.indices, rows.indptr, rows.shape, ctx, None)


def _converted(source: Any, stype: str, ctx: Any, dtype: Any, shape: Any = None) -> Any:
    """An array of any kind in a sparse storage."""
    op = "csr_matrix" if stype == "csr" else "row_sparse_array"
    if is_scipy(source):
        source = _from_scipy(source, ctx, dtype)
    if not isinstance(source, NDArray):
        source = from_numpy(_values(source, dtype), FACE)
    if isinstance(source, BaseSparseNDArray) and source.stype != stype:
        raise ArgumentError(message(op, "arg1", f"a dense or a {stype} array", f"a {source.stype} array"))
    if ctx is None:
        ctx = current_context()
    elif not isinstance(ctx, Context):
        raise ArgumentTypeError(message(op, "ctx", "a Context", repr(ctx)))
    made = source.tostype(stype)
    if dtype is not None:
        made = made.astype(dtype, copy=False)
    return _shaped(made if made.context == ctx else made.copyto(ctx), shape, op)


def _from_rows(data: Any, indices: Any, indptr: Any, shape: Any, ctx: Any, dtype: Any) -> CSRNDArray:
    values = _values(data, dtype)
    columns, starts = _places(indices, "csr_matrix", "indices"), _places(indptr, "csr_matrix", "indptr")
    if values.ndim != 1 or values.size != columns.size:
        expected = f"data with {columns.size} elements, one for each index"
        raise ShapeError(message("csr_matrix", "arg1", expected, f"shape {values.shape}"))
    if shape is None:
        if not columns.size:
            raise ArgumentError(message("csr_matrix", "shape", "a shape, as there is no index", None))
        shape = starts.size - 1, int(columns.max()) + 1
    shape = as_shape("csr_matrix", shape)
    if len(shape) != 2:
        raise ShapeError(message("csr_matrix", "shape", "two extents", shape))
    if starts.size != shape[0] + 1:
        raise ShapeError(message("csr_matrix", "arg1", f"indptr with {shape[0] + 1} elements", starts.size))
    return _placed(_marked(Csr(shape, *_arrays(values, starts, columns)), CSRNDArray), ctx)


def _marked(part: Any, kind: Any) -> Any:
    """A part that knows whether its places ascend; places out of range are found when it is used."""
    seen = kind(part)
    part.ordered = seen._fault(True) is None and seen._ascends()
    return part


def _from_coordinates(data: Any, places: Any, shape: Any, ctx: Any, dtype: Any) -> CSRNDArray:
    from scipy.sparse import coo_matrix

    values = _values(data, dtype)
    if not isinstance(places, (tuple, list)) or len(places) != 2:
        raise ArgumentError(message("csr_matrix", "arg1", "(data, (row, col))", repr(type(places).__name__)))
    where = tuple(_places(x, "csr_matrix", name) for x, name in zip(places, ("row", "col"), strict=True))
    try:
        matrix = coo_matrix((values, where), shape=shape)
    except ValueError as error:
        raise ArgumentError(message("csr_matrix", "arg1", "places within the shape", str(error))) from None
    return _from_scipy(matrix, ctx, None)
