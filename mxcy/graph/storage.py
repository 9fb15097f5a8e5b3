"""Which results of a graph are sparse, from the storage of its variables and the rules of operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ops._storage import Maker
from .gradient import gradient
from .infer import infer_shapes
from .ir import Entry, Graph, Node, variable

__all__ = ["gradient_storage", "infer_storage", "may_be_sparse", "stype_of"]

STYPES = {"1": "row_sparse", "2": "csr"}  # MXNet's numbers in labels of variables


def stype_of(node: Node) -> str:
    """The storage type that a variable was made with."""
    return STYPES.get(node.labels.get("__storage_type__", ""), "default")


def infer_storage(
    graph: Graph, known: Mapping[Node, str], shapes: Mapping[Entry, Any] | None = None
) -> dict[Entry, str]:
    """Return the storage types of the entries that are sparse, given those of variables.

    With `shapes` an operator that gives its operand another name where shapes agree is seen through.
    """
    found: dict[Entry, str] = {}
    for node in graph.nodes:
        if node.op is None:
            stype = known.get(node, "default")
            if stype != "default":
                found[Entry(node, 0)] = stype
            continue
        if not found and not isinstance(node.op, Maker):
            continue
        kinds = tuple([found.get(source, "default") for source in node.inputs])
        made = node.op.infer_storage(kinds, node.attrs)
        entries = node.all_entries()
        if node.op.identity and shapes is not None and kinds[0] != "default":
            if shapes.get(entries[0]) == shapes.get(node.inputs[0]):
                made = kinds[0]
        if made != "default":
            found.update(dict.fromkeys(entries, made))
    return found


def may_be_sparse(graph: Graph, known: Mapping[Node, str]) -> bool:
    """Whether anything in a graph or its gradient can be sparse; quick to say no."""
    if any(stype != "default" for stype in known.values()):
        return True
    for node in graph.nodes:
        if node.op is not None and (
            node.attrs.get("sparse_grad")
            or node.op.name == "_contrib_SparseEmbedding"
            or (isinstance(node.op, Maker) and node.op.stored(("default",) * len(node.inputs), node.attrs))
        ):
            return True
    return False


def gradient_storage(
    graph: Graph, wanted: Sequence[Node], known: Mapping[Node, str], shapes: Mapping[Node, Any]
) -> list[str]:
    """Return the storage types that gradients of some variables have when they are computed from head
    gradients that are stored as the results are.  `shapes` are those of variables.
    """
    if not wanted or not may_be_sparse(graph, known):
        return ["default"] * len(wanted)
    heads = [variable(f"_head_grad_{i}") for i in range(len(graph.heads))]
    whole = Graph([*graph.heads, *gradient(graph, wanted, heads)])
    own = infer_shapes(graph, shapes)
    made = infer_storage(graph, known, own)
    pairs = [(g.node, head) for g, head in zip(heads, graph.heads, strict=True)]
    extents = infer_shapes(whole, {**shapes, **{node: own[head] for node, head in pairs}})
    stypes = {node: made.get(head, "default") for node, head in pairs}
    found = infer_storage(whole, {**known, **stypes}, extents)
    return [found.get(target, "default") for target in whole.heads[len(heads) :]]
