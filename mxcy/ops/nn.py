"""Layers: FullyConnected and Dropout."""

import math
from typing import Literal

from .._array import face_of
from .._launch import empty_like
from ..errors import ArgumentError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from . import linalg, reduction
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer
from ._elementwise import normalize_axis
from ._layer import known
from ._operator import find
from .shape import flattened, product, restored


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
    bias: (num_hidden,) or (num_hidden, 1), unless `no_bias`.  Result: (n, num_hidden) or (..., num_hidden).
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
        if data is None:  # MXNet says nothing without it, not even of the bias
            return (data, weight) + (() if self.no_bias else (bias,)), (out,)
        width = weight[1] if weight is not None and len(weight) == 2 else None
        rest = data[1:] if self.flatten else data[-1:]
        width = product(rest) if known(rest) else width
        shape = (*(data[:1] if self.flatten else data[:-1]), self.num_hidden)
        if out is not None and len(out) == len(shape):
            rows = tuple(b if a is None else a for a, b in zip(shape, out, strict=True))[:-1]
            data = (*rows, *data[len(rows) :])
            shape = (*rows, self.num_hidden)
        column = (self.num_hidden, 1)
        offsets = column if bias == column else column[:1]
        parameters = ((self.num_hidden, width),) + (() if self.no_bias else (offsets,))
        return (data, *parameters), (shape,)

    def forward(self, data, weight, bias=None, *, out):
        return self.multiply(data, weight, bias, out)

    def multiply(self, data, weight, bias, out, epilogue=None):
        """The result in `out`, or in a new array; then the epilogue, which reads `out`."""
        if bias is not None and bias.ndim == 2:
            bias = linalg.fold(bias, (self.num_hidden,))
        if out is None and data.ndim == 2:
            return linalg.matmul(data, weight, False, True, None, bias)
        rows = data.shape[:1] if self.flatten else data.shape[:-1]
        x = linalg.fold(data, (product(rows), product(data.shape[len(rows) :])))
        return linalg.product_into((*rows, self.num_hidden), x, weight, False, True, out, bias, epilogue)

    def backward(self, g, data, weight):
        if self.flatten:
            g_data = restored(linalg.dot(g, weight), data)
            g_weight = linalg.dot(g, flattened(data), transpose_a=True)
        else:
            g_data = linalg._dot_grad_lhs(g, weight, data, transpose_b=True)
            g_weight = linalg._dot_grad_rhs(g, data, weight, transpose_b=True)
        return g_data, g_weight, None if self.no_bias else reduction.sum(g, axis=-1, exclude=True)


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
        if self.p == 1:  # 0 / 0, as in MXNet
            mask = empty_like(data, self.infer(None, data.shape)[1][1]) if mask is None else mask
            kernels.fill(mask, math.nan)
            return kernels.copy(mask._broadcast_view(data.shape), out=target), mask
        keep = 1.0 - self.p
        shape = self.infer(None, data.shape)[1][1]
        mask = kernels.random_bernoulli(
            keep, shape, scale=1 / keep if keep else 0.0, dtype=data.dtype, face=face_of(type(data)), out=mask
        )
        times = find("broadcast_mul")
        return times.compute([data, mask], {}, None if target is None else [target])[0], mask

    def replay(self, data, mask):
        return find("broadcast_mul")(data, mask)

    def backward(self, g, mask):
        return g if mask is None else find("broadcast_mul")(g, mask)
