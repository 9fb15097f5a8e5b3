"""Nodes whose place among the others matters: those that draw random numbers and those that use states.

All other nodes compute a value from values, so that only the data decides when they may run. The engine
runs what is pushed as if in order; passes that make new nodes restore the order of these few.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any

from .ir import Entry, Graph, Node

__all__ = ["draws", "in_order", "sequence", "updates"]


def draws(node: Node) -> bool:
    """Whether a node draws random numbers, or may do so in training."""
    op = node.op
    if op is None:
        return False
    if hasattr(op, "draws"):
        return op.draws(node.attrs)
    return "random" in op.__module__.rpartition(".")[2] or "is_train" in getattr(op, "_reserved", ())


def updates(node: Node) -> bool:
    """Whether a node writes inputs that are no states: the updates of optimizers."""
    return node.op is not None and getattr(node.op, "writes_inputs", False)


def sequence(graph: Graph) -> list[Node]:
    """Return the nodes that must stay in this order."""
    states = set(graph.states)
    found = []
    quiet: dict[Any, bool] = {}  # operators whose nodes never draw or update
    for node in graph.nodes:
        op = node.op
        if op is None:
            continue
        if op not in quiet:
            quiet[op] = not hasattr(op, "draws") and not draws(node) and not updates(node)
        uses = states and any(source.node in states for source in node.inputs)
        if uses or (not quiet[op] and (draws(node) or updates(node))):
            found.append(node)
    return found


def in_order(heads: Iterable[Entry], wanted: Iterable[Node]) -> list[Node]:
    """Return all nodes that the heads need, each after its inputs, the `wanted` ones in the order given.

    Of the nodes that are free to go, the first in depth-first order goes first.
    """
    nodes = Graph(heads).nodes
    number = {node: index for index, node in enumerate(nodes)}
    after: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    fixed = [node for node in wanted if node in number]
    edges = [(source.node, node) for node in nodes for source in node.inputs]
    for source, node in (*edges, *pairwise(fixed)):
        after[number[source]].append(number[node])
        waits[number[node]] += 1
    ready = [index for index, count in enumerate(waits) if not count]
    order = []
    while ready:
        index = heappop(ready)
        order.append(nodes[index])
        for user in after[index]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, user)
    return order
