"""Flat and multi-dimensional positions, counts in bins, elements by row, and the cast of mixed precision."""

import numpy as np

from .._launch import array_beside, push_numpy
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import DType, Numbers, Shape
from ._cases import case, given, integers, raises, uniform
from ._declare import ZERO, op
from ._operator import describe, find, unify_shapes
from .slicing import numbered

__all__ = [
    "amp_cast",
    "amp_multicast",
    "fill_element_0index",
    "ravel_multi_index",
    "unravel_index",
]

LOW = ("float16", "bfloat16", "float32")


# --- positions -----------------------------------------------------------------------------------------
def flat_shape(data, shape):
    if not data or data[0] != len(shape):
        expected = f"{len(shape)} rows, one for every axis of shape {describe(shape)}"
        raise ShapeError(message("_ravel_multi_index", "data", expected, describe(data)))
    return data[1:]


def flat_steps(shape):
    """Distances between neighbours along every axis of an array in C order."""
    return np.cumprod([1, *shape[:0:-1]])[::-1]


def ravel_reference(x, shape):
    return np.tensordot(flat_steps(shape), x.astype(np.float64), 1).astype(x.dtype)


@op(
    name="_ravel_multi_index",
    grad=ZERO,
    shape=flat_shape,
    ref=ravel_reference,
    kinds="iuf",
    cases=[
        case(integers(2, 3, high=2, dtype=None), shape=(3, 4)),
        case(given([[0, 1], [3, 2], [1, 1]]), shape=(-1, 4, 2)),
        raises(ShapeError, uniform(3, 2), shape=(2, 2), match="_ravel_multi_index(data): expected 2 rows"),
    ],
)
def ravel_multi_index(data, *, shape: Shape, out):
    """Flat positions of those in the columns of data, in an array of a shape (C order)."""
    made = [out] if out is not None else None

    def flatten(x, *to):
        return into(ravel_reference(x, shape), to)

    return push_numpy(flatten, [data], made, "_ravel_multi_index")[0]


def into(found, targets):
    """What push_numpy takes back: the arrays, or None where they were written."""
    found = found if isinstance(found, list) else [found]
    for array, target in zip(found, targets, strict=False):
        np.copyto(target, array.reshape(target.shape))
    return found


def unravel_reference(x, shape):
    rows, rest = [], np.floor(x.astype(np.float64))
    for step in flat_steps(shape):
        rows.append(rest // step)
        rest = rest % step
    return np.stack(rows).astype(x.dtype)


@op(
    name="_unravel_index",
    grad=ZERO,
    shape=lambda data, shape: (len(shape), *data),
    ref=unravel_reference,
    kinds="iuf",
    cases=[case(given([0, 5, 11]), shape=(3, 4)), case(given([[7, 30]]), shape=(-1, 4, 2))],
)
def unravel_index(data, *, shape: Shape, out):
    """Positions in an array of a shape, as columns, of flat ones (C order)."""
    made = [out] if out is not None else None
    return push_numpy(lambda x, *to: into(unravel_reference(x, shape), to), [data], made, "_unravel_index")[0]


# --- counts --------------------------------------------------------------------------------------------
def edges_of(op_name, data, bins, bin_cnt, range_):
    if bins is not None:
        return bins
    if bin_cnt is None or len(range_) != 2 or bin_cnt < 1:
        expected = "bins, or bin_cnt of at least 1 and a range of two numbers"
        raise ArgumentError(message(op_name, "bin_cnt", expected, (bin_cnt, range_)))
    if range_[0] > range_[1]:
        raise ArgumentError(message(op_name, "range", "the smaller number first", range_))
    edges = np.linspace(*range_, bin_cnt + 1)
    return edges if np.dtype(data.dtype).kind == "u" else edges.astype(data.dtype)


def histogram_reference(data, bins=None, bin_cnt=None, range=()):
    edges = edges_of("_histogram", data, bins, bin_cnt, range)
    return [np.histogram(data, edges)[0], edges.astype(data.dtype)]


@op(
    name="_histogram",
    grad=ZERO,
    shape=lambda data, bins, bin_cnt: (
        [(bin_cnt,), (bin_cnt + 1,)] if bins is None else [(bins[0] - 1,), bins]
    ),
    dtype=lambda data, bins: [np.dtype("int64"), data],
    outputs=("output0", "output1"),
    optional=lambda bin_cnt: ("data",) if bin_cnt is not None else ("data", "bins"),
    ref=histogram_reference,
    kinds="iuf",
    cases=[
        case(uniform(4, 5), bin_cnt=4, range=(-1.0, 2.0)),
        case(uniform(30, low=0), given([0.0, 1.0, 2.0])),
        raises(ArgumentError, uniform(3), bin_cnt=3, match="_histogram(bin_cnt): expected bins, or bin_cnt"),
        raises(ArgumentError, uniform(3), bin_cnt=3, range=(2, 1), match="(range): expected the smaller"),
    ],
)
def histogram(data, bins=None, *, bin_cnt: int | None = None, range: Numbers = (), out):
    """Counts of the elements between neighbouring edges, and the edges; the last bin is closed."""
    edges_of("_histogram", data, bins, bin_cnt, range)
    operands = [data] if bins is None else [data, bins]
    made = None if out is None or out[0] is None else list(out)

    def count(x, *rest):
        given_bins = rest[: len(operands) - 1]
        found = histogram_reference(x, *given_bins, bin_cnt=bin_cnt, range=range)
        return into(found, rest[len(operands) - 1 :])

    return push_numpy(count, operands, made, "_histogram")


# --- elements ------------------------------------------------------------------------------------------
def rows_shape(lhs, mhs, rhs):
    if len(lhs) != 2 or mhs != lhs[:1] or rhs != lhs[:1]:
        got = f"{describe(lhs)}, {describe(mhs)} and {describe(rhs)}"
        raise ShapeError(message("fill_element_0index", None, "a matrix and two vectors of its rows", got))
    return lhs


def fill_reference(x, values, index):
    found = x.copy()
    found[np.arange(len(x)), index.astype(int)] = values
    return found


@op(
    grad=ZERO,
    shape=rows_shape,
    dtype=lambda lhs: lhs,
    free=("rhs",),
    ref=fill_reference,
    kinds="if",
    cases=[
        case(uniform(3, 4), uniform(3), integers(3, high=4)),
        case(given([[1, 2], [3, 4]], "float32"), given([5, 6], "float32"), given([1, 0], "float32")),
        raises(ShapeError, uniform(3, 4), uniform(2), integers(3), match="expected a matrix and two vectors"),
    ],
)
def fill_element_0index(lhs, mhs, rhs, *, out):
    """lhs with one element in every row replaced: that at rhs by mhs."""
    target = kernels.copy(lhs, out=out)
    rows = array_beside(lhs, np.arange(lhs.shape[0]))
    return kernels.index_put(target, [rows, kernels.astype(rhs, "int64")], mhs)


# --- mixed precision -----------------------------------------------------------------------------------
def is_low(dtype):
    return np.dtype(dtype).name in LOW


@op(
    grad=lambda g, data: find("_cast_like")(g, data),
    grad_check="the gradient is cast back; a cast to fewer bits rounds",
    dtype=lambda data, dtype: dtype if data is None or (is_low(data) and is_low(dtype)) else data,
    ref=lambda x, dtype: x.astype(dtype) if is_low(x.dtype) and is_low(dtype) else x,
    cases=[case(uniform(2, 3), dtype="float32"), case(uniform(2, 3), dtype="float16")],
)
def amp_cast(data, *, dtype: DType, out):
    """data in another dtype where both are float32 or a half type; data as it is otherwise."""
    wanted = dtype if is_low(data.dtype) and is_low(dtype) else np.dtype(data.dtype)
    return kernels.astype(data, wanted, out=out)


def common_dtype(data, cast_narrow):
    """The widest dtype of several that are float32 or half types, or the narrowest; None if unknown."""
    if any(dtype is None for dtype in data):
        return None
    sizes = sorted({np.dtype(dtype) for dtype in data}, key=lambda dtype: dtype.itemsize)
    return sizes[0] if cast_narrow else sizes[-1]


def multicast_dtypes(data, cast_narrow):
    common = common_dtype(data, cast_narrow)
    return [dtype if common is None or not is_low(dtype) else common for dtype in data]


def multicast_shapes(in_shapes, attrs, out_shapes):
    """Each output has the shape of its input, in both directions."""
    outs = [None] * len(in_shapes) if out_shapes is None else out_shapes
    found = [unify_shapes("amp_multicast", ("data", "output"), pair)
             for pair in zip(in_shapes, outs, strict=True)]  # fmt: skip
    return found, list(found), []


def multicast_reference(*data, num_outputs, cast_narrow=False):
    common = common_dtype([x.dtype for x in data], cast_narrow)
    return [x.astype(common) if is_low(x.dtype) else x for x in data]


@op(
    grad=lambda g_outputs, data: [find("_cast_like")(g, x) for g, x in zip(g_outputs, data, strict=True)],
    grad_check="the gradients are cast back; a cast to fewer bits rounds",
    dtype=multicast_dtypes,
    infer=multicast_shapes,
    free=("data",),
    outputs=lambda num_outputs: numbered(num_outputs),
    ref=multicast_reference,
    cases=[
        case(uniform(2, 3), uniform(3), num_outputs=2),
        case(given([1.5, 2.5], "float16"), given([1.0, 3.0], "float32"), num_outputs=2),
        case(given([1.5, 2.5], "float16"), given([1.0, 3.0], "float32"), num_outputs=2, cast_narrow=True),
        raises(ArgumentError, uniform(2), num_outputs=2, match="amp_multicast(num_outputs): expected 1"),
    ],
)  # fmt: skip
def amp_multicast(*data, num_outputs: int, cast_narrow: bool = False, out):
    """Arrays of float32 or half types in the widest of their dtypes, or with cast_narrow the narrowest."""
    if num_outputs != len(data):
        raise ArgumentError(message("amp_multicast", "num_outputs", len(data), num_outputs))
    wanted = multicast_dtypes([np.dtype(x.dtype) for x in data], cast_narrow)
    made = [None] * len(data) if out is None else out
    return [kernels.astype(x, dtype, out=to) for x, dtype, to in zip(data, wanted, made, strict=True)]
