"""Numbers of eight bits for real ones: an int8 or uint8 times the largest magnitude over 127 or 255.

As in MXNet, `quantize` and numbers that are wide already take 127 and 255 themselves, all else half a step
more; layers that compute on bytes are in quantized.py.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._launch import push_numpy
from ..errors import ArgumentError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import ZERO, layer, op
from .detection import check_shape, copied

Kind = Literal["auto", "int8", "uint8"]
SINGLE, INT8, UINT8 = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.uint8)
RANGE = {INT8: 127, UINT8: 255}
HALF_MORE = {INT8: 127.5, UINT8: 255.5}


# --- the arithmetic ------------------------------------------------------------------------------------
def bounds_of(low, high, dtype):
    """(lowest, highest) number that is represented: symmetric for int8."""
    most = np.maximum(np.abs(low), np.abs(high)).astype(SINGLE)
    return (-most, most) if dtype == INT8 else (low, high)


def away_from_zero(x):
    return np.copysign(np.floor(np.abs(x) + SINGLE.type(0.5)), x)


def quantized(x, low, high, dtype, steps=RANGE, nearest=away_from_zero):
    """[bytes, lowest, highest] for real numbers, where the largest magnitude is so many steps."""
    most = max(abs(float(low)), abs(float(high)))
    whole = nearest(x.astype(SINGLE) * SINGLE.type(steps[dtype] / most if most else 0))
    least, largest = np.iinfo(dtype).min, np.iinfo(dtype).max
    if steps is RANGE and dtype == INT8:
        least = -largest
    ends = bounds_of(np.asarray(low, SINGLE), np.asarray(high, SINGLE), dtype)
    return [np.clip(whole, least, largest).astype(dtype), *[end.reshape(1) for end in ends]]


def finely_quantized(x, low, high, dtype):
    """`quantized` by half a step more, halves to even."""
    return quantized(x, low, high, dtype, HALF_MORE, np.rint)


def restored(q, low, high):
    """Real numbers for bytes."""
    return q.astype(SINGLE) * SINGLE.type(max(abs(float(low[0])), abs(float(high[0]))) / HALF_MORE[q.dtype])


def chosen(out_type, low):
    """The dtype that a name stands for."""
    if out_type == "auto":
        return UINT8 if low is not None and low >= 0 else INT8
    return np.dtype(out_type)


def check_calibration(name, low, high):
    if (low is None) != (high is None):
        absent = "min_calib_range" if low is None else "max_calib_range"
        raise ArgumentError(message(name, absent, "a number, as the other bound has", None))


def pushed(function, inputs, out, name):
    return copied(push_numpy(function, inputs, None, name), out)


def triple(data):
    return [data, (1,), (1,)]


# --- operators -----------------------------------------------------------------------------------------
OUTPUTS = ("output0", "output1", "output2")
VALUES = given([[-1.5, 0.2, 3], [0, 1, 2.5]], "float32")


def ends_of(name, low, high):
    for argument, shape in (("min_range", low), ("max_range", high)):
        check_shape(name, argument, shape, "(1,)", 1)


@op(
    grad=ZERO,
    kinds="f",
    outputs=OUTPUTS,
    shape=lambda data, min_range, max_range: (
        ends_of("_contrib_quantize", min_range, max_range) or triple(data)
    ),
    dtype=lambda out_type: [np.dtype(out_type), SINGLE, SINGLE],
    ref=lambda x, low, high, out_type="uint8": quantized(x, low[0], high[0], np.dtype(out_type)),
    cases=[
        case(VALUES, given([-2.0], "float32"), given([3.0], "float32"), out_type="int8"),
        case(VALUES, given([0.0], "float32"), given([2.0], "float32")),
        raises(
            ShapeError,
            VALUES,
            uniform(2),
            uniform(1),
            match="_contrib_quantize(min_range): expected shape (1,)",
        ),
    ],
)
def _contrib_quantize(data, min_range, max_range, *, out_type: Literal["int8", "uint8"] = "uint8", out):
    """[bytes for data between min_range (1,) and max_range (1,), the lowest number they mean, the highest].

    The magnitude that is largest becomes 127 or 255; what is beyond is cut off, below 0 for uint8 too.
    """
    dtype = np.dtype(out_type)
    inputs = [data, min_range, max_range]
    return pushed(lambda x, low, high: quantized(x, low[0], high[0], dtype), inputs, out, "_contrib_quantize")


@layer(
    kinds="f",
    ref=lambda x, out_type="int8", min_calib_range=None, max_calib_range=None: finely_quantized(
        x,
        x.min() if min_calib_range is None else min_calib_range,
        x.max() if min_calib_range is None else max_calib_range,
        chosen(out_type, min_calib_range),
    ),
    cases=[
        case(VALUES),
        case(VALUES, out_type="uint8"),
        case(VALUES, out_type="auto", min_calib_range=0.0, max_calib_range=2.0),
        case(VALUES, out_type="auto", min_calib_range=-1.0, max_calib_range=2.0),
        raises(
            ArgumentError,
            VALUES,
            min_calib_range=1.0,
            match="_contrib_quantize_v2(max_calib_range): expected a number",
        ),
    ],
)
class _contrib_quantize_v2:
    """`quantize` between the calibrated bounds, or without them between the least and the largest of data.

    out_type "auto" is uint8 if no calibrated number is negative, else int8.
    """

    out_type: Kind = "int8"
    min_calib_range: float | None = None
    max_calib_range: float | None = None

    def check(self):
        check_calibration("_contrib_quantize_v2", self.min_calib_range, self.max_calib_range)

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data):
        return (data,), (chosen(self.out_type, self.min_calib_range), SINGLE, SINGLE)

    def infer(self, out, data):
        return (data,), (data, (1,), (1,))

    def forward(self, data, *, out):
        low, high = self.min_calib_range, self.max_calib_range
        dtype = chosen(self.out_type, low)

        def function(x):
            bounds = (x.min(), x.max()) if low is None else (low, high)
            return finely_quantized(x, *bounds, dtype)

        return pushed(function, [data], out, "_contrib_quantize_v2")


@op(
    grad=ZERO,
    kinds="iu",
    free=("min_range", "max_range"),
    shape=lambda data, min_range, max_range: ends_of("_contrib_dequantize", min_range, max_range) or data,
    dtype=lambda data: SINGLE,
    ref=lambda q, low, high, out_type="float32": [restored(q, low, high)],
    cases=[
        case(given([[-127, 17, 5]], "int8"), given([-2.0], "float32"), given([3.0], "float32")),
        case(given([[0, 17, 255]], "uint8"), given([0.0], "float32"), given([3.0], "float32")),
        raises(
            DTypeError,
            given([1], "int32"),
            given([0.0], "float32"),
            given([3.0], "float32"),
            match="_contrib_dequantize(data): expected int8 or uint8, got int32",
        ),
    ],
)
def _contrib_dequantize(data, min_range, max_range, *, out_type: Literal["float32"] = "float32", out):
    """The real numbers that bytes stand for, whose bounds are min_range (1,) and max_range (1,)."""
    if np.dtype(data.dtype) not in RANGE:
        raise DTypeError(message("_contrib_dequantize", "data", "int8 or uint8", np.dtype(data.dtype)))
    made = push_numpy(restored, [data, min_range, max_range], None, "_contrib_dequantize")[0]
    return made if out is None else kernels.copy(made, out=out)


def requantized(q, low, high, out_type, calibrated):
    """[bytes, lowest, highest] for int32 that stand for real numbers between bounds."""
    x = q.astype(np.float64) * (max(abs(float(low[0])), abs(float(high[0]))) / (2**31 - 1))
    dtype = chosen(out_type, calibrated[0])
    if calibrated[0] is not None:
        return finely_quantized(x, *calibrated, dtype)
    most = np.abs(x).max()
    return quantized(x, 0 if dtype == UINT8 else -most, most, dtype, nearest=np.rint)


@layer(
    kinds="i",
    free=("min_range", "max_range"),
    ref=lambda q, low, high, out_type="int8", min_calib_range=None, max_calib_range=None: requantized(
        q, low, high, out_type, (min_calib_range, max_calib_range)
    ),
    cases=[
        case(given([[100000, -(2**30), 5]], "int32"), given([-5.0], "float32"), given([5.0], "float32")),
        case(
            given([[2**28, -(2**30), 5]], "int32"),
            given([-5.0], "float32"),
            given([5.0], "float32"),
            min_calib_range=-1.0,
            max_calib_range=2.0,
        ),
    ],
)
class _contrib_requantize:
    """`quantize_v2` of int32 that stand for real numbers between min_range (1,) and max_range (1,)."""

    out_type: Kind = "int8"
    min_calib_range: float | None = None
    max_calib_range: float | None = None

    def check(self):
        check_calibration("_contrib_requantize", self.min_calib_range, self.max_calib_range)

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data, *bounds):
        return (data, SINGLE, SINGLE), (chosen(self.out_type, self.min_calib_range), SINGLE, SINGLE)

    def infer(self, out, data, min_range, max_range):
        return (data, (1,), (1,)), (data, (1,), (1,))

    def forward(self, data, min_range, max_range, *, out):
        calibrated = self.min_calib_range, self.max_calib_range

        def function(q, low, high):
            return requantized(q, low, high, self.out_type, calibrated)

        return pushed(function, [data, min_range, max_range], out, "_contrib_requantize")
