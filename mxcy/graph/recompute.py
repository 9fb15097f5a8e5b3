"""Chooses what backward computes again, so that memory stays within a budget at little cost.

The schedule of forward is cut into segments where few bytes cross (Chen, Xu, Zhang and Guestrin 2016,
"Training Deep Nets with Sublinear Memory Cost"): what crosses a cut is kept, the rest is computed again
when backward comes to its segment. Results that take long to compute for their size are kept as well, as
many as the budget allows. Several numbers of segments and of such results are tried; of the trials within
the budget the one that computes least again is taken. A trial walks over the nodes once and counts bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np

from .ir import Entry, Graph, Node
from .mirror import may_repeat

__all__ = ["Trial", "choose"]

SEGMENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # numbers of segments that are tried
PARTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9)  # of the bytes saved, that are kept anyway
MACS = 40  # multiplications in products that take as long as one element that is read or written


class Trial(NamedTuple):
    """What a choice comes to."""

    chosen: frozenset[Node]
    peak: int  # bytes in use at once
    work: float  # what is computed again, in elements read or written


def choose(
    graph: Graph,
    targets: Sequence[Entry],
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    budget: int,
    source: Callable[[Entry], Entry],
    external: Collection[Entry] = (),
) -> Trial:
    """Return the nodes of `graph` to mirror so that no more than `budget` bytes are in use at once.

    `targets` are the gradients, `external` those of them that are written to arrays that exist already.
    If nothing keeps within the budget, the trial with the smallest peak is returned.
    """
    model = _Model(graph, targets, shapes, dtypes, source, external)
    best = model.trial(set())
    for segments in SEGMENTS:
        if best.peak <= budget and not best.work:
            break
        cuts = model.cuts(segments)
        for part in PARTS:
            best = min(best, model.trial(model.repeated(cuts, part)), key=lambda t: _rank(t, budget))
    return best._replace(chosen=best.chosen | model.aliases)


def _rank(trial: Trial, budget: int) -> tuple:
    return (trial.peak > budget, trial.work if trial.peak <= budget else trial.peak)


class _Step(NamedTuple):
    """A node, or its copy, in the schedule."""

    position: int
    made: list[int]
    reads: list[int]


class _Model:
    """The nodes as numbers: which results they read and make, and what those take in bytes and time.

    Results are those that have memory of their own.
    """

    def __init__(self, graph, targets, shapes, dtypes, source, external):
        inside = set(graph.nodes)
        heads = (*graph.heads, *reversed(targets))
        nodes = [n for n in Graph(heads).nodes if n.op is not None]
        real = [n for n in nodes if source(Entry(n, 0)).node is n]
        self.nodes = [n for n in real if n in inside] + [n for n in real if n not in inside]
        self.forward = sum(n in inside for n in real)
        outside = {source(entry) for entry in external}
        self.number: dict[Entry, int] = {}
        self.sizes: list[int] = []
        self.maker: list[int] = []
        self.again: list[bool] = []  # whether running the node again makes it
        self.made: list[list[int]] = []
        self.reads: list[list[int]] = []
        for position, node in enumerate(self.nodes):
            self.reads.append([])
            for root in dict.fromkeys(map(source, node.inputs)):
                if root in self.number:
                    self.reads[-1].append(self.number[root])
            self.made.append([])
            for entry in (Entry(node, index) for index in range(node.num_outputs)):
                if entry not in outside:
                    self.made[-1].append(len(self.sizes))
                    self.number[entry] = len(self.sizes)
                    self.sizes.append(prod(shapes[entry]) * np.dtype(dtypes[entry]).itemsize)
                    self.maker.append(position)
                    self.again.append(not node.op.can_replay or entry.index == 0)
        able = may_repeat(graph)
        self.kept = {self.number[root] for root in map(source, graph.heads) if root in self.number}
        self.able = [n in able and self.kept.isdisjoint(self.made[i]) for i, n in enumerate(self.nodes)]
        self.in_place = [bool(n.op.in_place_inputs(n.attrs, 0)) for n in self.nodes]
        self.aliases = frozenset(n for n in nodes if n in able and source(Entry(n, 0)).node is not n)
        self.work = [_work(node, shapes) for node in self.nodes]
        self._find_saved()

    def _find_saved(self) -> None:
        """Which results backward reads, when forward reads each for the last time, what each takes."""
        self.saved = [False] * len(self.sizes)
        self.last = list(self.maker)
        for position, reads in enumerate(self.reads):
            for number in reads:
                if position < self.forward:
                    self.last[number] = position
                else:
                    self.saved[number] = True
        self.effort = list(self.work)  # of a node, with the nodes before it that nothing is saved of
        for position in range(self.forward):
            for number in self.reads[position]:
                if not self.saved[number]:
                    self.effort[position] += self.effort[self.maker[number]]

    def cuts(self, segments: int) -> list[int]:
        """Positions in forward after which it is cut, so that segments save about the same and few bytes
        cross.
        """
        change = [0] * (self.forward + 1)
        saves = [0] * self.forward
        for number, maker in enumerate(self.maker):
            if maker < self.forward:
                change[maker] += self.sizes[number]
                change[self.last[number]] -= self.sizes[number]
                saves[maker] += self.sizes[number] * self.saved[number]
        crossing = list(accumulate(change))
        sums = list(accumulate(saves))
        found = []
        for cut in range(1, segments):
            wanted, slack = sums[-1] * cut / segments, sums[-1] / (3 * segments)
            near = [p for p, total in enumerate(sums) if abs(total - wanted) <= slack]
            if near:
                found.append(min(near, key=lambda p: (crossing[p], abs(sums[p] - wanted))))
        return sorted(set(found))

    def repeated(self, cuts: list[int], part: float) -> set[int]:
        """The nodes of forward that run again when what crosses the cuts is kept, and of the other saved
        results those that take longest for their bytes, up to this part of all bytes saved.
        """
        end = cuts[-1] if cuts else self.forward - 1
        repeated = {position for position in range(end + 1) if self.able[position]}
        for number, maker in enumerate(self.maker):
            if maker < self.forward and any(maker <= cut < self.last[number] for cut in cuts):
                repeated.discard(maker)
        rest = [position for position in repeated if self._bytes(position)]
        rest.sort(key=lambda p: self.effort[p] / self._bytes(p), reverse=True)
        room = part * sum(map(self._bytes, rest))
        for position in rest:
            room -= self._bytes(position)
            if room < 0:
                break
            repeated.discard(position)
        return repeated

    def _bytes(self, position: int) -> int:
        """What a node makes that backward reads, and that it can make again."""
        made = self.made[position]
        return sum(self.sizes[number] for number in made if self.saved[number] and self.again[number])

    def trial(self, repeated: set[int]) -> Trial:
        """Walk over the schedule in which these nodes run again before backward needs their results."""
        steps, copied = self._steps(repeated)
        chosen = frozenset(self.nodes[position] for position in copied)
        return Trial(chosen, self._peak(steps), sum(self.work[position] for position in copied))

    def _steps(self, repeated: set[int]) -> tuple[list[_Step], dict[int, None]]:
        """The schedule with copies, and the nodes that have one. The copy of a result has its number from
        behind: ~number.
        """
        steps = [_Step(p, self.made[p], self.reads[p]) for p in range(self.forward)]
        copied: dict[int, None] = {}

        def gone(number: int) -> bool:
            return self.maker[number] in repeated and self.again[number]

        def moved(numbers: list[int]) -> list[int]:
            return [~number if gone(number) else number for number in numbers]

        for position in range(self.forward, len(self.nodes)):
            stack = [position]
            while stack:
                current = stack[-1]
                reads = self.reads[current]
                waiting = [self.maker[n] for n in reads if gone(n) and self.maker[n] not in copied]
                if waiting:
                    stack += waiting
                    continue
                stack.pop()
                if current == position:
                    steps.append(_Step(position, self.made[position], moved(reads)))
                elif current not in copied:
                    copied[current] = None
                    made = [~number for number in self.made[current] if self.again[number]]
                    saved = [number for number in self.made[current] if not self.again[number]]
                    steps.append(_Step(current, made, moved(reads) + saved))
        return steps, copied

    def _peak(self, steps: list[_Step]) -> int:
        """The most bytes that the results of these steps have in use at once."""
        last: dict[int, int] = {}
        for index, step in enumerate(steps):
            last.update(dict.fromkeys(step.made, index))
            last.update(dict.fromkeys(step.reads, index))
        last.update(dict.fromkeys(self.kept, -1))
        live = peak = 0
        for index, step in enumerate(steps):
            added = sum(map(self._size, step.made))
            ending = [number for number in step.reads if last[number] == index]
            freed = sum(map(self._size, ending))
            over = 0
            if self.in_place[step.position] and step.made:
                first = self._size(step.made[0])
                over = first if any(self._size(number) == first for number in ending) else 0
            peak = max(peak, live + added - over)
            live += added - freed - sum(self._size(number) for number in step.made if last[number] == index)
        return peak

    def _size(self, number: int) -> int:
        return self.sizes[number if number >= 0 else ~number]


def _work(node: Node, shapes: Mapping[Entry, Any]) -> float:
    """What a node takes, in elements read or written: its operands and results, and its multiplications."""
    results = sum(prod(shapes[Entry(node, index)]) for index in range(node.num_outputs))
    work = float(results + sum(prod(shapes[source]) for source in node.inputs))
    if node.op.name in _BY_WEIGHT:
        weight = shapes[node.inputs[1]]
        return work + results * (prod(weight) / max(weight[0], 1)) / MACS
    if node.op.name in _PRODUCTS:
        a, b = (prod(shapes[source]) for source in node.inputs[:2])
        return work + isqrt(a * b * results) / MACS
    return work


# A convolution takes a product with a filter for every result; what is summed in a product of a (m, k) and
# b (k, n) are m k n numbers, the root of the product of the sizes of a, b and the result.
_BY_WEIGHT = ("Convolution", "FullyConnected")
_PRODUCTS = ("dot", "batch_dot", "linalg_gemm2", "Deconvolution")
