"""Layers that a rectifier is part of: what graphs make of the two (graph/rectify.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer
from .convolution import Convolution, moves, reference
from .pooling import (
    MAX_ROWS,
    _pooling_max_grad,
    _pooling_max_pick,
    max_grad_reference,
    pooled,
    pooling_reference,
    windows_of,
)

__all__ = ["_convolution_relu", "_convolution_relu_maxima", "_pooling_max_relu_grad"]

operator: Any = Convolution
Plain: Any = operator.layer_class


@layer(
    name="_convolution_relu",
    ref=lambda *arrays, **attributes: np.maximum(reference(*arrays, **attributes), 0),
    kinds="f",
    cases=[
        case(uniform(2, 3, 5, 6), uniform(4, 3, 3, 2), uniform(4), kernel=(3, 2), num_filter=4),
        case(uniform(2, 3, 6, 6), uniform(4, 3, 3, 3), kernel=(3, 3), num_filter=4, pad=(1, 1), no_bias=True),
        case(uniform(2, 3, 6, 5), uniform(3, 1, 3, 3), uniform(3), kernel=(3, 3), num_filter=3, num_group=3),
        case(
            uniform(2, 5, 4, 3), uniform(4, 3, 2, 3), uniform(4), kernel=(3, 2), num_filter=4, layout="NHWC"
        ),
        case(uniform(0, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4),
        raises(
            ShapeError, uniform(2, 3, 2, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            match="Convolution(kernel): expected a kernel that fits into the padded data, 2 along this axis",
        ),
    ],
)  # fmt: skip
class _convolution_relu(Plain):
    """max(y, 0) for the result y of `Convolution`, in one pass."""

    rectifies = True

    def forward(self, data, weight, bias=None, *, out):
        return self.convolve(data, weight, bias, out)

    def backward(self, g, y, data, weight, wanted):
        return super().backward(g * (y > 0), data, weight, wanted)


largest: Any = _pooling_max_grad
Largest: Any = largest.layer_class


@layer(
    kinds="f",
    ref=lambda g, x, **attributes: max_grad_reference(g, x, **attributes) * (x > 0),
    cases=[case(uniform(*g), uniform(*x, distinct=True), **attrs) for g, x, attrs in MAX_ROWS],
)
class _pooling_max_relu_grad(Largest):
    """The gradient of a rectifier and of Pooling with `max` after it, from that of the pooled result and the
    rectified input `x`, in one pass."""

    def forward(self, data, x, *, out):
        return kernels.pooling_max_grad(data, x, self.windows(x.shape), out=out, positive=True)

    def backward(self, g, x):
        return _pooling_max_pick(g * (x > 0), x, **self.__dict__), None


whole: Any = _convolution_relu
HALVES = {"kernel": (2, 2), "stride": (2, 2), "pad": ()}


def halved(y):
    """The windows of two by two elements in a result of this shape."""
    return windows_of(y, **HALVES)


@layer(
    name="_convolution_relu_maxima",
    ref=lambda *arrays, **attributes: pooling_reference(
        np.maximum(reference(*arrays, **attributes), 0), **HALVES
    ),
    kinds="f",
    cases=[
        case(uniform(2, 3, 5, 7), uniform(4, 3, 2, 2), uniform(4), kernel=(2, 2), num_filter=4),
        case(uniform(2, 3, 8, 6), uniform(4, 3, 3, 3), kernel=(3, 3), num_filter=4, pad=(1, 1), no_bias=True),
        case(uniform(2, 4, 9, 8), uniform(6, 2, 1, 2), uniform(6), kernel=(1, 2), num_filter=6, num_group=2),
        case(uniform(0, 3, 6, 6), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4),
        raises(
            ArgumentError, uniform(1, 3, 5), uniform(4, 3, 3), uniform(4), kernel=(3,), num_filter=4,
            match="_convolution_relu_maxima(kernel): expected 2 extents, for data with channels first",
        ),
        raises(
            ShapeError, uniform(2, 3, 3, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            match="Pooling(kernel): expected at most the padded input (1, 3), got (2, 2)",
        ),
    ],
)  # fmt: skip
class _convolution_relu_maxima(Plain):
    """The largest of every 2x2 elements of max(y, 0) for the result y of `Convolution` with channels first.

    As `Pooling` gives them with `kernel=(2, 2)` and `stride=(2, 2)`, in one pass (graph/halve.py).
    """

    def check(self):
        super().check()
        if len(self.kernel) != 2 or self.window.channels_last:
            expected = "2 extents, for data with channels first"
            raise ArgumentError(message("_convolution_relu_maxima", "kernel", expected, self.kernel))

    def infer(self, out, data, weight, bias=None):
        filled, (shape,) = super().infer(None, data, weight, bias)
        return filled, (None if shape is None else pooled(shape, halved(shape)),)

    def forward(self, data, weight, bias=None, *, out):
        windows = halved(super().infer(None, data.shape, weight.shape)[1][0])
        moving = moves(self.window, self.num_group)[:4]
        return kernels.convolution_maxima(data, weight, bias, *moving, windows, out=out, packed=self.packed)

    def backward(self, g, data, weight, bias, wanted):
        arrays = (data, weight) if self.no_bias else (data, weight, bias)
        y = whole(*arrays, **{key: self.__dict__[key] for key in Plain.__annotations__})
        return super().backward(_pooling_max_relu_grad(g, y, **HALVES), data, weight, wanted)
