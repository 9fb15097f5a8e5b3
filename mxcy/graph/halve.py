"""Lets rectified convolutions write the largest of every 2x2 elements only, where nothing else is read.

In prediction the pooling layer is the only reader of such a result, which is four times as large as the
layer's. Where the kernel has squares of it in registers, or pairs of lines in its cache, the rest is never
written to memory. Results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..kernels import cpu as kernels
from ..ops._window import window_of
from ..ops.rectified import _convolution_relu_maxima
from ._nodes import enter, rebuilt
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["halve"]


def halve(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with one node for a rectified convolution and the maxima of 2x2 that alone read it.

    Also what became of the entries that still exist; if the graph itself is returned, nothing has become of
    any.
    """
    heads = set(graph.heads)
    joined: dict[Node, Node] = {}  # by pooling layer: the convolution
    for node in graph.nodes:
        if node.op is None or node.op.name != "Pooling":
            continue
        result = node.inputs[0]
        if result in heads or len(graph.users[result]) != 1 or phase(node) != phase(result.node):
            continue
        if _halves(node, shapes) and _suits(result, shapes, dtypes):
            joined[node] = result.node
    if not joined:
        return graph, {}
    gone = set(joined.values())
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        if node in joined:
            layer = joined[node]
            inputs = tuple([moved[source] for source in layer.inputs])
            enter(moved, node, Node(_convolution_relu_maxima, node.name, layer.attrs, inputs, layer.labels))
        elif node not in gone:
            enter(moved, node, rebuilt(node, moved))
    return Graph(moved[head] for head in graph.heads), moved


def _halves(node: Node, shapes: Mapping[Entry, Any]) -> bool:
    """Whether a pooling layer takes maxima of 2x2 elements side by side, and of nothing else."""
    attrs = node.attrs
    shape: Any = shapes.get(node.inputs[0])  # None or in parts unknown: not `complete`
    if attrs["pool_type"] != "max" or attrs["global_pool"] or attrs["layout"] not in (None, "NCHW"):
        return False
    if (attrs["kernel"], attrs["stride"]) != ((2, 2), (2, 2)) or any(attrs["pad"]):
        return False
    if shape is None or not complete(shape):
        return False
    return shapes.get(Entry(node, 0)) == (*shape[:2], shape[2] // 2, shape[3] // 2)


def _suits(result: Entry, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> bool:
    """Whether this is a result of a convolution whose kernel need not write it."""
    node = result.node
    if node.op is None or node.op.name != "_convolution_relu" or node.attrs["layout"] not in (None, "NCHW"):
        return False
    dtype, known = dtypes.get(result), [shapes.get(entry) for entry in node.inputs]
    if dtype is None or np.dtype(dtype).itemsize < 4 or not all(map(complete, known)):
        return False
    attrs = node.attrs
    moves = window_of("Convolution", *[attrs[k] for k in ("kernel", "stride", "dilate", "pad")], None)[1:4]
    return kernels.convolution_halves(
        *known[:2], np.dtype(dtype), *moves, attrs["num_group"], attrs.get("packed", False)
    )
