"""Walking the tape backwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import ops
from ..errors import ArgumentError, ShapeError, StateError, message, problem
from ..kernels import cpu as kernels
from ..ops import _storage
from ..ops.shape import _identity_with_attr_like_rhs
from ._tape import RECORDING, REPLAYING, STATE, Leaf, Node, alias, set_mode

__all__ = ["backward", "gradients"]

Parts = dict[tuple[Any, int], list]

# So many gradients of one array are kept apart before they are added up, which bounds the memory that a
# weight with many uses needs.
PARTS = 8


def backward(heads: Sequence, head_grads: Sequence | None, retain_graph: bool, train_mode: bool) -> None:
    """Fill the gradients of all arrays that the heads depend on and that a gradient is attached to."""
    _, leaves = _walk("backward", heads, head_grads, None, retain_graph, False, train_mode)
    asked = any(leaf.req != "null" for leaf in leaves)
    was = set_mode(REPLAYING, STATE.train)
    try:
        for leaf, parts in leaves.items():
            _fill(leaf, _total(parts))
            leaf.fresh = True
            if leaf.req == "null" and not retain_graph and asked:
                leaf.grad = None  # MXNet takes it from arrays that had a part in gradients of others
    finally:
        set_mode(*was)


def gradients(
    heads: Sequence,
    variables: Sequence,
    head_grads: Sequence | None,
    retain_graph: bool,
    create_graph: bool,
    train_mode: bool,
) -> list:
    """Return the gradients of the variables as new arrays, on the tape if `create_graph`."""
    places = []
    for x in variables:
        if x._tape is None:
            text = "no gradient is attached to the array and it was not recorded"
            raise StateError(problem("grad", "variables", text, "call attach_grad() before record()"))
        places.append(x._tape[:2])
    if len(set(places)) < len(places):
        raise ArgumentError(problem("grad", "variables", "an array is given twice"))
    found, _ = _walk("grad", heads, head_grads, places, retain_graph, create_graph, train_mode)
    was = set_mode(RECORDING if create_graph else STATE.mode, STATE.train)
    try:
        results: list = []
        given = {id(g) for g in head_grads or ()}
        for x, place in zip(variables, places, strict=True):
            g = _total(found.get(place))
            if g is None:
                g = ops.zeros_like(alias(x))
            elif id(g) in given or any(g is other for other in results):
                g = g.copy()
            if g._face != x._face:
                g = g.as_np_ndarray() if getattr(x, "_rules", "nd") == "np" else g.as_nd_ndarray()
            if create_graph and g._tape is None and g.stype == x.stype == "default":
                g = _identity_with_attr_like_rhs(g, x)  # a constant, but on the tape
            results.append(g)
    finally:
        set_mode(*was)
    return results


def _walk(
    name: str,
    heads: Sequence,
    head_grads: Sequence | None,
    targets: Sequence | None,
    retain_graph: bool,
    create_graph: bool,
    train_mode: bool,
) -> tuple[Parts, dict[Leaf, list | None]]:
    """Return the gradients by place: of the targets, and of all leaves that were reached."""
    parts = _start(name, heads, head_grads)
    nodes, leaves = _reachable(name, parts)
    needed = None if targets is None else _depending(nodes, targets)
    kept = frozenset(targets or ())
    was = set_mode(RECORDING if create_graph else REPLAYING, train_mode)
    try:
        for node in reversed(nodes):
            if needed is None or node in needed:
                _visit(node, parts, kept, needed, create_graph)
            if not retain_graph:
                node.free()
    finally:
        set_mode(*was)
    return parts, {leaf: parts.get((leaf, 0)) for leaf in leaves}


def _start(name: str, heads: Sequence, head_grads: Sequence | None) -> Parts:
    """The gradients of the heads, ones where none is given."""
    parts: Parts = {}
    if head_grads is not None and len(head_grads) != len(heads):
        raise ArgumentError(message(name, "head_grads", f"{len(heads)} arrays", len(head_grads)))
    for i, head in enumerate(heads):
        if head._tape is None:
            raise StateError(_not_recorded(name))
        g = None if head_grads is None else head_grads[i]
        if g is None:
            g = ops.ones_like(alias(head))
        elif g.shape != head.shape:
            raise ShapeError(message(name, "head_grads", f"shape {head.shape}", g.shape))
        parts.setdefault(head._tape[:2], []).append(g)
    return parts


def _not_recorded(name: str) -> str:
    text = "cannot differentiate an array that is not in a recorded graph"
    hint = "compute it inside autograd.record(); to go backward twice, pass retain_graph=True the first time"
    return problem(name, "heads", text, hint)


def _reachable(name: str, places: Iterable) -> tuple[list[Node], list[Leaf]]:
    """The nodes that these places depend on, in the order in which they were recorded, and the leaves."""
    seen: set = set()
    pending = [node for node, _ in places]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Leaf):
            continue
        if node.inputs is None:
            raise StateError(_not_recorded(name))
        pending += [place[0] for place in node.inputs if place is not None]
    nodes = sorted([n for n in seen if not isinstance(n, Leaf)], key=lambda node: node.number)
    return nodes, [n for n in seen if isinstance(n, Leaf)]


def _depending(nodes: Iterable[Node], targets: Sequence) -> set:
    """The nodes whose results depend on a target, and the nodes of the targets that are leaves."""
    found: set = {place[0] for place in targets if isinstance(place[0], Leaf)}
    whole = frozenset(targets)
    for node in nodes:
        if any(p is not None and (p[0] in found or p[:2] in whole) for p in node.inputs or ()):
            found.add(node)
    return found


def _visit(node: Node, parts: Parts, kept: frozenset, needed: set | None, recorded: bool) -> None:
    """Add the gradients of a node's operands to their parts."""
    flowing: list = [None] * (node.hidden[-1] + 1 if node.hidden else node.visible)
    for index in (*range(node.visible), *node.hidden):
        output = (node, index)
        flowing[index] = _total(parts.get(output) if output in kept else parts.pop(output, None))
    if all(g is None for g in flowing):
        return
    inputs, outputs = node.values(recorded)
    if node.visible > 1:
        flowing = [
            ops.zeros_like(y) if g is None and i < node.visible else g
            for i, (g, y) in enumerate(zip(flowing, outputs, strict=False))
        ]
    wanted = [
        p is not None and (needed is None or p[0] in needed or p[:2] in kept) for p in node.inputs or ()
    ]
    if getattr(node.op, "lends", False):
        _keep_lent(node, parts)
        found = node.op.gradient(flowing, inputs, outputs, node.attrs, wanted, bool(kept))
    else:
        found = node.op.gradient(flowing, inputs, outputs, node.attrs, wanted)
    for place, want, g in zip(node.inputs or (), wanted, found, strict=True):
        if want and g is not None and place is not None:
            waiting = parts.setdefault(place[:2], [])
            waiting.append(g)
            if len(waiting) == PARTS:
                waiting[:] = [ops.add_n(*waiting)]


def _keep_lent(node: Node, parts: Parts) -> None:
    """Copy gradients that wait in the buffers of leaves, which the node may write directly."""
    for place in node.inputs or ():
        if place is not None and isinstance(place[0], Leaf):
            waiting = parts.get(place[:2])
            if waiting:
                waiting[:] = [g.copy() if g is place[0].grad else g for g in waiting]


def _total(parts: list | None) -> Any:
    """The sum of gradients, None for none."""
    if not parts:
        return None
    if len(parts) > 1:
        parts[:] = [ops.add_n(*parts)]
    return parts[0]


def _fill(leaf: Leaf, g: Any) -> None:
    """Write or add a gradient to the buffer of a leaf."""
    if leaf.req == "null":
        return
    buffer = leaf.grad
    if g is buffer:  # written there directly
        return
    if g is None:
        if leaf.req == "write":
            buffer[slice(None) if buffer.ndim else ...] = 0  # sparse ones take only [:]
        return
    if g.shape != buffer.shape and not g.size == buffer.size == 1:  # nor are there results without axes
        raise ShapeError(message("backward", None, f"a gradient of shape {buffer.shape}", g.shape))
    if _storage.stored(buffer) or _storage.stored(g):
        total = g if leaf.req == "write" else ops.elemwise_add(buffer, g)
        total.copyto(buffer)
    elif leaf.req == "write":
        kernels.copy(g._reshape_view(buffer.shape), out=buffer)
    else:
        ops.add(buffer, g if g.dtype == buffer.dtype else g.astype(buffer.dtype), out=buffer)
