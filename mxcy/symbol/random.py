"""`mx.sym.random`: symbols of arrays of random numbers, drawn anew in every forward pass."""

from __future__ import annotations

from typing import Any

from .. import ops
from .creation import made
from .function import SymbolFunction
from .symbol import Symbol

__all__ = ["exponential", "normal", "randint", "shuffle", "uniform"]

shuffle = SymbolFunction(ops.shuffle, "shuffle")


def uniform(low: float = 0, high: float = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers drawn evenly from [low, high). Keywords are `name` and `attr` of the node."""
    return _draw(ops.random_uniform, {"low": low, "high": high}, shape, dtype, node)


def normal(loc: float = 0, scale: float = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the normal distribution with mean `loc` and standard deviation `scale`."""
    return _draw(ops.random_normal, {"loc": loc, "scale": scale}, shape, dtype, node)


def exponential(scale: float = 1, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return numbers from the exponential distribution with mean `scale`."""
    return _draw(ops.random_exponential, {"lam": 1 / scale}, shape, dtype, node)


def randint(low: int, high: int, shape: Any = (), dtype: Any = None, **node: Any) -> Symbol:
    """Return integers drawn evenly from [low, high); int32 without `dtype`."""
    return _draw(ops.random_randint, {"low": low, "high": high}, shape, dtype, node)


def _draw(op: ops.Operator, given: dict, shape: Any, dtype: Any, node: dict) -> Symbol:
    given = {**given, "shape": shape}
    return made(op, given if dtype is None else {**given, "dtype": dtype}, node)
