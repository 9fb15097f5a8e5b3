"""The graph that passes read and make: immutable nodes, entries (one output of a node) and heads.

A node refers to its inputs, never to its users, so that a graph is only a tuple of heads, two graphs can
share nodes, and making a node costs the same however large the graph is. Whatever is needed of the whole
(order, arguments) is found by a walk when it is first asked for, and kept. Walks use their own stack:
graphs of 10^5 nodes in a chain are ordinary, and Python's recursion ends at 1,000.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ._nodes import Entry, Node, states_of, topological_order, users_of

__all__ = ["Entry", "Graph", "Node", "topological_order", "variable"]


def variable(name: str, labels: dict[str, str] | None = None) -> Entry:
    """Return a new variable."""
    return Entry(Node(None, name, labels=labels), 0)


class Graph:
    """A tuple of heads and what follows from it."""

    def __init__(self, heads: Iterable[Entry]):
        self.heads = tuple(heads)

    @cached_property
    def nodes(self) -> list[Node]:
        """All nodes, each after its inputs."""
        return topological_order(self.heads)

    @cached_property
    def variables(self) -> list[Node]:
        """All variables, arguments and states, in order."""
        return [node for node in self.nodes if node.op is None]

    @cached_property
    def arguments(self) -> list[Node]:
        """Variables that are only read."""
        states = set(self.states)
        return [node for node in self.variables if node not in states]

    @cached_property
    def states(self) -> list[Node]:
        """Variables that some node writes."""
        written = states_of(self.nodes)
        return [node for node in self.variables if node in written]

    @cached_property
    def users(self) -> dict[Entry, list[Node]]:
        """The nodes that read each entry, in order, one for each use."""
        return users_of(self.nodes)
