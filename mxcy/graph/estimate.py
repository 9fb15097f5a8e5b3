"""Plans the memory of a graph that is not bound: nothing is allocated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._lifetimes import Roots
from .infer import complete, infer_dtypes, unknown
from .ir import Entry, Graph, Node, variable
from .optimise import optimise
from .plan_memory import Plan, plan_memory
from .training import with_gradient

__all__ = ["estimate", "missing"]


def missing(graph: Graph, shapes: Mapping[Entry, Any]) -> list[str]:
    """Return the names of results whose shape does not follow."""
    entries = [Entry(node, i) for node in graph.nodes for i in range(node.num_outputs)]
    return unknown(shapes, [entry for entry in entries if not complete(shapes.get(entry))])


def estimate(
    graph: Graph,
    shapes: Mapping[Node, Any],
    dtypes: Mapping[Node, Any],
    train: bool,
    strategy: str = "both",
    fuses: bool = True,
    paths: int = 1,
    mirrors: bool = False,
    budget: int | None = None,
) -> Plan | list[str]:
    """Return the plan of what an executor would allocate, or the names of what has no known shape.

    `shapes` and `dtypes` are those of variables; a dtype that does not follow is float32. With `train`,
    the gradients of all arguments are computed, into arrays that are the caller's, as arguments are; see
    `with_gradient` for `mirrors` and `budget`.
    """
    known = infer_dtypes(graph, dtypes)
    floats = {n: np.dtype(np.float32) for n in graph.variables if known.get(Entry(n, 0)) is None}
    heads = [variable(f"_head_grad_{i}") for i in range(len(graph.heads))]
    wanted = graph.arguments if train else []
    found = with_gradient(graph, wanted, heads, shapes, {**dtypes, **floats}, mirrors, budget)
    lacking = missing(found.whole, found.shapes)
    if lacking:
        return lacking
    made = optimise(graph, *found, fuses=fuses, gathers=True)
    count = len(graph.heads)
    roots = Roots(made.shapes, frozenset(heads))
    targets = [roots(target) for target in made.graph.heads[count:]]
    forward = set(made.forward)
    external = {r for r in targets if r.node.op is not None and r.node not in forward}
    return plan_memory(
        [*made.forward, *made.backward],
        made.shapes,
        made.dtypes,
        keep=[*made.graph.heads[:count], *targets],
        external=external,
        strategy=strategy,
        paths=paths,
        roots=roots,
    )
