"""Operators on storage: conversion, rows, and functions that only sparse arrays have."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type, misc"

from typing import Literal

import numpy as np

from .._launch import array_beside
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Axes
from ._cases import case, given, integers, raises, uniform
from ._declare import ZERO, elementwise, op, reduction
from ._layer import Op
from ._operator import describe, find, unify_shapes
from ._sparse import ANY, lazy_rules, rows_at, scattered, sorted_places
from ._storage import KEEPS, Maker, Rows, cast, fresh, host, part_like, placed, rule
from ._trace import ufunc
from ._update import clipped, either, plain_numbers, update
from .arithmetic import broadcast_mul
from .attention import eager
from .reduction import _spread_like
from .reduction import _sum_like as sum_like

__all__ = [
    "adagrad_update", "cast_storage", "edge_id", "getnnz", "group_adagrad_update", "retain", "square_sum",
]  # fmt: skip

sqrt, square = either("sqrt"), either("square")
elemwise_mul = broadcast_mul.elemwise  # keeps the rows of its operands


# --- conversion -----------------------------------------------------------------------------------------
def converted(op, inputs, attrs):
    (part,) = inputs
    stype = attrs["stype"]
    kind = getattr(part, "stype", "default")
    if kind == stype:
        return fresh(part)
    if "default" not in (kind, stype):
        raise ArgumentError(message("cast_storage", "stype", f"'default' or '{kind}'", repr(stype)))
    return cast(part, stype)


@op(
    form=Maker,
    grad=lambda g: g,
    kinds="biufc",
    ref=lambda x, stype: x,
    storage=[
        rule(f"{ANY} -> {kind}", converted, lambda attrs, kind=kind: attrs["stype"] == kind)
        for kind in ("csr", "row_sparse")
    ] + [rule("csr|row_sparse -> default", converted)],
    cases=[
        case(uniform(3, 4), stype="default"),
        raises(ArgumentError, uniform(2), stype="csr", match="a matrix for 'csr'"),
    ],
)  # fmt: skip
def cast_storage(data, *, stype: Literal["default", "csr", "row_sparse"], out):
    """The same elements in another storage: "default", "csr" (of a matrix) or "row_sparse"."""
    return kernels.copy(data, out=out)


# --- rows -----------------------------------------------------------------------------------------------
def retained(op, inputs, attrs):
    part, indices = inputs
    kept = np.unique(np.trunc(host(indices)).astype(np.int64))
    if kept.size and not (kept[0] >= 0 and kept[-1] < part.shape[0]):
        got = f"{kept[0]} to {kept[-1]}"
        raise ArgumentError(message("retain", "indices", f"rows from 0 to {part.shape[0] - 1}", got))
    return Rows(part.shape, rows_at(part, kept), placed(kept, part.data))


def retain_reference(x, indices):
    y = np.zeros_like(x)
    y[indices.astype(int)] = x[indices.astype(int)]
    return y


@op(
    name="_sparse_retain",
    grad=(lambda g, indices: retain(g, indices), None),
    shape=lambda data, indices: data,
    dtype=lambda data: data,
    free=("indices",),
    kinds="biufc",
    ref=retain_reference,
    storage=[rule("row_sparse, default -> row_sparse", retained)],
    cases=[case(uniform(4, 2), given([0, 2], "int64")), case(uniform(3, 1, 2), given([1], "float32"))],
)
def retain(data, indices, *, out):
    """The rows whose numbers are given; all others become zero, or are not kept in row-sparse storage."""
    where = (kernels.copy(indices),)
    rows = kernels.index_get(data, where)
    return kernels.index_put(kernels.fill(apart(data, out), 0), where, rows)


def apart(data, out):
    """`out`, or a new array like data."""
    return kernels.copy(data) if out is None else out


# --- functions of what is kept ----------------------------------------------------------------------------
def squares_of_rows(op, inputs, attrs):
    """The sums of squares of the rows that are kept, or of columns."""
    (part,) = inputs
    axes = op.axes(attrs, len(part.shape))
    data = op.compute([part.data], attrs)[0]
    if 0 in axes:
        return data
    if attrs["keepdims"]:
        return Rows((*part.shape[:1], *data.shape[1:]), data, part.indices, part.ordered)
    whole = kernels.fill(part_like(part, (part.shape[0], *data.shape[1:])), 0)
    return kernels.index_put(whole, (part.indices,), data)


def keeps_rows(attrs):
    return attrs["axis"] in (1, (1,)) and attrs["keepdims"] and not attrs["exclude"]


@reduction(
    name="_square_sum",
    combine="add",
    grad=lambda g, data, axis, keepdims, exclude: (
        elemwise_mul(data, _spread_like(g, data, axis=axis, keepdims=keepdims, exclude=exclude)) * 2
    ),
    ref=lambda x, axis=None, keepdims=False, exclude=False: np.sum(
        x * x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    ),
    storage=[
        rule("row_sparse -> row_sparse", squares_of_rows, keeps_rows),
        rule("row_sparse -> default", squares_of_rows),
    ],
    cases=[case(uniform(3, 4)), case(uniform(3, 4), axis=1, keepdims=True), case(uniform(3, 4), axis=0)],
)
def square_sum(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Sum of squares along axes; of a row-sparse array along axis 1 with `keepdims` row-sparse again."""
    return ufunc.square(data)


@elementwise(
    name="_scatter_elemwise_div",
    grad=(
        lambda g, lhs, rhs: sum_like(g / rhs, lhs),
        lambda g, lhs, rhs: sum_like(-g * lhs / (rhs * rhs), rhs),
    ),
    kinds="iufc",
    ref=np.true_divide,
    storage=[rule(f"row_sparse, {ANY} -> row_sparse", scattered)],
    cases=[case(uniform(3, 4), uniform(3, 4, low=1, high=3))],
)  # fmt: skip
def scatter_elemwise_div(lhs, rhs):
    """lhs / rhs; of a row-sparse lhs in the rows that it keeps."""
    return ufunc.true_divide(lhs, rhs)


@elementwise(name="_scatter_plus_scalar", grad=lambda g: g, kinds="iufc", ref=lambda x, scalar: x + scalar,
             storage=KEEPS, cases=[case(uniform(3, 4), scalar=1.5)])  # fmt: skip
def scatter_plus_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data + scalar; of a sparse array only where it keeps elements."""
    return data + scalar


@elementwise(name="_scatter_minus_scalar", grad=lambda g: g, kinds="iufc", ref=lambda x, scalar: x - scalar,
             storage=KEEPS, cases=[case(uniform(3, 4), scalar=1.5)])  # fmt: skip
def scatter_minus_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data - scalar; of a sparse array only where it keeps elements."""
    return data - scalar


def kept_elements(op, inputs, attrs):
    (part,) = inputs
    op.infer_shape([part.shape], attrs)
    starts = host(part.indptr)
    counts = np.diff(starts) if attrs["axis"] == 1 else np.array([starts[-1]])
    return placed(counts, part.data)


def count_shape(data, axis):
    if axis not in (None, 1):
        raise ArgumentError(message("getnnz", "axis", "None or 1", axis))
    return (1,) if axis is None else data[:1]


@op(
    name="_contrib_getnnz",
    grad=ZERO,
    shape=count_shape,
    dtype=lambda data: np.dtype("int64"),
    kinds="biufc",
    ref=lambda x, axis=None: np.reshape(np.count_nonzero(x, axis), -1),
    storage=[rule("csr -> default", kept_elements)],
    cases=[case(given([[0, 1.5, 2], [0, 0, 3]], "float32")), case(integers(3, 4, high=2), axis=1)],
)
def getnnz(data, *, axis: int | None = None, out):
    """How many elements a csr matrix keeps, or each of its rows (`axis=1`); of a dense one, those not 0."""
    counts = kernels.csr_count(data)
    if axis is None:
        counts = find("sum").compute([counts], find("sum").parse_attrs({}))[0]
    return counts if out is None else kernels.copy(counts, out=out)


def ids_of_edges(op, inputs, attrs):
    part, u, v = inputs
    rows, columns = (np.trunc(host(x)).astype(np.int64) for x in (u, v))
    keys, data = sorted_places(part)
    wanted = rows * part.shape[1] + columns
    at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
    inside = (rows >= 0) & (rows < part.shape[0]) & (columns >= 0) & (columns < part.shape[1])
    found = inside & (keys[at] == wanted) if keys.size else np.zeros(wanted.shape, bool)
    values = kernels.gather_rows(data, placed(np.where(found, at, -1), data))
    return kernels.where(array_beside(data, found), values, -1.0)


@op(
    name="_contrib_edge_id",
    grad=ZERO,
    shape=lambda data, u, v: u,
    dtype=lambda data: data,
    free=("u", "v"),
    ref=lambda x, u, v: np.where(x[u.astype(int), v.astype(int)] == 0, -1, x[u.astype(int), v.astype(int)]),
    kinds="f",
    storage=[rule("csr, default, default -> default", ids_of_edges)],
    cases=[case(given([[0, 1.5, 2], [0, 0, 3]], "float32"), given([0, 1], "int64"), given([1, 0], "int64"))],
)
def edge_id(data, u, v, *, out):
    """The element in row u[i] and column v[i] of a matrix, -1 where none is kept."""
    found = kernels.index_get(data, (kernels.copy(u), kernels.copy(v)))
    kept = kernels.where(found, found, -1.0)
    return kept if out is None else kernels.copy(kept, out=out)


# --- updates that only sparse gradients need ----------------------------------------------------------------
def without_decay(attrs):
    if attrs["wd"] != 0:
        raise ArgumentError(message("adagrad_update", "wd", "0: there is no weight decay", attrs["wd"]))
    return plain_numbers(attrs)


@update(
    name="_sparse_adagrad_update",
    states=("history",),
    numbers=without_decay,
    storage=lazy_rules(1),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4, low=0.1, high=2.0), lr=0.1),
        case(uniform(3), uniform(3), uniform(3, low=0.1), lr=0.1, rescale_grad=0.5, clip_gradient=0.3),
        raises(ArgumentError, uniform(2), uniform(2), uniform(2), lr=0.1, wd=0.1, match="expected 0"),
    ],
)
def adagrad_update(weight, grad, history, *, lr: float, epsilon: float = 1e-7, wd: float = 0.0,
                   rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """weight - lr g / sqrt(history + epsilon), after history became history + g g (Duchi et al. 2011).

    g = clip(rescale_grad grad). Of a row-sparse gradient only its rows change.
    """
    g = clipped(grad * rescale_grad, clip_gradient)
    history = history + square(g)
    return weight - g * lr / sqrt(history + epsilon), history


def group_shapes(in_shapes, attrs, out_shapes=None):
    shape = unify_shapes("group_adagrad_update", ("weight", "grad"), in_shapes[:2])
    if shape is not None and len(shape) != 2:
        raise ShapeError(message("group_adagrad_update", "weight", "a matrix", f"shape {describe(shape)}"))
    history = None if shape is None else (shape[0], 1)
    unify_shapes("group_adagrad_update", ("history", "history"), (history, in_shapes[2]))
    return [shape, shape, history], [shape], []


class GroupUpdate(Op):
    """An update whose state has one number for each row of the weight."""

    @property
    def writes_inputs(self):
        """See `Operator.writes_inputs`."""
        return True

    def written_inputs(self, attrs):
        """See `Operator.written_inputs`."""
        return (2,)


def group_reference(w, g, history, lr, rescale_grad=1.0, clip_gradient=-1.0, epsilon=1e-5):
    g = g * rescale_grad
    g = g if clip_gradient < 0 else np.clip(g, -clip_gradient, clip_gradient)
    return w - lr * g / np.sqrt(history + np.mean(g * g, 1, keepdims=True) + epsilon)


@op(
    name="_contrib_group_adagrad_update",
    form=GroupUpdate,
    grad=ZERO,
    infer=group_shapes,
    kinds="f",
    ref=group_reference,
    storage=lazy_rules(1),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 1, low=0.1), lr=0.1),
        case(uniform(2, 3), uniform(2, 3), uniform(2, 1, low=0.1), lr=0.1, clip_gradient=0.3),
        raises(ShapeError, uniform(2), uniform(2), uniform(2), lr=0.1, match="expected a matrix"),
    ],
)
def group_adagrad_update(weight, grad, history, *, lr: float, rescale_grad: float = 1.0,
                         clip_gradient: float = -1.0, epsilon: float = 1e-5, out):  # fmt: skip
    """`adagrad_update` with one history for each row: the sum of the means of g g over it."""
    g = eager("_mul_scalar", grad, scalar=rescale_grad)
    if clip_gradient >= 0:
        g = eager("clip", g, a_min=-clip_gradient, a_max=clip_gradient)
    squares = eager("mean", eager("square", g), axis=1, keepdims=True)
    kernels.copy(eager("elemwise_add", history, squares), out=history)
    rate = eager("rsqrt", eager("_plus_scalar", history, scalar=epsilon))
    step = eager("broadcast_mul", eager("_mul_scalar", g, scalar=lr), rate)
    new = eager("elemwise_sub", weight, step)
    return new if out is None else kernels.copy(new, out=out)

