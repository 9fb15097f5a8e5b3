"""Random arrays, and the seed of the generators.

Each device has a counter-based generator (Philox4x32-10): one seed gives one sequence of arrays, whatever
the number of threads, the engine or the instruction set. Without a call of `seed` the seed is 0.
"""

from __future__ import annotations

import numpy as np

from .context import Context
from .errors import ArgumentError, message
from .kernels import philox
from .ndarray.random import (
    exponential,
    gamma,
    generalized_negative_binomial,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    randint,
    randn,
    shuffle,
    uniform,
)
from .switches import is_np_array

__all__ = [
    "exponential",
    "gamma",
    "generalized_negative_binomial",
    "multinomial",
    "negative_binomial",
    "normal",
    "poisson",
    "randint",
    "randn",
    "seed",
    "shuffle",
    "uniform",
]


def seed(seed_state: int, ctx: Context | str = "all") -> None:
    """Restart the random generators of all devices, or of one, from a seed.

    Under "all" every device draws numbers of its own; devices seeded one by one draw the same numbers. A
    program that has called `npx.set_np` gets numbers of `mx.np.random` from this seed, too.
    """
    if not isinstance(seed_state, (int, np.integer)):  # MXNet raises a ValueError, too
        raise ArgumentError(message("seed", "seed_state", "an int", type(seed_state).__name__))
    philox.seed(int(seed_state), ctx)
    if ctx == "all" and is_np_array():
        np.random.seed(int(seed_state) % 2**32)
