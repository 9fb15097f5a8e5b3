"""The branch, `_cond`, and its gradient, which is a branch again."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from .body import Body, run
from .control_flow import ControlFlow, allocate, spread
from .expression import Expression, Names
from .gradient import gradient
from .ir import Entry, Graph, variable
from .loops import truth
from .substitute import replace

__all__ = ["cond"]

PLACES = ("cond_input_locs", "then_input_locs", "else_input_locs")


class Cond(ControlFlow):
    """Runs one of two bodies, as a condition says. Their results have the same shapes and dtypes.

    Hidden outputs keep the condition and what must not be computed twice (see `Body`); what belongs to the
    other body is zero.
    """

    count = 3

    def check(self, attrs):
        """See `ControlFlow.check`."""
        given = attrs["num_args"] - self.count
        for name, body in zip(PLACES, attrs["bodies"], strict=True):
            places = attrs[name]
            fits = len(places) == len(body.inputs) and all(0 <= place < given for place in places)
            self.require(fits, name, attrs, f"{len(body.inputs)} places below {given}")
        counts = [len(body.graph.heads) for body in attrs["bodies"]]
        fits = counts == [1, attrs["num_outputs"], attrs["num_outputs"]]
        self.require(fits, "num_outputs", attrs, f"as many as both branches have, {counts[1]}, {counts[2]}")

    def num_outputs(self, attrs):
        """See `Operator.num_outputs`."""
        return attrs["num_outputs"] + 1 + sum(len(body.kept) for body in attrs["bodies"][1:])

    def infer(self, what, known, attrs, results):
        """See `ControlFlow.infer`."""
        back = list(known)
        found = []
        for name, body in zip(PLACES, attrs["bodies"], strict=True):
            inputs, values = body.infer(what, spread(back, attrs[name]))
            for number, value in zip(attrs[name], inputs, strict=True):
                back[number] = value if back[number] is None else back[number]
            found.append(values)
        count = attrs["num_outputs"]
        outputs = []
        for number, (a, b) in enumerate(zip(found[1][:count], found[2][:count], strict=True)):
            if a is not None and b is not None and a != b and not (what == "shape" and {None} & {*a, *b}):
                expected = f"one {what} of output {number} from both branches"
                raise ShapeError(message("cond", None, expected, f"{a} and {b}"))
            outputs.append(b if a is None else a)
        return back, [*outputs, found[0][0], *found[1][count:], *found[2][count:]], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        count, like = attrs["num_outputs"], inputs[0]
        plans = [
            body.plan([inputs[i].shape for i in attrs[name]], [inputs[i].dtype for i in attrs[name]])
            for name, body in zip(PLACES, attrs["bodies"], strict=True)
        ]
        kept = [len(body.kept) for body in attrs["bodies"]]
        kinds = [list(zip(plan.shapes, plan.dtypes, strict=True)) for plan in plans]
        if kinds[1][:count] != kinds[2][:count]:
            got = f"{kinds[1][:count]} and {kinds[2][:count]}"
            raise ShapeError(message("cond", None, "the same shapes and dtypes from both branches", got))
        wanted = [*kinds[1][:count], kinds[0][0], *kinds[1][count:], *kinds[2][count:]]
        given = [None] * len(wanted) if outs is None else outs
        results = [
            allocate(*kind, like) if out is None else out for kind, out in zip(wanted, given, strict=True)
        ]
        targets = [results[count], *[None] * kept[0]]
        predicate = run(plans[0], spread(inputs, attrs[PLACES[0]]), targets, is_train, like._face)[0]
        taken, other = (1, 2) if truth("cond", predicate) else (2, 1)
        hidden = {1: results[count + 1 : count + 1 + kept[1]], 2: results[count + 1 + kept[1] :]}
        targets = [*results[:count], *hidden[taken]]
        run(plans[taken], spread(inputs, attrs[PLACES[taken]]), targets, is_train, like._face)
        for x in hidden[other]:
            kernels.fill(x, 0)
        return results

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        count = self.num_outputs(attrs)
        flows = [*g_outputs, *[None] * (count - len(g_outputs))]
        flows[attrs["num_outputs"]] = None  # of the condition
        used = sorted({*attrs[PLACES[1]], *attrs[PLACES[2]]})
        asked = [number for number in used if wanted is None or wanted[number]]
        if not asked or all(g is None for g in flows):
            return [None] * len(inputs)
        key = (tuple(asked), tuple([g is not None for g in flows]))
        made = attrs["bodies"][1].gradients.get(key)
        if made is None:
            made = attrs["bodies"][1].gradients.add(key, _backward(attrs, *key))
        graphs, places, specs = made
        kinds = {"input": inputs, "output": outputs, "gradient": flows}
        operands = tuple([kinds[kind][number] for kind, number in specs])
        node = cond.made(
            graphs, len(operands), num_outputs=len(asked), **dict(zip(PLACES, places, strict=True))
        )
        found = operands[0]._apply(cond, operands, node)
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        by_number = dict(zip(asked, found, strict=True))
        return [by_number.get(number) for number in range(len(inputs))]


def _backward(attrs: Any, asked: tuple, flows: tuple) -> tuple[list[Graph], list[list[int]], list]:
    """(condition and branches of the gradient, the places of their inputs, what the inputs are)."""
    count = attrs["num_outputs"]
    numbers: dict[tuple[str, int], int] = {("output", count): 0}
    graphs, places = [Graph([ops_copy(variable("condition"))])], [[0]]
    kept_from = count + 1
    for name, body in zip(PLACES[1:], attrs["bodies"][1:], strict=True):
        graph, sources = _branch(body, attrs[name], asked, flows, count, kept_from)
        kept_from += len(body.kept)
        graphs.append(graph)
        places.append([numbers.setdefault(sources[node], len(numbers)) for node in graph.variables])
    return graphs, places, list(numbers)


def ops_copy(entry: Entry) -> Entry:
    """A node that copies an entry: a graph inside an operator has at least one."""
    return ops.identity(Expression(entry, Names("condition_copy"))).entry


def _branch(body: Body, locs: Any, asked: tuple, flows: tuple, count: int, kept_from: int):
    """The gradient of a branch with respect to the operator's inputs, and what its variables stand for."""
    sources: dict[Any, tuple[str, int]] = {
        node: ("input", number) for node, number in zip(body.inputs, locs, strict=True)
    }

    def flowing(number: int) -> Entry | None:
        if not flows[number]:
            return None
        made = variable(f"g{number}")
        sources[made.node] = ("gradient", number)
        return made

    heads = [flowing(number) for number in range(count)]
    heads += [flowing(kept_from + k) for k in range(len(body.kept))]
    names = Names("cond_backward")
    variables = []
    for number in asked:
        own = [node for node, place in zip(body.inputs, locs, strict=True) if place == number]
        if not own:  # a variable that the branch does not read: its gradient is zero
            own = [variable(f"unread{number}").node]
            sources[own[0]] = ("input", number)
        variables.append(own)
    flat = [node for own in variables for node in own]
    found = iter(gradient(body.whole, flat, heads))
    results = []
    for own in variables:
        parts = [Expression(next(found), names) for _ in own]
        results.append(ops.add_n(*parts).entry if len(parts) > 1 else parts[0].entry)
    kept = {e: variable(f"kept{k}") for k, e in enumerate(body.kept)}
    sources.update((v.node, ("output", kept_from + k)) for k, v in enumerate(kept.values()))
    return replace(Graph(results), kept), sources


cond = Cond("_cond", Cond, PLACES, [])
