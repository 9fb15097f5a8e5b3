"""Joins products and convolutions with the pointwise node that reads their results.

The program of that node runs over a part of the result as soon as the kernel has made it, in the same worker,
while it is in the cache; a node by itself reads all of it from memory and writes it again. Results are the
same to the last bit: both run the loops that they would run apart, over the same elements.

The program writes over the product's result, or, where others read that too (a gradient, say), beside it.
What else it reads has the shape of the result, or repeats along its rows or columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._epilogue import Epilogue, may_overwrite, reach
from .._pointwise import Program
from ..kernels import cpu as kernels
from ..ops._window import window_of
from ..ops.epilogues import TAKERS
from ._nodes import enter, rebuilt
from .effects import sequence
from .fuse import Fused, pointwise
from .infer import complete
from .ir import Entry, Graph, Node
from .rectify import rectifies
from .together import by_products

__all__ = ["Finished", "add_epilogues"]

_ADDITIONS = ("elemwise_add", "broadcast_add")


class Finished(Fused):
    """The operator of a product or layer and of its epilogue.

    It reads what the first one reads, then what else the program does, and writes what the program writes,
    then the first one's result if that is kept.
    """

    def __init__(self, first: Node, then: Fused, parts: Parts):
        members = (first, *then.members)
        outputs = (*then.outputs, *([Entry(first, 0)] if parts.over is None else []))
        super().__init__(then.program, members, outputs)
        self.first = first
        self.parts = parts

    def __repr__(self) -> str:
        return f"<finished {self.name}>"

    def in_place_inputs(self, attrs: Any, output: int) -> Sequence[int]:
        """What the layer adds where it writes; all other inputs are read until the last part is done."""
        added = self.parts.sum
        return (len(self.first.inputs),) if added is not None and added.in_place else ()

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """Push both as one operation, or, where results have no arrays yet, one after the other."""
        first, parts = self.first, self.parts
        if outs is None:
            return self._apart(inputs, is_train, face)
        result = outs[-1 if parts.over is None else parts.over]
        count = len(first.inputs)
        read = [*inputs[count : count + parts.place], result, *inputs[count + parts.place :]]
        written = list(outs[: len(self.program.out_dtypes)])
        added = () if parts.sum is None else (1 - parts.place, parts.sum.rectifies)
        epilogue = Epilogue(self.program, read, written, parts.shape, parts.columns, *added)
        TAKERS[first.op].run(first.op, inputs[:count], first.attrs, result, epilogue)
        return outs

    def _apart(self, inputs: Sequence, is_train: bool, face: Any) -> list:
        first, parts = self.first, self.parts
        count = len(first.inputs)
        result = first.op.compute(inputs[:count], first.attrs, None, is_train, face)[0]
        read = [*inputs[count : count + parts.place], result, *inputs[count + parts.place :]]
        return [*super().compute(read, {}), *([result] if parts.over is None else [])]


class Sum(NamedTuple):
    """An epilogue that only adds another array to the result, which the layer does as it writes it."""

    rectifies: bool  # and makes what is below zero zero then
    in_place: bool  # whether the other array may be where the result is written


class Parts(NamedTuple):
    """How an epilogue goes with a result of this shape."""

    shape: tuple
    columns: int  # of its axes
    place: int  # of the result among the program's inputs
    over: int | None  # the program's output that is written over the result; None: the result is kept
    sum: Sum | None = None


def add_epilogues(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
    sums: bool = False,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with one node for a product or layer and the pointwise node that follows it.

    Also what became of the entries that still exist; if the graph itself is returned, nothing has become of
    any. Nodes of different `phase` stay apart: they run at different times. `sums`: convolutions may find
    what is added to them where they write, as those of processors can.
    """
    if not any(node.op in TAKERS for node in graph.nodes if node.op is not None):
        return graph, {}
    found = _found(graph, shapes, dtypes, phase, sums)
    if not found:
        return graph, {}
    gone = {finished.first for finished, _ in found.values()}
    moved: dict[Entry, Entry] = {}
    for node in _with_readers(graph, found, gone):
        if node in found:
            finished, others = found[node]
            read = [moved[source] for source in (*finished.first.inputs, *others)]
            new = Node(finished, node.name, {}, read)
            moved.update((entry, Entry(new, index)) for index, entry in enumerate(node.all_entries()))
            if finished.parts.over is None:
                moved[Entry(finished.first, 0)] = Entry(new, new.num_outputs - 1)
        elif node not in gone:
            enter(moved, node, rebuilt(node, moved))
    return Graph(moved[head] for head in graph.heads), moved


def _found(
    graph: Graph, shapes: Mapping, dtypes: Mapping, phase: Callable, sums: bool
) -> dict[Node, tuple[Finished, list[Entry]]]:
    """By pointwise node: the operator that is both, and what else the program reads."""
    found: dict[Node, tuple[Finished, list[Entry]]] = {}
    number = {node: index for index, node in enumerate(graph.nodes)}
    heads, fixed = set(graph.heads), set(sequence(graph))
    known: dict = {}
    taken: set[Node] = set()
    for node in graph.nodes:
        read = dict.fromkeys(source for source in node.inputs if _takes(source, shapes, dtypes))
        if not read or node in fixed:
            continue
        then = node.op if isinstance(node.op, Fused) else pointwise(node, shapes, dtypes, known)
        if then is None:
            continue
        for source in sorted(read, key=lambda entry: -number[entry.node]):
            first = source.node
            if first in taken or phase(first) != phase(node) or shapes[Entry(node, 0)] != shapes[source]:
                continue
            kept = source in heads or len(set(graph.users[source])) > 1
            others = [entry for entry in dict.fromkeys(node.inputs) if entry != source]
            # What reads the result beside this node must not have to be done before it.
            computed = [entry.node for entry in others if entry.node.op is not None]
            if kept and any(number[other] > number[first] for other in computed):
                continue
            parts = _parts(source, node, then.program, kept, shapes, dtypes)
            if parts is not None:
                if sums and not kept:
                    parts = parts._replace(sum=_sum(first, then, others, shapes, dtypes))
                found[node] = Finished(first, then, parts), others
                taken.add(first)
                break
    return found


def _takes(source: Entry, shapes: Mapping, dtypes: Mapping) -> bool:
    """Whether an entry is the result of a product or layer that may have an epilogue.

    Half types are computed in float32 and rounded when all of the result is there.
    """
    if source.node.op is None or source.node.op not in TAKERS:
        return False
    dtype = dtypes.get(source)
    return dtype is not None and np.dtype(dtype) in (np.float32, np.float64) and complete(shapes.get(source))


def _parts(
    source: Entry, node: Node, program: Program, kept: bool, shapes: Mapping, dtypes: Mapping
) -> Parts | None:
    """How the program goes with the result `source`; None if it does not."""
    first, shape = source.node, shapes[source]
    read = list(dict.fromkeys(node.inputs))
    columns = TAKERS[first.op].columns(first.attrs, [shapes[entry] for entry in first.inputs])
    if not columns or not all(complete(shapes.get(entry)) for entry in read):
        return None
    if any(reach(shape, shapes[entry], columns) is None for entry in read):
        return None
    place = read.index(source)
    if kept:
        return Parts(shape, columns, place, None)
    for index, entry in enumerate(node.all_entries()):
        if np.dtype(dtypes[entry]) == np.dtype(dtypes[source]) and may_overwrite(program, place, index):
            return Parts(shape, columns, place, index)
    return None


def _sum(first: Node, then: Fused, others: list[Entry], shapes: Mapping, dtypes: Mapping) -> Sum | None:
    """How a convolution by products adds what its epilogue adds to it; None if that does more."""
    add, *rest = then.members
    if first.op is None or first.op.name != "Convolution" or len(others) != 1 or len(then.outputs) != 1:
        return None
    if add.op.name not in _ADDITIONS or len(set(add.inputs)) != 2 or len(rest) > 1:
        return None
    if any(not rectifies(node) or node.inputs[0] != Entry(add, 0) for node in rest):
        return None
    result, other = Entry(first, 0), others[0]
    if shapes[other] != shapes[result] or dtypes[other] != dtypes[result]:
        return None
    if not by_products(first, shapes, dtypes):
        return None
    attrs = first.attrs
    window = window_of("Convolution", *[attrs[k] for k in ("kernel", "stride", "dilate", "pad")], None)
    known = [shapes[entry] for entry in first.inputs[:2]]
    packed = attrs.get("packed", False)
    in_place = kernels.convolution_sums_in_place(
        *known, np.dtype(dtypes[result]), *window[1:4], attrs["num_group"], packed
    )
    return Sum(bool(rest), in_place and other not in first.inputs)


def _with_readers(graph: Graph, found: Mapping[Node, Any], gone: set[Node]) -> list[Node]:
    """All nodes so that what reads a kept result comes after the node that makes it now."""
    made_by = {finished.first: node for node, (finished, _) in found.items()}
    order: list[Node] = []
    done: set[Node] = set()
    for head in graph.nodes:
        stack = [made_by.get(head, head)]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            first = [found[node][0].first] if node in found else []
            read = [source.node for member in (*first, node) for source in member.inputs]
            waiting = [made_by.get(other, other) for other in read]
            waiting = [other for other in waiting if other is not node and other not in done]
            if waiting:
                stack.extend(waiting)
            else:
                order += [*first, node]
                done.update([*first, node])
                stack.pop()
    return order
