"""Layers on numbers of eight bits: each result comes with the real numbers that its ends stand for.

What is multiplied and summed is exact (float64 holds every such sum); the steps are those of MXNet 1.9.1 on
CPUs, that of int8 being the largest magnitude over 127.5 between layers and over 127 in bounds of sums.
`quantization.py` makes these numbers of real ones, and back.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type, attr-defined, misc, name-defined"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, DTypeError, message
from ..kernels import cpu as kernels
from ._attributes import DType
from ._cases import case, given, raises
from ._declare import layer
from .attention import eager
from .convolution import Convolution
from .nn import FullyConnected
from .pooling import Geometry, Pooling, pooled
from .quantization import (
    HALF_MORE,
    INT8,
    RANGE,
    SINGLE,
    UINT8,
    pushed,
)
from .shape import product

INT32 = np.dtype(np.int32)
WIDE = "float64"
BYTES = (INT8, UINT8)
ENDS = ("min_data", "max_data")
OUTPUTS = ("output", "min_output", "max_output")
LOW, HIGH = given([-1.0], "float32"), given([2.0], "float32")
ZERO_END, TOP = given([0.0], "float32"), given([3.0], "float32")


# --- the arithmetic ------------------------------------------------------------------------------------
def magnitude(low, high):
    return max(abs(float(low[0])), abs(float(high[0])))


def step_of(low, high, dtype, steps=HALF_MORE):
    """The real number that 1 stands for."""
    return magnitude(low, high) / steps[np.dtype(dtype)]


def ends(low, high):
    return [np.array([low], SINGLE), np.array([high], SINGLE)]


def sums_of(step):
    """[lowest, highest] real number of int32 where 1 stands for `step`."""
    most = step * (2**31 - 1)
    return ends(-most, most)


def to_int32(x):
    """Whole numbers of 64 bits as int32, those beyond it as its ends."""
    return np.clip(x, -(2**31), 2**31 - 1).astype(INT32)


def check_bytes(name, argument, dtype, allowed=BYTES):
    if dtype is not None and np.dtype(dtype) not in allowed:
        expected = " or ".join(str(d) for d in allowed)
        raise DTypeError(message(name, argument, expected, np.dtype(dtype)))


def with_ends(data):
    return (data, (1,), (1,))


class Alike:
    """Layers whose result stands for numbers between the bounds of the data."""

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data, *bounds):
        check_bytes(type(self).__name__, "data", data)
        return (data, *[SINGLE] * len(bounds)), (data, SINGLE, SINGLE)

    def passed(self, result, low, high, out):
        """The result with copies of the bounds."""
        found = [result, low, high]
        return [kernels.copy(x, out=to) for x, to in zip(found, out, strict=True)]


ROWS = given([[1, -2, 3], [127, -127, 50]], "int8")
UROWS = given([[1, 2, 3], [255, 0, 50]], "uint8")


@layer(
    kinds="iu",
    free=ENDS,
    ref=lambda q, low, high: [q.reshape(len(q), -1), low, high],
    cases=[case(given([[[1, -2], [3, 4]]], "int8"), LOW, HIGH), case(UROWS, ZERO_END, TOP)],
)
class _contrib_quantized_flatten(Alike):
    """Each element of the first axis in one row: (n, the product of all others)."""

    def infer(self, out, data, min_data, max_data):
        known = data is not None and None not in data[1:]
        shape = (data[0], product(data[1:])) if known else None
        return (data, (1,), (1,)), with_ends(shape)

    def forward(self, data, min_data, max_data, *, out):
        return self.passed(eager("Flatten", data), min_data, max_data, out)


@layer(
    kinds="iu",
    free=ENDS,
    ref=lambda q, low, high, act_type="relu": [np.maximum(q, 0), low, high],
    cases=[case(ROWS, LOW, HIGH, act_type="relu"), case(UROWS, ZERO_END, TOP, act_type="relu")],
)
class _contrib_quantized_act(Alike):
    """max(x, 0) of every element."""

    act_type: Literal["relu"]

    def infer(self, out, data, min_data, max_data):
        return (data, (1,), (1,)), with_ends(data)

    def forward(self, data, min_data, max_data, *, out):
        return self.passed(eager("relu", data), min_data, max_data, out)


def pooled_bytes(q, low, high, **attrs):
    y = Pooling.ref(q.astype(np.float64), **attrs)
    return [np.rint(y).astype(q.dtype), low, high]


PLANE = given(np.arange(-8, 8).reshape(1, 1, 4, 4) * 7, "int8")
UPLANE = given(np.arange(16).reshape(1, 1, 4, 4) * 15, "uint8")
WINDOW = {"kernel": (2, 2), "stride": (2, 2)}


@layer(
    kinds="iu",
    free=ENDS,
    ref=pooled_bytes,
    cases=[
        case(PLANE, LOW, HIGH, pool_type="max", **WINDOW),
        case(PLANE, LOW, HIGH, pool_type="avg", **WINDOW),
        case(UPLANE, ZERO_END, TOP, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg"),
        case(PLANE, LOW, HIGH, kernel=(2, 2), global_pool=True, pool_type="avg"),
        raises(
            ArgumentError,
            PLANE,
            LOW,
            HIGH,
            pool_type="lp",
            **WINDOW,
            match="_contrib_quantized_pooling(pool_type): expected max or avg, got",
        ),
    ],
)
class _contrib_quantized_pooling(Alike, Geometry):
    """`Pooling` of bytes by maxima or means; means go to the nearest whole number, halves to even."""

    pooling_convention: Literal["valid", "full", "same"] = "valid"

    def check(self):
        if self.pool_type not in ("max", "avg"):
            raise ArgumentError(
                message("_contrib_quantized_pooling", "pool_type", "max or avg", self.pool_type)
            )

    def infer(self, out, data, min_data, max_data):
        shape = None if data is None else pooled(data, self.windows(data))
        return (data, (1,), (1,)), with_ends(shape)

    def forward(self, data, min_data, max_data, *, out):
        wide = kernels.pooling(kernels.astype(data, "float32"), self.windows(data.shape))
        dtype = data.dtype
        found = pushed(lambda y: np.rint(y).astype(dtype), [wide], [None], "_contrib_quantized_pooling")
        return self.passed(found[0], min_data, max_data, out)


@layer(
    kinds="iu",
    free=("data", "weight", "min_weight", "max_weight"),
    ref=lambda x, w, low, high, **attrs: [w[np.clip(np.trunc(x).astype(int), 0, len(w) - 1)], low, high],
    cases=[case(given([0, 1, 5], "float32"), ROWS, LOW, HIGH, input_dim=2, output_dim=3)],
)
class _contrib_quantized_embedding:
    """Rows of a weight of int8 (input_dim, output_dim) by indices; those outside are clipped."""

    input_dim: int
    output_dim: int
    dtype: DType = SINGLE
    sparse_grad: bool = False

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data, weight, *bounds):
        check_bytes("_contrib_quantized_embedding", "weight", weight, (INT8,))
        return (data, INT8, SINGLE, SINGLE), (INT8, SINGLE, SINGLE)

    def infer(self, out, data, weight, min_weight, max_weight):
        shape = None if data is None else (*data, self.output_dim)
        return (data, (self.input_dim, self.output_dim), (1,), (1,)), with_ends(shape)

    def forward(self, data, weight, min_weight, max_weight, *, out):
        found = [kernels.take(weight, data, 0, "clip"), min_weight, max_weight]
        return [kernels.copy(x, out=to) for x, to in zip(found, out, strict=True)]


# --- products ------------------------------------------------------------------------------------------
def attributes_of(operator):
    """A base class with the attributes of a layer, without its rules."""
    cls = operator.layer_class
    annotations = {}
    for base in reversed(cls.__mro__):
        annotations |= getattr(base, "__annotations__", {})
    defaults = {name: getattr(cls, name) for name in annotations if hasattr(cls, name)}
    return type("Attributes", (), {"__annotations__": annotations, **defaults})


INPUTS = (
    *("data", "weight", "bias"),
    *("min_data", "max_data", "min_weight", "max_weight", "min_bias", "max_bias"),
)


class Products:
    """Sums of products of data and weight in int32, and a bias in its own steps."""

    def check(self):
        attrs = self.operator.parse_attrs({name: getattr(self, name) for name in self.operator.attributes})
        self.float_layer = self.operator.layer(attrs)
        self.attributes = attrs | {"no_bias": True}

    def inputs(self):
        bounds = ("min_data", "max_data", "min_weight", "max_weight")
        if self.no_bias:
            return ("data", "weight", *bounds)
        return ("data", "weight", "bias", *bounds, "min_bias", "max_bias")

    def outputs(self):
        return OUTPUTS

    def dtypes(self, data, *rest):
        names = self.inputs()[1:]
        check_bytes(type(self).__name__, "data", data)
        for name, dtype in zip(names, rest, strict=True):
            if name in ("weight", "bias"):
                check_bytes(type(self).__name__, name, dtype, (INT8,))
        found = [INT8 if name in ("weight", "bias") else SINGLE for name in names]
        return (data, *found), (INT32, SINGLE, SINGLE)

    def infer(self, out, data, weight, *rest):
        parameters = [weight] if self.no_bias else [weight, rest[0]]
        filled, (shape,) = self.float_layer.infer(out, data, *parameters)
        return (*filled, *[(1,)] * (len(self.inputs()) - len(filled))), with_ends(shape)

    def multiplied(self, *given_inputs, out):
        """[sums, lowest, highest] of the inputs in use."""
        values = dict(zip(self.inputs(), given_inputs, strict=False))
        sums = self.operator.compute(
            [kernels.astype(values[name], WIDE) for name in ("data", "weight")], self.attributes
        )[0]
        dtype = np.dtype(values["data"].dtype)
        steps = self.bound_steps(dtype)
        names = [name for name in self.inputs() if name not in ("data", "weight")]

        def finish(total, *rest):
            return finished(
                total, dtype, steps, self.channel_axis(total), **dict(zip(names, rest, strict=True))
            )

        return pushed(finish, [sums, *[values[name] for name in names]], out, type(self).__name__)


def finished(total, dtype, steps, axis, min_data, max_data, min_weight, max_weight, bias=None, **bounds):
    """[int32, lowest, highest]; the bias is cut to whole steps of the products."""
    if bias is not None:
        own = step_of(bounds["min_bias"], bounds["max_bias"], INT8)
        step = step_of(min_data, max_data, dtype) * step_of(min_weight, max_weight, INT8)
        shape = [1] * total.ndim
        shape[axis] = len(bias.ravel())
        total = total + np.trunc(bias.ravel() * (own / step if step else 0)).reshape(shape)
    least = step_of(min_data, max_data, dtype, steps) * step_of(min_weight, max_weight, INT8, RANGE)
    return [to_int32(total), *sums_of(least)]


def reference_of(operator, steps_of, axis_of):
    """What NumPy makes of the inputs of a layer of products."""

    def reference(data, weight, *rest, **attrs):
        no_bias = attrs.get("no_bias", False)
        names = ["min_data", "max_data", "min_weight", "max_weight"]
        names = names if no_bias else ["bias", *names, "min_bias", "max_bias"]
        total = operator.ref(data.astype(float), weight.astype(float), **attrs | {"no_bias": True})
        values = dict(zip(names, rest, strict=True))
        return finished(total, data.dtype, steps_of(data.dtype), axis_of(total, **attrs), **values)

    return reference


FC = {"num_hidden": 2}
WEIGHT, BIAS = given([[1, -2, 3], [4, 100, -127]], "int8"), given([100, -50], "int8")
W_ENDS = given([-0.5], "float32"), given([0.7], "float32")
B_ENDS = given([-0.3], "float32"), given([0.2], "float32")


@layer(
    kinds="iu",
    free=INPUTS,
    ref=reference_of(FullyConnected, lambda dtype: RANGE, lambda total, **attrs: -1),
    cases=[
        case(ROWS, WEIGHT, BIAS, LOW, HIGH, *W_ENDS, *B_ENDS, **FC),
        case(UROWS, WEIGHT, BIAS, ZERO_END, TOP, *W_ENDS, *B_ENDS, **FC),
        case(UROWS, WEIGHT, ZERO_END, TOP, *W_ENDS, no_bias=True, **FC),
        raises(
            DTypeError, ROWS, given([[1, 2, 3]], "uint8"), LOW, HIGH, *W_ENDS, no_bias=True, num_hidden=1,
            match="_contrib_quantized_fully_connected(weight): expected int8, got uint8",
        ),
    ],
)  # fmt: skip
class _contrib_quantized_fully_connected(Products, attributes_of(FullyConnected)):
    """`FullyConnected` of bytes: data of int8 or uint8, weight and bias of int8, sums in int32.

    Each of the three comes with the real numbers (1,) that its least and largest element stand for.
    """

    operator = FullyConnected

    def bound_steps(self, dtype):
        return RANGE

    def channel_axis(self, total):
        return -1

    def forward(self, data, weight, bias=None, min_data=None, max_data=None, min_weight=None,
                max_weight=None, min_bias=None, max_bias=None, *, out):  # fmt: skip
        found = (data, weight, bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
        return self.multiplied(*found, out=out)


SIGNED = {INT8: 127, UINT8: 127}  # MXNet gives the bounds of int8, whatever the data
CONV = {"kernel": (2, 2), "num_filter": 2}
CW = given((np.arange(16).reshape(2, 2, 2, 2) - 8) * 9, "int8")
CX, CU = (np.arange(32).reshape(1, 2, 4, 4) - 16) * 7, np.arange(32).reshape(1, 2, 4, 4) * 7


def filter_axis(total, layout=None, **attrs):
    return -1 if layout is not None and layout.endswith("C") else 1


@layer(
    kinds="iu",
    free=(
        "data",
        "weight",
        "bias",
        "min_data",
        "max_data",
        "min_weight",
        "max_weight",
        "min_bias",
        "max_bias",
    ),
    ref=reference_of(Convolution, lambda dtype: SIGNED, filter_axis),
    cases=[
        case(given(CX, "int8"), CW, BIAS, LOW, HIGH, *W_ENDS, *B_ENDS, stride=(2, 2), **CONV),
        case(given(CU, "uint8"), CW, ZERO_END, TOP, *W_ENDS, pad=(1, 1), no_bias=True, **CONV),
    ],
)
class _contrib_quantized_conv(Products, attributes_of(Convolution)):
    """`Convolution` of bytes: data of int8 or uint8, weight and bias of int8, sums in int32.

    Each of the three comes with the real numbers (1,) that its least and largest element stand for.
    """

    operator = Convolution

    def bound_steps(self, dtype):
        return SIGNED

    def channel_axis(self, total):
        return filter_axis(total, self.layout)

    def forward(self, data, weight, bias=None, min_data=None, max_data=None, min_weight=None,
                max_weight=None, min_bias=None, max_bias=None, *, out):  # fmt: skip
        found = (data, weight, bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
        return self.multiplied(*found, out=out)
