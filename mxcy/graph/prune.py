"""Leaves of a graph only what some of its entries need."""

from __future__ import annotations

from collections.abc import Iterable

from .ir import Graph

__all__ = ["internals", "prune"]


def prune(graph: Graph, heads: Iterable[int]) -> Graph:
    """Return the graph of the heads with these numbers; whatever only other heads need is gone."""
    return Graph(graph.heads[number] for number in heads)


def internals(graph: Graph) -> Graph:
    """Return a graph whose heads are all visible outputs of all nodes, in order."""
    return Graph(entry for node in graph.nodes for entry in node.entries())
