"""`sym.contrib.rand_zipfian`: candidates for sampled softmax."""

from __future__ import annotations

import math

from . import op, random
from .symbol import Symbol

__all__ = ["rand_zipfian"]


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple:
    """Draw classes below range_max; see `nd.contrib.rand_zipfian`."""
    log_range = math.log(range_max + 1)
    drawn = random.uniform(0, log_range, shape=(num_sampled,), dtype="float64")
    samples = op.cast(op.exp(drawn) - 1, dtype="int64") % range_max

    def expected(classes: Symbol) -> Symbol:
        wide = op.cast(classes, dtype="float64")
        return op.log((wide + 2.0) / (wide + 1.0)) * (num_sampled / log_range)

    return samples, expected(true_classes), expected(samples)
