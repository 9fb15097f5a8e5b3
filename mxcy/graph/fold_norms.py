"""Folds BatchNorm into the layer before it, for prediction.

Outside training BatchNorm multiplies every channel by `scale = gamma / sqrt(var + eps)` and adds
`beta - mean * scale`. A convolution or a fully connected layer that computes these channels does so with
weights multiplied by the scale, and with another bias, so that a pass over its results is saved. The new
weights are variables of the new graph: they need to be computed only when the old ones have changed.

Results differ from those of the two layers by rounding: by a few units in the last place of the largest
product that a result is the sum of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import ops
from ..ops import Attributes
from ._nodes import enter, rebuilt
from .expression import Expression, Names
from .infer import complete
from .ir import Entry, Graph, Node, variable

__all__ = ["Folded", "fold_norms"]

_FIRST_CHANNELS = (None, "None", "NCW", "NCHW", "NCDHW")  # layouts with channels along axis 1


class Folded(NamedTuple):
    """A graph, and how its new variables follow from those of the old one."""

    graph: Graph
    weights: dict[Node, Entry]


def fold_norms(graph: Graph, shapes: Mapping[Entry, Any], dtypes: Mapping[Entry, Any]) -> Folded:
    """Return the graph that computes the same outside training; the graph itself if nothing is folded.

    `shapes` and `dtypes` are those of every entry.
    """
    moved: dict[Entry, Entry] = {}
    weights: dict[Node, Entry] = {}
    heads = set(graph.heads)
    for node in graph.nodes:
        layer = _layer_below(graph, node, heads, shapes, dtypes)
        if layer is not None:
            moved[Entry(node, 0)] = _folded(node, layer, moved, weights)
            continue
        enter(moved, node, rebuilt(node, moved))
    return Folded(Graph(moved[head] for head in graph.heads) if weights else graph, weights)


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
    result, parameters = node.inputs[0], [*layer.inputs[1:], *node.inputs[1:]]
    if result in heads or len(graph.users.get(result, ())) != 1:
        return None
    known = [result, *parameters]
    if not all(complete(shapes.get(entry)) for entry in known) or len({dtypes.get(e) for e in known}) != 1:
        return None
    if any(entry.node.op is not None for entry in parameters):
        return None
    shape = shapes[result]
    return layer if node.attrs["axis"] % len(shape) == 1 and _channels_first(layer, shape) else None


def _channels_first(layer: Node, shape: tuple[int, ...]) -> bool:
    """Whether a layer computes its channels along axis 1."""
    if layer.op.name == "FullyConnected":
        return len(shape) == 2
    return layer.attrs["layout"] in _FIRST_CHANNELS


def _folded(node: Node, layer: Node, moved: Mapping[Entry, Entry], weights: dict[Node, Entry]) -> Entry:
    """The layer with the weights and the bias that do what both nodes do."""
    names = Names(f"{node.name}_folded")
    gamma, beta, mean, var = (Expression(source, names) for source in node.inputs[1:])
    weight, *bias = (Expression(source, names) for source in layer.inputs[1:])
    inverse = ops.rsqrt(var + node.attrs["eps"])
    scale = inverse if node.attrs["fix_gamma"] else gamma * inverse
    shift = beta - mean * scale
    if bias:
        shift = bias[0] * scale + shift
    axes = 2 if layer.op.name == "FullyConnected" else 2 + len(layer.attrs["kernel"])
    along = ops.Reshape(scale, shape=(-1, *(1,) * (axes - 1)))
    inputs = [moved[layer.inputs[0]]]
    for kind, value in (("weight", ops.broadcast_mul(weight, along)), ("bias", shift)):
        new = variable(f"{node.name}_folded_{kind}")
        weights[new.node] = value.entry
        inputs.append(new)
    attrs = Attributes({**layer.attrs, "no_bias": False}, getattr(layer.attrs, "given", ()))
    return Entry(Node(layer.op, layer.name, attrs, inputs, layer.labels), 0)
