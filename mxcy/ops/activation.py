"""Activation functions of neural networks."""

from typing import Literal

import numpy as np

from ..errors import ArgumentError
from ._cases import case, raises, special, uniform
from ._declare import ZERO, elementwise
from ._storage import KEEPS
from ._trace import own, ufunc

ANY = [uniform(3, 4, avoid=(0,)), uniform(low=1), uniform(0, 2)]


@elementwise(grad=ZERO, ref=np.sign, cases=[uniform(3, 4, low=0), uniform(0, 2)], kinds="iuf")
def _relu_slope(data):
    """The slope of relu where its result is data: 1 above 0, 0 at 0, NaN of NaN."""
    return ufunc.sign(data)


@elementwise(grad=lambda g, y: g * _relu_slope(y), ref=lambda x: np.maximum(x, 0), storage=KEEPS, cases=ANY)
def relu(data):
    """max(x, 0) of every element."""
    return own.relu(data)


@elementwise(grad=lambda g, y: g * y * (1 - y), ref=lambda x: special.expit(x), cases=ANY, kinds="iuf")
def sigmoid(data):
    """1 / (1 + exp(-x)) of every element, without overflow."""
    return ufunc.expit(data) if data.is_integer else own.sigmoid(data)


@elementwise(grad=lambda g, data: g * sigmoid(data), ref=lambda x: np.logaddexp(x, 0), cases=ANY, kinds="f")
def _softrelu(data):
    """log(1 + exp(x)) of every element, without overflow."""
    return ufunc.logaddexp(data, 0.0)


@elementwise(grad=lambda g, data: softsign_slope(g, data), ref=lambda x: x / (1 + np.abs(x)), cases=ANY)
def softsign(data):
    """x / (1 + |x|) of every element."""
    return data / (ufunc.absolute(data) + 1)


def softsign_slope(g, data):
    below = data * (data > 0) * 2 - data + 1  # 1 + |x|, of operators whose gradients are known
    return g / (below * below)


@elementwise(
    grad=lambda g, data, y, alpha: g * alpha * (y > 0) * (y < 1),
    ref=lambda x, alpha=0.2, beta=0.5: np.clip(x * alpha + beta, 0, 1),
    kinds="f",
    cases=[case(uniform(3, 4, low=-4, high=4, avoid=(-2.5, 2.5))), case(uniform(0, 2), alpha=0.1, beta=0.3)],
)
def hard_sigmoid(data, *, alpha: float = 0.2, beta: float = 0.5):
    """max(0, min(1, alpha x + beta)) of every element."""
    return ufunc.minimum(ufunc.maximum(data * alpha + beta, 0.0), 1.0)


@elementwise(
    grad=lambda g, data, scalar: g * smooth_l1_slope(data, scalar),
    ref=lambda x, scalar=1.0: np.where(
        np.abs(x) < 1 / scalar**2, 0.5 * (scalar * x) ** 2, np.abs(x) - 0.5 / scalar**2
    ),
    cases=[case(uniform(3, 4, avoid=(-1, 1))), case(uniform(3, avoid=(-0.25, 0.25)), scalar=2.0)],
    numbers=float,
)
def smooth_l1(data, *, scalar: float = 1.0):
    """x² s²/2 where |x| < 1/s², else |x| - 1/(2 s²): a loss that is smooth at 0."""
    size = ufunc.absolute(data)
    square = scalar * scalar * 1.0
    inner = ufunc.minimum(size, 1.0 / square)
    return inner * inner * square * 0.5 + (size - inner)


def smooth_l1_slope(data, scalar):
    limit = 1.0 / scalar**2
    inside = (data < limit) * (data > -limit)
    return data * inside * scalar**2 + (data >= limit) - (data <= -limit)


ACTIVATIONS = {"relu": relu, "sigmoid": sigmoid, "softrelu": _softrelu, "softsign": softsign}


def activation_gradient(g, data, y, act_type):
    """By the output where that is enough, so that the input need not be kept for it."""
    if act_type == "relu":
        return g * (y > 0)
    if act_type == "sigmoid":
        return g * y * (1 - y)
    if act_type == "tanh":
        return g * (1 - y * y)
    return g * sigmoid(data) if act_type == "softrelu" else softsign_slope(g, data)


def activation_reference(x, act_type):
    return {
        "relu": lambda: np.maximum(x, 0),
        "sigmoid": lambda: special.expit(x),
        "softrelu": lambda: np.logaddexp(x, 0),
        "softsign": lambda: x / (1 + np.abs(x)),
        "tanh": lambda: np.tanh(x),
    }[act_type]()


@elementwise(
    grad=activation_gradient,
    ref=activation_reference,
    kinds="f",
    cases=[
        *(
            case(uniform(3, 4, avoid=(0,)), act_type=a)
            for a in ("relu", "sigmoid", "softrelu", "softsign", "tanh")
        ),
        case(uniform(0, 2), act_type="relu"),
        raises(
            ArgumentError, uniform(2), act_type="foo", match="Activation(act_type): expected one of 'relu'"
        ),
    ],
)
def Activation(data, *, act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"]):
    """An activation function chosen by name.

    relu: max(x, 0); sigmoid: 1 / (1 + exp(-x)); tanh; softrelu: log(1 + exp(x)); softsign: x / (1 + |x|).
    """
    if act_type == "tanh":
        return ufunc.tanh(data)
    return ACTIVATIONS[act_type].function(data)
