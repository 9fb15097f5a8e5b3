"""Places nodes on several contexts, and copies what passes from one to another.

A node with the label `__ctx_group__` belongs where its group does. One without goes where its first placed
input is, or else where the first node that reads it is, or else to the default. (The rule of MXNet, so
that arrays are where its programs expect them.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ops._operator import find
from .ir import Entry, Graph, Node

__all__ = ["GROUP", "place"]

GROUP = "__ctx_group__"


def place(graph: Graph, default: Any, groups: Mapping[str, Any]) -> tuple[Graph, dict[Node, Any]]:
    """Return the graph with copies at the borders between contexts, and the context of each of its nodes.

    `groups` holds the context of every group. Variables stay the same nodes. The gradient of a copy is a
    copy back, so that the gradient of this graph is placed as well.
    """
    return _with_copies(graph, _contexts(graph, default, groups))


def _contexts(graph: Graph, default: Any, groups: Mapping[str, Any]) -> dict[Node, Any]:
    found: dict[Node, Any] = {}
    for node in graph.nodes:
        if GROUP in node.labels:
            found[node] = groups[node.labels[GROUP]]
            continue
        for source in node.inputs:
            if source.node in found:
                found[node] = found[source.node]
                break
    for node in reversed(graph.nodes):
        if node in found:
            for source in node.inputs:
                found.setdefault(source.node, found[node])
    return {node: found.get(node, default) for node in graph.nodes}


def _with_copies(graph: Graph, contexts: Mapping[Node, Any]) -> tuple[Graph, dict[Node, Any]]:
    copy = find("_CrossDeviceCopy")
    made: dict[Node, Node] = {}
    placed: dict[Node, Any] = {}
    copies: dict[tuple[Entry, Any], Entry] = {}

    def here(source: Entry, context: Any) -> Entry:
        moved = Entry(made[source.node], source.index)
        if placed[moved.node] == context:
            return moved
        found = copies.get((moved, context))
        if found is None:
            label = f"{source.node.name}_{source.index}_copy"
            node = Node(copy, label, copy.parse_attrs({}), [moved])
            placed[node] = context
            found = copies[moved, context] = Entry(node, 0)
        return found

    for node in graph.nodes:
        context = contexts[node]
        # A state is written where it is, so the node that writes it must be there too.
        own = set(node.states)
        inputs = tuple([
            Entry(made[source.node], source.index) if source in own else here(source, context)
            for source in node.inputs
        ])  # fmt: skip
        same = inputs == node.inputs
        made[node] = node if same else Node(node.op, node.name, node.attrs, inputs, node.labels)
        placed[made[node]] = context
    return Graph(Entry(made[head.node], head.index) for head in graph.heads), placed
