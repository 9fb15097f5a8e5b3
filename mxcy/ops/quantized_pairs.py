"""Sums, products and concatenations of numbers of eight bits, their batch normalisation, and the choice of
bounds for them.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, ShapeError, message
from ._cases import case, given, raises
from ._declare import ZERO, layer, op
from ._layer import Op
from ._operator import describe
from .quantization import (
    HALF_MORE,
    INT8,
    RANGE,
    SINGLE,
    UINT8,
    check_calibration,
    finely_quantized,
    pushed,
)
from .quantized import (
    HIGH,
    INT32,
    LOW,
    OUTPUTS,
    ROWS,
    TOP,
    UROWS,
    ZERO_END,
    check_bytes,
    ends,
    magnitude,
    step_of,
    sums_of,
    to_int32,
    with_ends,
)
from .slicing import concat_shape

PAIR = ("lhs", "rhs", "lhs_min", "lhs_max", "rhs_min", "rhs_max")
OTHER = given([[5, 7, -100], [127, -128, 3]], "int8")
OTHER_ENDS = given([-3.0], "float32"), given([1.0], "float32")


def bytes_of(x, low, high, dtype):
    """[bytes, low, high] of real numbers between bounds, which come back as they are."""
    return [finely_quantized(x, low, high, dtype)[0], *ends(low, high)]


class Pair:
    """Two arrays of bytes of one shape, and the bounds of both."""

    def check(self):
        check_calibration(type(self).__name__, self.min_calib_range, self.max_calib_range)

    def outputs(self):
        return OUTPUTS

    def infer(self, out, lhs, rhs, *bounds):
        shape = lhs if rhs is None else rhs
        return (shape, shape, *[(1,)] * 4), with_ends(shape)

    def dtypes(self, lhs, rhs, *bounds):
        for name, dtype in (("lhs", lhs), ("rhs", rhs)):
            check_bytes(type(self).__name__, name, dtype)
        return (lhs, rhs, *[SINGLE] * 4), (self.chosen(lhs, rhs), SINGLE, SINGLE)

    def chosen(self, lhs, rhs):
        if self.min_calib_range is None:
            return INT32
        return UINT8 if lhs == UINT8 and rhs == UINT8 else INT8

    def bounds(self):
        return self.min_calib_range, self.max_calib_range


def added(a, b, a_low, a_high, b_low, b_high, min_calib_range=None, max_calib_range=None):
    steps = step_of(a_low, a_high, a.dtype), step_of(b_low, b_high, b.dtype)
    if min_calib_range is not None:
        total = a.astype(np.float64) * steps[0] + b.astype(np.float64) * steps[1]
        dtype = UINT8 if a.dtype == UINT8 and b.dtype == UINT8 else INT8
        return bytes_of(total, min_calib_range, max_calib_range, dtype)
    most = magnitude(a_low, a_high) + magnitude(b_low, b_high)
    first, second = (SINGLE.type(step * (2**31 - 1) / most if most else 0) for step in steps)
    scaled = a.astype(SINGLE) * first + b.astype(SINGLE) * second
    return [to_int32(scaled.astype(np.float64)), *ends(-most, most)]


@layer(
    kinds="iu",
    free=PAIR,
    ref=added,
    cases=[
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS),
        case(UROWS, UROWS, ZERO_END, TOP, ZERO_END, HIGH),
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS, min_calib_range=-2.0, max_calib_range=4.0),
        case(UROWS, UROWS, ZERO_END, TOP, ZERO_END, HIGH, min_calib_range=0.0, max_calib_range=4.0),
        raises(
            ArgumentError, ROWS, OTHER, LOW, HIGH, *OTHER_ENDS, min_calib_range=-2.0,
            match="_contrib_quantized_elemwise_add(max_calib_range): expected a number",
        ),
    ],
)  # fmt: skip
class _contrib_quantized_elemwise_add(Pair):
    """The sum of two arrays of bytes: int32 over both ranges, or bytes between calibrated bounds."""

    min_calib_range: float | None = None
    max_calib_range: float | None = None

    def forward(self, lhs, rhs, lhs_min, lhs_max, rhs_min, rhs_max, *, out):
        inputs = [lhs, rhs, lhs_min, lhs_max, rhs_min, rhs_max]
        return pushed(
            lambda *found: added(*found, *self.bounds()), inputs, out, "_contrib_quantized_elemwise_add"
        )


def multiplied(a, b, a_low, a_high, b_low, b_high, min_calib_range=None, max_calib_range=None,
               enable_float_output=False):  # fmt: skip
    whole = a.astype(np.int32) * b.astype(np.int32)
    step = step_of(a_low, a_high, a.dtype, RANGE) * step_of(b_low, b_high, b.dtype, RANGE)
    if enable_float_output:
        return [(whole * step).astype(SINGLE)]
    if min_calib_range is not None:
        return bytes_of(whole * step, min_calib_range, max_calib_range, INT8)
    return [whole, *sums_of(step)]


@layer(
    kinds="iu",
    free=PAIR,
    ref=multiplied,
    cases=[
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS),
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS, min_calib_range=-2.0, max_calib_range=4.0),
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS, enable_float_output=True),
    ],
)
class _contrib_quantized_elemwise_mul(Pair):
    """The product of two arrays of bytes in int32, in bytes between calibrated bounds, or in float32."""

    min_calib_range: float | None = None
    max_calib_range: float | None = None
    enable_float_output: bool = False

    def outputs(self):
        return ("output",) if self.enable_float_output else OUTPUTS

    def infer(self, out, lhs, rhs, *bounds):
        inputs, outputs = super().infer(out, lhs, rhs, *bounds)
        return inputs, outputs[:1] if self.enable_float_output else outputs

    def dtypes(self, lhs, rhs, *bounds):
        inputs, outputs = super().dtypes(lhs, rhs, *bounds)
        return inputs, (SINGLE,) if self.enable_float_output else outputs

    def chosen(self, lhs, rhs):
        return INT32 if self.min_calib_range is None else INT8

    def forward(self, lhs, rhs, lhs_min, lhs_max, rhs_min, rhs_max, *, out):
        inputs = [lhs, rhs, lhs_min, lhs_max, rhs_min, rhs_max]
        options = (*self.bounds(), self.enable_float_output)
        return pushed(
            lambda *found: multiplied(*found, *options), inputs, out, "_contrib_quantized_elemwise_mul"
        )


# --- concatenation ---------------------------------------------------------------------------------------
class Ranged(Op):
    """Several arrays, then the lower and the upper bound of each."""

    def _bind_variadic(self, operands, keywords):
        operands = keywords.pop(self.inputs[0], operands)
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
        count = int(keywords.get("num_args") or len(operands) // 3)
        _, attrs = super()._bind_variadic(operands[:count], keywords)
        if len(operands) > 3 * count:
            raise ArgumentTypeError(message(self.name, None, f"{3 * count} arrays", len(operands)))
        return (*operands, *[None] * (3 * count - len(operands))), attrs


def concat_names(num_args):
    bounds = [f"arg{i}_{end}" for i in range(num_args) for end in ("min", "max")]
    return (*[f"arg{i}" for i in range(num_args)], *bounds)


def joined(*arrays, num_args, dim=1):
    parts, bounds = arrays[:num_args], arrays[num_args:]
    low, high = min(float(x[0]) for x in bounds[::2]), max(float(x[0]) for x in bounds[1::2])
    dtype = UINT8 if all(part.dtype == UINT8 for part in parts) else INT8
    step = max(abs(low), abs(high)) / HALF_MORE[dtype]
    scales = [step_of(*bounds[2 * i : 2 * i + 2], part.dtype) for i, part in enumerate(parts)]
    scaled = [
        np.rint(part.astype(SINGLE) * SINGLE.type(own / step if step else 0))
        for part, own in zip(parts, scales, strict=True)
    ]
    ends_of_dtype = np.iinfo(dtype)
    joint = np.clip(np.concatenate(scaled, axis=dim), ends_of_dtype.min, ends_of_dtype.max)
    return [joint.astype(dtype), *ends(low, high)]


def joined_shape(data, num_args, dim):
    for shape in data[num_args:]:
        if shape != (1,):
            raise ShapeError(
                message("_contrib_quantized_concat", "data", "bounds of shape (1,)", describe(shape))
            )
    return list(with_ends(concat_shape(data[:num_args], dim)))


def joined_dtypes(data, num_args):
    for dtype in data[:num_args]:
        check_bytes("_contrib_quantized_concat", "data", dtype)
    return [UINT8 if all(d == UINT8 for d in data[:num_args]) else INT8, SINGLE, SINGLE]


@op(
    grad=ZERO,
    form=Ranged,
    kinds="iuf",
    free=("data",),
    outputs=OUTPUTS,
    optional=concat_names,
    shape=joined_shape,
    dtype=joined_dtypes,
    ref=joined,
    cases=[
        case(ROWS, OTHER, LOW, HIGH, *OTHER_ENDS, num_args=2),
        case(UROWS, UROWS, ZERO_END, TOP, ZERO_END, HIGH, num_args=2, dim=0),
        case(UROWS, ROWS, ZERO_END, TOP, LOW, HIGH, num_args=2, dim=0),
    ],
)
def _contrib_quantized_concat(*data, dim: int = 1, out):
    """Arrays of bytes joined along an axis, in the steps of the widest bounds."""
    count = len(data) // 3
    function = lambda *arrays: joined(*arrays, num_args=count, dim=dim)
    return pushed(function, list(data), out, "_contrib_quantized_concat")


# --- batch normalisation ---------------------------------------------------------------------------------
PER_CHANNEL = [given(x, "float32") for x in ([1.0, 0.5], [0.1, -0.2], [0.3, 0.0], [1.0, 2.0])]
NORM_DATA = given((np.arange(16).reshape(1, 2, 2, 4) - 8) * 11, "int8")


def normalised(q, gamma, beta, mean, var, low, high, eps=1e-3, fix_gamma=True, axis=1,
               min_calib_range=None, max_calib_range=None, **unused):  # fmt: skip
    shape = [1] * q.ndim
    shape[axis] = -1
    if q.dtype == UINT8:  # MXNet has int8 only, and rounds to that first
        q = np.rint(q * SINGLE.type(HALF_MORE[INT8] / HALF_MORE[UINT8]))
    scale = (1 if fix_gamma else gamma) / np.sqrt(var + SINGLE.type(eps))
    most = max(abs(min_calib_range), abs(max_calib_range))
    moved = (beta - mean * scale) * (HALF_MORE[INT8] / most)
    scale = scale * (magnitude(low, high) / most / np.sqrt(1 + eps))
    y = np.rint(q * scale.reshape(shape) + moved.reshape(shape))
    ends_of_dtype = np.iinfo(INT8)
    found = np.clip(y, ends_of_dtype.min, ends_of_dtype.max).astype(INT8)
    return [found, *ends(min_calib_range, max_calib_range)]


@layer(
    kinds="iu",
    free=("gamma", "beta", "moving_mean", "moving_var", "min_data", "max_data"),
    ref=normalised,
    cases=[
        case(NORM_DATA, *PER_CHANNEL, LOW, HIGH, fix_gamma=False, min_calib_range=-2.0, max_calib_range=3.0),
        case(NORM_DATA, given([1.0, 1.0], "float32"), *PER_CHANNEL[1:], LOW, HIGH, min_calib_range=-2.0,
             max_calib_range=3.0, eps=0.01),
        raises(
            ArgumentError, NORM_DATA, *PER_CHANNEL, LOW, HIGH,
            match="_contrib_quantized_batch_norm(min_calib_range): expected a number",
        ),
    ],
)  # fmt: skip
class _contrib_quantized_batch_norm:
    """`BatchNorm` of bytes by the moving mean and variance, in int8 between calibrated bounds.

    As in MXNet, data is divided by sqrt(1 + eps) as well.
    """

    aux = ("moving_mean", "moving_var")
    eps: float = 1e-3
    momentum: float = 0.9
    fix_gamma: bool = True
    use_global_stats: bool = False
    output_mean_var: bool = False
    axis: int = 1
    cudnn_off: bool = False
    min_calib_range: float | None = None
    max_calib_range: float | None = None

    def check(self):
        for name in ("min_calib_range", "max_calib_range"):
            if getattr(self, name) is None:
                raise ArgumentError(message("_contrib_quantized_batch_norm", name, "a number", None))

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data, *rest):
        check_bytes("_contrib_quantized_batch_norm", "data", data)
        return (data, *[SINGLE] * 6), (INT8, SINGLE, SINGLE)

    def infer(self, out, data, *rest):
        channels = (None if data is None else data[self.axis],)
        return (data, *[channels] * 4, (1,), (1,)), with_ends(data)

    def forward(self, data, gamma, beta, moving_mean, moving_var, min_data, max_data, *, out):
        inputs = [data, gamma, beta, moving_mean, moving_var, min_data, max_data]
        attributes = self.__dict__
        return pushed(
            lambda *found: normalised(*found, **attributes), inputs, out, "_contrib_quantized_batch_norm"
        )


# --- bounds by the least loss of information ----------------------------------------------------------------
def smoothed(p, epsilon=1e-4):
    """A distribution without zeros: epsilon for each, taken from the others; None if there is nothing."""
    zeros = p == 0
    count = zeros.sum()
    if count == len(p):
        return None
    taken = epsilon * count / (len(p) - count)
    if taken >= 1:
        return None
    return p + epsilon * zeros - taken * ~zeros


def divergence(p, q):
    """Kullback and Leibler's divergence of counts from those of a coarser distribution."""
    p, q = smoothed(p), smoothed(q)
    if p is None or q is None:
        return np.inf
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))


def coarse(counts, present, bins):
    """Counts spread evenly over the places in use of each of so many bins of the same width.

    MXNet divides by the places with counts, and fills those that are `present`.
    """
    width = len(counts) // bins
    edges = np.arange(bins) * width
    totals = np.add.reduceat(counts, edges)
    used = np.add.reduceat((counts != 0).astype(np.int64), edges)
    share = np.divide(totals, used, out=np.zeros(bins), where=used > 0)
    widths = np.diff([*edges, len(counts)])
    return np.where(present, np.repeat(share, widths), 0)


def best_threshold(hist, hist_edges, num_quantized_bins=255):
    """[threshold, divergence] that lose the least; the histogram is symmetric around 0, of odd length.

    As in MXNet, what lies at or below the first place kept is not counted in the coarse form.
    """
    hist = hist.astype(np.float64)
    middle, half = len(hist) // 2, num_quantized_bins // 2
    best = (np.inf, hist_edges[-1])
    for reach in range(half, middle + 1):
        start, stop = middle - reach, middle + reach + 1
        p, inside = hist[start:stop].copy(), np.floor(hist[start:stop])
        inside[0] = 0
        p[0] += hist[:start].sum()
        p[-1] += hist[stop:].sum()
        found = divergence(p, coarse(inside, p != 0, num_quantized_bins))
        if found < best[0]:
            best = found, hist_edges[stop]
    return ends(best[1], best[0])


def peaked(count):
    counts = np.exp(-(np.linspace(-4, 4, count) ** 2)) * 1000
    return given(counts, "float32"), given(np.linspace(-5, 5, count + 1), "float32")


def histogram_shapes(hist, hist_edges, num_quantized_bins):
    if len(hist) != 1 or hist_edges != (hist[0] + 1,):
        expected = f"the edges of histogram {describe(hist)}"
        raise ShapeError(message("_contrib_calibrate_entropy", "hist_edges", expected, describe(hist_edges)))
    if hist[0] < num_quantized_bins:
        expected = f"at most the {hist[0]} places of the histogram"
        raise ArgumentError(
            message("_contrib_calibrate_entropy", "num_quantized_bins", expected, num_quantized_bins)
        )
    return [(1,), (1,)]


@op(
    grad=ZERO,
    kinds="f",
    outputs=("threshold", "divergence"),
    shape=histogram_shapes,
    dtype=lambda: [SINGLE, SINGLE],
    ref=best_threshold,
    cases=[
        case(*peaked(801)),
        case(*peaked(301), num_quantized_bins=127),
        raises(
            ArgumentError, *peaked(101),
            match="_contrib_calibrate_entropy(num_quantized_bins): expected at most the 101 places",
        ),
    ],
)  # fmt: skip
def _contrib_calibrate_entropy(hist, hist_edges, *, num_quantized_bins: int = 255, out):
    """[threshold, divergence]: where to cut so that bytes tell most of the numbers counted in a histogram.

    By the least divergence (Kullback and Leibler) of the cut histogram from its form in so many bins.
    """
    function = lambda counts, edges: best_threshold(counts, edges, num_quantized_bins)
    return pushed(function, [hist, hist_edges], out, "_contrib_calibrate_entropy")
