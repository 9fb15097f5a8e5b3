"""Makes one node of two that reorder axes, and of two casts of which the first loses nothing.

What undoes itself altogether is left out by `simplify`; here the two nodes make a third one. Only bits that
are moved or converted without loss are concerned, so that results stay the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops
from ._nodes import rebuilt
from .ir import Entry, Graph, Node
from .simplify import PERMUTES, axes_of, holds

__all__ = ["combine"]

_COMBINED = frozenset({*PERMUTES, "Cast"})


def combine(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with pairs of transposes and of casts combined, and what became of its entries.

    If that is the graph itself, nothing has become of any.
    """
    moved: dict[Entry, Entry] = {}
    if not any(node.op is not None and node.op.name in _COMBINED for node in graph.nodes):
        return graph, moved
    old: dict[Entry, Entry] = {}  # an entry of the given graph that is like a new one
    for node in graph.nodes:
        inputs = tuple(moved[source] for source in node.inputs)
        new = _combined(node, inputs, shapes, dtypes, old)
        if new is None:
            new = rebuilt(node, moved)
        for index in range(node.num_outputs):
            moved[Entry(node, index)] = Entry(new, index)
            old.setdefault(Entry(new, index), Entry(node, index))
    return Graph(moved[head] for head in graph.heads), moved


def _combined(node: Node, inputs: tuple[Entry, ...], shapes: Mapping, dtypes: Mapping, old: Mapping) -> Any:
    """The node that stands for this one and the one below it, None if they stay two."""
    if node.op is None or len(inputs) != 1 or inputs[0].node.op is None:
        return None
    below = inputs[0].node
    if len(below.inputs) != 1:
        return None
    source = below.inputs[0]

    def known(values: Mapping, entry: Entry) -> Any:
        return values.get(old.get(entry, entry))

    if node.op.name in PERMUTES and below.op.name in PERMUTES:
        shape = known(shapes, source)
        first, second = axes_of(below, shape), axes_of(node, known(shapes, inputs[0]))
        if first is None or second is None:
            return None
        attrs = ops.transpose.parse_attrs({"axes": tuple(first[a] for a in second)})
        return Node(ops.transpose, node.name, attrs, [source], node.labels)
    if node.op.name == below.op.name == "Cast":
        given, middle = known(dtypes, source), known(dtypes, inputs[0])
        if given is not None and middle is not None and holds(np.dtype(middle), np.dtype(given)):
            return Node(node.op, node.name, node.attrs, [source], node.labels)
    return None
