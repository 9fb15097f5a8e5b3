"""Softmax and its logarithm."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import DTypeError
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import DType
from ._cases import case, given, raises, special, uniform
from ._declare import op
from ._elementwise import normalize_axis
from ._operator import find
from .exponential import exp
from .shape import Flatten, _cast_like, reshape_like


def softmax_shape(data, axis):
    normalize_axis("softmax", axis, max(len(data), 1))  # a number is a line of one
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
    minus = find("broadcast_sub")
    back = g * minus(data, inner) - find("broadcast_mul")(data, outer)
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
    back = find("broadcast_sub")(g, total)
    return back if temperature is None else back / temperature


def log_grad_of_output(g, data, output, axis, temperature):
    total = reduction.sum(data, axis=axis, keepdims=True)
    back = -find("broadcast_mul")(g * exp(output), total)
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
