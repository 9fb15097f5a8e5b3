"""Finds joined arrays that backward joins again instead of keeping them.

Backward often reads the parts of a `Concat` and the whole (GoogLeNet: rectifiers have their gradients by the
parts, convolutions theirs by the whole). Kept, the same numbers are in memory twice from forward to
backward; joined again they are there twice for one layer at a time, for the price of a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["rejoined"]

LEAST = 1 << 20  # bytes of a whole that is worth a node

_SHAPES = ("_split_like", "reshape_like")  # read only the shapes of their operands but the first


def rejoined(
    graph: Graph, targets: Sequence[Entry], shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]
) -> set[Node]:
    """Return the nodes for `mirror`; `targets` are the gradients, the rest is known of entries."""
    joins = [node for node in graph.nodes if node.op is not None and node.op.name == "Concat"]
    if not joins:
        return set()
    forward = set(graph.nodes)
    kept: set[Entry] = set()
    read: set[Entry] = set()
    for node in Graph(targets).nodes:
        if node.op is None or node in forward:
            continue
        kept.update(node.inputs)
        read.update(node.inputs[:1] if node.op.name in _SHAPES else node.inputs)
    heads = set(graph.heads)
    found: set[Node] = set()
    for node in joins:
        whole = Entry(node, 0)
        if whole not in read or whole in heads or _nbytes(whole, shapes, dtypes) < LEAST:
            continue
        if all(part in kept or part.node.op is None or part.node in found for part in node.inputs):
            found.add(node)
    return found


def _nbytes(entry: Entry, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> int:
    shape, dtype = shapes.get(entry), dtypes.get(entry)
    if shape is None or not complete(shape) or dtype is None:
        return 0
    return prod(shape) * np.dtype(dtype).itemsize
