"""Lays results of different sizes and lifetimes into one piece of memory, at offsets.

The largest are laid first, each at the lowest offset where nothing that is in use at the same time lies
(Pisarchyk and Lee 2020, "greedy by size for offset calculation"). On the networks of the memory figure
this takes at most 1.02 times the largest live set, where whole buffers that results use one after the
other take up to 1.44 times. Some other orders are tried where the first leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["ALIGNMENT", "MOST", "pack"]

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
MOST = 4096  # results that one call lays; every one looks at all before it

_ORDERS: tuple[Callable[[tuple[int, int, int]], tuple], ...] = (
    lambda span: (-span[0], span[1]),
    lambda span: (-span[0] * (span[2] - span[1] + 1), span[1]),
    lambda span: (span[1] - span[2], -span[0]),
    lambda span: (span[1], -span[0]),
)


def pack(spans: Sequence[tuple[int, int, int]], bound: int) -> tuple[list[int], int]:
    """Return the offset of each of (bytes, first, last) and the bytes of all.

    `first` and `last` are the positions between which the bytes are in use, both included. No plan can
    take less than `bound`.
    """
    padded = [(_aligned(size), first, last) for size, first, last in spans]
    best, least = [0] * len(spans), -1
    for key in _ORDERS:
        ranks = [key(span) for span in padded]
        order = sorted(range(len(padded)), key=ranks.__getitem__)
        offsets, top = _laid(padded, order)
        if least < 0 or top < least:
            best, least = offsets, top
        if least <= 1.002 * bound:
            break
    return best, least


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _laid(spans: Sequence[tuple[int, int, int]], order: Sequence[int]) -> tuple[list[int], int]:
    """Lay spans in this order, each into the lowest gap."""
    count = len(spans)
    begin, end = np.zeros(count, np.int64), np.zeros(count, np.int64)
    first, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    offsets = [0] * count
    top = 0
    for done, number in enumerate(order):
        size, since, until = spans[number]
        beside = np.flatnonzero((first[:done] <= until) & (last[:done] >= since))
        offset = _lowest_gap(begin[beside], end[beside], size) if len(beside) else 0
        begin[done], end[done], first[done], last[done] = offset, offset + size, since, until
        offsets[number] = offset
        top = max(top, offset + size)
    return offsets, top


def _lowest_gap(begin: np.ndarray, end: np.ndarray, size: int) -> int:
    """The lowest offset at which so many bytes touch none of the pieces from `begin` to `end`."""
    order = np.argsort(begin, kind="stable")
    begin, reached = begin[order], np.maximum.accumulate(end[order])
    if begin[0] >= size:
        return 0
    fits = np.flatnonzero(begin[1:] - reached[:-1] >= size)
    return int(reached[fits[0]] if len(fits) else reached[-1])
