"""What operators do with sparse operands: the functions behind the rules in their blocks.

Each takes (op, inputs, attrs), inputs being dense arrays, `Csr` and `Rows`, and returns one of them. Those
that need to know which places are kept wait for the arrays of places, never for elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._index import same_view
from ..errors import ArrayIndexError, ShapeError, message, problem
from ..kernels import cpu as kernels
from ._operator import describe, find
from ._storage import (
    KEEPS,
    Csr,
    Part,
    Rows,
    Rule,
    cast,
    dense,
    empty,
    fresh,
    host,
    part_like,
    placed,
    rule,
    store,
)  # fmt: skip

__all__ = [
    "ADDS", "ALIKE", "ANY", "BY_LINES", "CONCATENATES", "DOT", "DOT_GRAD_LHS", "DOT_GRAD_RHS", "FTRL",
    "MULTIPLIES", "NORM", "SLICES", "SUM", "SUMS", "TAKES", "TAKES_ROWS", "TAKE_GRAD", "ZEROS", "keeps",
    "keeps_csr", "lazy_rules", "quietly", "rows_at", "scattered", "sorted_places",
]  # fmt: skip

ANY = "default|csr|row_sparse"


def keeps(when: Callable[[dict], bool]) -> tuple[Rule, ...]:
    """The rules of an operator that makes zero of zero with some attributes."""
    return tuple([rule(f"{kind} -> {kind}", r.function, when) for r in KEEPS for kind in r.accepts[0]])


def keeps_csr(when: Callable[[dict], bool]) -> tuple[Rule, ...]:
    """The same for csr alone."""
    return keeps(when)[:1]


def quietly(op: Any, inputs: Sequence, attrs: dict) -> Any:
    """The operator on dense copies, where MXNet has a function of its own for sparse operands."""
    return op.compute([dense(x) if isinstance(x, (Csr, Rows)) else x for x in inputs], attrs)[0]


def same_shape(op: Any, a: Part, b: Part) -> None:
    if a.shape != b.shape:
        raise ShapeError(message(op.name, "rhs", f"shape {describe(a.shape)}", describe(b.shape)))


# --- two operands, element by element -------------------------------------------------------------------
def sorted_places(part: Part) -> tuple[np.ndarray, Any]:
    """The places of a sparse array as ascending numbers, and its elements in this order."""
    found = host(part.indices)
    if isinstance(part, Csr):
        found = part.row_of_each() * part.shape[1] + found
    if part.ordered:
        return found, part.data
    order = np.argsort(found, kind="stable")
    return found[order], kernels.gather_rows(part.data, placed(order, part.data))


def spread(places: np.ndarray, data: Any, wanted: np.ndarray) -> Any:
    """The elements at wanted places, zeros where there are none. Both lists of places ascend."""
    if places.shape == wanted.shape and (places == wanted).all():
        return data
    at = np.searchsorted(places, wanted)
    found = at < places.size
    found[found] = places[at[found]] == wanted[found]
    return kernels.gather_rows(data, placed(np.where(found, at, -1), data))


def with_places(shape: tuple, places: np.ndarray, data: Any, stype: str) -> Part:
    """A sparse array with elements at ascending places."""
    if stype == "row_sparse":
        return Rows(shape, data, placed(places, data))
    rows, columns = np.divmod(places, max(shape[1], 1))
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    return Csr(shape, data, placed(indptr, data), placed(columns, data))


def in_order(part: Part) -> Part:
    """The same array with its places in ascending order."""
    if part.ordered:
        return part
    places, data = sorted_places(part)
    return with_places(part.shape, places, data, part.stype)


def pairwise(both: bool) -> Callable:
    """A function of two sparse arrays of one kind, computed where one keeps something, or `both` do."""

    def joined(op: Any, inputs: Sequence, attrs: dict) -> Part:
        same_shape(op, *inputs)
        a, b = map(in_order, inputs)
        where = [x for part in (a, b) for x in (part.indices, starts_of(part))]
        counts = host(kernels.csr_merge_count(*where, both))
        indptr = np.concatenate([[0], np.cumsum(counts)])
        starts = placed(indptr, a.indices)
        found, of_a, of_b = kernels.csr_merge(*where, both, starts, int(indptr[-1]))
        parts = [kernels.gather_rows(x.data, at) for x, at in ((a, of_a), (b, of_b))]
        data = op.compute(parts, attrs)[0]
        return Csr(a.shape, data, starts, found) if isinstance(a, Csr) else Rows(a.shape, data, found)

    return joined


def starts_of(part: Part) -> Any:
    """Where rows of places begin; those of a row-sparse array are one row."""
    return part.indptr if isinstance(part, Csr) else placed([0, part.data.shape[0]], part.indices)


def union(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.union1d(left, right)


def taken_at(part: Part, whole: Any) -> Any:
    """The elements of a dense array in the places of a sparse one."""
    if isinstance(part, Rows):
        return kernels.gather_rows(whole, part.indices)
    return kernels.index_get(whole, (placed(part.row_of_each(), whole), part.indices))


def scaled(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """A sparse and a dense array of one shape: what is zero stays so."""
    part, whole = inputs if isinstance(inputs[0], (Csr, Rows)) else inputs[::-1]
    same_shape(op, inputs[0], inputs[1])
    values = taken_at(part, whole)
    operands = [part.data, values] if part is inputs[0] else [values, part.data]
    return part.like(op.compute(operands, attrs)[0])


ALIKE = (
    rule("row_sparse, row_sparse -> row_sparse", pairwise(False)),
    rule("csr, csr -> csr", pairwise(False)),
)
ADDS = (
    *ALIKE,
    rule("default, csr|row_sparse -> default", quietly),
    rule("csr|row_sparse, default -> default", quietly),
)
MULTIPLIES = (
    rule("row_sparse, row_sparse -> row_sparse", pairwise(False)),
    rule("csr, csr -> csr", pairwise(True)),
    *[rule(f"{kind}, default -> {kind}", scaled) for kind in ("csr", "row_sparse")],
    *[rule(f"default, {kind} -> {kind}", scaled) for kind in ("csr", "row_sparse")],
)


def by_lines(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """A csr matrix and a dense row, column or number."""
    part, line = inputs
    extents = (1,) * (2 - line.ndim) + line.shape
    if line.ndim > 2 or any(n not in (1, own) for n, own in zip(extents, part.shape, strict=True)):
        expected = f"shape {describe(part.shape)}, or a row or a column of it"
        raise ShapeError(message(op.name, "rhs", expected, describe(line.shape)))
    flat = line._reshape_view((line.size,))
    flat = kernels.copy(line)._reshape_view((line.size,)) if flat is None else flat
    if extents == part.shape and line.size > 1:
        return scaled(op, inputs, attrs)
    if line.size == 1:
        where = placed(np.zeros(part.data.size), line)
    else:
        where = part.indices if extents[1] > 1 else placed(part.row_of_each(), line)
    return part.like(op.compute([part.data, kernels.gather_rows(flat, where)], attrs)[0])


BY_LINES = (rule("csr, default -> csr", by_lines),)


def scattered(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """Rows divided where they are kept, by an array of any storage."""
    rows, other = inputs
    same_shape(op, rows, other)
    whole = dense(other) if isinstance(other, (Csr, Rows)) else other
    return rows.like(op.compute([rows.data, taken_at(rows, whole)], attrs)[0])


def summed(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """The sum of several row-sparse arrays."""
    places = host(inputs[0].indices)
    for x in inputs[1:]:
        same_shape(op, inputs[0], x)
        places = np.union1d(places, host(x.indices))
    parts = [spread(*sorted_places(x), places) for x in inputs]
    return Rows(inputs[0].shape, op.compute(parts, attrs)[0], placed(places, parts[0]))


SUMS = (rule("row_sparse* -> row_sparse", summed),)


def cleared(op: Any, inputs: Sequence, attrs: dict) -> Part:
    return empty(inputs[0].stype, inputs[0].shape, inputs[0].data)


ZEROS = tuple([rule(f"{kind} -> {kind}", cleared) for kind in ("csr", "row_sparse")])


# --- reductions -----------------------------------------------------------------------------------------
def sum_of(op: Any, inputs: Sequence, attrs: dict) -> Any:
    """The sum of a csr matrix along one axis, or of all elements; `mean` divides it."""
    (part,) = inputs
    axes = op.axes(attrs, 2)
    shape = tuple([1 if d in axes else n for d, n in enumerate(part.shape)])
    if len(axes) == 2:
        result = find("sum").compute([part.data], find("sum").parse_attrs({}))[0]
    elif axes == (1,):
        ones = kernels.fill(part_like(part, (part.shape[1], 1)), 1)
        result = kernels.csr_product(part.data, part.indices, part.indptr, part.shape[1], ones)
    else:
        zeros = kernels.fill(part_like(part, (part.shape[1],)), 0)
        result = kernels.scatter_add(zeros, part.indices, part.data)
    if op.name == "mean":
        divide = find("_div_scalar")
        count = np.prod([part.shape[a] for a in axes])
        result = divide.compute([result], divide.parse_attrs({"scalar": float(count)}))[0]
    if not attrs["keepdims"]:
        shape = tuple([n for d, n in enumerate(part.shape) if d not in axes]) or (1,)
    return result._reshape_view(shape)


SUM = (rule("csr -> default", sum_of),)


def norm_of(op: Any, inputs: Sequence, attrs: dict) -> Any:
    """The norm of all elements."""
    flat = inputs[0].data._reshape_view((inputs[0].data.size,))
    return op.compute([flat], attrs)[0]


def of_all(attrs: dict) -> bool:
    return attrs["axis"] is None and not attrs["keepdims"]


NORM = (rule("csr|row_sparse -> default", norm_of, of_all),)


# --- products -------------------------------------------------------------------------------------------
def as_matrix(x: Any, first: bool) -> Any:
    """A dense array as a matrix: the first axis (or the last) and all others."""
    if x.ndim == 2:
        return x
    n = x.shape[0 if first else -1]
    shape = (n, x.size // max(n, 1)) if first else (x.size // max(n, 1), n)
    view = x._reshape_view(shape)
    return kernels.copy(x)._reshape_view(shape) if view is None else view


def turned(x: Any) -> Any:
    return kernels.copy(x._transpose_view())


def transposed(part: Csr) -> Csr:
    """The transposed matrix."""
    found = kernels.csr_transpose(part.data, part.indices, part.indptr, part.shape[1])
    data, indices, indptr = found
    return Csr(part.shape[::-1], data, indptr, indices)


def times(part: Csr, right: Any) -> Any:
    """A csr matrix times a dense matrix."""
    return kernels.csr_product(part.data, part.indices, part.indptr, part.shape[1], right)


def times_back(part: Csr, right: Any) -> Any:
    """The transpose of a csr matrix times a dense matrix."""
    return kernels.csr_back_product(part.data, part.indices, part.indptr, part.shape[1], right)


def times_rows(part: Csr, right: Rows) -> Any:
    """A csr matrix times a row-sparse one: only the columns of rows that are there count."""
    kept, data = sorted_places(right)
    if kept.size == right.shape[0]:
        return times(part, data)
    columns = host(part.indices)
    at = np.searchsorted(kept, columns)
    found = at < kept.size
    found[found] = kept[at[found]] == columns[found]
    indptr = np.concatenate([[0], np.cumsum(found)])[host(part.indptr)]
    elements = kernels.gather_rows(part.data, placed(np.flatnonzero(found), part.data))
    fewer = Csr((part.shape[0], kept.size), elements, placed(indptr, data), placed(at[found], data))
    return times(fewer, data)


def columns_with_elements(part: Csr) -> tuple[Csr, np.ndarray]:
    """A csr matrix without its empty columns, and the numbers of the others."""
    columns = host(part.indices)
    if columns.size and not (columns.min() >= 0 and columns.max() < part.shape[1]):
        text = f"indices from {columns.min()} to {columns.max()} are out of range for {part.shape[1]} columns"
        raise ArrayIndexError(problem("dot", "lhs", text))
    used = np.zeros(part.shape[1], bool)
    used[columns] = True
    kept = np.flatnonzero(used)
    if kept.size == part.shape[1]:
        return part, kept
    number = np.cumsum(used) - 1
    return Csr((part.shape[0], kept.size), part.data, part.indptr, placed(number[columns], part.data)), kept


def product(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """`dot` with a csr matrix on one side, before its storage is chosen."""
    lhs, rhs = inputs
    flip_left, flip_right = attrs["transpose_a"], attrs["transpose_b"]
    shape = op.infer_shape([lhs.shape, rhs.shape], attrs)[1][0]
    if isinstance(lhs, Csr):
        if isinstance(rhs, Rows) and not flip_right:
            return times_rows(transposed(lhs) if flip_left else lhs, rhs)
        right = dense(rhs) if isinstance(rhs, Rows) else rhs
        right = turned(as_matrix(right, False)) if flip_right else as_matrix(right, True)
        return (times_back if flip_left else times)(lhs, right)._reshape_view(shape)
    # lhs @ rhs is the transpose of rhs.T @ lhs.T
    left = as_matrix(lhs, flip_left)
    right = left if flip_left else turned(left)
    return turned((times if flip_right else times_back)(rhs, right))._reshape_view(shape)


def product_rows(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """The rows of csr.T @ rhs that are not empty."""
    lhs, rhs = inputs
    shape = op.infer_shape([lhs.shape, rhs.shape], attrs)[1][0]
    return kept_product(lhs, rhs, shape)


def kept_product(part: Csr, right: Any, shape: tuple) -> Rows:
    matrix, kept = columns_with_elements(part)
    if isinstance(right, Rows):
        data = times_rows(transposed(matrix), right)
    else:
        data = times_back(matrix, as_matrix(right, True))
    return Rows(shape, data._reshape_view((kept.size, *shape[1:])), placed(kept, data))


def in_storage(stype: str) -> Callable:
    """`dot` with the result in a storage that is asked for."""

    def made(op: Any, inputs: Sequence, attrs: dict) -> Part:
        natural = op.parse_attrs({k: v for k, v in attrs.items() if k != "forward_stype"})
        kinds = tuple([getattr(x, "stype", "default") for x in inputs])
        found = op.stored(kinds, natural)
        result = quietly(op, inputs, natural) if found is None else found.function(op, inputs, natural)
        return cast(result, stype)

    return made


def asks(stype: str | None) -> Callable[[dict], bool]:
    return lambda attrs: attrs["forward_stype"] == stype


DOT = (
    rule(f"{ANY}, {ANY} -> csr", in_storage("csr"), asks("csr")),
    rule(f"{ANY}, {ANY} -> row_sparse", in_storage("row_sparse"), asks("row_sparse")),
    rule("csr, default|row_sparse -> row_sparse", product_rows,
         lambda attrs: attrs["transpose_a"] and not attrs["transpose_b"] and attrs["forward_stype"] is None),
    rule("csr, default|row_sparse -> default", product),
    rule("default, csr -> csr", lambda op, inputs, attrs: cast(product(op, inputs, attrs), "csr"),
         lambda attrs: not attrs["transpose_a"] and attrs["forward_stype"] is None),
    rule("default, csr -> default", product),
)  # fmt: skip


def grad_of_right(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """The gradient of rhs in `dot` of a csr matrix: csr.T @ g, perhaps transposed."""
    g, lhs, like = inputs
    found = (times if attrs["transpose_a"] else times_back)(lhs, as_matrix(g, True))
    return (turned(found) if attrs["transpose_b"] else found)._reshape_view(like.shape)


def grad_rows_of_right(op: Any, inputs: Sequence, attrs: dict) -> Part:
    g, lhs, like = inputs
    return kept_product(lhs, g, like.shape)


def grad_of_left(op: Any, inputs: Sequence, attrs: dict) -> Any:
    """The gradient of lhs in `dot` with a csr matrix on the right: g @ csr.T, perhaps transposed."""
    g, rhs, like = inputs
    back = turned(as_matrix(g, False))
    found = (times_back if attrs["transpose_b"] else times)(rhs, back)  # the transpose of it
    return (found if attrs["transpose_a"] else turned(found))._reshape_view(like.shape)


DOT_GRAD_RHS = (
    rule(f"default, csr, {ANY} -> row_sparse", grad_rows_of_right,
         lambda attrs: not attrs["transpose_a"] and not attrs["transpose_b"]),
    rule(f"default, csr, {ANY} -> default", grad_of_right),
    rule("default, default|row_sparse, csr|row_sparse -> default", quietly),
)  # fmt: skip
DOT_GRAD_LHS = (
    rule(f"default, csr, {ANY} -> default", grad_of_left),
    rule("default, default|row_sparse, csr|row_sparse -> default", quietly),
)


# --- rows ---------------------------------------------------------------------------------------------
def found_in(part: Rows, wanted: np.ndarray) -> np.ndarray:
    """Where rows with these numbers are among those that are kept, -1 where they are not."""
    if not part.ordered:
        kept, data = sorted_places(part)
        part.become(Rows(part.shape, data, placed(kept, data)))
    if part.data.shape[0] == part.shape[0]:  # all are kept
        return wanted
    kept = host(part.indices)
    at = np.searchsorted(kept, wanted)
    found = at < kept.size
    found[found] = kept[at[found]] == wanted[found]
    return np.where(found, at, -1)


def rows_at(part: Rows, wanted: np.ndarray) -> Any:
    """The rows with these numbers, zeros where none is kept."""
    at = found_in(part, wanted)
    return kernels.gather_rows(part.data, placed(at, part.data))


def positions(indices: Any, count: int) -> np.ndarray:
    """Numbers of rows given as an array of any dtype, those out of range clipped."""
    return np.clip(np.trunc(host(indices)).astype(np.int64), 0, max(count - 1, 0))


def embedded(op: Any, inputs: Sequence, attrs: dict) -> Any:
    """`Embedding` with a row-sparse weight: a row that it does not have is an error, as in MXNet."""
    data, weight = inputs
    shape = op.infer_shape([data.shape, weight.shape], attrs)[1][0]
    count, asked = weight.shape[0], np.trunc(host(data)).reshape(-1)
    outside = asked[~((asked >= 0) & (asked < count))]
    if outside.size:
        expected = f"numbers of rows from 0 to {count - 1} of a row-sparse weight"
        raise ArrayIndexError(message(op.name, "data", expected, outside[0]))
    return rows_at(weight, positions(data, count).reshape(-1))._reshape_view(shape)


TAKES_ROWS = (rule("default, row_sparse -> default", embedded),)


def row_gradient(op: Any, inputs: Sequence, attrs: dict) -> Rows:
    """The gradient of an array from which rows were taken: those rows."""
    g, indices, like = inputs
    shape = like.shape
    where = positions(indices, shape[0]).reshape(-1)
    kept, at = np.unique(where, return_inverse=True)
    data = kernels.fill(part_like(Rows(shape, g, None), (kept.size, *shape[1:])), 0)
    flat = g._reshape_view((where.size, *shape[1:]))
    flat = kernels.copy(g)._reshape_view((where.size, *shape[1:])) if flat is None else flat
    if where.size:
        kernels.scatter_add(data, placed(at.reshape(-1), data), flat)
    return Rows(shape, data, placed(kept, data))


TAKE_GRAD = (
    rule(f"default, default, {ANY} -> row_sparse", row_gradient, lambda attrs: attrs["sparse_grad"]),
    rule("default, default, row_sparse -> row_sparse", row_gradient, lambda attrs: attrs["axis"] == 0),
)


def some_rows(part: Csr, rows: np.ndarray) -> Csr:
    """Rows of a csr matrix, in any order."""
    ends = host(part.indptr)
    counts = (ends[1:] - ends[:-1])[rows]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    where = np.arange(indptr[-1]) + np.repeat(ends[:-1][rows] - indptr[:-1], counts)
    at = placed(where, part.data)
    data, indices = kernels.gather_rows(part.data, at), kernels.gather_rows(part.indices, at)
    return Csr((len(rows), part.shape[1]), data, placed(indptr, data), indices)


def taken(op: Any, inputs: Sequence, attrs: dict) -> Csr:
    """`take` of rows of a csr matrix."""
    part, indices = inputs
    if indices.ndim != 1:
        raise ShapeError(message("take", "indices", "one axis for a csr matrix", f"shape {indices.shape}"))
    where = np.trunc(host(indices)).astype(np.int64)
    n = part.shape[0]
    return some_rows(part, np.mod(where, n) if attrs["mode"] == "wrap" else np.clip(where, 0, n - 1))


TAKES = (rule("csr, default -> csr", taken, lambda attrs: attrs["axis"] == 0 and attrs["mode"] != "raise"),)


def sliced(op: Any, inputs: Sequence, attrs: dict) -> Csr:
    """`slice` of rows, and perhaps of columns, of a csr matrix."""
    (part,) = inputs
    op.infer_shape([part.shape], attrs)
    bounds = []
    for axis, extent in enumerate(part.shape):
        one = slice(*(attrs[k][axis] if axis < len(attrs[k]) else None for k in ("begin", "end")))
        bounds.append(range(extent)[one])
    rows, columns = bounds
    found = some_rows(part, np.arange(rows.start, rows.stop)) if len(rows) < part.shape[0] else part
    if len(columns) == part.shape[1]:
        return found if found is not part else fresh(part)
    at = host(found.indices)
    inside = (at >= columns.start) & (at < columns.stop)
    indptr = np.concatenate([[0], np.cumsum(inside)])[host(found.indptr)]
    data = kernels.gather_rows(found.data, placed(np.flatnonzero(inside), part.data))
    shape = len(rows), len(columns)
    return Csr(shape, data, placed(indptr, data), placed(at[inside] - columns.start, data))


SLICES = (rule("csr -> csr", sliced, lambda attrs: not any(s not in (None, 1) for s in attrs["step"] or ())),)


def stacked(op: Any, inputs: Sequence, attrs: dict) -> Csr:
    """csr matrices below each other."""
    shape = op.infer_shape([x.shape for x in inputs], attrs)[1][0]
    ends, before = [np.zeros(1, np.int64)], 0
    for x in inputs:
        ends.append(host(x.indptr)[1:] + before)
        before = int(ends[-1][-1]) if len(ends[-1]) else before
    data = kernels.concat([x.data for x in inputs], 0)
    indices = kernels.concat([x.indices for x in inputs], 0)
    return Csr(shape, data, placed(np.concatenate(ends), data), indices)


CONCATENATES = (rule("csr* -> csr", stacked, lambda attrs: attrs["dim"] == 0),)


# --- updates of the rows that have a gradient -----------------------------------------------------------
def update_rows(op: Any, inputs: Sequence, attrs: dict, outs: Sequence | None) -> Any:
    """An update of the rows of a weight (and of its states) that are in a row-sparse gradient."""
    op.infer_shape([x.shape for x in inputs], attrs)
    grad, weight = inputs[op.inputs.index("grad")], inputs[0]
    where, data = sorted_places(grad)
    rows = [data if x is grad else _rows(x, where) for x in inputs]
    out = None if outs is None else outs[0]
    if not _is_same(out, weight):
        out = store(weight, out) if out is not None else _copied(weight)
    if where.size:
        new = op.compute(rows, attrs)[0]
        for position in op.written_inputs(attrs):
            _put_rows(inputs[position], where, rows[position])
        _put_rows(out, where, new)
    return out


def _is_same(out: Part | None, weight: Part) -> bool:
    if isinstance(weight, Rows) or isinstance(out, (Csr, Rows)):
        return out is weight
    return out is not None and same_view(out, weight)


def _copied(x: Part) -> Part:
    return fresh(x) if isinstance(x, Rows) else kernels.copy(x)


def _rows(x: Part, where: np.ndarray) -> Any:
    return rows_at(x, where) if isinstance(x, Rows) else kernels.gather_rows(x, placed(where, x))


def _put_rows(x: Part, where: np.ndarray, rows: Any) -> None:
    """Write rows of an array; a row-sparse one keeps them from now on."""
    if not isinstance(x, Rows):
        kernels.index_put(x, (placed(where, x),), rows)
        return
    at = found_in(x, where)
    if (at < 0).any():
        kept, data = sorted_places(x)
        places = union(kept, where)
        x.become(Rows(x.shape, spread(kept, data, places), placed(places, data)))
        at = np.searchsorted(places, where)
    kernels.index_put(x.data, (placed(at, x.data),), rows)


def lazy_rules(states: int) -> tuple[Rule, ...]:
    """The rules of an update with so many states, for row-sparse gradients."""
    rest = ", default|row_sparse" * states

    def applies(attrs: dict) -> bool:
        return attrs.get("lazy_update", True)

    return tuple([
        rule(f"{kind}, row_sparse{rest} -> {kind}", update_rows, applies, into=True)
        for kind in ("default", "row_sparse")
    ])  # fmt: skip


FTRL = (rule("row_sparse, row_sparse, row_sparse, row_sparse -> row_sparse", update_rows, into=True),)
