"""Leaves of a graph only what some of its entries need."""

from __future__ import annotations

from collections.abc import Iterable

from .ir import Graph, Node

__all__ = ["internals", "nodes_beyond", "prune"]


def prune(graph: Graph, heads: Iterable[int]) -> Graph:
    """Return the graph of the heads with these numbers; whatever only other heads need is gone."""
    return Graph(graph.heads[number] for number in heads)


def internals(graph: Graph) -> Graph:
    """Return a graph whose heads are all visible outputs of all nodes, in order."""
    return Graph(entry for node in graph.nodes for entry in node.entries())


def nodes_beyond(graph: Graph, done: Iterable[Node]) -> list[Node]:
    """Return the operations of a graph that are not done yet, in order."""
    finished = set(done)
    return [node for node in graph.nodes if node.op is not None and node not in finished]
