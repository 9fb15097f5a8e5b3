"""Lets convolutions rectify their results as they write them, and gradients of maxima pass rectifiers.

A rectifier by itself reads and writes all of what a convolution has just written. Results are the same to
the last bit. (Not those of half types, whose rounding would come after the rectifier: numbers that round to
zero would have another sign.)

Where a rectifier is followed by a pooling layer that takes maxima, its gradient is zero for all windows whose
largest element is not above zero, and the pooling layer's for all others; the pass of the two that the
rectifier would take over the whole gradient is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ops.rectified import _convolution_relu, _pooling_max_relu_grad
from ._nodes import enter, rebuilt
from .ir import Entry, Graph, Node

__all__ = ["rectifies", "rectify"]


def rectify(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with one node for a layer and the rectifier that alone reads it.

    Also what became of the entries that still exist; if the graph itself is returned, nothing has become of
    any.
    """
    joined: dict[Node, tuple[Node, Any]] = {}  # by rectifier: the layer, and the operator that is both
    heads = set(graph.heads)
    for node in graph.nodes:
        result, op = _rectified(node, dtypes)
        if result is None or result in heads or len(graph.users[result]) != 1:
            continue
        if phase(node) == phase(result.node):
            joined[node] = result.node, op
    if not joined:
        return graph, {}
    gone = {layer for layer, _ in joined.values()}
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        if node in joined:
            layer, op = joined[node]
            inputs = tuple([moved[source] for source in layer.inputs])
            enter(moved, node, Node(op, node.name, layer.attrs, inputs, layer.labels))
        elif node not in gone:
            enter(moved, node, rebuilt(node, moved))
    return Graph(moved[head] for head in graph.heads), moved


def _rectified(node: Node, dtypes: Mapping[Entry, Any]) -> tuple[Entry | None, Any]:
    """The result that a node rectifies, or the gradient that it masks, and the operator of both layers."""
    if node.op is None:
        return None, None
    if rectifies(node):
        result = node.inputs[0]
        if _is(result, "Convolution") and np.dtype(dtypes.get(result)).itemsize >= 4:
            return result, _convolution_relu
    elif node.op.name == "broadcast_mul":
        for gradient, mask in (node.inputs, reversed(node.inputs)):
            if _is(gradient, "_pooling_max_grad") and _is(mask, "_greater_scalar"):
                if mask.node.attrs["scalar"] == 0 and mask.node.inputs[0] == gradient.node.inputs[1]:
                    return gradient, _pooling_max_relu_grad
    return None, None


def _is(entry: Entry, name: str) -> bool:
    return entry.node.op is not None and entry.node.op.name == name


def rectifies(node: Node) -> bool:
    """Whether a node makes what is below zero zero, and nothing else."""
    return node.op.name == "relu" or (node.op.name == "Activation" and node.attrs["act_type"] == "relu")
