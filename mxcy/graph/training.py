"""A graph with its gradient, as binding and estimates of memory begin with: inferred, and with what
backward computes again instead of reading it from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._lifetimes import Roots
from .gradient import gradient
from .infer import complete, infer_dtypes, infer_shapes
from .ir import Entry, Graph, Node
from .mirror import marked, mirror
from .recompute import choose
from .rejoin import rejoined

__all__ = ["Trained", "with_gradient"]

MARGIN = 64  # a budget leaves one part in so many for what packing and passes cannot use


class Trained(NamedTuple):
    """`whole` has the heads of a graph, and then the gradients of the variables wanted."""

    whole: Graph
    shapes: dict[Entry, Any]
    dtypes: dict[Entry, Any]


def with_gradient(
    graph: Graph,
    wanted: Sequence[Node],
    heads: Sequence[Entry],
    shapes: Mapping[Node, Any],
    dtypes: Mapping[Node, Any],
    mirrors: bool = False,
    budget: int | None = None,
    own: tuple[dict, dict] | None = None,
) -> Trained:
    """Return a graph with the gradients of some variables, given variables for those of its heads.

    `shapes` and `dtypes` hold those of variables; gradients of heads are like their heads. Backward
    computes again what is marked, with `mirrors` all that is quick to compute, and as much as is needed
    to keep results within a `budget` of bytes; without a budget it joins again what it keeps in parts.
    `own` is what inference says of the graph by itself, if that is known already.
    """
    targets = gradient(graph, wanted, heads) if wanted else []
    own = own or (infer_shapes(graph, shapes), infer_dtypes(graph, dtypes))
    again = rejoined(graph, targets, *own) if targets and budget is None else set()
    if targets and (mirrors or any("__force_mirroring__" in node.labels for node in graph.nodes)):
        again |= marked(graph, mirrors)
    if again:
        targets = mirror(graph, targets, again)
    found = _inferred(graph, targets, heads, dict(shapes), dict(dtypes), own)
    if not targets or budget is None or not _known(found):
        return found
    source = Roots(found.shapes, frozenset(heads))
    inside = set(graph.nodes)
    external = [target for target in targets if source(target).node not in inside]
    room = budget - budget // MARGIN
    trial = choose(graph, targets, found.shapes, found.dtypes, room, source, external)
    if not trial.chosen:
        return found
    targets = mirror(graph, targets, trial.chosen)
    return _inferred(graph, targets, heads, dict(shapes), dict(dtypes), own)


def _inferred(
    graph: Graph, targets: list[Entry], heads: Sequence[Entry], shapes: dict, dtypes: dict, own: tuple
) -> Trained:
    whole = Graph([*graph.heads, *targets])
    if not targets:
        return Trained(whole, *own)
    for head, g in zip(graph.heads, heads, strict=True):
        shapes[g.node] = own[0].get(head)
        dtypes[g.node] = own[1].get(head)
    done = all(map(complete, own[0].values())), all(value is not None for value in own[1].values())
    return Trained(
        whole,
        infer_shapes(whole, shapes, own[0] if done[0] else None),
        infer_dtypes(whole, dtypes, own[1] if done[1] else None),
    )


def _known(found: Trained) -> bool:
    """Whether all shapes and dtypes are: what binding complains of else."""
    entries = [Entry(node, i) for node in found.whole.nodes for i in range(node.num_outputs)]
    return all(complete(found.shapes.get(e)) and found.dtypes.get(e) is not None for e in entries)
