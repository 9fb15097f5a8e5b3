"""Convolves the same data with several weights at once, as the branches of an inception module do.

Rows of the data are then copied for the products of all of them once. Results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..kernels import cpu as kernels
from ..ops._window import window_of
from ..ops.together import MOST, _convolutions
from ._nodes import enter, rebuilt
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["by_products", "together"]

_LAYERS = {"Convolution": 0, "_convolution_relu": 1}  # and whether they rectify
_FIRST_CHANNELS = (None, "NCW", "NCHW", "NCDHW")


def together(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with one node for convolutions of the same data.

    Also what became of the entries that still exist; if the graph itself is returned, nothing has become of
    any.
    """
    groups: dict[tuple, list[Node]] = {}
    for node in graph.nodes:
        if node.op is not None and node.op.name in _LAYERS and _suits(node, shapes, dtypes):
            attrs = node.attrs
            key = (
                node.inputs[0], phase(node), attrs["no_bias"], attrs.get("packed", False), attrs["kernel"],
                *window_of("Convolution", *[attrs[k] for k in ("kernel", "stride", "dilate", "pad")], None),
            )  # fmt: skip
            groups.setdefault(key, []).append(node)
    found = [nodes[i : i + MOST] for nodes in groups.values() for i in range(0, len(nodes), MOST)]
    member = {node: nodes for nodes in found if len(nodes) > 1 for node in nodes}
    if not member:
        return graph, {}
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        nodes = member.get(node)
        if nodes is None:
            enter(moved, node, rebuilt(node, moved))
        elif node is nodes[0]:
            made = _joined(nodes, moved[node.inputs[0]])
            for index, part in enumerate(nodes):
                moved[Entry(part, 0)] = Entry(made, index)
    return Graph(moved[head] for head in graph.heads), moved


def by_products(node: Node, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> bool:
    """Whether a convolution is computed by products in the order in which its arrays are."""
    result, parameters = Entry(node, 0), node.inputs[1:]
    if node.attrs["layout"] not in _FIRST_CHANNELS or any(entry.node.op is not None for entry in parameters):
        return False
    dtype = dtypes.get(result)
    if dtype is None or np.dtype(dtype).itemsize < 4:
        return False
    known = [shapes.get(entry) for entry in (result, *node.inputs)]
    if not all(map(complete, known)):
        return False
    window = window_of("Convolution", *[node.attrs[k] for k in ("kernel", "stride", "dilate", "pad")], None)
    groups = node.attrs["num_group"]
    return kernels.convolution_by_products(known[1], known[2], np.dtype(dtype), *window[1:4], groups)


def _suits(node: Node, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> bool:
    return node.attrs["num_group"] == 1 and by_products(node, shapes, dtypes)


def _joined(nodes: list[Node], data: Entry) -> Node:
    first = nodes[0]
    attrs = {key: first.attrs[key] for key in ("kernel", "stride", "dilate", "pad", "no_bias")}
    attrs["rectified"] = tuple([_LAYERS[node.op.name] for node in nodes])
    attrs["packed"] = first.attrs.get("packed", False)
    inputs = [data]  # parameters are variables, which passes leave as they are
    for position in range(1, len(first.inputs)):
        inputs += [node.inputs[position] for node in nodes]
    attrs["num_args"] = len(inputs)
    return Node(_convolutions, first.name, _convolutions.parse_attrs(attrs), inputs, first.labels)
