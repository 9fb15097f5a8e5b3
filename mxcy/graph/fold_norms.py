"""Folds BatchNorm into the layer before it, for prediction.

Outside training BatchNorm multiplies every channel by `scale = gamma / sqrt(var + eps)` and adds
`beta - mean * scale`. A convolution or a fully connected layer that computes these channels does so with
weights multiplied by the scale, and with another bias, so that a pass over its results is saved. The
weights are multiplied in every run, as arguments may change between runs; so a layer is folded only where
its results are much larger than its weights.

Results differ from those of the two layers by rounding: by a few units in the last place of the largest
product that a result is the sum of.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from .. import ops
from ..ops import Attributes
from .expression import Expression, Names
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["fold_norms"]

WORTH = 4  # how many times more results than weights there must be

_FIRST_CHANNELS = (None, "None", "NCW", "NCHW", "NCDHW")  # layouts with channels along axis 1


def fold_norms(graph: Graph, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> Graph:
    """Return the graph that computes the same outside training; the graph itself if nothing is folded.

    `shapes` and `dtypes` are those of every entry.
    """
    moved: dict[Entry, Entry] = {}
    folded = False
    heads = set(graph.heads)
    for node in graph.nodes:
        layer = _layer_below(graph, node, heads, shapes, dtypes)
        if layer is not None:
            moved[Entry(node, 0)] = _folded(node, layer, moved)
            folded = True
            continue
        inputs = tuple(moved[source] for source in node.inputs)
        new = node if inputs == node.inputs else Node(node.op, node.name, node.attrs, inputs, node.labels)
        for index in range(node.num_outputs):
            moved[Entry(node, index)] = Entry(new, index)
    return Graph(moved[head] for head in graph.heads) if folded else graph


def _layer_below(
    graph: Graph, node: Node, heads: set[Entry], shapes: Mapping, dtypes: Mapping
) -> Node | None:
    """The layer that a BatchNorm can be folded into, None if there is none."""
    if node.op is None or node.op.name != "BatchNorm":
        return None
    layer = node.inputs[0].node
    if layer.op is None or layer.op.name not in ("Convolution", "FullyConnected"):
        return None
    others = [Entry(node, index) for index in range(1, node.num_outputs)]
    if any(entry in heads or graph.users.get(entry) for entry in others):
        return None
    result, weight = node.inputs[0], layer.inputs[1]
    if result in heads or len(graph.users.get(result, ())) != 1:
        return None
    known = [result, weight, *node.inputs[1:]]
    if not all(complete(shapes.get(entry)) for entry in known) or len({dtypes.get(e) for e in known}) != 1:
        return None
    shape = shapes[result]
    if node.attrs["axis"] % len(shape) != 1 or not _channels_first(layer, shape):
        return None
    return layer if prod(shape) >= WORTH * prod(shapes[weight]) else None


def _channels_first(layer: Node, shape: tuple[int, ...]) -> bool:
    """Whether a layer computes its channels along axis 1."""
    if layer.op.name == "FullyConnected":
        return len(shape) == 2
    return layer.attrs["layout"] in _FIRST_CHANNELS


def _folded(node: Node, layer: Node, moved: Mapping[Entry, Entry]) -> Entry:
    """The layer with the weights and the bias that do what both nodes do."""
    names = Names(f"{node.name}_folded")
    gamma, beta, mean, var = (Expression(moved[source], names) for source in node.inputs[1:])
    data, weight, *bias = (Expression(moved[source], names) for source in layer.inputs)
    inverse = ops.rsqrt(var + node.attrs["eps"])
    scale = inverse if node.attrs["fix_gamma"] else gamma * inverse
    shift = beta - mean * scale
    if bias:
        shift = bias[0] * scale + shift
    axes = 2 if layer.op.name == "FullyConnected" else 2 + len(layer.attrs["kernel"])
    along = ops.Reshape(scale, shape=(-1, *(1,) * (axes - 1)))
    attrs = Attributes({**layer.attrs, "no_bias": False}, getattr(layer.attrs, "given", ()))
    inputs = [data.entry, ops.broadcast_mul(weight, along).entry, shift.entry]
    return Entry(Node(layer.op, layer.name, attrs, inputs, layer.labels), 0)
