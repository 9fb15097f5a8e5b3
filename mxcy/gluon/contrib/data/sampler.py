"""Samplers that MXNet keeps apart."""

from __future__ import annotations

from collections.abc import Iterator

from ....errors import AssertedArgumentError, message
from ...data import Sampler

__all__ = ["IntervalSampler"]


class IntervalSampler(Sampler):
    """Every `interval`-th number below `length`; with `rollover` then those that were skipped.

    >>> list(IntervalSampler(7, 3))
    [0, 3, 6, 1, 4, 2, 5]
    >>> list(IntervalSampler(7, 3, rollover=False))
    [0, 3, 6]
    """

    def __init__(self, length: int, interval: int, rollover: bool = True):
        if interval > length:
            expected = f"at most the length {length}"
            raise AssertedArgumentError(message("IntervalSampler", "interval", expected, interval))
        self._length = length
        self._interval = interval
        self._rollover = rollover

    def __iter__(self) -> Iterator[int]:
        for first in range(self._interval if self._rollover else 1):
            yield from range(first, self._length, self._interval)

    def __len__(self) -> int:
        """The length; without `rollover` fewer numbers come, as in MXNet."""
        return self._length
