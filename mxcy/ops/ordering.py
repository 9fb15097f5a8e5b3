"""Sorting."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, AxisError, message
from ..kernels import cpu as kernels
from . import shape
from ._attributes import Axis, DType
from ._cases import case, integers, raises, uniform
from ._declare import ZERO, op
from ._elementwise import normalize_axis

FLOAT32 = np.dtype("float32")


def order_shape(name):
    def infer(data, axis):
        if axis is None:
            total = 1
            for extent in data:
                total *= extent
            return (total,)
        normalize_axis(name, axis, len(data))
        return data

    return infer


def ordered(function):
    def compute(x, axis=-1, is_ascend=True, dtype=None):
        if axis is None:
            x, axis = x.ravel(), 0
        order = np.argsort(x if is_ascend else -x.astype(float), axis=axis, kind="stable")
        return order if function is np.argsort else np.take_along_axis(x, order, axis)

    return compute


ROWS = [
    case(uniform(3, 4, distinct=True)),
    case(uniform(3, 4, distinct=True), axis=0, is_ascend=False),
    case(uniform(2, 3, distinct=True), axis=None),
    case(uniform(0, 2), axis=1),
    raises(AxisError, uniform(3), axis=1, match="(axis): expected an axis of an array of 1 dimensions"),
]


def sort_gradient(g, data, axis, is_ascend):
    return _along_grad(g, argsort(data, axis=axis, is_ascend=is_ascend, dtype="int64"), data, axis=axis)


@op(grad=sort_gradient, shape=order_shape("sort"), ref=ordered(np.sort), cases=ROWS, kinds="iuf")
def sort(data, *, axis: Axis = -1, is_ascend: bool = True, out):
    """data sorted along an axis (flattened for None)."""
    if axis is None:
        data, axis = shape.reshaped(data, (data.size,), None), 0
    return kernels.sort(data, axis, is_ascend, out=out)


@op(
    grad=ZERO,
    shape=order_shape("argsort"),
    ref=ordered(np.argsort),
    cases=ROWS,
    kinds="iuf",
    dtype=lambda dtype: dtype,
)
def argsort(data, *, axis: Axis = -1, is_ascend: bool = True, dtype: DType = FLOAT32, out):
    """Positions that sort data along an axis (of the flattened array for None)."""
    if axis is None:
        data, axis = shape.reshaped(data, (data.size,), None), 0
    return kernels.argsort(data, axis, is_ascend, dtype, out=out)


# --- the k largest -------------------------------------------------------------------------------------
def topk_axis(data, axis):
    """(shape to sort in, axis to sort along)."""
    if axis is None:
        total = 1
        for extent in data:
            total *= extent
        return (total,), 0
    return data, normalize_axis("topk", axis, len(data))


def topk_shape(data, axis, k, ret_typ):
    full, at = topk_axis(data, axis)
    count = full[at] if k < 1 else k
    if count > full[at]:
        raise ArgumentError(message("topk", "k", f"at most {full[at]}, the extent of the axis", k))
    result = (*full[:at], count, *full[at + 1 :])
    return {"mask": data, "both": [result, result]}.get(ret_typ, result)


def topk_gradient(g_outputs, data, axis, k, ret_typ, is_ascend):
    if ret_typ not in ("value", "both"):
        return None
    index = topk(data, axis=axis, k=k, ret_typ="indices", is_ascend=is_ascend, dtype="int64")
    return _along_grad(g_outputs[0], index, data, axis=axis)


def topk_reference(x, axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32"):
    whole = x.shape
    if axis is None:
        x, axis = x.ravel(), 0
    k = x.shape[axis] if k < 1 else k
    order = np.take(
        np.argsort(x if is_ascend else -x.astype(float), axis=axis, kind="stable"), np.arange(k), axis=axis
    )
    values = np.take_along_axis(x, order, axis)
    if ret_typ == "mask":
        mask = np.zeros(x.shape)
        np.put_along_axis(mask, order, 1, axis)
        return mask.reshape(whole)
    return {"value": values, "both": [values, order]}.get(ret_typ, order)


def topk_dtype(data, ret_typ, dtype):
    return {"value": data, "mask": data, "both": [data, dtype]}.get(ret_typ, dtype)


@op(
    grad=topk_gradient,
    shape=topk_shape,
    dtype=topk_dtype,
    ref=topk_reference,
    kinds="iuf",
    outputs=lambda ret_typ: ("output0", "output1") if ret_typ == "both" else ("output",),
    cases=[
        case(uniform(2, 4, distinct=True), k=2),
        case(uniform(2, 4, distinct=True), k=2, ret_typ="value"),
        case(uniform(2, 4, distinct=True), k=3, ret_typ="both", is_ascend=True),
        case(uniform(2, 4, distinct=True), k=2, ret_typ="mask", axis=0),
        case(uniform(2, 4, distinct=True), axis=None, k=3, ret_typ="value", dtype="int32"),
        raises(
            ArgumentError, uniform(2), k=3, match="topk(k): expected at most 2, the extent of the axis, got 3"
        ),
    ],
)
def topk(
    data,
    *,
    axis: Axis = -1,
    k: int = 1,
    ret_typ: Literal["value", "indices", "mask", "both"] = "indices",
    is_ascend: bool = False,
    dtype: DType = FLOAT32,
    out,
):
    """The k largest (or smallest) elements along an axis: values, positions, both, or a mask of 0 and 1."""
    full, at = topk_axis(data.shape, axis)
    count = full[at] if k < 1 else k
    flat = data if axis is not None else shape.reshaped(data, full, None)
    if ret_typ == "mask":
        mask = kernels.topk_mask(flat, count, at, is_ascend)
        return [kernels.copy(mask._reshape_view(data.shape), out=out[0])]
    values, positions = kernels.topk(flat, count, at, is_ascend, dtype)
    found = {"value": [values], "indices": [positions], "both": [values, positions]}[ret_typ]
    return [x if slot is None else kernels.copy(x, out=slot) for x, slot in zip(found, out, strict=True)]


# --- along an axis -------------------------------------------------------------------------------------
def grid(extents, index, axis):
    """Index arrays for every axis that choose along one of them by `index`."""
    ndim = len(extents)
    chosen = [np.arange(n).reshape([-1 if d == a else 1 for d in range(ndim)]) for a, n in enumerate(extents)]
    chosen[axis] = index
    return chosen


@op(
    grad=(lambda g, data, index, axis: _along_grad(g, index, data, axis=axis), None),
    free=("index",),
    dtype=lambda data: data,
    shape=lambda data, index: index,
    ref=lambda x, index, axis: np.take_along_axis(x, index, axis),
    cases=[
        case(uniform(2, 3), integers(2, 2, high=3, dtype="int64"), axis=1),
        case(uniform(3, 2), integers(4, 2, high=3, dtype="int64"), axis=0),
    ],
)
def _along(data, index, *, axis: Axis, out):
    """The entries of data along an axis at the positions in `index` (of the flattened array for None)."""
    if axis is None:
        return kernels.take(shape.reshaped(data, (data.size,), None), index, 0, "clip", out=out)
    at = normalize_axis("_along", axis, data.ndim)
    return kernels.index_get(data, grid(index.shape, index, at), out=out)


def along_grad_reference(g, index, like, axis):
    total = np.zeros(like.shape, g.dtype)
    np.add.at(total, tuple(grid(index.shape, index, axis % like.ndim)), g)
    return total


@op(
    grad=(lambda g, index, axis: _along(g, index, axis=axis), None, None),
    free=("index", "like"),
    dtype=lambda data: data,
    shape=lambda data, index, like: like,
    shape_only=("like",),
    kinds="iuf",
    ref=along_grad_reference,
    cases=[case(uniform(2, 4), integers(2, 4, high=3, dtype="int64"), uniform(2, 3), axis=1)],
)
def _along_grad(data, index, like, *, axis: Axis, out):
    """Zeros of the shape of `like`, with data added where `_along` would read."""
    if axis is None:
        flat = kernels.take_grad(data, index, (like.size,), 0, "clip")
        return kernels.copy(flat._reshape_view(like.shape), out=out)
    at = normalize_axis("_along", axis, data.ndim)
    return kernels.index_get_grad(data, grid(index.shape, index, at), like.shape, out=out)
