"""Layers that a rectifier is part of: what graphs make of the two (graph/rectify.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer
from .convolution import Convolution, reference
from .pooling import MAX_ROWS, _pooling_max_grad, _pooling_max_pick, max_grad_reference

__all__ = ["_convolution_relu", "_pooling_max_relu_grad"]

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
