"""Memory for the results of several executors, of which one runs at a time: buckets, other shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._locks import new_lock
from ..ndarray import NDArray, empty

__all__ = ["Pool"]


class Pool:
    """Buffers, the largest first; the k-th largest of every program lies in the k-th.

    A buffer that is too small for a new program is replaced. Programs made before hold the old one until
    they run next: they find that `generation` has changed, and take buffers again.

    Attributes
    ----------
    generation : how often buffers have been replaced.
    user : the number of the executor that ran forward last, whose results are in the buffers.
    lock : what an executor holds while it pushes a run; runs of several threads come one after the other.
    """

    def __init__(self, ctx: Any):
        self.lock = new_lock()
        self.generation = 0
        self.user = 0
        self._members = 0
        self._ctx = ctx
        self._buffers: list[NDArray] = []

    def join(self) -> int:
        """Return a number for one more executor."""
        self._members += 1
        return self._members

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(buffer.nbytes for buffer in self._buffers)

    def take(self, sizes: Sequence[int]) -> list[NDArray]:
        """Return a buffer of at least so many bytes for each size, all different."""
        found: dict[int, NDArray] = {}
        replaced = False
        for place, number in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)):
            size = sizes[number]
            if place == len(self._buffers):
                self._buffers.append(self._new(size))
            elif self._buffers[place].nbytes < size:
                self._buffers[place] = self._new(size)
                replaced = True
            found[number] = self._buffers[place]
        self.generation += replaced
        return [found[number] for number in range(len(sizes))]

    def _new(self, nbytes: int) -> NDArray:
        return empty((nbytes,), ctx=self._ctx, dtype=np.uint8)
