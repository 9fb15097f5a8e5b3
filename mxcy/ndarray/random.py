"""`mx.nd.random`: arrays of random numbers.

A seed (`mx.random.seed`) gives one sequence of arrays, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from ..errors import ArgumentTypeError, message
from ..kernels import cpu as kernels
from ._placement import as_shape, new
from .ndarray import FACE, NDArray

__all__ = [
    "exponential",
    "exponential_like",
    "normal",
    "normal_like",
    "randint",
    "randn",
    "shuffle",
    "uniform",
    "uniform_like",
]


PLAIN = frozenset((int, float))


def uniform(low: Any = 0, high: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None,
            out: Any = None) -> NDArray:  # fmt: skip
    """Return numbers drawn evenly from [low, high): float32 of shape (1,) if nothing else is said.

    `low` and `high` may be arrays of one shape; the result then has this shape followed by `shape`.
    """
    if _tensors("uniform", low=low, high=high):
        return _scaled(_draw_for(low, kernels.random_uniform, (0, 1), shape, dtype, out), low, high - low)
    return _draw(kernels.random_uniform, (low, high), shape, dtype, ctx, out)


def normal(loc: Any = 0, scale: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None,
           out: Any = None) -> NDArray:  # fmt: skip
    """Return numbers from the normal distribution with mean `loc` and standard deviation `scale`.

    `loc` and `scale` may be arrays of one shape; the result then has this shape followed by `shape`.
    """
    if _tensors("normal", loc=loc, scale=scale):
        return _scaled(_draw_for(loc, kernels.random_normal, (0, 1), shape, dtype, out), loc, scale)
    return _draw(kernels.random_normal, (loc, scale), shape, dtype, ctx, out)


def randn(
    *shape: int, loc: Any = 0, scale: Any = 1, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return numbers from the normal distribution, with the extents of the shape as arguments."""
    return normal(loc, scale, shape or None, dtype, ctx, out)


def exponential(
    scale: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return numbers from the exponential distribution with mean `scale`, a number or an array."""
    if _tensors("exponential", scale=scale):
        return _scaled(_draw_for(scale, kernels.random_exponential, (1,), shape, dtype, out), 0, scale)
    return _draw(kernels.random_exponential, (scale,), shape, dtype, ctx, out)


def randint(
    low: int, high: int, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return integers drawn evenly from [low, high), int32 if no dtype is given."""
    for name, bound in {"low": low, "high": high}.items():
        if not hasattr(bound, "__index__") or isinstance(bound, Array):
            raise ArgumentTypeError(message("randint", name, "an integer", repr(bound)))
    if dtype is None and out is None:
        dtype = np.int32
    return _draw(kernels.random_randint, (low, high), shape, dtype, ctx, out)


def shuffle(data: NDArray, out: Any = None) -> NDArray:
    """Return a copy with the entries along the first axis in random order."""
    return kernels.shuffle(data, ctx=data.context, out=out)


def uniform_like(data: NDArray, low: float = 0, high: float = 1, out: Any = None) -> NDArray:
    """Return numbers drawn evenly from [low, high), in the shape and dtype of an array."""
    return uniform(low, high, data.shape, data.dtype, data.context, out)


def normal_like(data: NDArray, loc: float = 0, scale: float = 1, out: Any = None) -> NDArray:
    """Return numbers from the normal distribution, in the shape and dtype of an array."""
    return normal(loc, scale, data.shape, data.dtype, data.context, out)


def exponential_like(data: NDArray, lam: float = 1, out: Any = None) -> NDArray:
    """Return numbers from the exponential distribution with rate `lam`, in the shape and dtype of data."""
    return exponential(1 / lam, data.shape, data.dtype, data.context, out)


def _tensors(op: str, **parameters: Any) -> bool:
    """Whether the parameters of a distribution are arrays; all are, or none."""
    if PLAIN.issuperset(map(type, parameters.values())):
        return False
    kinds = {isinstance(value, Array) for value in parameters.values()}
    names = " and ".join(parameters)
    if len(kinds) > 1:
        raise ArgumentTypeError(message(op, names, "numbers or arrays", "both"))
    if kinds == {False}:
        for name, value in parameters.items():
            if not isinstance(value, (int, float, np.number)):
                raise ArgumentTypeError(message(op, name, "a number or an NDArray", repr(value)))
    return kinds == {True}


def _draw_for(like: NDArray, kernel: Callable, unit: tuple, shape: Any, dtype: Any, out: Any) -> NDArray:
    """Draw from the unit distribution, `shape` numbers for each element of a parameter."""
    shape = like.shape + (() if shape is None else as_shape("random", shape))
    return _draw(kernel, unit, shape, dtype or like.dtype, like.context, out)


def _scaled(unit: NDArray, shift: Any, scale: NDArray) -> NDArray:
    """unit * scale + shift, in place; parameters stand for leading axes."""
    extra = (1,) * (unit.ndim - scale.ndim)
    unit *= scale.reshape(scale.shape + extra).astype(unit.dtype, copy=False)
    if isinstance(shift, Array):
        unit += shift.reshape(shift.shape + extra).astype(unit.dtype, copy=False)
    return unit


def _draw(kernel: Callable, parameters: tuple, shape: Any, dtype: Any, ctx: Any, out: Any) -> NDArray:
    """Draw into `out`, or into a new array on the context."""
    if out is None:
        shape = (1,) if shape is None else as_shape("random", shape)
        out, shape = new(shape, np.float32 if dtype is None else dtype, ctx, FACE), None
    elif not isinstance(out, Array):
        raise ArgumentTypeError(message("random", "out", "an NDArray", type(out).__name__))
    elif shape is not None:
        shape = as_shape("random", shape)
    return kernel(*parameters, shape=shape, dtype=dtype, ctx=out.context, out=out)
