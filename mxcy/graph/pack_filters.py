"""Packs the weights of convolutions once for all predictions, within a number of bytes.

Where a convolution is computed by products, its weight is copied into another order first, for which
predictions need one copy for as long as the weight stays what it is. As with norms (fold_norms.py), the new
weights are variables of the new graph. Those that take the place of folded ones need no more memory than
these; of others the smallest are packed first, as the time that a byte saves is about the same for all.
Results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ..ops import Attributes
from ..ops.together import _packed_filters
from ._nodes import enter, rebuilt
from .fold_norms import Folded
from .ir import Entry, Graph, Node, variable
from .together import by_products

__all__ = ["pack_filters"]


def pack_filters(
    graph: Graph,
    weights: Mapping[Node, Entry],
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    budget: int,
) -> Folded:
    """Return the graph with packed weights, and how its new variables follow from the arrays of a program.

    `weights` says this of variables that are new already; shapes and dtypes are those of every entry;
    `budget` is how many bytes packed weights may take besides those that they replace.
    """
    chosen = _chosen(graph, weights, shapes, dtypes, budget)
    if not chosen:
        return Folded(graph, dict(weights))
    made = dict(weights)
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        if node not in chosen:
            enter(moved, node, rebuilt(node, moved))
            continue
        old = node.inputs[1]
        attrs = _packed_filters.parse_attrs({"num_group": node.attrs["num_group"]})
        packed = Node(_packed_filters, f"{old.node.name}_packed", attrs, [made.pop(old.node, old)])
        new = variable(f"{old.node.name}_packed")
        made[new.node] = Entry(packed, 0)
        attrs = Attributes({**node.attrs, "packed": True}, getattr(node.attrs, "given", ()))
        inputs = [moved[node.inputs[0]], new, *node.inputs[2:]]
        enter(moved, node, Node(node.op, node.name, attrs, inputs, node.labels))
    return Folded(Graph(moved[head] for head in graph.heads), made)


def _chosen(
    graph: Graph, weights: Mapping[Node, Entry], shapes: Mapping, dtypes: Mapping, budget: int
) -> set[Node]:
    """The convolutions whose weights are packed."""
    sizes: dict[Node, int] = {}
    heads = set(graph.heads)
    for node in graph.nodes:
        if node.op is None or node.op.name != "Convolution" or not by_products(node, shapes, dtypes):
            continue
        weight = node.inputs[1]
        if weight not in heads and len(graph.users[weight]) == 1:
            replaces = weight.node in weights
            sizes[node] = 0 if replaces else prod(shapes[weight]) * np.dtype(dtypes[weight]).itemsize
    chosen = set()
    for node in sorted(sizes, key=sizes.__getitem__):
        budget -= sizes[node]
        if budget < 0:
            break
        chosen.add(node)
    return chosen
