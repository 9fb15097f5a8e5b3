"""Gives nodes that make arrays from nothing the shapes that inference found; see `infer.open_ended`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..ops import Attributes
from .infer import complete, open_ended
from .ir import Entry, Graph, Node

__all__ = ["settle"]


def settled(attrs: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    """The attributes that say what was found: the shape, or where a range stops."""
    if "infer_range" not in attrs:
        return {"shape": shape}
    steps = shape[0] // attrs["repeat"]
    return {"stop": attrs["start"] + steps * attrs["step"], "infer_range": False}


def settle(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph whose creation nodes have their whole shape, and what became of its entries."""
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        inputs = tuple(moved[source] for source in node.inputs)
        attrs, found = node.attrs, shapes.get(Entry(node, 0))
        if open_ended(node) and complete(found):
            attrs = Attributes({**attrs, **settled(attrs, found)}, getattr(attrs, "given", ()))
        same = attrs is node.attrs and inputs == node.inputs
        new = node if same else Node(node.op, node.name, attrs, inputs, node.labels)
        for index in range(node.num_outputs):
            moved[Entry(node, index)] = Entry(new, index)
    return Graph(moved[head] for head in graph.heads), moved
