"""Cuts the nodes that were made inside a scope out of a graph: the body of a control flow operator."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .ir import Entry, Graph, Node, topological_order, variable

__all__ = ["SCOPE", "cut"]

SCOPE = "__subgraph_name__"  # the label of nodes inside, with the name of the scope


def cut(heads: Sequence[Entry], scope: str, own: Collection[Node] = ()) -> tuple[Graph, dict[Node, Entry]]:
    """Return the graph of what was made in a scope, and which entry outside each new variable stands for.

    The variables `own` stay. All others, and values that were computed outside, become new variables of
    the same name, so that the graph shares no node with the one around it.
    """
    made: dict[Node, Node] = {node: node for node in own}
    new: dict[Entry, Entry] = {}

    def moved(source: Entry) -> Entry:
        if source.node in made:
            return Entry(made[source.node], source.index)
        if source not in new:
            new[source] = variable(source.name, dict(source.node.labels) if source.node.op is None else None)
        return new[source]

    for node in topological_order(heads):
        if node.op is not None and node.labels.get(SCOPE) == scope:
            made[node] = Node(node.op, node.name, node.attrs, [moved(s) for s in node.inputs], node.labels)
    graph = Graph([moved(head) for head in heads])
    used = set(graph.variables)
    return graph, {entry.node: source for source, entry in new.items() if entry.node in used}
