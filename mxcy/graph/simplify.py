"""Leaves out work whose result is known: operations that change nothing, undo each other, or come twice.

Only what keeps every bit of the result, signed zeros, infinities and NaN included: `x * 1`, `x / 1` and
`x - 0` are `x` (`x + 0` is not, as -0 + 0 is 0, and `x * 0` is not 0 for NaN); negating twice, two
transposes that make none, a cast there and back through a dtype that holds every value, a reshape to the
shape that its operand had. Nodes with one operator, the same attributes and operands are one node. What
draws random numbers or uses states stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import copysign
from typing import Any

import numpy as np

from ..ops.shape import full_axes, swapped
from ._nodes import enter, rebuilt
from .effects import sequence
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["PERMUTES", "axes_of", "holds", "simplify"]


def simplify(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the simplified graph, and the entry that stands for each old one.

    `shapes` and `dtypes` are those of every entry, None where unknown; a rule that needs one is not
    applied without. Of equal nodes the first in the order of the graph stays. Nodes of different
    `phase` are different: they run at different times, and one may read what changed in between.
    """
    moved: dict[Entry, Entry] = {}
    facts = _Facts(shapes, dtypes)
    fixed = set(sequence(graph))
    states = set(graph.states)
    contents = _Contents()
    seen: dict[Any, Node] = {}
    for node in graph.nodes:
        op = node.op
        new = rebuilt(node, moved)
        if op is not None and node not in fixed:
            kept = facts.unchanged(node, new.inputs) if _may_go(op) else None
            if kept is not None and kept.node not in states:
                moved[Entry(node, 0)] = kept
                continue
            if new.inputs:  # creation may be meant to be done for each
                content = contents.of(node.attrs)
                if content is not None:
                    new = seen.setdefault((op, phase(node), content, new.inputs), new)
        enter(moved, node, new)
        if new is not node:
            facts.learn(node, new)
    return Graph(moved[head] for head in graph.heads), moved


class _Contents:
    """Gives attributes that say the same one number."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, int | None] = {}  # by id: the nodes of the graph hold them

    def of(self, attrs: Mapping[str, Any]) -> int | None:
        """The number of these attributes, None where that cannot be told."""
        found = self._known.get(id(attrs), -1)
        if found == -1:
            values = tuple(attrs.values())
            # 0.0 and -0.0 are equal, and 1 and True, and differ
            key = tuple(attrs), values, tuple(map(type, values)), tuple(map(str, values))
            try:
                found = self._numbers.setdefault(key, len(self._numbers))
            except TypeError:
                found = None
            self._known[id(attrs)] = found
        return found


class _Facts:
    """Shapes and dtypes of new entries, and the rules that use them."""

    def __init__(self, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]):
        self._shapes, self._dtypes = shapes, dtypes
        self._old: dict[Entry, Entry] = {}

    def learn(self, old: Node, new: Node) -> None:
        """Note that the outputs of a new node are like those of an old one."""
        for index in range(old.num_outputs):
            self._old.setdefault(Entry(new, index), Entry(old, index))

    def shape(self, entry: Entry) -> Any:
        return self._shapes.get(self._old.get(entry, entry))

    def dtype(self, entry: Entry) -> Any:
        return self._dtypes.get(self._old.get(entry, entry))

    def unchanged(self, node: Node, inputs: tuple[Entry, ...]) -> Entry | None:
        """The entry that holds the result of this node already."""
        result = Entry(node, 0)
        shape, dtype = self._shapes.get(result), self._dtypes.get(result)
        if not complete(shape) or dtype is None or node.num_outputs != 1 or not inputs:
            return None
        candidate = self._candidate(node, inputs)
        if candidate is None or self.shape(candidate) != shape or self.dtype(candidate) != dtype:
            return None
        return candidate

    def _candidate(self, node: Node, inputs: tuple[Entry, ...]) -> Entry | None:
        """The entry whose values these are, if it has the shape and dtype of the result."""
        operand, op = inputs[0], node.op
        if op.identity or op.name in ("_copy", "BlockGrad"):
            return operand
        if op.name in _NEUTRAL and _same_bits(node.attrs["scalar"], _NEUTRAL[op.name]):
            return operand
        if op.view:
            return self._through(operand, lambda below: below.op.view)
        if op.name in ("Cast", "_cast_like"):
            return (
                operand if self.dtype(operand) == self._dtypes[Entry(node, 0)] else self._cast_back(operand)
            )
        below = operand.node
        if below.op is None or len(below.inputs) != 1:
            return None
        if op.name == below.op.name == "_mul_scalar" and node.attrs["scalar"] == below.attrs["scalar"] == -1:
            return below.inputs[0]
        if op.name in PERMUTES and below.op.name in PERMUTES:
            first = axes_of(below, self.shape(below.inputs[0]))
            second = axes_of(node, self.shape(operand))
            if first is not None and second is not None:
                return below.inputs[0] if [first[a] for a in second] == sorted(first) else None
        return None

    def _through(self, entry: Entry, passes: Callable[[Node], bool]) -> Entry:
        """The first entry below these nodes."""
        while entry.node.op is not None and passes(entry.node):
            entry = entry.node.inputs[0]
        return entry

    def _cast_back(self, operand: Entry) -> Entry | None:
        """What was cast to a dtype that holds all its values, and is cast back now."""
        below = operand.node
        if below.op is None or below.op.name not in ("Cast", "_cast_like"):
            return None
        source = below.inputs[0]
        old, middle = self.dtype(source), self.dtype(operand)
        if old is None or middle is None:
            return None
        return source if holds(np.dtype(middle), np.dtype(old)) else None


def _may_go(op: Any) -> bool:
    """Whether the result of some nodes of an operator is there already."""
    return op.identity or op.view or op.name in _GOING


_NEUTRAL = {"_mul_scalar": 1.0, "_div_scalar": 1.0, "_minus_scalar": 0.0}
PERMUTES = ("transpose", "SwapAxis")
_GOING = frozenset({*_NEUTRAL, *PERMUTES, "_copy", "BlockGrad", "Cast", "_cast_like"})


def _same_bits(value: Any, number: float) -> bool:
    return value == number and copysign(1.0, value) == copysign(1.0, number)


def holds(wide: np.dtype, narrow: np.dtype) -> bool:
    """Whether a dtype holds every value of another one (int64 goes to float64 "safely", and is rounded)."""
    if narrow.kind in "iu" and wide.kind == "f":
        return 8 * narrow.itemsize <= np.finfo(wide).nmant + 1
    return narrow.kind in "biuf" and wide.kind in "biuf" and bool(np.can_cast(narrow, wide, "safe"))


def axes_of(node: Node, shape: Any) -> list[int] | None:
    """The order into which a node brings the axes of its operand."""
    if shape is None:
        return None
    if node.op.name == "SwapAxis":
        return list(swapped(len(shape), node.attrs["dim1"], node.attrs["dim2"]))
    return [axis % len(shape) for axis in full_axes(len(shape), node.attrs["axes"])]
