"""Random numbers of one sample: the same whatever thread asks for them, and whatever came before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["Draws", "of_batch"]

PER_SAMPLE = 128  # more than any sample needs: crops try up to ten times, with five numbers each


class Draws:
    """Numbers drawn one after the other; they begin again when all have been used."""

    def __init__(self, uniform: list[float]):
        self._uniform = uniform
        self._at = -1

    def unit(self) -> float:
        """Return a number from 0 to 1, without 1."""
        self._at = (self._at + 1) % len(self._uniform)
        return self._uniform[self._at]

    def between(self, low: float, high: float) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + int((high - low + 1) * self.unit())

    def happens(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.unit() < probability

    def normal(self, deviation: float) -> float:
        """Return a normally distributed number of mean 0 (Box and Muller 1958)."""
        radius = math.sqrt(-2 * math.log(1 - self.unit()))
        return deviation * radius * math.cos(2 * math.pi * self.unit())

    def order(self, items: list) -> list:
        """Return the items in a random order."""
        left, found = list(items), []
        while left:
            found.append(left.pop(self.whole(0, len(left) - 1)))
        return found


def of_batch(seed: tuple[int, int], state: dict[str, Any], count: int) -> list[Draws]:
    """Return the draws of the samples of a batch, which a seed and the batch's place in its rounds decide."""
    key = [x % 2**64 for x in seed]
    counter = [0, 0, state["position"], state["pass"]]
    rng = np.random.Generator(np.random.Philox(key=key, counter=counter))
    return [Draws(row) for row in rng.random((count, PER_SAMPLE)).tolist()]
