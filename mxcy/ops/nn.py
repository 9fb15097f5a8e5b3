"""Layers and losses: FullyConnected, softmax, the output layers, dropout, and leaky activations."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._array import face_of
from ..errors import ArgumentError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from . import linalg, reduction
from ._attributes import DType, Shape
from ._cases import case, given, raises, special, uniform
from ._declare import elementwise, layer, op
from ._elementwise import normalize_axis
from ._layer import known
from ._trace import ufunc
from .exponential import erf, exp
from .shape import Flatten, _cast_like, flattened, product, reshape_like, restored


# --- FullyConnected ------------------------------------------------------------------------------------
def linear_reference(x, w, b=0.0, num_hidden=None, no_bias=False, flatten=True):
    return (x.reshape(len(x), product(x.shape[1:])) if flatten else x) @ w.T + b


@layer(
    ref=linear_reference,
    kinds="f",
    cases=[
        case(uniform(2, 3), uniform(4, 3), uniform(4), num_hidden=4),
        case(uniform(2, 3, 2), uniform(4, 6), num_hidden=4, no_bias=True),
        case(uniform(2, 3, 2), uniform(4, 2), uniform(4), num_hidden=4, flatten=False),
        case(uniform(0, 3), uniform(4, 3), uniform(4), num_hidden=4),
        raises(
            ShapeError,
            uniform(32, 784),
            uniform(784, 64),
            uniform(64),
            num_hidden=64,
            match="weight): expected shape (64, 784) from data (32, 784), got (784, 64); transpose it",
        ),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(4, 3),
            uniform(3),
            num_hidden=4,
            match="FullyConnected(bias): expected shape (4,) from data (2, 3), got (3,)",
        ),
        raises(
            ArgumentError,
            uniform(2, 3),
            uniform(4, 3),
            uniform(4),
            num_hidden=0,
            match="FullyConnected(num_hidden): expected at least 1, got 0",
        ),
        raises(
            DTypeError,
            uniform(2, 3, dtype="float32"),
            uniform(4, 3, dtype="float64"),
            uniform(4),
            num_hidden=4,
            match="expected dtype float32, got float64",
        ),
    ],
)
class FullyConnected:
    """data · weightᵀ + bias: every output is a weighted sum of all inputs.

    data: (n, ...), flattened to (n, k), or with `flatten=False` (..., k).  weight: (num_hidden, k).
    bias: (num_hidden,), unless `no_bias`.  Result: (n, num_hidden) or (..., num_hidden).
    """

    num_hidden: int
    no_bias: bool = False
    flatten: bool = True

    def check(self):
        if self.num_hidden < 1:
            raise ArgumentError(message("FullyConnected", "num_hidden", "at least 1", self.num_hidden))

    def inputs(self):
        return ("data", "weight") if self.no_bias else ("data", "weight", "bias")

    def infer(self, out, data, weight, bias=None):
        width = weight[1] if weight is not None and len(weight) == 2 else None
        shape = None
        if data is not None:
            rest = data[1:] if self.flatten else data[-1:]
            width = product(rest) if known(rest) else width
            shape = (*(data[:1] if self.flatten else data[:-1]), self.num_hidden)
            if out is not None and len(out) == len(shape):
                rows = tuple(b if a is None else a for a, b in zip(shape, out, strict=True))[:-1]
                data = (*rows, *data[len(rows) :])
                shape = (*rows, self.num_hidden)
        parameters = ((self.num_hidden, width),) + (() if self.no_bias else ((self.num_hidden,),))
        return (data, *parameters), (shape,)

    def forward(self, data, weight, bias=None, *, out):
        rows = data.shape[:1] if self.flatten else data.shape[:-1]
        x = linalg.fold(data, (product(rows), product(data.shape[len(rows) :])))
        return linalg.product_into((*rows, self.num_hidden), x, weight, False, True, out, bias)

    def backward(self, g, data, weight):
        if self.flatten:
            g_data = restored(linalg.dot(g, weight), data)
            g_weight = linalg.dot(g, flattened(data), transpose_a=True)
        else:
            g_data = linalg._dot_grad_lhs(g, weight, data, transpose_b=True)
            g_weight = linalg._dot_grad_rhs(g, data, weight, transpose_b=True)
        return g_data, g_weight, None if self.no_bias else reduction.sum(g, axis=-1, exclude=True)


# --- softmax -------------------------------------------------------------------------------------------
def softmax_shape(data, axis):
    normalize_axis("softmax", axis, len(data))
    return data


def softmax_dtype(data, dtype):
    return data if dtype is None else dtype


def softmax_reference(x, length=None, axis=-1, temperature=None, dtype=None, use_length=False):
    x = x / (temperature or 1.0)
    if length is not None:
        size = np.arange(x.shape[axis]).reshape([-1 if d == axis % x.ndim else 1 for d in range(x.ndim)])
        inside = size < np.expand_dims(length, axis)
        return np.where(inside, special.softmax(np.where(inside, x, -np.inf), axis=axis), 0)
    return special.softmax(x, axis=axis)


def softmax_gradient(g, data, y, axis, temperature, dtype):
    back = _softmax_grad(g, y, axis=axis, temperature=temperature)
    return back if dtype is None else _cast_like(back, data)


SOFTMAX_ROWS = [
    case(uniform(3, 4)),
    case(uniform(2, 3, 4), axis=1),
    case(uniform(2, 3), axis=0, temperature=2.0),
    case(given([[1000.0, 1001.0], [-1000.0, 0.0]])),
    case(uniform(0, 3)),
    raises(DTypeError, uniform(2, dtype="int32"), match="expected a floating-point dtype, got int32"),
]


@op(
    grad=softmax_gradient,
    shape=softmax_shape,
    dtype=softmax_dtype,
    free=("length",),
    kinds="f",
    optional=lambda use_length: ("data", "length") if use_length else ("data",),
    ref=softmax_reference,
    cases=[*SOFTMAX_ROWS, case(uniform(2, 3), given([1, 2], "int32"), use_length=True)],
)
def softmax(
    data,
    length=None,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType = None,
    use_length: bool = False,
    out,
):
    """exp(data / temperature) divided by its sum along an axis.

    With `use_length`, `length` (the shape of data without the axis) gives how many elements take part;
    the others become 0.
    """
    return kernels.softmax(data, axis, temperature, length, dtype=dtype, out=out)


def softmax_grad_reference(g, y, axis=-1, temperature=None):
    return y * (g - np.sum(g * y, axis=axis, keepdims=True)) / (temperature or 1.0)


def softmax_grad_of_output(g, data, y, axis, temperature):
    inner = reduction.sum(data * y, axis=axis, keepdims=True)
    outer = reduction.sum(g * y, axis=axis, keepdims=True)
    minus = reduction.find("broadcast_sub")
    back = g * minus(data, inner) - reduction.find("broadcast_mul")(data, outer)
    return back if temperature is None else back / temperature


@op(
    grad=(
        lambda g, output, axis, temperature: _softmax_grad(g, output, axis=axis, temperature=temperature),
        lambda g, data, output, axis, temperature: softmax_grad_of_output(g, data, output, axis, temperature),
    ),
    ref=softmax_grad_reference,
    kinds="f",
    outputs=("result",),
    cases=[case(uniform(3, 4), uniform(3, 4)), case(uniform(3, 4), uniform(3, 4), axis=0, temperature=2.0)],
)
def _softmax_grad(data, output, *, axis: int = -1, temperature: float | None = None, out):
    """The gradient of softmax from that of its output (`data`) and its output."""
    return kernels.softmax_grad(output, data, axis, temperature, out=out)


def log_softmax_gradient(g, data, y, axis, temperature, dtype):
    back = _log_softmax_grad(g, y, axis=axis, temperature=temperature)
    return back if dtype is None else _cast_like(back, data)


@op(
    grad=log_softmax_gradient,
    shape=softmax_shape,
    dtype=softmax_dtype,
    kinds="f",
    cases=SOFTMAX_ROWS,
    ref=lambda x, axis=-1, temperature=None, dtype=None, use_length=False: special.log_softmax(
        x / (temperature or 1.0), axis=axis
    ),
)
def log_softmax(
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType = None,
    use_length: bool = False,
    out,
):
    """Logarithm of softmax, without overflow or loss of accuracy."""
    return kernels.log_softmax(data, axis, temperature, dtype=dtype, out=out)


def log_grad_of_gradient(g, output, axis, temperature):
    total = reduction.sum(g * exp(output), axis=axis, keepdims=True)
    back = reduction.find("broadcast_sub")(g, total)
    return back if temperature is None else back / temperature


def log_grad_of_output(g, data, output, axis, temperature):
    total = reduction.sum(data, axis=axis, keepdims=True)
    back = -reduction.find("broadcast_mul")(g * exp(output), total)
    return back if temperature is None else back / temperature


@op(
    grad=(log_grad_of_gradient, log_grad_of_output),
    kinds="f",
    outputs=("result",),
    ref=lambda g, y, axis=-1, temperature=None: (
        (g - np.exp(y) * g.sum(axis, keepdims=True)) / (temperature or 1.0)
    ),
    cases=[case(uniform(3, 4), uniform(3, 4)), case(uniform(3, 4), uniform(3, 4), axis=0, temperature=2.0)],
)
def _log_softmax_grad(data, output, *, axis: int = -1, temperature: float | None = None, out):
    """The gradient of log_softmax from that of its output (`data`) and its output."""
    return kernels.log_softmax_grad(output, data, axis, temperature, out=out)


def softmin_gradient(g, data, y, axis, temperature, dtype):
    return -softmax_gradient(g, data, y, axis, temperature, dtype)


@op(
    grad=softmin_gradient,
    shape=softmax_shape,
    dtype=softmax_dtype,
    kinds="f",
    cases=SOFTMAX_ROWS,
    ref=lambda x, axis=-1, temperature=None, dtype=None, use_length=False: special.softmax(
        -x / (temperature or 1.0), axis=axis
    ),
)
def softmin(
    data,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DType = None,
    use_length: bool = False,
    out,
):
    """softmax of -data."""
    return kernels.softmax(data, axis, temperature, negate=True, dtype=dtype, out=out)


def softmax_activation_gradient(g, y, mode):
    if mode == "channel":
        return _softmax_grad(g, y, axis=1)
    return reshape_like(_softmax_grad(Flatten(g), Flatten(y), axis=1), y)


@op(
    grad=softmax_activation_gradient,
    kinds="f",
    cases=[uniform(2, 3), case(uniform(2, 3, 2), mode="channel")],
    ref=lambda x, mode="instance": special.softmax(
        x if mode == "channel" else x.reshape(len(x), -1), axis=1
    ).reshape(x.shape),
)
def SoftmaxActivation(data, *, mode: Literal["instance", "channel"] = "instance", out):
    """softmax over all axes but the first (`instance`), or over axis 1 (`channel`)."""
    return kernels.softmax_output(data, multi_output=mode == "channel", out=out)


# --- dropout -------------------------------------------------------------------------------------------
@layer(
    ref=lambda x, **attrs: x,
    kinds="f",
    cases=[
        case(uniform(3, 4)),
        case(uniform(3, 4), p=0.0, mode="always"),
        case(uniform(0, 2)),
        raises(ArgumentError, uniform(3), p=1.5, match="Dropout(p): expected a number from 0 to 1, got 1.5"),
    ],
    grad_check="rows run outside training, where it is the identity; in training tests compare with the mask",
)
class Dropout:
    """In training: every element 0 with probability p, else divided by 1 - p.  Otherwise: data.

    `mode="always"` does so outside training too; along `axes` one draw serves all elements.  The hidden
    output `mask` holds the factors.
    """

    p: float = 0.5
    mode: Literal["training", "always"] = "training"
    axes: Shape = ()
    cudnn_off: bool = False
    visible = 1

    def check(self):
        if not 0 <= self.p <= 1:
            raise ArgumentError(message("Dropout", "p", "a number from 0 to 1", self.p))

    def outputs(self):
        return ("output", "mask")

    def infer(self, out, data):
        if data is None:
            return (out,), (out, None)
        axes = {normalize_axis("Dropout", a, len(data), "axes") for a in self.axes}
        return (data,), (data, tuple(1 if a in axes else extent for a, extent in enumerate(data)))

    def forward(self, data, *, out, is_train):
        target, mask = out
        if not (is_train or self.mode == "always") or self.p == 0:
            if mask is not None:
                kernels.fill(mask, 1)
            return kernels.copy(data, out=target), mask
        keep = 1.0 - self.p
        shape = self.infer(None, data.shape)[1][1]
        mask = kernels.random_bernoulli(
            keep, shape, scale=1 / keep if keep else 0.0, dtype=data.dtype, face=face_of(type(data)), out=mask
        )
        times = reduction.find("broadcast_mul")
        return times.compute([data, mask], {}, None if target is None else [target])[0], mask

    def backward(self, g, mask):
        return g if mask is None else reduction.find("broadcast_mul")(g, mask)


# --- leaky activations ---------------------------------------------------------------------------------
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@elementwise(
    grad=lambda g, data, y, act_type, slope: g * leaky_slope(data, y, act_type, slope),
    kinds="f",
    ref=lambda x, act_type, slope=0.25: leaky_reference(x, None, act_type, slope),
    cases=[case(uniform(3, 4, avoid=(0,)), act_type=a) for a in ("leaky", "elu", "selu", "gelu")],
)
def _leaky(data, *, act_type: Literal["leaky", "elu", "selu", "gelu"], slope: float = 0.25):
    """The activations of LeakyReLU that have no parameter."""
    if act_type == "gelu":
        return data * 0.5 * (ufunc.erf(data * float(np.sqrt(0.5))) + 1.0)
    above, below = ufunc.maximum(data, 0.0), ufunc.minimum(data, 0.0)
    if act_type == "leaky":
        return above + below * slope
    if act_type == "elu":
        return above + ufunc.expm1(below) * slope
    return (above + ufunc.expm1(below) * SELU_ALPHA) * SELU_SCALE


def leaky_slope(data, y, act_type, slope):
    above = data > 0
    if act_type == "leaky":
        return above * (1 - slope) + slope
    if act_type == "elu":
        return above + (data <= 0) * (y + slope)
    if act_type == "selu":
        return above * SELU_SCALE + (data <= 0) * (y + SELU_SCALE * SELU_ALPHA)
    density = exp(data * data * -0.5) * float(1 / np.sqrt(2 * np.pi))
    return (erf(data * float(np.sqrt(0.5))) + 1) * 0.5 + data * density


def leaky_reference(x, gamma, act_type="leaky", slope=0.25):
    below = np.minimum(x, 0)
    if act_type == "gelu":
        return 0.5 * x * (1 + special.erf(x / np.sqrt(2)))
    if act_type == "elu":
        return np.maximum(x, 0) + slope * np.expm1(below)
    if act_type == "selu":
        return SELU_SCALE * (np.maximum(x, 0) + SELU_ALPHA * np.expm1(below))
    if act_type == "prelu":
        slope = gamma if gamma.size == 1 else gamma.reshape((1, -1) + (1,) * (x.ndim - 2))
    return np.maximum(x, 0) + slope * below


@elementwise(
    grad=(
        lambda g, data, gamma: reduction.sum_like(g * ((data > 0) + (data <= 0) * gamma), data),
        lambda g, data, gamma: reduction.sum_like(g * (data <= 0) * data, gamma),
    ),
    ref=lambda x, gamma: np.maximum(x, 0) + gamma * np.minimum(x, 0),
    kinds="f",
    cases=[case(uniform(3, 4, avoid=(0,)), uniform(4))],
)
def _prelu(data, gamma):
    """x where it is positive, else gamma x."""
    return ufunc.maximum(data, 0.0) + ufunc.minimum(data, 0.0) * gamma


@layer(
    kinds="f",
    ref=lambda x, gamma=None, act_type="leaky", slope=0.25: leaky_reference(x, gamma, act_type, slope),
    cases=[
        case(uniform(3, 4, avoid=(0,))),
        case(uniform(3, 4, avoid=(0,)), act_type="leaky", slope=0.1),
        *(case(uniform(3, 4, avoid=(0,)), act_type=a) for a in ("elu", "selu", "gelu")),
        case(uniform(2, 3, 2, avoid=(0,)), uniform(3), act_type="prelu"),
        case(uniform(2, 3, avoid=(0,)), uniform(1), act_type="prelu"),
        case(uniform(0, 2)),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(2),
            act_type="prelu",
            match="LeakyReLU(gamma): expected shape (3,)",
        ),
    ],
)
class LeakyReLU:
    """max(x, 0) and, for negative x: slope x (`leaky`), slope (exp(x) - 1) (`elu`), its scaled form with
    mean 0 (`selu`), or gamma x with gamma (channels of axis 1,) or (1,) as an input (`prelu`).

    `gelu` is x Φ(x) with Φ the normal distribution.
    """

    act_type: Literal["leaky", "elu", "selu", "gelu", "prelu"] = "leaky"
    slope: float = 0.25
    lower_bound: float = 0.125
    upper_bound: float = 0.334

    def inputs(self):
        return ("data", "gamma") if self.act_type == "prelu" else ("data",)

    def infer(self, out, data, gamma=None):
        data = out if data is None else data
        if self.act_type != "prelu":
            return (data,), (data,)
        channels = None if data is None else (data[1] if len(data) > 1 else data[0],)
        return (data, gamma if gamma == (1,) else channels), (data,)

    def forward(self, data, gamma=None, *, out):
        outs = None if out is None else [out]
        if gamma is None:
            return _leaky.compute([data], {"act_type": self.act_type, "slope": self.slope}, outs)[0]
        if gamma.size > 1 and data.ndim > 2:
            gamma = gamma._reshape_view((gamma.size, *(1,) * (data.ndim - 2)))
        return _prelu.compute([data, gamma], {}, outs)[0]

    def backward(self, g, data, gamma, y):
        if self.act_type != "prelu":
            return g * leaky_slope(data, y, self.act_type, self.slope)
        wide = _channels_like(gamma, data)
        g_gamma = _channels_back(g * (data <= 0) * data, gamma)
        return g * ((data > 0) + (data <= 0) * wide), g_gamma


def channel_view(shape, ndim):
    return shape if shape == (1,) or ndim < 3 else (shape[0], *(1,) * (ndim - 2))


@op(
    grad=(lambda g, data: _channels_back(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like", "data"),
    free=("like",),
    dtype=lambda data: data,
    ref=lambda x, like: np.broadcast_to(x.reshape(channel_view(x.shape, like.ndim)), like.shape),
    cases=[case(uniform(3), uniform(2, 3, 2)), case(uniform(1), uniform(2, 3))],
)
def _channels_like(data, like, *, out):
    """One number per channel (axis 1) repeated to the shape of an array."""
    return kernels.copy(
        data._reshape_view(channel_view(data.shape, like.ndim))._broadcast_view(like.shape), out=out
    )


@op(
    grad=(lambda g, data: _channels_like(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like", "data"),
    free=("like",),
    dtype=lambda data: data,
    kinds="iufc",
    ref=lambda x, like: reduction.sum_like_reference(x, np.empty(channel_view(like.shape, x.ndim))).reshape(
        like.shape
    ),
    cases=[case(uniform(2, 3, 2), uniform(3)), case(uniform(2, 3), uniform(1))],
)
def _channels_back(data, like, *, out):
    """Sum over everything but the channel (axis 1), or over everything for a `like` of one element."""
    slot = kernels.full(channel_view(like.shape, data.ndim), 0, data.dtype, face=face_of(type(data)))
    total = reduction._sum_like.compute([data, slot], {})[0]._reshape_view(like.shape)
    return total if out is None else kernels.copy(total, out=out)
