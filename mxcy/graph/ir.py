"""The graph that passes read and make: immutable nodes, entries (one output of a node) and heads.

A node refers to its inputs, never to its users, so that a graph is only a tuple of heads, two graphs can
share nodes, and making a node costs the same however large the graph is. Whatever is needed of the whole
(order, arguments) is found by a walk when it is first asked for, and kept. Walks use their own stack:
graphs of 10^5 nodes in a chain are ordinary, and Python's recursion ends at 1,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from ._entry import Entry

__all__ = ["Entry", "Graph", "Node", "topological_order", "variable"]


class Node:
    """An operation with its attributes and inputs, or a variable (`op` is None).

    `attrs` holds the operator's attributes as typed values; `inputs` ends with the states that the
    operator writes (`op.aux_names`). `labels` are the user's annotations, strings such as
    `__lr_mult__`; they and `site` alone may change after the node is made.
    """

    __slots__ = ("__weakref__", "_num_outputs", "attrs", "inputs", "labels", "name", "op", "site")

    def __init__(
        self,
        op: Any,
        name: str,
        attrs: Mapping[str, Any] | None = None,
        inputs: Iterable[Entry] = (),
        labels: dict[str, str] | None = None,
    ):
        self.op = op
        self.name = name
        self.attrs = {} if attrs is None else attrs
        self.inputs = tuple(inputs)
        self.labels = labels if labels is not None else {}
        self.site: Any = None  # the line that made it, if a program did (`this_site`)
        self._num_outputs = 0 if op is not None else 1  # 0: not asked yet

    def __repr__(self) -> str:
        return f"<Node {self.name}: {self.op.name if self.op else 'variable'}>"

    @property
    def num_outputs(self) -> int:
        """How many outputs it has, hidden ones included."""
        if not self._num_outputs:
            self._num_outputs = self.op.num_outputs(self.attrs)
        return self._num_outputs

    @property
    def num_visible(self) -> int:
        """How many outputs a user sees; hidden ones, kept for the gradient, come after them."""
        return self.op.num_visible(self.attrs) if self.op else 1

    @property
    def states(self) -> tuple[Entry, ...]:
        """The inputs that it writes."""
        count = len(self.op.aux_names(self.attrs)) if self.op else 0
        return self.inputs[len(self.inputs) - count :]

    def entries(self) -> tuple[Entry, ...]:
        """Its visible outputs."""
        return tuple(Entry(self, index) for index in range(self.num_visible))

    def output_names(self) -> list[str]:
        """The names of its visible outputs: `fc1_output`, `split0_output1`; a variable's own name."""
        if self.op is None:
            return [self.name]
        names = self.op.output_names(self.attrs)
        return [f"{self.name}_{output}" for output in names[: self.num_visible]]


def variable(name: str, labels: dict[str, str] | None = None) -> Entry:
    """Return a new variable."""
    return Entry(Node(None, name, labels=labels), 0)


def topological_order(heads: Iterable[Entry]) -> list[Node]:
    """Return all nodes that the heads depend on, each after its inputs.

    Depth first and in the order of the inputs, which is what gives `list_arguments` its order.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for head in heads:
        if head.node in seen:
            continue
        seen.add(head.node)
        stack = [(head.node, iter(head.node.inputs))]
        while stack:
            node, rest = stack[-1]
            for source in rest:
                if source.node not in seen:
                    seen.add(source.node)
                    stack.append((source.node, iter(source.node.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


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
        written = {entry.node for node in self.nodes if node.op is not None for entry in node.states}
        return [node for node in self.variables if node in written]

    @cached_property
    def users(self) -> dict[Entry, list[Node]]:
        """The nodes that read each entry, in order, one for each use."""
        users: dict[Entry, list[Node]] = {}
        for node in self.nodes:
            for source in node.inputs:
                users.setdefault(source, []).append(node)
        return users
