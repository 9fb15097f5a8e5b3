"""Shapes and dtypes of every entry, from what is known of some: partial, and in both directions.

Each operator's rule takes what is known of its inputs and outputs and returns what follows. The rules
are run until nothing changes. Every value only gains knowledge, so that this ends; nodes whose
neighbours changed are taken in graph order, forward sweeps alternating with backward ones, so that a
chain takes one sweep whichever end is known.

A shape is None (nothing known) or a tuple whose unknown extents are None; a dtype is None or a
`numpy.dtype`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from ..dtypes import from_mxnet_flag, numpy_dtype
from ..errors import DTypeError, MXNetError, ShapeError, message
from ..switches import is_np_shape
from ._sweep import sweep
from .ir import Entry, Graph, Node

__all__ = [
    "Shape",
    "complete",
    "infer_dtypes",
    "infer_shapes",
    "label_dtype",
    "label_shape",
    "open_ended",
    "unknown",
    "with_unknown_zeros",
]

Shape = tuple[int | None, ...] | None

_SHAPE = re.compile(r"\s*[(\[]\s*(?:(?:-?\d{1,19}|None)\s*(?:,\s*|(?=[)\]])))*[)\]]\s*|\d{1,19}")
_EXTENT = re.compile(r"-?\d+|None")


def label_shape(node: Node) -> Shape:
    """Return the shape in a variable's `__shape__` label; extents 0 (but in NumPy's shapes), -1 and None are
    unknown.
    """
    text = node.labels.get("__shape__")
    if text is None or text == "None":
        return None
    if not _SHAPE.fullmatch(text):
        raise ShapeError(message("Variable", node.name, "__shape__ such as '(2, 3)'", repr(text)))
    extents = [-1 if found == "None" else int(found) for found in _EXTENT.findall(text)]
    least = 0 if is_np_shape() else 1
    return tuple(extent if extent >= least else None for extent in extents)


def with_unknown_zeros(text: str) -> str:
    """Return a `__shape__` label in which 0 stands for an unknown extent, and () for an unknown rank, as
    NumPy's shapes have it.
    """
    if not _SHAPE.fullmatch(text):
        return text
    extents = ["-1" if found in ("0", "None") else found for found in _EXTENT.findall(text)]
    return f"[{','.join(extents)}]" if extents else "None"


def label_dtype(node: Node) -> np.dtype | None:
    """Return the dtype in a variable's `__dtype__` label, which holds MXNet's type flag."""
    text = node.labels.get("__dtype__")
    if text is None or text == "-1":
        return None
    code = from_mxnet_flag(int(text)) if text.isdecimal() and len(text) < 4 else None
    if code is None:
        raise DTypeError(message("Variable", node.name, "__dtype__ with a type flag of MXNet", repr(text)))
    return numpy_dtype(code)


def complete(shape: Shape) -> bool:
    """Whether rank and all extents are known."""
    return shape is not None and None not in shape


def infer_shapes(
    graph: Graph, known: Mapping[Node, Shape], within: Mapping[Entry, Shape] | None = None
) -> dict[Entry, Shape]:
    """Return what is known of the shape of every entry; `known` holds shapes of variables.

    `within` holds the shapes of all entries of a part of the graph, complete, if they are known already.

    Raises `ShapeError` naming the node where shapes contradict each other.
    """
    seeds = {node: known.get(node) or label_shape(node) for node in graph.variables}
    seeds.update((node, shape) for node, shape in known.items() if shape is not None)
    found = _fixed_point(graph, seeds, "infer_shape", _merge_shapes, within)
    likely = _likely_ones(graph, found)
    if not likely:
        return found
    try:
        return _fixed_point(graph, seeds | likely, "infer_shape", _merge_shapes, within)
    except MXNetError:  # one was to be broadcast
        return found


def _likely_ones(graph: Graph, found: Mapping[Entry, Shape]) -> dict[Node, Shape]:
    """Shapes of operands of which an extent that is still unknown is 1, if the operator has operands of one
    shape, as MXNet's elementwise ones have; a known extent of 1 may be broadcast here.
    """
    likely: dict[Node, Shape] = {}
    for node in graph.nodes:
        if getattr(node.op, "shapes", None) != "elemwise" or len(node.inputs) != 2:
            continue
        shapes = [found.get(source) for source in node.inputs]
        for source, shape, other in zip(node.inputs, shapes, reversed(shapes), strict=True):
            if shape is None or other is None or len(shape) != len(other) or source.index:
                continue
            filled = tuple(1 if a is None and b == 1 else a for a, b in zip(shape, other, strict=True))
            if filled != shape:
                likely[source.node] = filled
    return likely


def infer_dtypes(
    graph: Graph, known: Mapping[Node, np.dtype | None], within: Mapping[Entry, np.dtype | None] | None = None
) -> dict[Entry, np.dtype | None]:
    """Return what is known of the dtype of every entry; `known` holds dtypes of variables.

    `within`: as in `infer_shapes`.

    Raises `DTypeError` naming the node where dtypes contradict each other.
    """
    seeds = {node: known.get(node) or label_dtype(node) for node in graph.variables}
    return _fixed_point(graph, seeds, "infer_dtype", _merge_dtypes, within)


def unknown(values: Mapping[Entry, Any], entries: Iterable[Entry]) -> list[str]:
    """Return the names of the entries whose shape or dtype is not completely known."""
    return [
        entry.name
        for entry in entries
        if values.get(entry) is None or (isinstance(values[entry], tuple) and None in values[entry])
    ]


def _merge_shapes(old: Shape, new: tuple[int | None, ...]) -> Shape:
    if old is None:
        return tuple(new)
    if new == old:
        return old
    if len(old) != len(new):
        raise ShapeError(f"has {len(old)} dimensions and {len(new)}")
    return tuple(_merge_extents(a, b) for a, b in zip(old, new, strict=True))


def _merge_extents(a: int | None, b: int | None) -> int | None:
    if a is not None and b is not None and a != b:
        raise ShapeError(f"is {a} and {b} long in one dimension")
    return b if a is None else a


def _merge_dtypes(old: np.dtype | None, new: np.dtype | None) -> np.dtype | None:
    if old is None:  # first, as numpy.dtype(None) is float64, and equal to None
        return np.dtype(new)
    if new == old:
        return old
    raise DTypeError(f"is {old} and {new}")


def _fixed_point(
    graph: Graph, seeds: Mapping[Node, Any], rule: str, merge: Callable, within: Mapping[Entry, Any] | None
) -> dict:
    """Run the rules of all nodes until nothing changes. Those of which `within` knows everything are done."""
    nodes = graph.nodes
    values: dict[Entry, Any] = {} if within is None else dict(within)
    values.update((Entry(node, 0), value) for node, value in seeds.items() if value is not None)
    dirty = _first_sweep(graph, values, rule, merge, within)
    if not dirty:
        return values
    place = {node: index for index, node in enumerate(nodes)}
    forward = False
    while dirty:
        sign = 1 if forward else -1
        queue = [sign * index for index in dirty]
        heapify(queue)
        waiting = set(dirty)
        later: set[int] = set()
        while queue:
            index = sign * heappop(queue)
            waiting.discard(index)
            changes, again = _apply_rule(nodes[index], values, rule, merge)
            if again:
                later.add(index)
            for changed in changes:
                for neighbour in _neighbours(graph, changed):
                    other = place.get(neighbour)
                    if other is None or other in waiting:
                        continue
                    if sign * (other - index) > 0:
                        waiting.add(other)
                        heappush(queue, sign * other)
                    elif other != index:
                        later.add(other)
        dirty = list(later)
        forward = not forward
    return values


def _first_sweep(graph: Graph, values: dict, rule: str, merge: Callable, within: Any) -> list[int]:
    """Run every rule once, in order. Return the places of the nodes to run again."""
    later: set[int] = set()
    place: dict[Node, int] = {}

    def learned(index: int, changed: list[Entry], again: bool) -> None:
        if again:
            later.add(index)
        if not place:
            place.update((node, number) for number, node in enumerate(graph.nodes))
        for entry in changed:
            later.update(
                place[other] for other in _neighbours(graph, entry) if place.get(other, index) < index
            )

    sweep(graph.nodes, values, within, lambda node: _apply_rule(node, values, rule, merge), learned)
    return list(later)


def open_ended(node: Node) -> bool:
    """Whether a node makes an array of a shape that is known in part; what uses the array decides."""
    return _open_shape(node) is not None


def _open_shape(node: Node) -> Shape:
    """What is known of the shape of an array that a node makes; None if it is given, or follows from inputs.

    Extents of -1, and of 0 but in NumPy's shapes, are unknown, and so is the length of a range that is to be
    inferred. Recurrent networks make their first states so.
    """
    if node.inputs or node.op is None:
        return None
    shape = node.attrs.get("shape") or ()
    least = 0 if is_np_shape() else 1
    if min(shape, default=1) < least:
        return tuple(extent if extent >= least else None for extent in shape)
    return (None,) if node.attrs.get("infer_range") and node.attrs["stop"] is None else None


def _neighbours(graph: Graph, entry: Entry) -> list[Node]:
    users = graph.users.get(entry, [])
    return users if entry.node.op is None else [entry.node, *users]


def _apply_rule(node: Node, values: dict, rule: str, merge: Callable):
    """Run one node's rule. Return the entries of which more is known now, and whether to run it again:
    when one entry is several operands, what the rule said of each adds up.
    """
    op, sources = node.op, node.inputs
    results = [Entry(node, index) for index in range(node.num_outputs)]
    known_in = [values.get(source) for source in sources]
    known_out = [values.get(result) for result in results]
    try:
        made = _open_shape(node) if rule == "infer_shape" else None
        if made is not None:
            found_in, found_out, found_states = [], [made] * len(results), []
        else:
            found_in, found_out, found_states = getattr(op, rule)(known_in, node.attrs, known_out)
    except MXNetError as error:
        raise _located(error, node, known_in) from None
    changed, again = [], False
    for entry, new in zip((*sources, *results), (*found_in, *found_states, *found_out), strict=True):
        if new is None:
            continue
        old = values.get(entry)
        try:
            merged = merge(old, new)
        except MXNetError as error:
            raise _contradiction(error, node, entry, old, new) from None
        if old is None or merged != old:
            values[entry] = merged
            changed.append(entry)
            again = again or merged != new
    return changed, again


def _located(error: MXNetError, node: Node, inputs: list) -> MXNetError:
    """The error of a rule with the node and what is known of its inputs."""
    pairs = zip(node.inputs, inputs, strict=True)
    known = ", ".join(f"{entry.name} {value}" for entry, value in pairs if value is not None)
    place = f"in node '{node.name}'" + (f" with {known}" if known else "")
    return type(error)(f"{error} ({place})")


def _contradiction(error: MXNetError, node: Node, entry: Entry, old: Any, new: Any) -> MXNetError:
    """The error for an entry of which a rule says something else than was known."""
    text = message(node.op.name, entry.name, f"{new} from the other operands", old)
    return type(error)(f"{text} ({'in' if entry.node is not node else 'from'} node '{node.name}')")
