"""The gradient of a graph, as a graph of the same operators, so that it has a gradient again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import ops
from .expression import Expression, Names
from .ir import Entry, Graph, Node

__all__ = ["gradient"]


def gradient(graph: Graph, wanted: Sequence[Node], head_gradients: Sequence[Entry | None]) -> list[Entry]:
    """Return the gradient of each wanted variable, given that of each head (None: nothing flows back).

    Nodes are visited in reverse order, only those between wanted variables and heads. Contributions of
    several uses are added in that order, so that results do not depend on anything but the graph. An
    operator that is a loss by itself does not read the gradient of its output; where nothing else
    reads it, the entry does not occur in the result. A variable that the heads do not depend on, or
    only in ways that have no gradient, gets zeros.
    """
    names = Names("")
    between = _depending(graph.nodes, wanted)
    parts: dict[Entry, list[Entry]] = {}
    for head, g in zip(graph.heads, head_gradients, strict=True):
        if g is not None:
            parts.setdefault(head, []).append(g)
    for node in reversed(graph.nodes):
        if node.op is not None and node in between:
            names.prefix = f"{node.name}_backward"
            _visit(node, between, parts, names)
    results = []
    for variable in wanted:
        names.prefix = f"{variable.name}_backward"
        entry = Entry(variable, 0)
        results.append(_sum(parts.get(entry, ()), names) or _zeros(entry, names))
    return results


def _depending(nodes: Iterable[Node], variables: Iterable[Node]) -> set[Node]:
    """The nodes that depend on some of these variables, which come with them."""
    found = set(variables)
    for node in nodes:
        if any(source.node in found for source in node.inputs):
            found.add(node)
    return found


def _visit(node: Node, between: set[Node], parts: dict[Entry, list[Entry]], names: Names) -> None:
    """Add the gradients of a node's inputs to their parts."""
    outputs = [Entry(node, index) for index in range(node.num_outputs)]
    flowing = [_sum(parts.pop(output, ()), names) for output in outputs]
    if node.num_outputs > node.num_visible:  # of hidden outputs only those that the rule reads
        read = (*range(node.num_visible), *node.op.hidden_heads(node.attrs))
        flowing = [g if index in read else None for index, g in enumerate(flowing)]
    if not any(flowing):
        return

    def expression(entry: Entry | None) -> Any:
        return None if entry is None else Expression(entry, names)

    found = node.op.gradient(
        [expression(entry) for entry in flowing],
        [expression(entry) for entry in node.inputs],
        [expression(entry) for entry in outputs],
        node.attrs,
        [source.node in between for source in node.inputs],
    )
    for source, g in zip(node.inputs, found, strict=True):
        if g is not None and source.node in between:
            parts.setdefault(source, []).append(g.entry)


def _sum(parts: Sequence[Entry], names: Names) -> Entry | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return ops.add_n(*[Expression(part, names) for part in parts]).entry


def _zeros(entry: Entry, names: Names) -> Entry:
    return ops.zeros_like(Expression(entry, names)).entry
