"""Lets convolutions rectify their results as they write them.

A rectifier by itself reads and writes all of what a convolution has just written. Results are the same to
the last bit. (Not those of half types, whose rounding would come after the rectifier: numbers that round to
zero would have another sign.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ops.rectified import _convolution_relu
from ._nodes import enter, rebuilt
from .ir import Entry, Graph, Node

__all__ = ["rectify"]


def rectify(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with one node for a convolution and the rectifier that alone reads it.

    Also what became of the entries that still exist; if the graph itself is returned, nothing has become of
    any.
    """
    joined: dict[Node, Node] = {}  # by rectifier: the convolution
    heads = set(graph.heads)
    for node in graph.nodes:
        if not _rectifies(node):
            continue
        result = node.inputs[0]
        below = result.node
        if below.op is None or below.op.name != "Convolution" or np.dtype(dtypes.get(result)).itemsize < 4:
            continue
        if result not in heads and len(graph.users[result]) == 1 and phase(node) == phase(below):
            joined[node] = below
    if not joined:
        return graph, {}
    gone = set(joined.values())
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        made = joined.get(node)
        if made is not None:
            inputs = tuple([moved[source] for source in made.inputs])
            new = Node(_convolution_relu, node.name, made.attrs, inputs, made.labels)
            enter(moved, node, new)
        elif node not in gone:
            enter(moved, node, rebuilt(node, moved))
    return Graph(moved[head] for head in graph.heads), moved


def _rectifies(node: Node) -> bool:
    if node.op is None:
        return False
    return node.op.name == "relu" or (node.op.name == "Activation" and node.attrs["act_type"] == "relu")
