"""Shapes: reshape, transpose, slices, joins and splits.  Results are new arrays, as in MXNet."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import math

import numpy as np

from .._array import Array, empty, face_of, from_numpy
from ..errors import ArgumentError, AxisError, ShapeError, message, problem
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import Axes, DType, Shape
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from ._elementwise import broadcast_shapes, normalize_axes, normalize_axis
from ._layer import equal_shapes
from ._operator import describe
from ._storage import KEEPS


def reshaped(x, shape, out):
    """A copy of x in another shape of the same size."""
    view = x._reshape_view(shape)
    if view is not None:
        return kernels.copy(view, out=out)
    copy = kernels.copy(x)._reshape_view(shape)
    return copy if out is None else kernels.copy(copy, out=out)


def product(extents):
    total = 1
    for extent in extents:
        total *= extent
    return total


# --- reshape -------------------------------------------------------------------------------------------
def resolve_reshape(shape, target, reverse=False, op="reshape"):
    """Return the shape that MXNet's codes in `target` mean for an array of this shape.

    0 copies an extent, -1 is what remains, -2 copies all that follow, -3 merges two extents, -4 splits one
    into the two that follow (one of them may be -1).  With `reverse`, codes are matched from the right.
    Raises ShapeError where the sizes do not fit.
    """
    if target and min(target) > 0 and math.prod(target) == math.prod(shape):  # as most calls have it
        return tuple(target)
    source, codes = (shape[::-1], target[::-1]) if reverse else (shape, target)
    try:
        result, inferred = _apply_codes(source, codes)
    except IndexError:
        text = f"the codes {target} use more dimensions than shape {describe(shape)} has"
        raise ShapeError(problem(op, "shape", text)) from None
    size = product(shape)
    if inferred is not None:
        rest = product(extent for i, extent in enumerate(result) if i != inferred)
        result[inferred] = size // rest if rest else 0
    if product(result) != size:
        expected = f"a shape of {size} elements, as {describe(shape)} has"
        raise ShapeError(message(op, "shape", expected, describe(target)))
    return tuple(result[::-1] if reverse else result)


def _apply_codes(source, codes):
    """(extents, position of the extent to infer) before sizes are checked."""
    result, inferred, position, at = [], None, 0, 0
    while at < len(codes):
        code = codes[at]
        if code == -2:
            result += source[position:]
            position = len(source)
        elif code == -3:
            result.append(source[position] * source[position + 1])
            position += 2
        elif code == -4:
            left, right = codes[at + 1], codes[at + 2]
            if left == -1:
                left = source[position] // right
            if right == -1:
                right = source[position] // left
            if left * right != source[position]:
                raise IndexError
            result += [left, right]
            position, at = position + 1, at + 2
        elif code == -1:
            if inferred is not None:
                raise ShapeError(problem("reshape", "shape", f"at most one -1 in {tuple(codes)}"))
            inferred, position = len(result), position + 1
            result.append(1)
        elif code >= 0:
            result.append(source[position] if code == 0 else code)
            position += 1
        else:
            raise ShapeError(message("reshape", "shape", "extents and the codes 0 to -4", tuple(codes)))
        at += 1
    return result, inferred


def reshape_shape(data, shape, reverse, target_shape, keep_highest):
    if not shape and target_shape:  # files of MXNet before 0.9: 0 is what remains
        codes = [data[0], *target_shape[1:]] if keep_highest else target_shape
        shape = tuple(-1 if extent == 0 else extent for extent in codes)
    return resolve_reshape(data, shape, reverse, "Reshape")


def reshape_back(data, y):
    """The one extent that is not known follows from how many elements the result has."""
    if y is None or data is None or None in y or data.count(None) != 1:
        return data
    rest = product(extent for extent in data if extent is not None)
    return tuple(product(y) // rest if extent is None and rest else extent for extent in data)


@op(
    view=True,
    grad=lambda g, data: reshape_like(g, data),
    shape=reshape_shape,
    back=reshape_back,
    ref=lambda x, shape, reverse=False: x.reshape(resolve_reshape(x.shape, shape, reverse)),
    cases=[
        case(uniform(2, 6), shape=(3, 4)),
        case(uniform(2, 3, 4), shape=(0, -1)),
        case(uniform(2, 3, 4), shape=(-3, 0)),
        case(uniform(2, 3, 4), shape=(-4, 1, -1, -2)),
        case(uniform(2, 3, 4), shape=(0, -3)),
        case(uniform(8, 3), shape=(-4, -1, 4, 0), reverse=False),
        case(uniform(4, 3, 2), shape=(-1, 0), reverse=True),
        case(uniform(0, 3), shape=(-1,)),
        raises(
            ShapeError, uniform(2, 3), shape=(5, 5), match="expected a shape of 6 elements, as (2, 3) has"
        ),
        raises(ShapeError, uniform(2, 3), shape=(0, 0, 0), match="use more dimensions than shape (2, 3) has"),
    ],
)
def Reshape(
    data,
    *,
    shape: Shape = (),
    reverse: bool = False,
    target_shape: Shape = (),
    keep_highest: bool = False,
    out,
):
    """The elements of data, in order, in another shape.

    Codes in `shape`: 0 copies an extent, -1 is what remains, -2 copies all that follow, -3 merges two
    extents, -4 splits one into the two that follow; with `reverse` they are matched from the right.
    """
    return reshaped(data, reshape_shape(data.shape, shape, reverse, target_shape, keep_highest), out)


@op(
    grad=(lambda g: g, None),
    infer=lambda in_shapes, attrs, out_shapes=None: equal_shapes(
        "_identity_with_attr_like_rhs", in_shapes, out_shapes
    ),
    identity=True,
    ref=lambda lhs, rhs: lhs,
    cases=[
        case(uniform(2, 3), uniform(2, 3)),
        raises(ShapeError, uniform(2), uniform(3), match="expected shape (2,), got (3,)"),
    ],
)
def _identity_with_attr_like_rhs(lhs, rhs, *, out):
    """lhs as it is; to inference it has the shape and the dtype of rhs."""
    return kernels.copy(lhs, out=out)


def reshape_like_shape(lhs, rhs, lhs_begin, lhs_end, rhs_begin, rhs_end):
    def part(shape, begin, end):
        return slice(*slice(begin, end).indices(len(shape)))

    left, right = part(lhs, lhs_begin, lhs_end), part(rhs, rhs_begin, rhs_end)
    shape = (*lhs[: left.start], *rhs[right], *lhs[left.stop :])
    if product(shape) != product(lhs):
        raise ShapeError(message("reshape_like", "rhs", f"{product(lhs)} elements", f"shape {describe(rhs)}"))
    return shape


@op(
    view=True,
    grad=(lambda g, lhs: reshape_like(g, lhs), None),
    shape=reshape_like_shape,
    shape_only=("rhs", "lhs"),
    free=("rhs",),
    dtype=lambda lhs: lhs,
    identity=True,
    ref=lambda x, like, lhs_begin=None, lhs_end=None, rhs_begin=None, rhs_end=None: x.reshape(
        reshape_like_shape(x.shape, like.shape, lhs_begin, lhs_end, rhs_begin, rhs_end)
    ),
    cases=[
        case(uniform(2, 6), uniform(3, 4)),
        case(uniform(0, 2), uniform(2, 0)),
        case(uniform(6, 5), uniform(2, 3, 7), lhs_begin=0, lhs_end=1, rhs_begin=0, rhs_end=2),
        raises(ShapeError, uniform(2, 3), uniform(5), match="reshape_like(rhs): expected 6 elements"),
    ],
)
def reshape_like(
    lhs,
    rhs,
    *,
    lhs_begin: int | None = None,
    lhs_end: int | None = None,
    rhs_begin: int | None = None,
    rhs_end: int | None = None,
    out,
):
    """The elements of lhs in the shape of rhs (or with a range of extents replaced by a range of rhs's)."""
    return reshaped(
        lhs, reshape_like_shape(lhs.shape, rhs.shape, lhs_begin, lhs_end, rhs_begin, rhs_end), out
    )


@op(
    view=True,
    grad=lambda g, data: reshape_like(g, data),
    shape=lambda data: (data[0], product(data[1:])) if data else (1, 1),
    ref=lambda x: x.reshape(x.shape[0], -1),
    cases=[uniform(2, 3, 4), uniform(3), uniform(2, 3)],
    identity=True,
)
def Flatten(data, *, out):
    """A matrix with one row per entry of the first axis."""
    return reshaped(data, (data.shape[0], product(data.shape[1:])) if data.ndim else (1, 1), out)


def flattened(x):
    """x as a matrix, for gradient rules: itself if it is known to be one."""
    return x if isinstance(x, Array) and x.ndim == 2 else Flatten(x)


def restored(g, x):
    """g in the shape of x, for gradient rules: itself if it is known to have it."""
    return g if isinstance(g, Array) and g.shape == x.shape else reshape_like(g, x)


def expand_dims_shape(data, axis):
    at = normalize_axis("expand_dims", axis, len(data) + 1)
    return (*data[:at], 1, *data[at:])


def expand_dims_back(data, axis, y):
    if y is None:
        return data
    at = normalize_axis("expand_dims", axis, len(y))
    return (*y[:at], *y[at + 1 :]) or (1,)


@op(
    view=True,
    grad=lambda g, data: reshape_like(g, data),
    shape=expand_dims_shape,
    back=expand_dims_back,
    ref=lambda x, axis: np.expand_dims(x, axis),
    cases=[
        case(uniform(2, 3), axis=0),
        case(uniform(2, 3), axis=-1),
        case(uniform(0, 2), axis=1),
        raises(AxisError, uniform(2), axis=3, match="expand_dims(axis): expected an axis"),
    ],
)
def expand_dims(data, *, axis: int, out):
    """data with a new axis of extent 1."""
    return reshaped(data, expand_dims_shape(data.shape, axis), out)


def squeeze_shape(data, axis):
    if axis is None:
        return tuple(extent for extent in data if extent != 1)
    axes = normalize_axes("squeeze", axis, len(data))
    for a in axes:
        if data[a] != 1:
            raise ShapeError(
                message("squeeze", "axis", "axes of extent 1", f"axis {a} of shape {describe(data)}")
            )
    return tuple(extent for a, extent in enumerate(data) if a not in axes)


@op(
    view=True,
    grad=lambda g, data: reshape_like(g, data),
    shape=squeeze_shape,
    ref=lambda x, axis=None: np.squeeze(x, axis),
    cases=[
        case(uniform(2, 1, 3, 1)),
        case(uniform(1, 3, 1), axis=0),
        case(uniform(1, 3, 1), axis=(0, -1)),
        raises(
            ShapeError, uniform(1, 3), axis=1, match="expected axes of extent 1, got axis 1 of shape (1, 3)"
        ),
    ],
)
def squeeze(data, *, axis: Axes = None, out):
    """data without its axes of extent 1 (or those named)."""
    return reshaped(data, squeeze_shape(data.shape, axis), out)


# --- order of axes -------------------------------------------------------------------------------------
def full_axes(ndim, axes):
    if not axes:
        return tuple(range(ndim))[::-1]
    found = tuple(normalize_axis("transpose", a, ndim, "axes") for a in axes)
    if sorted(found) != list(range(ndim)):
        raise AxisError(message("transpose", "axes", f"each of {ndim} axes once", axes))
    return found


def transpose_gradient(g, axes):
    if axes:
        count = len(axes)
        axes = tuple(sorted(range(count), key=lambda i: axes[i] % count))
    return transpose(g, axes=axes)


def transpose_back(data, axes, y):
    if y is None:
        return data
    order = full_axes(len(y), axes)
    return tuple(y[order.index(a)] for a in range(len(y)))


@op(
    grad=transpose_gradient,
    shape=lambda data, axes: tuple(data[a] for a in full_axes(len(data), axes)),
    back=transpose_back,
    ref=lambda x, axes=(): np.transpose(x, axes or None),
    cases=[
        case(uniform(2, 3)),
        case(uniform(2, 3, 4), axes=(1, 2, 0)),
        case(uniform(2, 3, 4), axes=(0, -1, 1)),
        case(uniform(0, 3)),
        raises(AxisError, uniform(2, 3), axes=(0, 0), match="expected each of 2 axes once"),
    ],
)
def transpose(data, *, axes: Shape = (), out):
    """data with its axes in another order (reversed by default)."""
    return kernels.copy(data._transpose_view(axes or None), out=out)


def swapped(ndim, dim1, dim2):
    axes = list(range(ndim))
    a, b = (normalize_axis("SwapAxis", d, ndim, n) for d, n in ((dim1, "dim1"), (dim2, "dim2")))
    axes[a], axes[b] = b, a
    return tuple(axes)


@op(
    grad=lambda g, dim1, dim2: SwapAxis(g, dim1=dim1, dim2=dim2),
    shape=lambda data, dim1, dim2: tuple(data[a] for a in swapped(len(data), dim1, dim2)),
    ref=lambda x, dim1=0, dim2=0: np.swapaxes(x, dim1, dim2),
    cases=[case(uniform(2, 3, 4), dim1=0, dim2=-1), case(uniform(2, 3), dim1=0, dim2=1)],
)
def SwapAxis(data, *, dim1: int = 0, dim2: int = 0, out):
    """data with two axes exchanged."""
    return kernels.copy(data._transpose_view(swapped(data.ndim, dim1, dim2)), out=out)


def reverse_shape(data, axis):
    normalize_axes("reverse", axis, len(data))
    return data


@op(
    grad=lambda g, axis: reverse(g, axis=axis),
    shape=reverse_shape,
    back=lambda data, axis, y: [y],
    ref=lambda x, axis: np.flip(x, axis),
    cases=[
        case(uniform(2, 3), axis=1),
        case(uniform(2, 3, 4), axis=(0, 2)),
        case(uniform(0, 3), axis=0),
        raises(AxisError, uniform(2), axis=1, match="reverse(axis): expected an axis"),
    ],
)
def reverse(data, *, axis: Shape, out):
    """data with the order of its elements reversed along axes."""
    return kernels.flip(data, axis, out=out)


# --- broadcasting --------------------------------------------------------------------------------------
def sum_back(g, data):
    return reduction.sum_like(g, data)


def broadcast_to_shape(data, shape):
    target = tuple(data[i] if extent == 0 and i < len(data) else extent for i, extent in enumerate(shape))
    if (
        len(shape) < len(data)
        or broadcast_shapes("broadcast_to", ("data", "shape"), (data, target)) != target
    ):
        raise ShapeError(
            message("broadcast_to", "shape", f"one to which {describe(data)} broadcasts", describe(shape))
        )
    return target


@op(
    grad=sum_back,
    shape=broadcast_to_shape,
    ref=lambda x, shape: np.broadcast_to(x, broadcast_to_shape(x.shape, shape)),
    cases=[
        case(uniform(1, 3), shape=(2, 3)),
        case(uniform(2, 1, 3), shape=(0, 4, 0)),
        case(uniform(3), shape=(2, 3)),
        raises(
            ShapeError, uniform(2, 3), shape=(4, 3), match="broadcast_to(shape): shapes (2, 3) and (4, 3)"
        ),
    ],
)
def broadcast_to(data, *, shape: Shape, out):
    """data repeated along axes of extent 1 to another shape; 0 there keeps an extent."""
    return kernels.copy(data._broadcast_view(broadcast_to_shape(data.shape, shape)), out=out)


def broadcast_axis_shape(data, axis, size):
    shape = list(data)
    if len(axis) != len(size):
        raise ShapeError(message("broadcast_axis", "size", f"{len(axis)} sizes, one per axis", size))
    for a, extent in zip(axis, size, strict=True):
        a = normalize_axis("broadcast_axis", a, len(data))
        if data[a] != 1:
            raise ShapeError(
                message("broadcast_axis", "axis", "axes of extent 1", f"axis {a} of {describe(data)}")
            )
        if extent < 0:
            raise ArgumentError(message("broadcast_axis", "size", "extents of at least 0", size))
        shape[a] = extent
    return tuple(shape)


@op(
    grad=sum_back,
    shape=broadcast_axis_shape,
    ref=lambda x, axis, size: np.broadcast_to(
        x, broadcast_axis_shape(x.shape, np.atleast_1d(axis).tolist(), np.atleast_1d(size).tolist())
    ),
    cases=[
        case(uniform(1, 2, 1), axis=(0, 2), size=(2, 3)),
        case(uniform(2, 1), axis=1, size=4),
        raises(ShapeError, uniform(2, 3), axis=0, size=4, match="expected axes of extent 1"),
        raises(ArgumentError, uniform(1, 3), axis=0, size=-4, match="broadcast_axis(size): expected extents"),
    ],
)
def broadcast_axis(data, *, axis: Shape = (), size: Shape = (), out):
    """data repeated along axes of extent 1."""
    return kernels.copy(data._broadcast_view(broadcast_axis_shape(data.shape, axis, size)), out=out)


def broadcast_like_shape(lhs, rhs, lhs_axes, rhs_axes):
    target = rhs
    for name, axes in (("lhs_axes", lhs_axes), ("rhs_axes", rhs_axes)):
        if axes == ():
            raise ArgumentError(message("broadcast_like", name, "at least one axis", "()"))
    if lhs_axes is not None and rhs_axes is not None:
        target = list(lhs)
        lhs_axes, rhs_axes = ((v,) if isinstance(v, int) else v for v in (lhs_axes, rhs_axes))
        for a, b in zip(lhs_axes, rhs_axes, strict=True):
            target[normalize_axis("broadcast_like", a, len(lhs), "lhs_axes")] = rhs[b]
        target = tuple(target)
    if len(lhs) > len(target) or broadcast_shapes("broadcast_like", ("lhs", "rhs"), (lhs, target)) != target:
        raise ShapeError(
            message("broadcast_like", "rhs", f"a shape to which {describe(lhs)} broadcasts", describe(rhs))
        )
    return target


@op(
    grad=(lambda g, lhs: sum_back(g, lhs), None),
    shape=broadcast_like_shape,
    shape_only=("rhs", "lhs"),
    free=("rhs",),
    dtype=lambda lhs: lhs,
    identity=True,
    ref=lambda x, like, lhs_axes=None, rhs_axes=None: np.broadcast_to(
        x, broadcast_like_shape(x.shape, like.shape, lhs_axes, rhs_axes)
    ),
    cases=[
        case(uniform(1, 3), uniform(5, 3)),
        case(uniform(3), uniform(2, 3)),
        case(uniform(2, 3), uniform(2, 3)),
        case(uniform(1, 2, 1), uniform(5, 7), lhs_axes=(0, 2), rhs_axes=(0, 1)),
        raises(ShapeError, uniform(2, 3), uniform(4, 3), match="shapes (2, 3) and (4, 3) do not broadcast"),
        raises(
            ArgumentError, uniform(1), uniform(4), lhs_axes=(), rhs_axes=(), match="at least one axis, got ()"
        ),
    ],
)
def broadcast_like(lhs, rhs, *, lhs_axes: Axes = None, rhs_axes: Axes = None, out):
    """lhs repeated to the shape of rhs (or along some axes to the extents of some of rhs's)."""
    return kernels.copy(
        lhs._broadcast_view(broadcast_like_shape(lhs.shape, rhs.shape, lhs_axes, rhs_axes)), out=out
    )


# --- dtype and copies ----------------------------------------------------------------------------------
@op(
    grad=lambda g, data: _cast_like(g, data),
    dtype=lambda dtype: dtype,
    ref=lambda x, dtype: x.astype(dtype),
    cases=[
        case(uniform(2, 3), dtype="float64"),
        case(uniform(2, 3, low=0.5), dtype="int32"),
        case(uniform(2, 3), dtype="float16"),
        case(uniform(0, 3), dtype="bool"),
    ],
    grad_check="rows that cast to integers have no derivative; those to floats round",
)
def Cast(data, *, dtype: DType, out):
    """data with its elements converted to another dtype, as C converts them."""
    return kernels.astype(data, dtype, out=out)


@op(
    grad=(lambda g, data: _cast_like(g, data), None),
    dtype=lambda like: like,
    shape=lambda data, like: data,
    shape_only=("like",),
    free=("data", "like"),
    ref=lambda x, like: x.astype(like.dtype),
    cases=[case(uniform(2, 3), uniform(1, dtype="float64"))],
)
def _cast_like(data, like, *, out):
    """data with the dtype of another array."""
    return kernels.astype(data, like.dtype, out=out)


@op(grad=lambda g: g, ref=lambda x: x, storage=KEEPS, cases=[uniform(2, 3), uniform(), uniform(0, 2)])
def _copy(data, *, out):
    """A copy of an array."""
    return kernels.copy(data, out=out)


@op(grad=lambda g: _CrossDeviceCopy(g), ref=lambda x: x, cases=[uniform(2, 3), uniform(0, 2)])
def _CrossDeviceCopy(data, *, out):
    """A copy of an array on another device: what graphs that are placed on several have at the borders."""
    return kernels.copy(data, out=out)


@op(
    grad=ZERO,
    shape=lambda data: (len(data),),
    dtype=lambda: "int64",
    ref=lambda x: np.array(x.shape),
    cases=[uniform(2, 3), uniform(0, 4, 1)],
    shape_only=("data",),
    free=("data",),
)
def shape_array(data, *, out):
    """The shape of an array, as an array of int64."""
    return _written(np.array(data.shape, np.int64), data, out)


@op(
    grad=ZERO,
    shape=lambda data: (1,),
    dtype=lambda: "int64",
    ref=lambda x: np.array([x.size]),
    cases=[uniform(2, 3), uniform(0, 4)],
    shape_only=("data",),
    free=("data",),
)
def size_array(data, *, out):
    """The number of elements of an array, as an array of int64."""
    return _written(np.array([data.size], np.int64), data, out)


def _written(values, like, out):
    if out is None:
        out = empty(values.shape, values.dtype, face_of(type(like)), like._context_code)
    return kernels.copy(from_numpy(values), out=out)
