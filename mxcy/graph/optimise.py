"""Runs the passes over a graph and its gradient: what binding and estimates of memory have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ._nodes import carried
from .combine import combine
from .constants import fold_constants
from .effects import in_order, sequence
from .epilogue import add_epilogues
from .fuse import fuse
from .halve import halve
from .infer import open_ended
from .ir import Entry, Graph, Node
from .rectify import rectify
from .settle import settle
from .simplify import simplify
from .together import together

__all__ = ["Optimised", "optimise"]


class Optimised(NamedTuple):
    """A graph after the passes; `forward` and `backward` are its operations in the order to run them."""

    graph: Graph
    shapes: dict[Entry, Any]
    dtypes: dict[Entry, Any]
    forward: list[Node]
    backward: list[Node]


def optimise(
    graph: Graph,
    whole: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    simplifies: bool = True,
    fuses: bool = True,
    gathers: bool = False,
) -> Optimised:
    """Return `whole`, whose first heads are those of `graph`, after the passes.

    What `graph` holds runs in forward, the rest in backward; passes keep them apart. `gathers`: convolutions
    of the same data become one node, as do those that maxima follow, and what is added to a convolution is
    found where it writes, all of which only processors do well.
    """
    fixed = sequence(whole)
    current = whole
    early = set(graph.nodes)
    passes: list[Callable] = [settle] if any(map(open_ended, whole.nodes)) else []
    passes += [simplify, combine, fold_constants] if simplifies else []
    joins: list[Callable] = [rectify, *([together, halve] if gathers else [])]
    joins += [fuse, partial(add_epilogues, sums=gathers)]
    for apply in [*passes, *(joins if fuses else [])]:
        changed, moved = apply(current, shapes, dtypes, early.__contains__)
        if changed is current:
            continue
        if fixed and not set(changed.nodes).issuperset(moved[Entry(node, 0)].node for node in fixed):
            continue  # it leaves out a draw of numbers whose result is not used, and later draws would differ
        shapes, dtypes = carried(moved, shapes), carried(moved, dtypes)
        early = {new.node for old, new in moved.items() if old.node in early}
        fixed = [moved[Entry(node, 0)].node for node in fixed]
        current = changed
    operations = [node for node in _in_turn(current, len(graph.heads), fixed) if node.op is not None]
    return Optimised(
        current,
        dict(shapes),
        dict(dtypes),
        [node for node in operations if node in early],
        [node for node in operations if node not in early],
    )


def _in_turn(whole: Graph, count: int, fixed: Sequence[Node]) -> list[Node]:
    """All nodes in the order to run them: first what the first `count` heads need, then gradients.

    Those are taken from the last argument to the first, and each as soon as what it needs is there; so
    backward goes through the layers once, and a result is free when its layer has been passed. Taken the
    other way, the gradients of all layers would wait until that of the first argument is done.
    """
    heads = [*whole.heads[:count], *reversed(whole.heads[count:])]
    return in_order(heads, fixed) if len(fixed) > 1 else Graph(heads).nodes
