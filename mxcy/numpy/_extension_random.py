"""`mx.npx.random`: distributions whose parameters are arrays, drawn from the stream of `mx.np.random`."""

from __future__ import annotations

from typing import Any

import numpy as _np

from ..errors import ArgumentError, message
from ..random import seed as _seed
from . import _ufuncs as u
from . import random
from ._calls import as_array

__all__ = ["bernoulli", "normal_n", "seed", "uniform_n"]


def seed(seed: int, ctx: Any = "all") -> None:
    """Restart the generators of all devices (or of one) and the stream of `mx.np.random` from a seed."""
    _seed(seed, ctx)
    random.seed(seed % 2**32)


def bernoulli(prob: Any = None, logit: Any = None, size: Any = None, dtype: Any = None, ctx: Any = None,
              out: Any = None) -> Any:  # fmt: skip
    """Ones with a probability, given as such or as its logarithm of odds, and zeros; float32 by default."""
    if (prob is None) == (logit is None):
        given = "neither" if prob is None else "both"
        raise ArgumentError(message("bernoulli", None, "either prob or logit", given))
    if prob is None:
        prob = 1 / (1 + u.exp(-as_array(logit)))
    chance = as_array(prob)
    if not bool(((chance >= 0) & (chance <= 1)).all()):
        raise ArgumentError(message("bernoulli", "prob", "probabilities from 0 to 1", "others"))
    shape = chance.shape if size is None else size
    drawn = (random.random_sample(shape) < chance).astype(dtype or "float32")
    if out is None:
        return drawn
    out[...] = drawn
    return out


def _batch(draw: Any, a: Any, b: Any, batch_shape: Any, dtype: Any) -> Any:
    """Draws of a shape for each pair of parameters, which broadcast."""
    batch = () if batch_shape is None else batch_shape
    batch = (batch,) if isinstance(batch, int) else tuple(batch)
    shape = (*batch, *_np.broadcast_shapes(_np.shape(a), _np.shape(b)))
    return as_array(draw(a, b, shape)).astype(dtype or "float32")


def normal_n(loc: Any = 0.0, scale: Any = 1.0, batch_shape: Any = None, dtype: Any = None,
             ctx: Any = None) -> Any:  # fmt: skip
    """Normal numbers, `batch_shape` for each pair of a mean and a standard deviation."""
    return _batch(random.normal, loc, scale, batch_shape, dtype)


def uniform_n(low: Any = 0.0, high: Any = 1.0, batch_shape: Any = None, dtype: Any = None,
              ctx: Any = None) -> Any:  # fmt: skip
    """Uniform numbers, `batch_shape` for each pair of bounds."""
    return _batch(random.uniform, low, high, batch_shape, dtype)
