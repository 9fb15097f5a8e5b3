"""`nd.contrib.rand_zipfian`: candidates for sampled softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..context import current_context
from . import random
from .ndarray import NDArray

__all__ = ["rand_zipfian"]


def rand_zipfian(true_classes: NDArray, num_sampled: int, range_max: int, ctx: Any = None) -> tuple:
    """Draw classes below range_max, class k with probability log((k + 2) / (k + 1)) / log(range_max + 1).

    Returns (samples, int64 (num_sampled,); how often each of true_classes is expected among them; how often
    each sample is), the counts in float64.
    """
    context = current_context() if ctx is None else ctx
    log_range = math.log(range_max + 1)
    drawn = random.uniform(0, log_range, shape=(num_sampled,), dtype="float64", ctx=context)
    samples = (drawn.exp() - 1).astype("int64") % range_max

    def expected(classes: NDArray) -> NDArray:
        wide = classes.as_in_context(context).astype(np.float64)
        return ((wide + 2.0) / (wide + 1.0)).log() * (num_sampled / log_range)

    return samples, expected(true_classes), expected(samples)
