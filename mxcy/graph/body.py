"""The graph inside a control flow operator: what it says of shapes, and how it runs on arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._segment import refuse
from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ..ops._operator import Cache
from .effects import sequence
from .infer import complete, infer_dtypes, infer_shapes
from .ir import Entry, Graph
from .optimise import optimise

__all__ = ["Body", "Plan"]


class Plan(NamedTuple):
    """How a body runs on arrays of certain shapes and dtypes.

    A step is (operator, attributes, slots that it reads, slots that it writes); values pass from step to
    step in numbered slots, of which the first hold the inputs. `results` are the slots of the results.
    """

    steps: list[tuple[Any, Any, list[int], list[int]]]
    slots: int
    results: list[int]
    shapes: list[tuple[int, ...]]
    dtypes: list[np.dtype]


class Body:
    """A graph with its variables in order.

    Its results are the heads and, after them, what nodes return that draw random numbers or use states:
    a gradient that runs the body again reads these instead of running such nodes twice.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.inputs = graph.variables
        self.fixed = sequence(graph)
        self.kept = [Entry(node, index) for node in self.fixed for index in range(node.num_outputs)]
        self.whole = Graph([*graph.heads, *self.kept])
        self.gradients = Cache()  # by what is asked for
        self._plans = Cache()

    @property
    def results(self) -> tuple[Entry, ...]:
        """The heads and what is kept for gradients."""
        return self.whole.heads

    def infer(self, what: str, known: Sequence) -> tuple[list, list]:
        """Return what follows of the shapes (or dtypes) of inputs and results, from some inputs'."""
        rule = infer_shapes if what == "shape" else infer_dtypes
        values: Mapping[Entry, Any] = rule(self.whole, dict(zip(self.inputs, known, strict=True)))
        return [values.get(Entry(node, 0)) for node in self.inputs], [values.get(e) for e in self.results]

    def plan(self, shapes: Sequence[tuple], dtypes: Sequence[np.dtype]) -> Plan:
        """Return how the body runs on inputs of these shapes and dtypes.

        To run it is not recorded: a record would keep what each round of a loop computes, and constants
        that are folded here must have their values now.
        """
        refuse("it runs a graph of its own")
        key = (tuple(shapes), tuple(dtypes))
        found = self._plans.get(key)
        return self._plans.add(key, self._made(shapes, dtypes)) if found is None else found

    def _made(self, shapes: Sequence[tuple], dtypes: Sequence[np.dtype]) -> Plan:
        known_shapes = infer_shapes(self.whole, dict(zip(self.inputs, shapes, strict=True)))
        known_dtypes = infer_dtypes(self.whole, dict(zip(self.inputs, dtypes, strict=True)))
        for entry in self.results:
            if not complete(known_shapes.get(entry)) or known_dtypes.get(entry) is None:
                expected = f"a shape and a dtype of {entry.name} that follow from the inputs"
                raise ShapeError(message("control flow", None, expected, "unknown ones"))
        fuses = os.environ.get("MXCY_FUSION", "1") != "0"
        made = optimise(self.whole, self.whole, known_shapes, known_dtypes, fuses=fuses)
        slot = {Entry(node, 0): position for position, node in enumerate(self.inputs)}
        steps = []
        for node in made.forward:
            reads = [slot[source] for source in node.inputs]
            writes = []
            for index in range(node.num_outputs):
                writes.append(slot.setdefault(Entry(node, index), len(slot)))
            steps.append((node.op, node.attrs, reads, writes))
        return Plan(
            steps,
            len(slot),
            [slot[entry] for entry in made.graph.heads],
            [made.shapes[entry] for entry in made.graph.heads],
            [np.dtype(made.dtypes[entry]) for entry in made.graph.heads],
        )


def run(plan: Plan, inputs: Sequence, outs: Sequence, is_train: bool, face: int) -> list:
    """Push the operations of a body; return its results, in the arrays `outs` where these are not None."""
    values = [*inputs, *[None] * (plan.slots - len(inputs))]
    given: dict[int, Any] = {}
    for slot, out in zip(plan.results, outs, strict=True):
        if out is not None and slot >= len(inputs):
            given.setdefault(slot, out)
    for op, attrs, reads, writes in plan.steps:
        wanted = [given.get(slot) for slot in writes]
        # A step with several outputs takes arrays for all of them or for none.
        into = wanted if all(out is not None for out in wanted) else None
        made = op.compute([values[slot] for slot in reads], attrs, into, is_train, face)
        for slot, value in zip(writes, made, strict=True):
            values[slot] = value
    results = []
    for slot, out in zip(plan.results, outs, strict=True):
        value = values[slot]
        results.append(value if out is None or out is value else kernels.copy(value, out=out))
    return results
