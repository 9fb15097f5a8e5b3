"""`mx.nd.sparse`: arrays that keep only some of their elements, and the operators that keep them so.

The operators are those of `mx.nd`. Which storage a result has follows from that of the operands: one that
makes zero of zero keeps it, sums of two arrays of one kind have that kind, and others are dense.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import ArgumentTypeError, message
from ..ops.sparse import adagrad_update, retain
from ._sparse import BaseSparseNDArray, CSRNDArray, RowSparseNDArray
from ._sparse_creation import array, csr_matrix, empty, row_sparse_array, zeros
from .ndarray import NDArray
from .op import (
    ElementWiseSum,
    Embedding,
    FullyConnected,
    LinearRegressionOutput,
    LogisticRegressionOutput,
    MAERegressionOutput,
    abs,
    adam_update,
    add_n,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    broadcast_add,
    broadcast_div,
    broadcast_minus,
    broadcast_mul,
    broadcast_plus,
    broadcast_sub,
    cast_storage,
    cbrt,
    ceil,
    clip,
    concat,
    cos,
    cosh,
    degrees,
    dot,
    elemwise_add,
    elemwise_div,
    elemwise_mul,
    elemwise_sub,
    exp,
    expm1,
    fix,
    floor,
    ftrl_update,
    gamma,
    gammaln,
    log,
    log1p,
    log2,
    log10,
    make_loss,
    mean,
    negative,
    norm,
    radians,
    relu,
    rint,
    round,
    rsqrt,
    sgd_mom_update,
    sgd_update,
    sigmoid,
    sign,
    sin,
    sinh,
    slice,
    sqrt,
    square,
    stop_gradient,
    sum,
    tan,
    tanh,
    trunc,
    where,
    zeros_like,
)

__all__ = [
    "BaseSparseNDArray", "CSRNDArray", "ElementWiseSum", "Embedding", "FullyConnected",
    "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", "RowSparseNDArray", "abs",
    "adagrad_update", "adam_update", "add", "add_n", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctanh", "array", "broadcast_add", "broadcast_div", "broadcast_minus", "broadcast_mul",
    "broadcast_plus", "broadcast_sub", "cast_storage", "cbrt", "ceil", "clip", "concat", "cos", "cosh",
    "csr_matrix", "degrees", "divide", "dot", "elemwise_add", "elemwise_div", "elemwise_mul", "elemwise_sub",
    "empty", "exp", "expm1", "fix", "floor", "ftrl_update", "gamma", "gammaln", "log", "log10", "log1p",
    "log2", "make_loss", "mean", "multiply", "negative", "norm", "radians", "relu", "retain", "rint",
    "round", "row_sparse_array", "rsqrt", "sgd_mom_update", "sgd_update", "sigmoid", "sign", "sin", "sinh",
    "slice", "sqrt", "square", "stop_gradient", "subtract", "sum", "tan", "tanh", "trunc", "where", "zeros",
    "zeros_like",
]  # fmt: skip


def _of_two(name: str, text: str) -> Callable:
    """A function of two arrays or numbers that takes arrays of one shape element by element."""
    function = getattr(ops, name)

    def call(lhs: Any, rhs: Any) -> Any:
        if isinstance(lhs, NDArray) and isinstance(rhs, NDArray) and lhs.shape == rhs.shape:
            return function.elemwise(lhs, rhs)
        if not isinstance(lhs, NDArray) and not isinstance(rhs, NDArray):
            got = f"{type(lhs).__name__} and {type(rhs).__name__}"
            raise ArgumentTypeError(message(name, None, "at least one NDArray", got))
        return function(lhs, rhs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return {text}, element by element; shapes that differ broadcast.\n\n" + (
        "Two sparse arrays of one storage type and shape give one of that type."
    )
    return call


add = _of_two("add", "lhs + rhs")
subtract = _of_two("subtract", "lhs - rhs")
multiply = _of_two("multiply", "lhs * rhs")
divide = _of_two("divide", "lhs / rhs")
