"""`mx.sym.random`: symbols of arrays of random numbers, drawn anew in every forward pass."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..errors import ArgumentTypeError, message
from ..ops import random_sampling
from .creation import made
from .function import SymbolFunction
from .symbol import Symbol

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

shuffle = SymbolFunction(ops.shuffle, "shuffle", hint="_shuffle")
exponential_like = SymbolFunction(ops.lookup("_random_exponential_like"), "exponential_like")
gamma_like = SymbolFunction(ops.lookup("_random_gamma_like"), "gamma_like")
generalized_negative_binomial_like = SymbolFunction(
    ops.lookup("_random_generalized_negative_binomial_like"), "generalized_negative_binomial_like"
)
negative_binomial_like = SymbolFunction(
    ops.lookup("_random_negative_binomial_like"), "negative_binomial_like"
)
normal_like = SymbolFunction(ops.lookup("_random_normal_like"), "normal_like")
poisson_like = SymbolFunction(ops.lookup("_random_poisson_like"), "poisson_like")
uniform_like = SymbolFunction(ops.lookup("_random_uniform_like"), "uniform_like")


def uniform(low: Any = 0, high: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers drawn evenly from [low, high). Keywords are `name` and `attr` of the node.

    Here and below the parameters are numbers, or symbols of one shape: the result then has this shape
    followed by `shape`.
    """
    return _sampled("uniform", {"low": low, "high": high}, shape, dtype, node)


def normal(loc: Any = 0, scale: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the normal distribution with mean `loc` and standard deviation `scale`."""
    return _sampled("normal", {"loc": loc, "scale": scale}, shape, dtype, node)


def randn(*shape: int, loc: Any = 0, scale: Any = 1, dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the normal distribution, with the extents of the shape as arguments."""
    return normal(loc, scale, shape, dtype, **node)


def exponential(scale: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the exponential distribution with mean `scale`."""
    return _sampled("exponential", {"lam": 1 / scale}, shape, dtype, node)


def randint(low: int, high: int, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return integers drawn evenly from [low, high); int32 without `dtype`."""
    return _draw(ops.random_randint, {"low": low, "high": high}, shape, dtype, node)


def gamma(alpha: Any = 1, beta: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the gamma distribution with shape `alpha` and scale `beta`."""
    return _sampled("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, node)


def poisson(lam: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the Poisson distribution with mean `lam`."""
    return _sampled("poisson", {"lam": lam}, shape, dtype, node)


def negative_binomial(k: Any = 1, p: Any = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return counts of failures before `k` successes of probability `p`."""
    return _sampled("negative_binomial", {"k": k, "p": p}, shape, dtype, node)


def generalized_negative_binomial(
    mu: Any = 1, alpha: Any = 1, shape: Any = (), dtype: Any = None, **node: Any
) -> Symbol:
    """Return counts of mean `mu` and variance mu + alpha mu²."""
    return _sampled("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, node)


def multinomial(
    data: Symbol, shape: Any = (), get_prob: bool = True, dtype: Any = "int32", **node: Any
) -> Symbol:
    """Return classes drawn with the probabilities in the last axis of data, as `mx.nd.random` does."""
    function = SymbolFunction(random_sampling.sample_multinomial, "_sample_multinomial")
    return function(data, shape=shape, get_prob=get_prob, dtype=dtype, **node)


def _sampled(distribution: str, parameters: dict, shape: Any, dtype: Any, node: dict) -> Symbol:
    """Draw from a distribution whose parameters are numbers, or symbols."""
    are_symbols = {isinstance(value, Symbol) for value in parameters.values()}
    if len(are_symbols) > 1:
        names = " and ".join(parameters)
        raise ArgumentTypeError(message(distribution, names, "numbers or symbols", "both"))
    if are_symbols == {True}:
        function = SymbolFunction(ops.lookup(f"_sample_{distribution}"), f"_sample_{distribution}")
        given = {"shape": shape} if dtype is None else {"shape": shape, "dtype": dtype}
        return function(*parameters.values(), **given, **node)
    return _draw(ops.REGISTRY[f"_random_{distribution}"], parameters, shape, dtype, node)


def _draw(op: ops.Operator, given: dict, shape: Any, dtype: Any, node: dict) -> Symbol:
    given = {**given, "shape": shape}
    return made(op, given if dtype is None else {**given, "dtype": dtype}, node)
