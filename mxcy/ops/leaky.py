"""Activations that let some of the negative part through, with a parameter or without."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._array import face_of
from .._launch import empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._cases import case, raises, special, uniform
from ._declare import elementwise, layer, op
from ._trace import own, ufunc
from .exponential import exp
from .linalg import fold

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@elementwise(
    grad=lambda g, data, y, act_type, slope: leaky_gradient(g, data, y, act_type, slope),
    kinds="f",
    ref=lambda x, act_type, slope=0.25: leaky_reference(x, None, act_type, slope),
    cases=[case(uniform(3, 4, avoid=(0,)), act_type=a) for a in ("leaky", "elu", "selu", "gelu")],
)
def _leaky(data, *, act_type: Literal["leaky", "elu", "selu", "gelu"], slope: float = 0.25):
    """The activations of LeakyReLU that have no parameter."""
    if act_type == "gelu":
        return own.gelu(data)
    if act_type == "leaky":
        return ufunc.maximum(data, 0.0) + ufunc.minimum(data, 0.0) * slope
    if act_type == "elu":
        return own.elu(data, slope)
    return own.elu(data, SELU_ALPHA) * SELU_SCALE


def leaky_gradient(g, data, y, act_type, slope):
    if act_type == "gelu":
        return _gelu_grad(g, data)
    if act_type == "leaky":
        return g * ((data > 0) * (1 - slope) + slope)
    if act_type == "elu":
        return _elu_grad(g, data, y, slope=slope)
    return _elu_grad(g, data, y * (1 / SELU_SCALE), slope=SELU_ALPHA) * SELU_SCALE


def density(x):
    """The normal distribution's, where operators compute it."""
    return exp(x * x * -0.5) * float(1 / np.sqrt(2 * np.pi))


@elementwise(
    grad=(
        lambda g, data: _gelu_grad(g, data),
        lambda g, head, data: g * head * density(data) * (2 - data * data),
    ),
    kinds="f",
    ref=lambda head, x: (
        head * ((special.erf(x / 2**0.5) + 1) / 2 + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))
    ),
    cases=[case(uniform(3, 4), uniform(3, 4, low=-4, high=4)), case(uniform(0, 2), uniform(0, 2))],
)
def _gelu_grad(head, data):
    """head times the derivative of x Φ(x), Φ the normal distribution: Φ(x) + x Φ'(x)."""
    return own.gelu_grad(data, head)


@elementwise(
    grad=(
        lambda g, data, y, slope: _elu_grad(g, data, y, slope=slope),
        None,
        lambda g, head, data: g * head * (data <= 0),
    ),
    kinds="f",
    ref=lambda head, x, y, slope: head * np.where(x > 0, 1, y + slope),
    cases=[case(uniform(3, 4), uniform(3, 4, avoid=(0,)), uniform(3, 4), slope=0.25)],
)
def _elu_grad(head, data, y, *, slope: float):
    """head times the derivative of `elu` at data, where it is y: 1 for positive ones, else y + slope."""
    return own.elu_grad(data, y, slope, head)


def leaky_reference(x, gamma, act_type="leaky", slope=0.25):
    below = np.minimum(x, 0)
    if act_type == "gelu":
        return 0.5 * x * (1 + special.erf(x / np.sqrt(2)))
    if act_type == "elu":
        return np.maximum(x, 0) + slope * np.expm1(below)
    if act_type == "selu":
        return SELU_SCALE * (np.maximum(x, 0) + SELU_ALPHA * np.expm1(below))
    if act_type == "prelu":
        slope = gamma.reshape(channel_view(gamma.shape, x.shape))
    return np.maximum(x, 0) + slope * below


def untrained_reference(x, slope):
    """`rrelu` outside training."""
    return [leaky_reference(x, None, "leaky", slope), np.full(x.shape, slope)]


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
    ref=lambda x, gamma=None, act_type="leaky", slope=0.25, **bounds: (
        leaky_reference(x, gamma, act_type, slope)
        if act_type != "rrelu"
        else untrained_reference(x, (bounds["lower_bound"] + bounds["upper_bound"]) / 2)
    ),
    cases=[
        case(uniform(3, 4, avoid=(0,))),
        case(uniform(3, 4, avoid=(0,)), act_type="leaky", slope=0.1),
        *(case(uniform(3, 4, avoid=(0,)), act_type=a) for a in ("elu", "selu", "gelu")),
        case(uniform(2, 3, 2, avoid=(0,)), uniform(3), act_type="prelu"),
        case(uniform(2, 3, avoid=(0,)), uniform(1), act_type="prelu"),
        case(uniform(2, 3, 2, avoid=(0,)), uniform(2, 3), act_type="prelu"),
        case(uniform(0, 2)),
        case(uniform(3, 4, avoid=(0,)), act_type="rrelu", lower_bound=0.25, upper_bound=0.5),
        raises(
            ArgumentError,
            uniform(2, 3),
            act_type="rrelu",
            lower_bound=0.5,
            match="LeakyReLU(upper_bound): expected at least lower_bound, 0.5, got 0.334",
        ),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(4),
            act_type="prelu",
            match="LeakyReLU(gamma): expected shape (3,)",
        ),
    ],
)
class LeakyReLU:
    """max(x, 0) and, for negative x: slope x (`leaky`), slope (exp(x) - 1) (`elu`), its scaled form with
    mean 0 (`selu`), or gamma x with gamma (channels of axis 1,), (1,) or numbers for the first
    axes as an input (`prelu`).

    `gelu` is x Φ(x) with Φ the normal distribution.  `rrelu` has for every element a slope of its own, in
    training drawn evenly between the bounds, otherwise their mean, and returns the slopes too.
    """

    act_type: Literal["leaky", "elu", "selu", "gelu", "prelu", "rrelu"] = "leaky"
    slope: float = 0.25
    lower_bound: float = 0.125
    upper_bound: float = 0.334

    def check(self):
        if self.act_type == "rrelu" and not self.lower_bound <= self.upper_bound:
            expected = f"at least lower_bound, {self.lower_bound}"
            raise ArgumentError(message("LeakyReLU", "upper_bound", expected, self.upper_bound))

    def inputs(self):
        return ("data", "gamma") if self.act_type == "prelu" else ("data",)

    def outputs(self):
        return ("output", "mask") if self.act_type == "rrelu" else ("output",)

    def infer(self, out, data, gamma=None):
        data = out if data is None else data
        if self.act_type != "prelu":
            return (data,), (data,) * len(self.outputs())
        channels = None if data is None else (data[1] if len(data) > 1 else data[0],)
        if None not in (data, gamma) and (None in (*data, *gamma) or channel_view(gamma, data)):
            return (data, gamma), (data,)
        return (data, gamma if gamma == (1,) else channels), (data,)

    def forward(self, data, gamma=None, *, out, is_train):
        outs = out[:1] if out[0] is not None else None
        if self.act_type == "rrelu":
            slopes = self.slopes(data, out[1], is_train)
            return [_prelu.compute([data, slopes], {}, outs)[0], slopes]
        if gamma is None:
            return _leaky.compute([data], {"act_type": self.act_type, "slope": self.slope}, outs)
        wide = fold(gamma, channel_view(gamma.shape, data.shape))
        return _prelu.compute([data, wide], {}, outs)

    def slopes(self, data, out, is_train):
        """The slopes of `rrelu`."""
        low, high = self.lower_bound, self.upper_bound
        if is_train:
            return kernels.random_uniform(low, high, data.shape, data.dtype, face_of(type(data)), out=out)
        return kernels.fill(empty_like(data, data.shape) if out is None else out, (low + high) / 2)

    def backward(self, g, data, gamma, y, outputs):
        if self.act_type == "rrelu":
            return g * ((data > 0) + (data <= 0) * outputs[1])
        if self.act_type != "prelu":
            return leaky_gradient(g, data, y, self.act_type, self.slope)
        wide = _channels_like(gamma, data)
        g_gamma = _channels_back(g * (data <= 0) * data, gamma)
        return g * ((data > 0) + (data <= 0) * wide), g_gamma


def channel_view(shape, like):
    """A shape of numbers for channels (axis 1), or for the first two axes, as it broadcasts with `like`."""
    found, rest = [1] * len(like), list(shape)
    for axis in range(min(1, len(like) - 1), -1, -1):
        if rest and rest[-1] in (like[axis], 1):
            found[axis] = rest.pop()
    return tuple(found) if not rest else None


@op(
    grad=(lambda g, data: _channels_back(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like", "data"),
    free=("like",),
    dtype=lambda data: data,
    ref=lambda x, like: np.broadcast_to(x.reshape(channel_view(x.shape, like.shape)), like.shape),
    cases=[
        case(uniform(3), uniform(2, 3, 2)),
        case(uniform(1), uniform(2, 3)),
        case(uniform(2, 3), uniform(2, 3, 2)),
    ],
)
def _channels_like(data, like, *, out):
    """One number per channel (axis 1), or for each element of the first axes, in the shape of an array."""
    wide = fold(data, channel_view(data.shape, like.shape))
    return kernels.copy(wide._broadcast_view(like.shape), out=out)


@op(
    grad=(lambda g, data: _channels_like(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like", "data"),
    free=("like",),
    dtype=lambda data: data,
    kinds="iufc",
    ref=lambda x, like: reduction.sum_like_reference(x, np.empty(channel_view(like.shape, x.shape))).reshape(
        like.shape
    ),
    cases=[
        case(uniform(2, 3, 2), uniform(3)),
        case(uniform(2, 3), uniform(1)),
        case(uniform(2, 3, 2), uniform(2, 3)),
    ],
)
def _channels_back(data, like, *, out):
    """Sum over everything but the channel (axis 1), or over everything for a `like` of one element."""
    slot = empty_like(data, channel_view(like.shape, data.shape))
    total = reduction._sum_like.compute([data, slot], {})[0]._reshape_view(like.shape)
    return total if out is None else kernels.copy(total, out=out)
