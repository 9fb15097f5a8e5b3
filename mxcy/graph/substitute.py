"""Rebuilds a graph with other entries in place of some variables: composition and copying."""

from __future__ import annotations

from collections.abc import Mapping

from .ir import Entry, Graph, Node

__all__ = ["copy", "rename", "replace", "substitute", "without_casts"]


def substitute(graph: Graph, replacements: Mapping[Node, Entry]) -> Graph:
    """Return the graph that reads `replacements[variable]` wherever this one reads the variable.

    Nodes that depend on no replaced variable are shared with the old graph.
    """
    return _rebuild(graph, dict(replacements), share=True)


def replace(graph: Graph, entries: Mapping[Entry, Entry]) -> Graph:
    """Return the graph that reads `entries[entry]` wherever this one reads the entry."""
    moved = dict(entries)
    for node in graph.nodes:
        inputs = tuple(moved[source] for source in node.inputs)
        new = node if inputs == node.inputs else Node(node.op, node.name, node.attrs, inputs, node.labels)
        for index in range(node.num_outputs):
            moved.setdefault(Entry(node, index), Entry(new, index))
    return Graph(moved[head] for head in graph.heads)


def copy(graph: Graph) -> Graph:
    """Return a graph of new nodes, whose labels change independently."""
    return _rebuild(graph, {}, share=False)


def _rebuild(graph: Graph, roots: dict[Node, Entry], share: bool) -> Graph:
    made: dict[Node, Node] = {}

    def moved(source: Entry) -> Entry:
        if source.node in roots:
            return roots[source.node]
        return Entry(made[source.node], source.index)

    for node in graph.nodes:
        inputs = tuple(moved(source) for source in node.inputs)
        if share and inputs == node.inputs:
            made[node] = node
        else:
            made[node] = Node(node.op, node.name, node.attrs, inputs, dict(node.labels))
    return Graph(moved(head) for head in graph.heads)


def rename(graph: Graph, name: str) -> Graph:
    """Return a graph whose first head's node has another name."""
    old = graph.heads[0].node
    new = Node(old.op, name, old.attrs, old.inputs, dict(old.labels))
    return Graph(Entry(new, head.index) if head.node is old else head for head in graph.heads)


CASTS = ("amp_cast", "amp_multicast")


def without_casts(graph: Graph) -> Graph:
    """Return the graph without the casts of mixed precision: what they read is read instead."""
    if not any(node.op is not None and node.op.name in CASTS for node in graph.nodes):
        return graph
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        inputs = tuple([moved[source] for source in node.inputs])
        if node.op is not None and node.op.name in CASTS:
            outputs = inputs
        else:
            new = node if inputs == node.inputs else Node(node.op, node.name, node.attrs, inputs, node.labels)
            outputs = tuple([Entry(new, index) for index in range(node.num_outputs)])
        moved.update((Entry(node, index), entry) for index, entry in enumerate(outputs))
    return Graph([moved[head] for head in graph.heads])
