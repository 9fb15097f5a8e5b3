"""Sums, products, extremes, norms and positions of extremes along axes."""

import numpy as np

from .._array import Array
from .._reduce import accumulate, arg_reduce, reduce
from ..dtypes import code_of
from ..errors import ArgumentError, AxisError, ShapeError, message
from ..kernels import cpu as kernels
from . import indexing, rounding, shape
from ._attributes import Axes, Axis, DType
from ._cases import case, given, raises, uniform
from ._declare import ZERO, op, reduction
from ._elementwise import broadcast_shapes, normalize_axes, normalize_axis
from ._operator import describe, find
from ._sparse import NORM, SUM
from ._trace import ufunc

AXES = [
    case(uniform(3, 4)),
    case(uniform(2, 3, 4), axis=1),
    case(uniform(2, 3, 4), axis=(0, -1), keepdims=True),
    case(uniform(2, 3, 4), axis=(), keepdims=False),
    case(uniform(2, 3, 4), axis=1, exclude=True),
    case(uniform(4), axis=0),
]
DISTINCT = [
    case(uniform(3, 4, distinct=True)),
    case(uniform(2, 3, 4, distinct=True), axis=(0, -1), keepdims=True),
    case(uniform(2, 3, 4, distinct=True), axis=1, exclude=True),
]
EMPTY = [
    case(uniform(0, 3), axis=0),
    case(uniform(2, 0), axis=-1, keepdims=True),
    case(uniform(0, 3), axis=1),
]
BAD_AXES = [
    raises(
        AxisError, uniform(3), axis=1, match="(axis): expected an axis of an array of 1 dimensions, got 1"
    ),
    raises(AxisError, uniform(3, 3), axis=(0, -2), match="expected each axis once"),
    raises(ArgumentError, uniform(3), axis="a", match="expected None, an int or a tuple of ints"),
]


def axes_of(x, axis, exclude=False):
    """The axes that a reduction of MXNet means, for references."""
    if axis is None or axis == ():
        return None
    axes = {a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(sorted(set(range(x.ndim)) - axes if exclude else axes))


def reference(function):
    def compute(x, axis=None, keepdims=False, exclude=False):
        return function(x, axis=axes_of(x, axis, exclude), keepdims=keepdims)

    return compute


def spread(g, data, axis, keepdims, exclude):
    return _spread_like(g, data, axis=axis, keepdims=keepdims, exclude=exclude)


# --- sums and products ---------------------------------------------------------------------------------
@reduction(
    combine="add", grad=spread, kinds="biufc", ref=reference(np.sum),
    storage=SUM,
    cases=AXES + EMPTY + BAD_AXES,
)
def sum(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Sum along axes (all of them by default; those that are not named with `exclude`).

    The result has the dtype of the data.  Large sums are made in a fixed tree: they do not depend on the
    number of threads.
    """
    return data


def mean_gradient(g, data, axis, keepdims, exclude):
    return _spread_like(g, data, axis=axis, keepdims=keepdims, exclude=exclude, mean=True)


@reduction(
    combine="add",
    grad=mean_gradient,
    finish=lambda total, count: ufunc.true_divide(total, count),
    kinds="biuf",
    ref=reference(np.mean),
    storage=SUM,
    cases=AXES + BAD_AXES,
)
def mean(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Mean along axes, in the dtype of the data."""
    return data


def product_gradient(g, data, y, axis, keepdims, exclude):
    return spread(g * y, data, axis, keepdims, exclude) / data


@reduction(
    combine="multiply",
    grad=product_gradient,
    kinds="biufc",
    ref=reference(np.prod),
    cases=AXES + EMPTY + BAD_AXES,
)
def prod(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Product along axes."""
    return data


def nansum_gradient(g, data, axis, keepdims, exclude):
    return spread(g, data, axis, keepdims, exclude) * (data == data)


@reduction(combine="add", grad=nansum_gradient, kinds="iuf", ref=reference(np.nansum), cases=AXES + EMPTY)
def nansum(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Sum along axes of the elements that are not NaN."""
    return ufunc.fmax(data, 0) + ufunc.fmin(data, 0)  # which take the operand that is a number


def nanprod_gradient(g, data, y, axis, keepdims, exclude):
    slope = spread(g * y, data, axis, keepdims, exclude) / data
    return indexing.where(data == data, slope, find("zeros_like")(data))


@reduction(
    combine="multiply", grad=nanprod_gradient, kinds="iuf", ref=reference(np.nanprod), cases=AXES + EMPTY
)
def nanprod(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Product along axes of the elements that are not NaN."""
    return ufunc.fmax(data, 1) * ufunc.fmin(data, 1)


# --- extremes ------------------------------------------------------------------------------------------
def extreme_gradient(g, data, y, axis, keepdims, exclude):
    chosen = data == spread(y, data, axis, keepdims, exclude)
    return spread(g, data, axis, keepdims, exclude) * chosen


NO_ELEMENTS = raises(
    ShapeError, uniform(0, 3), axis=0, match="expected at least one element, got shape (0, 3)"
)


@reduction(
    combine="maximum",
    grad=extreme_gradient,
    kinds="biuf",
    needs_elements=True,
    ref=reference(np.max),
    cases=[*DISTINCT, case(uniform(0, 3), axis=1), NO_ELEMENTS, *BAD_AXES],
)
def max(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Largest element along axes; NaN if there is one.  The gradient goes to every largest element."""
    return data


@reduction(
    combine="minimum",
    grad=extreme_gradient,
    kinds="biuf",
    needs_elements=True,
    ref=reference(np.min),
    cases=[*DISTINCT, case(uniform(0, 3), axis=1), NO_ELEMENTS, *BAD_AXES],
)
def min(data, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False):
    """Smallest element along axes; NaN if there is one.  The gradient goes to every smallest element."""
    return data


def norm_gradient(g, data, y, ord, axis, keepdims):
    if ord == 1:
        return spread(g, data, axis, keepdims, False) * rounding.sign(data)
    return spread(g / y, data, axis, keepdims, False) * data


def norm_reference(x, ord=2, axis=None, keepdims=False, out_dtype=None):
    axes = axes_of(x, axis)
    total = np.sum(np.abs(x) ** ord, axis=axes, keepdims=keepdims)
    return total if ord == 1 else np.sqrt(total)


@reduction(
    combine="add",
    grad=norm_gradient,
    ref=norm_reference,
    finish=lambda total, count, ord: ufunc.sqrt(total) if ord == 2 else total,
    storage=NORM,
    cases=[
        case(uniform(3, 4)),
        case(uniform(2, 3, 4), axis=1, keepdims=True),
        case(uniform(2, 3, 4, avoid=(0,)), ord=1, axis=(0, 2)),
        raises(ArgumentError, uniform(2), ord=3, match="norm(ord): expected 1 or 2, got 3"),
    ],
)
def norm(data, *, ord: int = 2, axis: Axes = None, out_dtype: DType = None, keepdims: bool = False):
    """Sum of absolute values (`ord=1`) or root of the sum of squares (`ord=2`) along axes."""
    if ord not in (1, 2):
        raise ArgumentError(message("norm", "ord", "1 or 2", ord))
    return ufunc.square(data) if ord == 2 else ufunc.absolute(data)


# --- back to the shape of an operand -------------------------------------------------------------------
def sum_like(g, x):
    """Sum a gradient over the axes along which an operand was broadcast."""
    if isinstance(g, Array) and g.shape == x.shape:
        return g
    return _sum_like(g, x)


def sum_like_shape(data, like):
    if broadcast_shapes("_sum_like", ("data", "like"), (data, like)) != tuple(data):
        raise ShapeError(
            message("_sum_like", "like", f"a shape that broadcasts to {describe(data)}", describe(like))
        )
    return like


def sum_like_reference(x, like):
    extra = x.ndim - like.ndim
    x = x.sum(axis=tuple(range(extra)))
    return x.sum(axis=tuple(a for a in range(x.ndim) if like.shape[a] == 1), keepdims=True).reshape(
        like.shape
    )


@op(
    grad=(lambda g, data: shape.broadcast_like(g, data), None),
    shape=sum_like_shape,
    shape_only=("like", "data"),
    identity=True,
    free=("like",),
    dtype=lambda data: data,
    ref=sum_like_reference,
    cases=[
        case(uniform(3, 4), uniform(4)),
        case(uniform(3, 4), uniform(3, 1)),
        case(uniform(2, 3, 4), uniform(1, 1)),
        case(uniform(2, 3), uniform(2, 3)),
        case(uniform(0, 3), uniform(1, 3)),
        raises(ShapeError, uniform(2, 3), uniform(4), match="shapes (2, 3) and (4,) do not broadcast"),
    ],
)
def _sum_like(data, like, *, out):
    """Sum over the axes along which an array of the shape of `like` was broadcast to that of data."""
    target = like.shape
    extra = data.ndim - len(target)
    axes = tuple(a for a in range(data.ndim) if a < extra or (target[a - extra] == 1 and data.shape[a] != 1))
    if not axes:
        return kernels.copy(data, out=out)
    kept = tuple(1 if a in axes else extent for a, extent in enumerate(data.shape))
    slot = None if out is None else out._reshape_view(kept)
    total = reduce(np.add, data, axes, True, dtype=code_of(data.dtype), out=slot, name="_sum_like")
    return total._reshape_view(target) if out is None else out


def spread_like_shape(data, like):
    return like


def kept_shape(name, x_shape, axis, exclude):
    """The shape with 1 for every axis that was reduced."""
    axes = normalize_axes(name, axis, len(x_shape))
    if axis == ():
        axes = tuple(range(len(x_shape)))
    elif exclude and axis is not None:
        axes = tuple(a for a in range(len(x_shape)) if a not in axes)
    return tuple(1 if a in axes else extent for a, extent in enumerate(x_shape))


def spread_like_reference(x, like, axis=None, keepdims=False, exclude=False, mean=False):
    kept = kept_shape("", like.shape, axis, exclude)
    return np.broadcast_to(x.reshape(kept), like.shape) * (np.prod(kept) / like.size if mean else 1)


def spread_like_gradient(g, axis, keepdims, exclude, mean):
    reduced = find("mean") if mean else find("sum")
    return reduced(g, axis=axis, keepdims=keepdims, exclude=exclude)


@op(
    grad=(spread_like_gradient, None),
    shape=spread_like_shape,
    shape_only=("like",),
    free=("like",),
    dtype=lambda data: data,
    ref=spread_like_reference,
    kinds="iufc",
    cases=[
        case(uniform(3), uniform(3, 4), axis=1),
        case(uniform(1, 3, 1), uniform(2, 3, 4), axis=1, keepdims=True, exclude=True, mean=True),
    ],
)
def _spread_like(
    data, like, *, axis: Axes = None, keepdims: bool = False, exclude: bool = False, mean: bool = False, out
):
    """Repeat what a reduction gave along the axes that it reduced (divided by their size with `mean`)."""
    kept = kept_shape("_spread_like", like.shape, axis, exclude)
    full = data._reshape_view(kept)
    if full is None:
        full = kernels.copy(data)._reshape_view(kept)
    if mean:
        full = find("_mul_scalar").compute(
            [full], {"scalar": full.size / np.maximum(like.size, 1), "is_int": False}
        )[0]
    return kernels.copy(full._broadcast_view(like.shape), out=out)


# --- positions of extremes -----------------------------------------------------------------------------
def position_shape(name):
    def infer(data, axis, keepdims):
        axes = range(len(data)) if axis is None else (normalize_axis(name, axis, len(data)),)
        if any(data[a] == 0 for a in axes):
            raise ShapeError(message(name, "data", "at least one element", f"shape {describe(data)}"))
        return tuple(1 if a in axes else e for a, e in enumerate(data) if keepdims or a not in axes)

    return infer


POSITIONS = [
    case(uniform(3, 4)),
    case(uniform(3, 4), axis=1),
    case(uniform(2, 3, 4), axis=-2, keepdims=True),
    case(given([1.0, 3.0, 3.0, 2.0]), axis=0),
    raises(
        AxisError, uniform(3), axis=2, match="(axis): expected an axis of an array of 1 dimensions, got 2"
    ),
    raises(ShapeError, uniform(0, 2), axis=0, match="expected at least one element"),
]


@op(
    grad=ZERO,
    shape=position_shape("argmax"),
    kinds="biuf",
    cases=POSITIONS,
    dtype=lambda data: data,
    ref=lambda x, axis=None, keepdims=False: np.argmax(x, axis=axis, keepdims=keepdims),
)
def argmax(data, *, axis: Axis = None, keepdims: bool = False, out):
    """Position of the first largest element along an axis, or in the flattened array; in data's dtype."""
    return arg_reduce("argmax", data, axis, keepdims, code_of(data.dtype), out=out)


@op(
    grad=ZERO,
    shape=position_shape("argmin"),
    kinds="biuf",
    cases=POSITIONS,
    dtype=lambda data: data,
    ref=lambda x, axis=None, keepdims=False: np.argmin(x, axis=axis, keepdims=keepdims),
)
def argmin(data, *, axis: Axis = None, keepdims: bool = False, out):
    """Position of the first smallest element along an axis, or in the flattened array; in data's dtype."""
    return arg_reduce("argmin", data, axis, keepdims, code_of(data.dtype), out=out)


@op(
    grad=ZERO,
    shape=lambda data: position_shape("argmax_channel")(data, 1, False),
    kinds="biuf",
    dtype=lambda data: data,
    ref=lambda x: np.argmax(x, axis=1),
    cases=[uniform(3, 4), uniform(2, 3, 4)],
)
def argmax_channel(data, *, out):
    """Position of the largest element along axis 1."""
    return arg_reduce("argmax", data, 1, False, code_of(data.dtype), out=out)


# --- running sums --------------------------------------------------------------------------------------
def cumsum_shape(a, axis):
    if axis is None:
        return (int(np.prod(a)),)
    normalize_axis("cumsum", axis, len(a))
    return a


def cumsum_gradient(g, a, axis):
    along = 0 if axis is None else axis
    back = shape.reverse(_np_cumsum(shape.reverse(g, axis=along), axis=along), axis=along)
    return shape.reshape_like(back, a) if axis is None else back


@op(
    grad=cumsum_gradient,
    name="_np_cumsum",
    shape=cumsum_shape,
    back=lambda a, axis, y: [a if axis is None else y],
    kinds="iufc",
    dtype=lambda a, dtype: a if dtype is None else dtype,
    ref=lambda x, axis=None, dtype=None: np.cumsum(x, axis=axis, dtype=x.dtype),
    cases=[case(uniform(3, 4)), case(uniform(3, 4), axis=1), case(uniform(0, 2), axis=0)],
)
def _np_cumsum(a, *, axis: Axis = None, dtype: DType = None, out):
    """Running sum along an axis, or of the flattened array."""
    if dtype is not None and dtype != a.dtype:
        a = kernels.astype(a, dtype)
    if axis is None:
        a = shape.reshaped(a, (a.size,), None)
    return accumulate(np.add, a, 0 if axis is None else axis, dtype=code_of(a.dtype), out=out)
