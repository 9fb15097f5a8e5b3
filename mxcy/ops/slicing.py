"""Parts of arrays, and arrays put together: slices, joins, splits, repetitions, padding, diagonals."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any

import numpy as np

from .._array import Array
from .._index import may_overlap
from .._launch import empty_like
from .._reduce import reduce
from ..dtypes import code_of
from ..errors import ArgumentError, ArrayIndexError, AxisError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Bounds, Shape, Steps
from ._cases import case, raises, uniform
from ._declare import op
from ._elementwise import normalize_axis
from ._operator import describe, unify_shapes
from ._sparse import CONCATENATES, SLICES

# Operators that undo a slice or a join read one operand for its shape only.
BACK: dict[str, Any] = {
    "shape_only": ("like",),
    "free": ("like",),
    "dtype": lambda data: data,
    "shape": lambda data, like: like,
}


def view(x, key):
    """A view of x by slices, whatever the class of x does with keys."""
    return Array.__getitem__(x, key)


def placed(data, like, key, out):
    """Zeros of the shape of `like` with data in the places of a slice."""
    data = apart(data, out)
    out = empty_like(data, like.shape) if out is None else out
    kernels.fill(out, 0)
    kernels.copy(data, out=view(out, key))
    return out


def apart(data, out):
    """data, copied if it shares memory with an output that is cleared before data is read."""
    return kernels.copy(data) if out is not None and may_overlap(data, out) else data


def extent_of(bounds, size):
    return len(range(*bounds.indices(size)))


# --- slices -------------------------------------------------------------------------------------------
def slice_key(begin, end, step, ndim, op="slice"):
    if len(begin) != len(end) or (step and len(step) != len(begin)):
        raise ShapeError(message(op, "end", f"{len(begin)} bounds, as begin has", end))
    if len(begin) > ndim:
        raise ShapeError(message(op, "begin", f"at most {ndim} bounds", begin))
    steps = step or (None,) * len(begin)
    if 0 in steps:
        raise ArgumentError(message(op, "step", "steps other than 0", step))
    return tuple(slice_of(b, e, s) for b, e, s in zip(begin, end, steps, strict=True))


# The module has an operator of this name.
slice_of = slice


def slice_shape(data, begin, end, step):
    key = slice_key(begin, end, step, len(data))
    return (*(extent_of(k, n) for k, n in zip(key, data, strict=False)), *data[len(key) :])


def slice_reference(x, begin, end, step=()):
    begin, end = (v if isinstance(v, tuple) else (v,) for v in (begin, end))
    return x[slice_key(begin, end, step, x.ndim)]


@op(
    grad=lambda g, data, begin, end, step: _unslice(g, data, begin=begin, end=end, step=step),
    shape=slice_shape,
    ref=slice_reference,
    storage=SLICES,
    cases=[
        case(uniform(3, 4), begin=(0, 1), end=(2, None)),
        case(uniform(3, 4), begin=(None, -1), end=(None, None), step=(1, -2)),
        case(uniform(3, 4), begin=1, end=2),
        case(uniform(3, 4), begin=(0, 1), end=(2, None), step=None),
        case(uniform(3, 4), begin=(), end=(), step=None),
        case(uniform(3, 4), begin=(1,), end=(9,)),
        case(uniform(3, 4), begin=(2,), end=(2,)),
        raises(ShapeError, uniform(3), begin=(0, 0), end=(1, 1), match="expected at most 1 bounds"),
    ],
)
def slice(data, *, begin: Bounds, end: Bounds, step: Steps = (), out):
    """The part of data between begin and end on its first axes; None and negative bounds as in Python."""
    return kernels.copy(view(data, slice_key(begin, end, step, data.ndim)), out=out)


@op(
    grad=(lambda g, begin, end, step: slice(g, begin=begin, end=end, step=step), None),
    **BACK,
    ref=lambda x, like, begin, end, step=(): unslice_reference(
        x, like, slice_key(begin, end, step, like.ndim)
    ),
    cases=[case(uniform(2, 2), uniform(3, 4), begin=(0, None), end=(2, None), step=(1, 2))],
)
def _unslice(data, like, *, begin: Bounds, end: Bounds, step: Steps = (), out):
    """Zeros of the shape of `like` with data in the places of a slice."""
    return placed(data, like, slice_key(begin, end, step, like.ndim), out)


def unslice_reference(x, like, key):
    full = np.zeros(like.shape, x.dtype)
    full[key] = x
    return full


def axis_key(shape, axis, begin, end):
    at = normalize_axis("slice_axis", axis, len(shape))
    size = shape[at]
    first = begin + size if begin < 0 else begin
    last = size if end is None else end + size if end < 0 else end
    if not 0 <= first <= size or not 0 <= last <= size or first > last:
        expected = f"begin and end within {size}, in order"
        raise ArrayIndexError(message("slice_axis", "begin", expected, f"({begin}, {end})"))
    return (slice_of(None),) * at + (slice_of(first, last),)


def infer_slice_axis(in_shapes, attrs, out_shapes=None):
    """The extent that is cut is known if what it is cut from is."""
    (data,) = in_shapes
    if data is None:
        return [data], [None], []
    at = normalize_axis("slice_axis", attrs["axis"], len(data))
    if data[at] is None:
        return [data], [data], []
    return [data], [cut(data, axis_key(data, at, attrs["begin"], attrs["end"]))], []


@op(
    grad=lambda g, data, axis, begin, end: _unslice_axis(g, data, axis=axis, begin=begin, end=end),
    infer=infer_slice_axis,
    ref=lambda x, axis, begin, end: x[axis_key(x.shape, axis, begin, end)],
    cases=[
        case(uniform(3, 4), axis=1, begin=1, end=None),
        case(uniform(3, 4), axis=-1, begin=-2, end=-1),
        case(uniform(3, 4), axis=0, begin=1, end=1),
        raises(
            ArrayIndexError, uniform(3, 4), axis=1, begin=1, end=9, match="expected begin and end within 4"
        ),
        raises(AxisError, uniform(3, 4), axis=2, begin=0, end=1, match="slice_axis(axis): expected an axis"),
    ],
)
def slice_axis(data, *, axis: int, begin: int, end: int | None, out):
    """The part of data between begin and end along one axis."""
    return kernels.copy(view(data, axis_key(data.shape, axis, begin, end)), out=out)


def cut(shape, key):
    """The shape of a slice; extents that are not known (None) stay so where all is taken."""
    parts = zip(key, shape, strict=False)
    return (*(n if k == slice_of(None) else extent_of(k, n) for k, n in parts), *shape[len(key) :])


@op(
    grad=(lambda g, axis, begin, end: slice_axis(g, axis=axis, begin=begin, end=end), None),
    **BACK,
    ref=lambda x, like, axis, begin, end: unslice_reference(x, like, axis_key(like.shape, axis, begin, end)),
    cases=[case(uniform(3, 2), uniform(3, 4), axis=1, begin=1, end=3)],
)
def _unslice_axis(data, like, *, axis: int, begin: int, end: int | None, out):
    """Zeros of the shape of `like` with data in the places of a slice along one axis."""
    return placed(data, like, axis_key(like.shape, axis, begin, end), out)


def like_key(data, shape_like, axes):
    if not axes and len(data) != len(shape_like):
        expected = f"an array of {len(data)} dimensions"
        raise ShapeError(message("slice_like", "shape_like", expected, f"shape {describe(shape_like)}"))
    key = [slice_of(None)] * len(data)
    for a in {normalize_axis("slice_like", a, len(data), "axes") for a in axes or range(len(data))}:
        if a >= len(shape_like) or shape_like[a] > data[a]:
            expected = f"a shape that fits into {describe(data)}"
            raise ShapeError(message("slice_like", "shape_like", expected, describe(shape_like)))
        key[a] = slice_of(0, shape_like[a])
    return tuple(key)


@op(
    grad=(lambda g, data, shape_like, axes: _unslice_like(g, data, shape_like, axes=axes), None),
    shape=lambda data, shape_like, axes: cut(data, like_key(data, shape_like, axes)),
    shape_only=("shape_like",),
    free=("shape_like",),
    dtype=lambda data: data,
    ref=lambda x, like, axes=(): x[like_key(x.shape, like.shape, axes)],
    cases=[
        case(uniform(3, 4), uniform(2, 2)),
        case(uniform(3, 4), uniform(2, 2), axes=(0,)),
        case(uniform(3, 4), uniform(2, 2), axes=(-1, 1)),
        raises(ShapeError, uniform(3, 4), uniform(2, 5), match="expected a shape that fits into (3, 4)"),
    ],
)
def slice_like(data, shape_like, *, axes: Shape = (), out):
    """The first part of data, as large as shape_like (on some axes)."""
    return kernels.copy(view(data, like_key(data.shape, shape_like.shape, axes)), out=out)


@op(
    grad=(lambda g, shape_like, axes: slice_like(g, shape_like, axes=axes), None, None),
    shape=lambda data, like: like,
    shape_only=("like", "shape_like"),
    free=("like", "shape_like"),
    dtype=lambda data: data,
    ref=lambda x, like, part, axes=(): unslice_reference(x, like, like_key(like.shape, part.shape, axes)),
    cases=[case(uniform(2, 2), uniform(3, 4), uniform(2, 2))],
)
def _unslice_like(data, like, shape_like, *, axes: Shape = (), out):
    """Zeros of the shape of `like` with data at the beginning."""
    return placed(data, like, like_key(like.shape, shape_like.shape, axes), out)


# --- joins and splits ----------------------------------------------------------------------------------
def concat_shape(data, dim):
    axis = normalize_axis("Concat", dim, len(data[0]), "dim")
    for i, shape in enumerate(data[1:], 1):
        if len(shape) != len(data[0]) or any(
            a != b for k, (a, b) in enumerate(zip(shape, data[0], strict=True)) if k != axis
        ):
            expected = f"shape {describe(data[0])}, apart from axis {axis}"
            raise ShapeError(message("Concat", f"arg{i}", expected, describe(shape)))
    total = 0
    for shape in data:
        total += shape[axis]
    return (*data[0][:axis], total, *data[0][axis + 1 :])


def concat_back(data, dim, y):
    """All shapes agree apart from one axis, along which they add up to the result."""
    whole = next((shape for shape in (*data, y) if shape is not None), None)
    if whole is None:
        return data
    axis = normalize_axis("Concat", dim, len(whole), "dim")
    shapes = [shape for shape in (*data, y) if shape is not None]
    if len({len(shape) for shape in shapes}) > 1:
        return data
    rest = [next((shape[a] for shape in shapes if shape[a] is not None), None) for a in range(len(whole))]
    parts = [None if shape is None else shape[axis] for shape in data]
    if y is not None and y[axis] is not None and parts.count(None) == 1:
        parts[parts.index(None)] = max(0, y[axis] - sum(part or 0 for part in parts))
    return [(*rest[:axis], part, *rest[axis + 1 :]) for part in parts]


@op(
    grad=lambda g, data, dim: _split_like(g, *data, dim=dim),
    shape=concat_shape,
    back=concat_back,
    ref=lambda *xs, dim=1: np.concatenate(xs, axis=dim),
    storage=CONCATENATES,
    cases=[
        case(uniform(2, 2), uniform(2, 1)),
        case(uniform(2, 3), uniform(1, 3), uniform(0, 3), dim=0),
        case(uniform(2, 3, 2), uniform(2, 3, 1), dim=-1),
        case(uniform(2, 2)),
        raises(
            ShapeError, uniform(2, 2), uniform(3, 2), match="Concat(arg1): expected shape (2, 2), apart from"
        ),
        raises(AxisError, uniform(2), uniform(2), match="Concat(dim): expected an axis"),
    ],
)
def Concat(*data, dim: int = 1, out):
    """Arrays joined along an existing axis."""
    return kernels.concat(list(data), normalize_axis("Concat", dim, data[0].ndim, "dim"), out=out)


@op(
    grad=lambda g_outputs, data, dim: [Concat(*g_outputs, dim=dim)],
    shape=lambda data: list(data[1:]),
    outputs=lambda num_args: tuple(f"output{i}" for i in range(num_args - 1)),
    shape_only=("data",),
    ref=lambda x, *likes, dim=1: np.split(x, np.cumsum([like.shape[dim] for like in likes])[:-1], axis=dim),
    cases=[case(uniform(2, 5), uniform(2, 2), uniform(2, 3)), case(uniform(3, 2), uniform(3, 2), dim=0)],
)
def _split_like(*data, dim: int = 1, out):
    """The first array split along an axis into parts of the shapes of the others."""
    whole, *likes = data
    axis = normalize_axis("_split_like", dim, whole.ndim, "dim")
    parts, begin = [], 0
    for like, slot in zip(likes, out, strict=True):
        end = begin + like.shape[axis]
        key = (slice_of(None),) * axis + (slice_of(begin, end),)
        parts.append(kernels.copy(view(whole, key), out=slot))
        begin = end
    return parts


def stack_shape(data, axis):
    at = normalize_axis("stack", axis, len(data[0]) + 1)
    for i, shape in enumerate(data):
        if shape != data[0]:
            raise ShapeError(message("stack", f"arg{i}", f"shape {describe(data[0])}", describe(shape)))
    return (*data[0][:at], len(data), *data[0][at:])


def stack_back(data, axis, y):
    """All shapes are one, which is that of the result without the new axis."""
    if y is not None:
        at = normalize_axis("stack", axis, len(y))
        y = (*y[:at], *y[at + 1 :])
    common = unify_shapes("stack", [*(f"arg{i}" for i in range(len(data))), "output"], [*data, y])
    return [common] * len(data)


def stack_gradient(g, data, axis):
    parts = SliceChannel(g, num_outputs=len(data), axis=axis, squeeze_axis=True)
    return [parts] if len(data) == 1 else list(parts)


@op(
    grad=stack_gradient,
    shape=stack_shape,
    back=stack_back,
    ref=lambda *xs, axis=0: np.stack(xs, axis=axis),
    cases=[
        case(uniform(2, 3), uniform(2, 3)),
        case(uniform(2, 3), uniform(2, 3), axis=-1),
        case(uniform(3)),
        raises(ShapeError, uniform(2), uniform(3), match="stack(arg1): expected shape (2,), got (3,)"),
    ],
)
def stack(*data, axis: int = 0, out):
    """Arrays of one shape joined along a new axis."""
    return kernels.stack(list(data), normalize_axis("stack", axis, data[0].ndim + 1), out=out)


def numbered(count):
    return ("output",) if count == 1 else tuple([f"output{i}" for i in range(count)])


def channel_shape(data, num_outputs, axis, squeeze_axis):
    at = normalize_axis("SliceChannel", axis, len(data))
    if num_outputs < 1 or data[at] % num_outputs:
        expected = f"an extent of axis {at} that {num_outputs} divides"
        raise ShapeError(message("SliceChannel", "num_outputs", expected, data[at]))
    extent = data[at] // num_outputs
    if squeeze_axis and extent != 1:
        raise ShapeError(message("SliceChannel", "squeeze_axis", "parts of extent 1", extent))
    kept = () if squeeze_axis else (extent,)
    return [(*data[:at], *kept, *data[at + 1 :])] * num_outputs


def channel_infer(in_shapes, attrs, out_shapes=None):
    """Shapes of the operand and of the parts, as far as they follow from each other."""
    count, squeeze = attrs["num_outputs"], attrs["squeeze_axis"]
    data = in_shapes[0]
    part = unify_shapes("SliceChannel", [f"output{i}" for i in range(count)], out_shapes or ())
    if part == (1,) and squeeze:  # it may stand for (), and says nothing
        part = None
    if data is None and part is None:
        return [None], [None] * count, []
    rank = len(part) + squeeze if data is None else len(data)
    at = normalize_axis("SliceChannel", attrs["axis"], rank)
    if part is not None:
        whole = part[at] and part[at] * count if not squeeze else count
        back = (*part[:at], whole, *part[at + (not squeeze) :])
        data = unify_shapes("SliceChannel", ("data", "data"), (data, back))
    kept = channel_shape([count if n is None else n for n in data], count, at, squeeze)[0]
    extents = [n for axis, n in enumerate(data) if axis != at or not squeeze]
    found = tuple([None if n is None else extent for n, extent in zip(extents, kept, strict=True)])
    return [data], [found or (1,)] * count, []


def channel_gradient(g_outputs, axis, squeeze_axis):
    return stack(*g_outputs, axis=axis) if squeeze_axis else Concat(*g_outputs, dim=axis)


def channel_reference(x, num_outputs, axis=1, squeeze_axis=False):
    parts = np.split(x, num_outputs, axis)
    return [p.squeeze(axis) for p in parts] if squeeze_axis else parts


@op(
    grad=channel_gradient,
    shape=channel_shape,
    infer=channel_infer,
    outputs=lambda num_outputs: numbered(num_outputs),
    ref=channel_reference,
    cases=[
        case(uniform(2, 4), num_outputs=2),
        case(uniform(2, 4), num_outputs=2, axis=0, squeeze_axis=True),
        case(uniform(2, 4), num_outputs=1),
        case(uniform(2, 3, 4), num_outputs=4, axis=-1),
        raises(
            ShapeError,
            uniform(2, 4),
            num_outputs=3,
            match="expected an extent of axis 1 that 3 divides, got 4",
        ),
    ],
)
def SliceChannel(data, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False, out):
    """data split into equal parts along an axis."""
    axis = normalize_axis("SliceChannel", axis, data.ndim)
    return kernels.split(data, num_outputs, axis, squeeze_axis=squeeze_axis, outs=out)


def split_bounds(size, indices, sections):
    """Begins and ends of the parts of an axis."""
    if sections:
        if size % sections:
            raise ShapeError(message("_split_v2", "sections", f"a divisor of {size}", sections))
        marks = [i * (size // sections) for i in range(sections)]
    else:
        marks = list(indices)
    return list(zip(marks, [*marks[1:], size], strict=True))


def split_shape(data, indices, axis, squeeze_axis, sections):
    at = normalize_axis("_split_v2", axis, len(data))
    shapes = []
    for begin, end in split_bounds(data[at], indices, sections):
        extent = extent_of(slice_of(begin, end), data[at])
        kept = () if squeeze_axis and extent == 1 else (extent,)
        shapes.append((*data[:at], *kept, *data[at + 1 :]))
    return shapes


@op(
    grad=channel_gradient,
    shape=split_shape,
    outputs=lambda indices, sections: numbered(sections or len(indices)),
    ref=lambda x, indices=(), axis=1, sections=0: np.split(x, sections or list(indices)[1:], axis),
    cases=[
        case(uniform(6, 2), indices=(0, 1, 3), axis=0),
        case(uniform(2, 6), indices=(), sections=3),
        raises(ShapeError, uniform(2, 7), indices=(), sections=3, match="expected a divisor of 7, got 3"),
    ],
)
def _split_v2(data, *, indices: Shape, axis: int = 1, squeeze_axis: bool = False, sections: int = 0, out):
    """data split along an axis into equal sections, or before the given indices (the first of which is 0)."""
    at = normalize_axis("_split_v2", axis, data.ndim)
    shapes = split_shape(data.shape, indices, axis, squeeze_axis, sections)
    parts = []
    for (begin, end), shape, slot in zip(
        split_bounds(data.shape[at], indices, sections), shapes, out, strict=True
    ):
        part = view(data, (slice_of(None),) * at + (slice_of(begin, end),))
        if part.shape != shape:
            part = view(part, (slice_of(None),) * at + (0,))
        parts.append(kernels.copy(part, out=slot))
    return parts


# --- repetition ----------------------------------------------------------------------------------------
def tile_shapes(shape, reps):
    """(extents, repetitions) of one length."""
    ndim = len(reps) if len(reps) > len(shape) else len(shape)
    return (1,) * (ndim - len(shape)) + tuple(shape), (1,) * (ndim - len(reps)) + tuple(reps)


def tile_shape(data, reps):
    if reps and min(reps) < 1:
        raise ArgumentError(message("tile", "reps", "numbers of at least 1", reps))
    return tuple(n * r for n, r in zip(*tile_shapes(data, reps), strict=True))


@op(
    grad=lambda g, data, reps: _tile_back(g, data, reps=reps),
    shape=tile_shape,
    ref=lambda x, reps: np.tile(x, reps),
    cases=[
        case(uniform(2), reps=2),
        case(uniform(2, 3), reps=(2, 1, 2)),
        case(uniform(2, 3), reps=(2,)),
        case(uniform(0, 2), reps=(2, 2)),
        raises(ArgumentError, uniform(2), reps=(1, -3), match="tile(reps): expected numbers of at least 1"),
    ],
)
def tile(data, *, reps: Shape, out):
    """data repeated as a whole along axes."""
    return kernels.tile(data, reps, out=out)


def folded_sum(data, shape, axes, target, out):
    """data reshaped to `shape`, summed over axes, in the shape `target`."""
    folded = data._reshape_view(shape)
    if folded is None:
        folded = kernels.copy(data)._reshape_view(shape)
    total = reduce(np.add, folded, axes, False, dtype=code_of(data.dtype), name="sum")
    total = total._reshape_view(target)
    return total if out is None else kernels.copy(total, out=out)


def tile_back_reference(x, like, reps):
    shape, reps = tile_shapes(like.shape, reps if isinstance(reps, tuple) else (reps,))
    folded = x.reshape([e for pair in zip(reps, shape, strict=True) for e in pair])
    return folded.sum(axis=tuple(range(0, 2 * len(reps), 2))).reshape(like.shape)


@op(
    grad=(lambda g, reps: tile(g, reps=reps), None),
    ref=tile_back_reference,
    **BACK,
    kinds="iufc",
    cases=[case(uniform(2, 2, 6), uniform(2, 3), reps=(2, 1, 2))],
)
def _tile_back(data, like, *, reps: Shape, out):
    """Sum over the repetitions that `tile` made."""
    shape, reps = tile_shapes(like.shape, reps)
    folded = tuple([extent for pair in zip(reps, shape, strict=True) for extent in pair])
    return folded_sum(data, folded, tuple(range(0, len(folded), 2)), like.shape, out)


def repeat_shape(data, repeats, axis):
    if repeats < 0:
        raise ArgumentError(message("repeat", "repeats", "at least 0", repeats))
    if axis is None:
        total = repeats
        for extent in data:
            total *= extent
        return (total,)
    at = normalize_axis("repeat", axis, len(data))
    return (*data[:at], data[at] * repeats, *data[at + 1 :])


@op(
    grad=lambda g, data, repeats, axis: _repeat_back(g, data, repeats=repeats, axis=axis),
    shape=repeat_shape,
    ref=lambda x, repeats, axis=None: np.repeat(x, repeats, axis),
    cases=[
        case(uniform(2, 2), repeats=2),
        case(uniform(2, 3), repeats=3, axis=-1),
        case(uniform(0, 2), repeats=2, axis=0),
        raises(ArgumentError, uniform(2), repeats=-1, match="repeat(repeats): expected at least 0, got -1"),
    ],
)
def repeat(data, *, repeats: int, axis: int | None = None, out):
    """Every element (or every entry along an axis) repeated."""
    return kernels.repeat(data, repeats, axis, out=out)


def repeat_folded(shape, repeats, axis):
    if axis is None:
        return (*shape, repeats), (len(shape),)
    at = normalize_axis("repeat", axis, len(shape))
    return (*shape[: at + 1], repeats, *shape[at + 1 :]), (at + 1,)


def repeat_back_reference(x, like, repeats, axis=None):
    shape, axes = repeat_folded(like.shape, repeats, axis)
    return x.reshape(shape).sum(axis=axes)


@op(
    grad=(lambda g, repeats, axis: repeat(g, repeats=repeats, axis=axis), None),
    kinds="iufc",
    ref=repeat_back_reference,
    **BACK,
    cases=[case(uniform(8), uniform(2, 2), repeats=2), case(uniform(2, 6), uniform(2, 3), repeats=2, axis=1)],
)
def _repeat_back(data, like, *, repeats: int, axis: int | None = None, out):
    """Sum over the repetitions that `repeat` made."""
    shape, axes = repeat_folded(like.shape, repeats, axis)
    return folded_sum(data, shape, axes, like.shape, out)
