"""`mx.nd.random`: arrays of random numbers.

A seed (`mx.random.seed`) gives one sequence of arrays, whatever the number of threads. Parameters that are
out of range are an error where the numbers are read (`asnumpy`, `wait_to_read`, `waitall`), as in MXNet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _engine
from .._array import Array
from ..errors import ArgumentError, ArgumentTypeError, message
from ..kernels import cpu as kernels
from ..ops import _storage
from ..ops.random_sampling import check, sample_multinomial
from ._placement import as_shape, new
from .ndarray import FACE, NDArray

__all__ = [
    "exponential",
    "exponential_like",
    "gamma",
    "gamma_like",
    "generalized_negative_binomial",
    "generalized_negative_binomial_like",
    "multinomial",
    "negative_binomial",
    "negative_binomial_like",
    "normal",
    "normal_like",
    "poisson",
    "poisson_like",
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


def gamma(
    alpha: Any = 1, beta: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return numbers from the gamma distribution with shape `alpha` and scale `beta`, numbers or arrays."""
    return _sampled("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, out)


def poisson(lam: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None) -> NDArray:
    """Return numbers from the Poisson distribution with mean `lam`, a number or an array."""
    return _sampled("poisson", {"lam": lam}, shape, dtype, ctx, out)


def negative_binomial(
    k: Any = 1, p: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return counts of failures before `k` successes of probability `p`, numbers or arrays."""
    return _sampled("negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, out)


def generalized_negative_binomial(
    mu: Any = 1, alpha: Any = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None
) -> NDArray:
    """Return counts of mean `mu` and variance mu + alpha mu², numbers or arrays."""
    return _sampled("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, ctx, out)


def multinomial(
    data: NDArray, shape: Any = None, get_prob: bool = False, out: Any = None, dtype: Any = "int32"
) -> Any:
    """Return classes drawn with the probabilities in the last axis of an array, `shape` for every row.

    With `get_prob` returns also the logarithms of their probabilities, through which gradients flow.
    """
    extents = () if shape is None else as_shape("multinomial", shape)
    return sample_multinomial(data, shape=extents, get_prob=get_prob, dtype=dtype, out=out)


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


def gamma_like(data: NDArray, alpha: float = 1, beta: float = 1, out: Any = None) -> NDArray:
    """Return numbers from the gamma distribution, in the shape and dtype of an array."""
    return gamma(alpha, beta, data.shape, data.dtype, data.context, out)


def poisson_like(data: NDArray, lam: float = 1, out: Any = None) -> NDArray:
    """Return numbers from the Poisson distribution, in the shape and dtype of an array."""
    return poisson(lam, data.shape, data.dtype, data.context, out)


def negative_binomial_like(data: NDArray, k: int = 1, p: float = 1, out: Any = None) -> NDArray:
    """Return numbers from the negative binomial distribution, in the shape and dtype of an array."""
    return negative_binomial(k, p, data.shape, data.dtype, data.context, out)


def generalized_negative_binomial_like(
    data: NDArray, mu: float = 1, alpha: float = 1, out: Any = None
) -> NDArray:
    """Return numbers from the generalised negative binomial distribution, in the shape and dtype of data."""
    return generalized_negative_binomial(mu, alpha, data.shape, data.dtype, data.context, out)


def _sampled(distribution: str, parameters: dict, shape: Any, dtype: Any, ctx: Any, out: Any) -> NDArray:
    """Draw from a distribution of parameters that are numbers, or arrays of one shape."""
    if _tensors(distribution, **parameters):
        extents = () if shape is None else as_shape(distribution, shape)
        like = next(iter(parameters.values()))
        values = tuple(parameters.values())
        return kernels.sample(distribution, values, extents, dtype or like.dtype, out=out)

    def kernel(*numbers: float, shape: Any, dtype: Any, ctx: Any, out: NDArray) -> NDArray:
        numbers = check(distribution, parameters)
        return kernels.sample(distribution, numbers, out.shape, out.dtype, ctx=ctx, out=out)

    return _draw(kernel, tuple(parameters.values()), shape, dtype, ctx, out)


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
    if _storage.stored(out):
        return _draw(kernel, parameters, out.shape, out.dtype, out.context, None).copyto(out)
    try:
        return kernel(*parameters, shape=shape, dtype=dtype, ctx=out.context, out=out)
    except ArgumentError as error:
        return _failed(out, error)


def _failed(out: NDArray, error: ArgumentError) -> NDArray:
    """An array whose values could not be drawn: the error is raised where they are read.

    MXNet finds parameters that are out of range when it draws, in the background, and documents that its
    programs catch the error at `asnumpy`, `wait_to_read` or `waitall`.
    """

    error = error.with_traceback(None)  # its frames hold the array, and the array will hold the error

    def fail() -> None:
        raise error

    _engine.push(fail, (), (out.var_handle(),), lane="io", name=str(error).partition("(")[0])
    return out
