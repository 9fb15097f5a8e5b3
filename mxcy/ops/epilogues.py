"""Products and layers whose results pointwise programs may follow part by part (graph/epilogue.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .._matmul import matmul
from .convolution import Convolution
from .linalg import batch_dot, dot, linalg_gemm2
from .nn import FullyConnected
from .rectified import _convolution_relu

__all__ = ["TAKERS", "Taker"]


class Taker(NamedTuple):
    """How an operator takes an epilogue.

    columns(attributes, input shapes): how many of the last axes of its result are columns, as its kernel
    makes them; 0 if it takes none.  run(operator, inputs, attributes, out, epilogue): both of them.
    """

    columns: Callable[[Mapping, Sequence[tuple]], int]
    run: Callable[[Any, Sequence, Any, Any, Any], Any]


def _multiply(op, inputs, attrs, out, epilogue):
    data, weight, *bias = inputs
    op.layer(attrs).multiply(data, weight, bias[0] if bias else None, out, epilogue)


def _convolve(op, inputs, attrs, out, epilogue):
    data, weight, *bias = inputs
    op.layer(attrs).convolve(data, weight, bias[0] if bias else None, out, epilogue)


def _product(op, inputs, attrs, out, epilogue):
    matmul(*inputs, attrs["transpose_a"], attrs["transpose_b"], out, epilogue=epilogue)


def _spatial(attrs, shapes):
    layout = attrs["layout"]
    return len(attrs["kernel"]) if layout is None or layout[1] == "C" else 0


def _of_plain_gemm(attrs, shapes):
    return int(attrs["alpha"] == 1 and attrs["axis"] % len(shapes[0]) == len(shapes[0]) - 2)


layers: Any = (FullyConnected, Convolution, _convolution_relu)
dense, convolution, rectified = layers

TAKERS: dict[Any, Taker] = {
    dense: Taker(lambda attrs, shapes: 1, _multiply),
    convolution: Taker(_spatial, _convolve),
    rectified: Taker(_spatial, _convolve),
    dot: Taker(lambda attrs, shapes: int(all(len(shape) == 2 for shape in shapes)), _product),
    batch_dot: Taker(lambda attrs, shapes: 1, _product),
    linalg_gemm2: Taker(_of_plain_gemm, _product),
}
