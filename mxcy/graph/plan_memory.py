"""Gives the results of a graph buffers, as few bytes as two rules allow, in one walk.

The walk follows the schedule and counts, of every result, the reads that are still to come.

- *In-place*: a node writes over an operand that nobody reads after it, where the operator allows it.
- *Co-share*: memory whose last reader has run serves later results.

Small results share whole buffers, and only where that keeps parallel what could be: nodes on one path
through the graph never run in parallel, so the graph is cut into paths, longest first, every path has a
colour, and a buffer freed at a node is reused by nodes of that colour. With `paths=1` all nodes have one
colour. Large results are laid into one buffer at offsets (pack.py), whatever their colour: what makes
them is spread over all workers by itself, so that little is lost if it runs one after the other.

Sharing is safe in any case: a buffer is one variable of the engine, and a write waits for the reads
before it. A result whose operator only names its operand anew (a reshape, an identity) has the operand's
memory.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, repeat
from typing import Any, NamedTuple

from ..errors import ArgumentError, message
from ._lifetimes import Roots, Slot, Walk, colours
from .ir import Entry, Node
from .pack import MOST, pack
from .picture import draw

__all__ = ["STRATEGIES", "Place", "Plan", "Row", "plan_memory"]

STRATEGIES = ("none", "inplace", "coshare", "both")

MATCH = 16  # a free buffer serves results at most this many times smaller or larger
LARGE = 1 << 18  # bytes of results that are laid at offsets: below, workers do not share one operation


class Place(NamedTuple):
    """Where a result is."""

    buffer: int
    offset: int
    alone: bool  # whether nothing else in the buffer is in use when it is written


class Row(NamedTuple):
    """One result in the table of a plan."""

    entry: Entry
    nbytes: int
    buffer: int
    offset: int
    first: int  # position in the schedule of the node that writes it
    last: int  # and of the last one that reads it


class Plan:
    """What `plan_memory` decided.

    Attributes
    ----------
    sizes : bytes of each buffer.
    own : the buffers of results that stay when all nodes have run.
    total : bytes of all buffers.
    unplanned : bytes that a buffer for each result would take.
    largest_live : most bytes that are in use at once when nodes run in order; no plan for this order
        with the same results in place takes less.
    """

    def __init__(self, walk: Walk, sizes: list[int], crowd: Sequence[int]):
        self._walk = walk
        self._crowd = crowd  # how much of the first buffer is in use by position; nothing: it is like others
        self.sizes = sizes
        self.own = {slot.buffer for slot in walk.slots if slot.last < 0}
        self.unplanned, self.largest_live = walk.unplanned, walk.largest_live

    def place(self, entry: Entry) -> Place | None:
        """The place of a result that has a buffer of its own or shares one; None of others."""
        found = self._walk.at(entry)
        if found is None:
            return None
        slot, position = found
        alone = True
        if self._crowd and not slot.buffer:
            alone = self._crowd[position] == sum(not made.buffer for made in self._walk.made(position))
        return Place(slot.buffer, slot.offset, alone)

    @cached_property
    def rows(self) -> list[Row]:
        """What the table shows, in the order in which results are written."""
        return [
            Row(entry, slot.nbytes, slot.buffer, slot.offset, position, last)
            for entry, slot, position, last in self._walk.rows()
        ]

    def consumes(self, early: set[Node]) -> bool:
        """Whether buffers of what these nodes, the first, make for others are written by others again."""
        return self._walk.consumed(early)

    @property
    def total(self) -> int:
        """Bytes of all buffers."""
        return sum(self.sizes)

    def table(self) -> str:
        """Return one line per result and the sums, as text."""
        titles = f"{'bytes':>13} {'buffer':>7} {'offset':>13} {'written':>8} {'last read':>10}"
        lines = [f"{'result':<40} {titles}"]
        for entry, nbytes, buffer, offset, first, last in self.rows:
            lines.append(f"{entry.name:<40} {nbytes:>13,} {buffer:>7} {offset:>13,} {first:>8} {last:>10}")
        lines.append(f"{len(self.sizes)} buffers: {self.total:,} bytes")
        lines.append(f"largest live set: {self.largest_live:,} bytes; unplanned: {self.unplanned:,} bytes")
        return "\n".join(lines) + "\n"

    def picture(self, file: Any) -> None:
        """Draw the plan over time into a file whose name ends in .svg, .png or .pdf (extra `viz`)."""
        draw(self, file)


def plan_memory(
    nodes: Sequence[Node],
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    *,
    keep: Collection[Entry] = (),
    external: Collection[Entry] = (),
    strategy: str = "both",
    paths: int = 1,
    roots: Roots | None = None,
) -> Plan:
    """Plan buffers for the results of these nodes, which run in this order.

    Parameters
    ----------
    shapes, dtypes : complete ones of all entries.
    keep : results that are read after the last node: outputs. Their buffers are theirs alone.
    external : results written to arrays that exist already; like variables they take no part.
    strategy : "none", "inplace", "coshare" or "both".
    paths : how many colours there are; about as many small nodes can run in parallel.
    roots : what is known already of results that share the memory of others.

    Raises ArgumentError for another strategy.
    """
    if strategy not in STRATEGIES:
        raise ArgumentError(message("plan_memory", "strategy", " or ".join(STRATEGIES), repr(strategy)))
    roots = Roots(shapes) if roots is None else roots
    nodes = [n for n in nodes if n.op is not None and roots(Entry(n, 0)).node is n]
    shares = strategy in ("coshare", "both")
    walk = Walk(nodes, shapes, dtypes, roots, strategy in ("inplace", "both"), keep, external)
    walk.run(colours(nodes, paths) if shares and paths > 1 else {})
    deal = _Deal(walk, len(nodes))
    deal.deal(shares)
    return deal.plan()


class _Deal:
    """Deals out buffers to slots."""

    def __init__(self, walk: Walk, count: int):
        self.walk = walk
        self.count = count  # nodes
        self.sizes: list[int] = []
        self.packed: list[Slot] = []
        self.free: dict[int, dict[int, list[int]]] = {}  # colour: size: buffers
        self.lengths: dict[int, list[int]] = {}  # colour: sizes of which there are some, smallest first

    def deal(self, shares: bool) -> None:
        """Give every slot a buffer of its own, or, if it `shares` and does not stay, one with others."""
        large = [slot for slot in self.walk.slots if slot.nbytes >= LARGE and slot.last >= 0]
        if shares and 1 < len(large) <= MOST:  # where there are more, sizes repeat
            self._pack(large)
        ending: list[list[Slot]] = [[] for _ in range(self.count)]
        position = 0
        for slot in self.walk.slots:
            while position < slot.first:
                self._release(ending[position])
                position += 1
            if slot.buffer < 0:
                recycles = shares and slot.last >= 0
                self._allocate(slot, recycles)
                if recycles:
                    ending[slot.last].append(slot)

    def _pack(self, slots: list[Slot]) -> None:
        """Lay these into one buffer, unless that takes more than a buffer for each."""
        bound = max(_in_use(slots, [slot.nbytes for slot in slots], self.count))
        offsets, total = pack([(slot.nbytes, slot.first, slot.last) for slot in slots], bound)
        if total >= sum(slot.nbytes for slot in slots):
            return
        self.packed = slots
        self.sizes.append(total)
        for slot, offset in zip(slots, offsets, strict=True):
            slot.buffer, slot.offset = 0, offset

    def _allocate(self, slot: Slot, recycles: bool) -> None:
        found = self._recycled(slot.nbytes, slot.making) if recycles else None
        if found is None:
            found = len(self.sizes)
            self.sizes.append(slot.nbytes)
        self.sizes[found] = max(self.sizes[found], slot.nbytes)
        slot.buffer = found

    def _recycled(self, size: int, colour: int) -> int | None:
        """The free buffer that fits best: the smallest that is large enough, else the largest, to grow."""
        lengths = self.lengths.get(colour)
        if not lengths or not size:
            return None
        position = min(bisect_left(lengths, size), len(lengths) - 1)
        length = lengths[position]
        if not size <= MATCH * length <= MATCH * MATCH * size:
            return None
        buffers = self.free[colour][length]
        found = buffers.pop()
        if not buffers:
            del lengths[position]
        return found

    def _release(self, slots: list[Slot]) -> None:
        for slot in slots:
            length = self.sizes[slot.buffer]
            buffers = self.free.setdefault(slot.ending, {}).setdefault(length, [])
            if not buffers:
                insort(self.lengths.setdefault(slot.ending, []), length)
            buffers.append(slot.buffer)

    def plan(self) -> Plan:
        """What came of it."""
        crowd = _in_use(self.packed, repeat(1), self.count) if self.packed else ()
        return Plan(self.walk, self.sizes, crowd)


def _in_use(slots: list[Slot], amounts: Iterable[int], positions: int) -> list[int]:
    """How much of these amounts, one for each slot, is in use while each node runs."""
    change = [0] * (positions + 1)
    for slot, amount in zip(slots, amounts, strict=False):
        change[slot.first] += amount
        change[slot.last + 1] -= amount
    return list(accumulate(change))
