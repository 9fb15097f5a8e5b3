"""Gives the results of a graph buffers, as few bytes as two rules allow, in one walk.

The walk follows the schedule and counts, of every result, the reads that are still to come.

- *In-place*: a node writes over an operand that nobody reads after it, where the operator allows it.
- *Co-share*: a buffer whose last reader has run is free for a later result, but only for one that cannot
  run in parallel with that reader anyway. Nodes on one path through the graph never run in parallel;
  so the graph is cut into paths, longest first, every path has a colour, and a buffer freed at a node is
  reused by nodes of that colour. With `paths=1` all nodes have one colour: the fewest bytes, for a
  schedule that runs one node after the other.

Sharing is safe whatever the colours: a buffer is one variable of the engine, and a write waits for the
reads before it. Colours only keep nodes parallel that could be.

A result whose operator only names its operand anew (a reshape, an identity) has the operand's buffer.
Rejected: one arena with offsets would pack closer, but would be one variable, and order all nodes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, message
from .ir import Entry, Node

__all__ = ["STRATEGIES", "Plan", "Row", "colours", "plan_memory", "source_of"]

STRATEGIES = ("none", "inplace", "coshare", "both")

MATCH = 16  # a free buffer serves results at most this many times smaller or larger


class Row(NamedTuple):
    """One result in the table of a plan."""

    entry: Entry
    nbytes: int
    buffer: int
    first: int  # position in the schedule of the node that writes it
    last: int  # and of the last one that reads it


class Plan:
    """What `plan_memory` decided.

    Attributes
    ----------
    buffers : number of the buffer of each result that has one of its own or shares one.
    sizes : bytes of each buffer.
    total : bytes of all buffers.
    unplanned : bytes that a buffer for each result would take.
    largest_live : most bytes that are in use at once when nodes run in order; no plan for this order
        with the same results in place takes less.
    rows : what the table shows, in the order in which results are written.
    """

    def __init__(self) -> None:
        self.buffers: dict[Entry, int] = {}
        self.sizes: list[int] = []
        self.unplanned = 0
        self.largest_live = 0
        self.rows: list[Row] = []

    @property
    def total(self) -> int:
        """Bytes of all buffers."""
        return sum(self.sizes)

    def table(self) -> str:
        """Return one line per result and the sums, as text."""
        lines = [f"{'result':<40} {'bytes':>12} {'buffer':>7} {'written':>8} {'last read':>10}"]
        for entry, nbytes, buffer, first, last in self.rows:
            lines.append(f"{entry.name:<40} {nbytes:>12,} {buffer:>7} {first:>8} {last:>10}")
        lines.append(f"{len(self.sizes)} buffers: {self.total:,} bytes")
        lines.append(f"largest live set: {self.largest_live:,} bytes; unplanned: {self.unplanned:,} bytes")
        return "\n".join(lines) + "\n"


def source_of(entry: Entry, shapes: Mapping[Entry, Any], rigid: Collection[Entry] = ()) -> Entry:
    """Return the entry whose buffer this one has: itself, unless its operator only names it anew.

    `rigid` entries cannot be reshaped without a copy.
    """
    while entry.node.op is not None and entry.index == 0:
        op = entry.node.op
        if not (op.identity or op.view):
            break
        operand = entry.node.inputs[0]
        same = shapes.get(entry) is not None and shapes.get(entry) == shapes.get(operand)
        if not (op.identity and same) and not (op.view and _root(operand) not in rigid):
            break
        entry = operand
    return entry


def _root(entry: Entry) -> Entry:
    while entry.node.op is not None and (entry.node.op.identity or entry.node.op.view):
        entry = entry.node.inputs[0]
    return entry


def colours(nodes: Sequence[Node], paths: int) -> dict[Node, int]:
    """Cut the nodes into paths, longest first, and number them; the last number stands for all others.

    `nodes` come each after its inputs.
    """
    if paths <= 1:
        return dict.fromkeys(nodes, 0)
    height = dict.fromkeys(nodes, 1)
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in reversed(nodes):
        for source in node.inputs:
            if source.node in height:
                height[source.node] = max(height[source.node], height[node] + 1)
                users[source.node].append(node)
    found: dict[Node, int] = {}
    number = 0
    for start in sorted(nodes, key=height.__getitem__, reverse=True):
        if start in found:
            continue
        step: Node | None = start
        while step is not None:
            found[step] = min(number, paths - 1)
            rest = [user for user in users[step] if user not in found]
            step = max(rest, key=height.__getitem__, default=None)
        number += 1
    return found


def plan_memory(
    nodes: Sequence[Node],
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    *,
    keep: Collection[Entry] = (),
    external: Collection[Entry] = (),
    strategy: str = "both",
    paths: int = 1,
    share_kept: bool = False,
    source: Callable[[Entry], Entry] | None = None,
) -> Plan:
    """Plan buffers for the results of these nodes, which run in this order.

    Parameters
    ----------
    shapes, dtypes : complete ones of all entries.
    keep : results that are read after the last node: outputs. Their buffers are theirs alone, or, with
        `share_kept`, may have served results before them.
    external : results written to arrays that exist already; like variables they take no part.
    strategy : "none", "inplace", "coshare" or "both".
    paths : how many colours there are; about as many nodes can run in parallel.
    source : replaces `source_of`.

    Raises ArgumentError for another strategy.
    """
    if strategy not in STRATEGIES:
        raise ArgumentError(message("plan_memory", "strategy", " or ".join(STRATEGIES), repr(strategy)))
    walk = _Walk(nodes, shapes, dtypes, strategy, share_kept, source)
    walk.count_reads(keep, external)
    colour = colours(walk.nodes, paths) if walk.recycles else {}
    for node in walk.nodes:
        walk.visit(node, colour.get(node, 0))
    return walk.finish()


class _Walk:
    """The state of one walk over the schedule."""

    def __init__(self, nodes, shapes, dtypes, strategy, share_kept, source):
        self.shapes, self.dtypes = shapes, dtypes
        self.in_place = strategy in ("inplace", "both")
        self.recycles = strategy in ("coshare", "both")
        self.share_kept = share_kept
        self.source = source or (lambda entry: source_of(entry, shapes))
        self.nodes = [n for n in nodes if n.op is not None and self.source(Entry(n, 0)).node is n]
        self.plan = Plan()
        self.live = 0
        self.free: dict[int, list[tuple[int, int]]] = {}  # colour: (size, buffer), smallest first
        self.reads: dict[Entry, int] = {}
        self.last: dict[Entry, int] = {}

    def count_reads(self, keep, external):
        """Count the reads of every result; one more, never done, of those that must stay."""
        for position, node in enumerate(self.nodes):
            for operand in node.inputs:
                root = self.source(operand)
                self.reads[root] = self.reads.get(root, 0) + 1
                self.last[root] = position
        self.kept = {self.source(entry) for entry in keep}
        for root in self.kept:
            self.reads[root] = self.reads.get(root, 0) + 1
            self.last[root] = len(self.nodes)
        self.external = {self.source(entry) for entry in external}

    def visit(self, node: Node, colour: int) -> None:
        """Give the results of a node buffers, then release what it was the last to read."""
        operands = [self.source(operand) for operand in node.inputs]
        here: dict[Entry, int] = {}
        for operand in operands:
            here[operand] = here.get(operand, 0) + 1
        taken: set[Entry] = set()
        made = [Entry(node, index) for index in range(node.num_outputs)]
        made = [entry for entry in made if entry not in self.external]
        for entry in made:
            operand = self._ending(node, entry, operands, here, taken) if self.in_place else None
            if operand is not None:
                taken.add(operand)
                self.plan.buffers[entry] = self.plan.buffers[operand]
                self.plan.unplanned += self.nbytes(entry)
            else:
                self._allocate(entry, colour)
        self.plan.largest_live = max(self.plan.largest_live, self.live)
        for operand, count in here.items():
            if operand in self.plan.buffers:
                self.reads[operand] -= count
                if not self.reads[operand] and operand not in taken:
                    self._release(operand, colour)
        for entry in made:
            if not self.reads.get(entry, 0):
                self._release(entry, colour)

    def nbytes(self, entry: Entry) -> int:
        return prod(self.shapes[entry]) * np.dtype(self.dtypes[entry]).itemsize

    def _ending(self, node, entry, operands, here, taken) -> Entry | None:
        """An operand that this result may be written over."""
        if entry in self.kept and not self.share_kept:
            return None
        for position in node.op.in_place_inputs(node.attrs, entry.index):
            operand = operands[position]
            if (
                operand in self.plan.buffers
                and operand not in taken
                and self.reads[operand] == here[operand]
                and self.nbytes(operand) == self.nbytes(entry)
                and self.dtypes[node.inputs[position]] == self.dtypes[entry]
                and self.shapes[node.inputs[position]] == self.shapes[entry]
            ):
                return operand
        return None

    def _allocate(self, entry: Entry, colour: int) -> None:
        plan, size = self.plan, self.nbytes(entry)
        plan.unplanned += size
        self.live += size
        found = None
        if self.recycles and (self.share_kept or entry not in self.kept):
            found = self._recycled(size, colour)
        if found is None:
            found = len(plan.sizes)
            plan.sizes.append(size)
        plan.sizes[found] = max(plan.sizes[found], size)
        plan.buffers[entry] = found

    def _recycled(self, size: int, colour: int) -> int | None:
        """The free buffer that fits best: the smallest that is large enough, else the largest, to grow."""
        free = self.free.get(colour)
        if not free or not size:
            return None
        position = min(bisect_left(free, (size, -1)), len(free) - 1)
        if not size <= MATCH * free[position][0] <= MATCH * MATCH * size:
            return None
        return free.pop(position)[1]

    def _release(self, entry: Entry, colour: int) -> None:
        self.live -= self.nbytes(entry)
        if self.recycles:
            buffer = self.plan.buffers[entry]
            insort(self.free.setdefault(colour, []), (self.plan.sizes[buffer], buffer))

    def finish(self) -> Plan:
        plan = self.plan
        position = {node: number for number, node in enumerate(self.nodes)}
        for entry, buffer in plan.buffers.items():
            first = position[entry.node]
            plan.rows.append(Row(entry, self.nbytes(entry), buffer, first, self.last.get(entry, first)))
        return plan
