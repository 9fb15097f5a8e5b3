"""Numbers of eight bits for real ones: an int8 or uint8 times the largest magnitude over 127 or 255.

Programs that hold quantized weights read and write these; layers that compute on bytes are not there.
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


# --- the arithmetic ------------------------------------------------------------------------------------
def bounds_of(low, high, dtype):
    """(lowest, highest) number that is represented: symmetric for int8."""
    most = np.maximum(np.abs(low), np.abs(high)).astype(SINGLE)
    return (-most, most) if dtype == INT8 else (low, high)


def quantized(x, low, high, dtype):
    """[bytes, lowest, highest] for real numbers; halves go away from zero."""
    most = max(abs(float(low)), abs(float(high)))
    scaled = x.astype(SINGLE) * SINGLE.type(RANGE[dtype] / most if most else 0)
    whole = np.copysign(np.floor(np.abs(scaled) + SINGLE.type(0.5)), scaled)
    least = -RANGE[dtype] if dtype == INT8 else 0
    ends = bounds_of(np.asarray(low, SINGLE), np.asarray(high, SINGLE), dtype)
    return [np.clip(whole, least, RANGE[dtype]).astype(dtype), *[end.reshape(1) for end in ends]]


def restored(q, low, high):
    """Real numbers for bytes."""
    return q.astype(SINGLE) * SINGLE.type(max(abs(float(low[0])), abs(float(high[0]))) / RANGE[q.dtype])


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
    ref=lambda x, out_type="int8", min_calib_range=None, max_calib_range=None: quantized(
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
            return quantized(x, x.min() if low is None else low, x.max() if high is None else high, dtype)

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
    x = q.astype(np.float64) * (max(abs(float(low[0])), abs(float(high[0]))) / 2**31)
    bounds = calibrated if calibrated[0] is not None else (x.min(), x.max())
    return quantized(x, *bounds, chosen(out_type, calibrated[0]))


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
