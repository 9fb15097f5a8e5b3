"""Convolutions as graphs arrange them for speed: several of the same data (graph/together.py), weights
that were packed before (graph/pack_filters.py)."""

from typing import Any

import numpy as np

from .._array import from_numpy
from ..errors import ShapeError
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from ._window import check_data, convolved, window_of
from .convolution import _convolution_data_grad, _convolution_weight_grad, bias_gradient, named, reference

__all__ = ["_convolutions", "_packed_filters"]

NAME = "_convolutions"
MOST = 8  # weights of one node


def parted(operands, no_bias):
    """The data, the weights and the biases."""
    count = (len(operands) - 1) // (1 if no_bias else 2)
    return operands[0], operands[1 : 1 + count], operands[1 + count :]


def together_shapes(operands, kernel, stride, dilate, pad, no_bias):
    window = window_of(NAME, kernel, stride, dilate, pad, None)
    data, weights, _ = parted(operands, no_bias)
    check_data(NAME, window, 1, data)
    n, channels, spatial = window.split(data)
    for weight in weights:
        if tuple(weight[1:]) != (channels, *kernel):
            expected = f"shape (m, {channels}, {', '.join(map(str, kernel))})"
            raise ShapeError(f"{NAME}(weight): expected {expected}, got {tuple(weight)}")
    return [window.order(n, weight[0], convolved(NAME, window, spatial)) for weight in weights]


def together_gradients(g_outputs, outputs, operands, kernel, stride, dilate, pad, rectified, no_bias):
    data, weights, biases = parted(operands, no_bias)
    window = window_of(NAME, kernel, stride, dilate, pad, None)
    attributes = named(*window[:4], 1, None)
    marks = rectified or (0,) * len(weights)
    heads = [g * (y > 0) if mark else g for g, y, mark in zip(g_outputs, outputs, marks, strict=True)]
    whole: Any = None
    for g, weight in zip(heads, weights, strict=True):
        part = _convolution_data_grad(g, weight, data, **attributes)
        whole = part if whole is None else whole + part
    return (
        whole,
        *[_convolution_weight_grad(g, data, w, **attributes) for g, w in zip(heads, weights, strict=True)],
        *[bias_gradient(g, window) for g, _ in zip(heads, biases, strict=False)],
    )


def together_reference(*operands, rectified=(), no_bias=False, num_args=0, **attributes):
    data, weights, biases = parted(operands, no_bias)
    found = []
    for i, weight in enumerate(weights):
        y = reference(data, weight, biases[i] if biases else None, **attributes)
        found.append(np.maximum(y, 0) if rectified and rectified[i] else y)
    return found


@op(
    grad=together_gradients,
    shape=together_shapes,
    outputs=lambda num_args, no_bias: tuple(
        [f"output{i}" for i in range((num_args - 1) // (1 if no_bias else 2))]
    ),
    ref=together_reference,
    kinds="f",
    cases=[
        case(uniform(2, 3, 4, 5), uniform(4, 3, 1, 1), uniform(2, 3, 1, 1), uniform(4), uniform(2),
             kernel=(1, 1), rectified=(1, 0)),
        case(uniform(2, 3, 6, 5), uniform(15, 3, 3, 2), uniform(17, 3, 3, 2), uniform(1, 3, 3, 2),
             kernel=(3, 2), stride=(2, 1), pad=(1, 0), no_bias=True),
        raises(ShapeError, uniform(2, 3, 4, 5), uniform(4, 2, 1, 1), kernel=(1, 1), no_bias=True,
               match="_convolutions(weight): expected shape (m, 3, 1, 1), got (4, 2, 1, 1)"),
    ],
)  # fmt: skip
def _convolutions(
    *operands,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    rectified: Shape = (),
    no_bias: bool = False,
    packed: bool = False,
    out,
):
    """`Convolution` of data with each of several weights of one kernel: operands are data, the weights, and a
    bias for each unless `no_bias`.  Where `rectified` is not 0, negative results are zero.  `packed`: weights
    are results of `_packed_filters`; there is no gradient then."""
    data, weights, biases = parted(operands, no_bias)
    moving = window_of(NAME, kernel, stride, dilate, pad, None)[1:4]
    marks = rectified or (0,) * len(weights)
    return kernels.convolutions(data, weights, biases, *moving, marks, out, packed)


def packed_reference(weight, num_group=1):
    places = np.arange(weight.size, dtype=np.float64 if weight.dtype == np.float64 else np.float32)
    order = kernels.pack_filters(from_numpy(places.reshape(weight.shape)), num_group).view_numpy()
    return weight.ravel()[order.astype(np.int64)]


@op(
    grad=ZERO,  # never in a graph that is differentiated: predictions alone pack weights before
    ref=packed_reference,
    kinds="f",
    cases=[
        case(uniform(20, 7, 1, 1)),
        case(uniform(6, 5, 3, 2), num_group=2),
        case(uniform(0, 5, 3)),
    ],
)
def _packed_filters(weight, *, num_group: int = 1, out):
    """The elements of a convolution's weight in the order in which products read them."""
    return kernels.pack_filters(weight, num_group, out)
