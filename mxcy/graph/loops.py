"""The loops, `_foreach` and `_while_loop`, and their gradients.

Both run a body once for each step. Its inputs are slices of data along axis 0, states that one step hands
to the next, and values that stay the same. What it returns is stacked along axis 0, but for the states.
Hidden outputs keep the states before each step and what must not be computed twice (see `Body`).

The gradient of a loop is a loop backwards. Its body is the gradient of the body, which computes the step
again from the data and the kept states, so that a loop keeps no more than its states; its own states are
the gradients of states and, added up, those of the values that stay the same. As it is a loop of the same
kind it has a gradient again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import ops
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ..ops._attributes import Attribute
from .body import Body, Plan, run
from .control_flow import ControlFlow, allocate, spread
from .expression import Expression, Names
from .gradient import gradient
from .infer import complete
from .ir import Entry, Graph, variable
from .substitute import replace

__all__ = ["foreach", "while_loop"]

UNUSED = -1  # the place of data or a state that the body does not read


class Roles(NamedTuple):
    """Which inputs of a body are data, states and values that stay the same; UNUSED if it has none."""

    data: Sequence[int]
    states: Sequence[int]
    free: Sequence[int]


# --- shapes and dtypes ----------------------------------------------------------------------
def _item(what: str, known: Any) -> Any:
    """What is known of a slice."""
    if what == "dtype" or known is None:
        return known
    return known[1:] or (1,)


def _stacked(what: str, known: Any, steps: int | None) -> Any:
    return known if what == "dtype" or known is None else (steps, *known)


def _known(what: str, value: Any) -> bool:
    return value is not None if what == "dtype" else complete(value)


def _infer_steps(what: str, body: Body, known: list, roles: Roles, outs: int) -> tuple[list, list]:
    """What follows of the inputs and the results of a body, whose states keep shape and dtype."""
    while True:
        inputs, results = body.infer(what, known)
        grown = list(inputs)
        for position, state in enumerate(roles.states):
            after = results[outs + position]
            if state == UNUSED or after is None:
                continue
            if grown[state] is None:
                grown[state] = after
            elif _known(what, after) and _known(what, grown[state]) and after != grown[state]:
                expected = f"a new state {position} like the one before, {grown[state]}"
                raise ShapeError(message("control flow", "body", expected, after))
        if grown == inputs:
            return inputs, results
        known = grown


def _check_states(op: str, plan: Plan, states: Sequence, outs: int) -> None:
    for position, state in enumerate(states):
        found = plan.shapes[outs + position], plan.dtypes[outs + position]
        if found != (state.shape, state.dtype):
            expected = f"new state {position} of shape {state.shape} and dtype {state.dtype}, as it begins"
            raise ShapeError(message(op, "body", expected, f"{found[0]} and {found[1]}"))


# --- running ----------------------------------------------------------------------------------
class _Steps:
    """The steps of a loop over arrays."""

    def __init__(self, op: str, body: Body, roles: Roles, inputs: list, outs: int, data_extra: Sequence):
        self.data = [(place, x) for place, x in zip(roles.data, data_extra, strict=True) if place != UNUSED]
        self.inputs = inputs
        self.places = roles.states
        self.outs = outs
        shapes: list[Any] = [x.shape if x is not None else None for x in inputs]
        dtypes: list[Any] = [x.dtype if x is not None else None for x in inputs]
        for place, x in self.data:
            shapes[place], dtypes[place] = x.shape[1:] or (1,), x.dtype
        self.plan = body.plan(shapes, dtypes)

    def go(self, order: Sequence[int], states: list, stacks: list, history: list, final: list,
           is_train: bool, face: int, proceed: Callable[[list], bool] | None = None) -> int:  # fmt: skip
        """Run the steps of `order` while they may proceed; return how many ran.

        `stacks` are the arrays of the outputs and, after them, of what is kept; `history` those of the
        states before each step. The states at the end are copied to `final`.
        """
        count = len(final)
        done = 0
        for number in order:
            if proceed is not None and not proceed(states):
                break
            for kept, state in zip(history, states, strict=True):
                kernels.copy(state, out=kept._view(number))
            inputs = list(self.inputs)
            for place, x in self.data:
                inputs[place] = x._view(number)
            for place, state in zip(self.places, states, strict=True):
                if place != UNUSED:
                    inputs[place] = state
            rows = [stack._view(number) for stack in stacks]
            targets = [*rows[: self.outs], *[None] * count, *rows[self.outs :]]
            made = run(self.plan, inputs, targets, is_train, face)
            states = made[self.outs : self.outs + count]
            done += 1
        for state, out in zip(states, final, strict=True):
            kernels.copy(state, out=out)
        return done


def _results(op: Any, attrs: Any, plan: Plan, outs: Sequence | None, rows: int, like: Any,
             final: Sequence, tail: Sequence = ()) -> list:  # fmt: skip
    """The arrays that a loop writes: those given, or new ones."""
    if outs is not None and all(out is not None for out in outs):
        return list(outs)
    n_outs, n_states = attrs["num_out_data"], len(final)
    kinds = list(zip(plan.shapes, plan.dtypes, strict=True))
    stacked = [((rows, *shape), dtype) for shape, dtype in kinds]
    states = kinds[n_outs : n_outs + n_states]
    history = [((rows, *shape), dtype) for shape, dtype in states]
    wanted = [*stacked[:n_outs], *states, *history, *stacked[n_outs + n_states :], *tail]
    given = list(outs) if outs is not None else [None] * len(wanted)
    return [
        allocate(shape, dtype, like) if out is None else out
        for (shape, dtype), out in zip(wanted, given, strict=True)
    ]


# --- gradients ------------------------------------------------------------------------------------
class _Backward(NamedTuple):
    """The loop that is the gradient of a loop.

    `data`, `states` and `free` say what it is given, in order: ("input", place in the body), ("output",
    number), ("gradient", number of an output), ("zeros", place in the body) or ("zeros of", number of an
    output). `sources` are the places in the body whose gradients it returns.
    """

    graph: Graph
    data: list[tuple[str, int]]
    states: list[tuple[str, int]]
    free: list[tuple[str, int]]
    places: tuple[list[int], list[int], list[int]]
    sources: list[int]
    n_data: int


def _backward(body: Body, roles: Roles, wanted: tuple, flows: tuple, outs: int) -> _Backward:
    """Make the body of the gradient; `wanted` are places in the body, `flows` says which outputs have one.

    Outputs are in the order of a loop: stacks, final states, states before each step, what is kept.
    """
    names = Names("loop_backward")
    n_states = len(roles.states)
    begin = outs + n_states  # of the states before each step
    entry = {place: Entry(node, 0) for place, node in enumerate(body.inputs)}
    rows = {k: variable(f"g{k}") for k, flow in enumerate(flows) if flow and not outs <= k < begin}
    carried = [variable(f"g_state{j}") for j in range(n_states)]
    free = [place for place in roles.free if place in wanted]
    data = [place for place in roles.data if place != UNUSED and place in wanted]
    used = [(j, place) for j, place in enumerate(roles.states) if place != UNUSED]
    heads: list[Any] = [rows.get(k) for k in range(outs)] + list(carried)
    heads += [rows.get(begin + n_states + k) for k in range(len(body.kept))]
    variables = [*data, *[place for _, place in used], *free]
    found = gradient(body.whole, [entry[place].node for place in variables], heads)
    by_place = dict(zip(variables, found, strict=True))

    def total(a: Entry | None, b: Entry | None) -> Entry:
        if a is None or b is None:
            return a or b  # type: ignore[return-value]
        return ops.elemwise_add(Expression(a, names), Expression(b, names)).entry

    new_states = []
    for j, place in enumerate(roles.states):
        own = by_place[place] if place != UNUSED else None
        g = total(own, rows.get(begin + j))
        new_states.append(g if g is not None else ops.zeros_like(Expression(carried[j], names)).entry)
    sums = [variable(f"g_free{i}") for i in range(len(free))]
    added = [total(sums[i], by_place[place]) for i, place in enumerate(free)]
    kept = {e: variable(f"kept{k}") for k, e in enumerate(body.kept)}
    graph = replace(Graph([*[by_place[place] for place in data], *new_states, *added]), kept)

    position = {node: i for i, node in enumerate(graph.variables)}

    def given(pairs: Sequence[tuple[Entry, tuple[str, int]]]) -> list[tuple[int, tuple[str, int]]]:
        return [(position[e.node], spec) for e, spec in pairs if e.node in position]

    sources = [(entry[place], ("input", place)) for place in roles.data if place != UNUSED]
    sources += [(entry[place], ("output", begin + j)) for j, place in used]
    sources += [(g, ("gradient", k)) for k, g in rows.items()]
    sources += [(v, ("output", begin + n_states + k)) for k, v in enumerate(kept.values())]
    loop_data = given(sources)
    if not loop_data:  # something must say how many steps there are
        first = ("output", begin) if n_states else ("input", next(p for p in roles.data if p != UNUSED))
        loop_data = [(UNUSED, first)]
    states = [(v, ("gradient or zeros", outs + j)) for j, v in enumerate(carried)]
    states += [(v, ("zeros", place)) for v, place in zip(sums, free, strict=True)]
    constants = given([(entry[place], ("input", place)) for place in roles.free])
    return _Backward(
        graph,
        [spec for _, spec in loop_data],
        [spec for _, spec in states],
        [spec for _, spec in constants],
        (
            [place for place, _ in loop_data],
            [position.get(v.node, UNUSED) for v, _ in states],
            [place for place, _ in constants],
        ),
        [*data, *[roles.states[j] for j in range(n_states)], *free],
        len(data),
    )


def _gradients(body: Body, roles: Roles, operands: Sequence, g_outputs: Sequence, outputs: Sequence,
               wanted: Sequence[int], outs: int, reverse: bool, count: Any) -> dict[int, Any]:  # fmt: skip
    """The gradients of the inputs of a body, by place, as outputs of a loop the other way round."""
    flows = tuple([g is not None for g in g_outputs])
    key = (tuple(wanted), flows, roles.data, roles.states)
    made = body.gradients.get(key)
    if made is None:
        made = body.gradients.add(key, _backward(body, roles, tuple(wanted), flows, outs))

    def operand(spec: tuple[str, int]) -> Any:
        kind, number = spec
        if kind == "input":
            return operands[number]
        if kind == "output":
            return outputs[number]
        if kind == "zeros":
            return ops.zeros_like(operands[number])
        if g_outputs[number] is None:
            return ops.zeros_like(outputs[number])
        return g_outputs[number]

    inputs = [operand(spec) for spec in (*made.data, *made.states, *made.free)]
    inputs += [] if count is None else [count]
    data_locs, state_locs, remain_locs = made.places
    attrs = foreach.made(
        [made.graph],
        len(inputs),
        num_outputs=len(made.sources),
        num_out_data=made.n_data,
        in_data_locs=data_locs,
        in_state_locs=state_locs,
        remain_locs=remain_locs,
        reverse=not reverse,
        counted=count is not None,
    )
    found = inputs[0]._apply(foreach, tuple(inputs), attrs)
    found = found if isinstance(found, list) else [found] if len(made.sources) == 1 else list(found)
    return {place: g for place, g in zip(made.sources, found, strict=True) if place != UNUSED}


# --- the operators ---------------------------------------------------------------------------------
class Foreach(ControlFlow):
    """Runs a body for every slice of its data along axis 0.

    Inputs: data, states, values that stay the same, and with `counted` the number of steps. With `reverse`
    the last slice comes first; results stay at the place of their slice.
    """

    def check(self, attrs):
        """See `ControlFlow.check`."""
        body = attrs["bodies"][0]
        total = len(body.inputs)
        roles = self.roles(attrs)
        places = [place for part in roles for place in part if place != UNUSED]
        fits = sorted(places) == list(range(total))
        text = f"the places 0 to {total - 1}, once in all, with those of states and of other inputs"
        self.require(fits, "in_data_locs", attrs, text)
        expected = self.count + sum(map(len, roles)) + attrs["counted"]
        self.require(attrs["num_args"] == expected, "num_args", attrs, expected)
        heads = len(body.graph.heads)
        self.require(attrs["num_outputs"] == heads, "num_outputs", attrs, f"{heads}, as the graph has")
        outs = heads - len(roles.states)
        self.require(attrs["num_out_data"] == outs, "num_out_data", attrs, outs)
        self.require(bool(roles.data), "in_data_locs", attrs, "at least one place")

    def roles(self, attrs) -> Roles:
        """What the inputs of the body are."""
        return Roles(attrs["in_data_locs"], attrs["in_state_locs"], attrs["remain_locs"])

    def num_outputs(self, attrs):
        """See `Operator.num_outputs`."""
        return attrs["num_outputs"] + len(attrs["in_state_locs"]) + len(attrs["bodies"][0].kept)

    def infer(self, what, known, attrs, results):
        """See `ControlFlow.infer`."""
        body, roles, outs = attrs["bodies"][0], self.roles(attrs), attrs["num_out_data"]
        n_data, n_states = len(roles.data), len(roles.states)
        places = (*roles.data, *roles.states, *roles.free)
        inside: list[Any] = [None] * len(body.inputs)
        for number, place in enumerate(places):
            if place != UNUSED:
                value = known[number]
                inside[place] = _item(what, value) if number < n_data else value
        inputs, found = _infer_steps(what, body, inside, roles, outs)
        steps = None
        if what == "shape":
            lengths = [x[0] for x in (*known[:n_data], *(results or ())[:outs]) if x]
            steps = next((length for length in lengths if length is not None), None)
            self._check_lengths(known[:n_data])
        back = list(known)
        for number, place in enumerate(places):
            if place == UNUSED:
                continue
            if number >= n_data or what == "dtype":
                back[number] = inputs[place]
            elif known[number] is not None:
                rest = inputs[place] if len(known[number]) > 1 else ()
                back[number] = (steps, *(rest or known[number][1:]))
        stacked = [_stacked(what, value, steps) for value in found]
        states = found[outs : outs + n_states]
        history = stacked[outs : outs + n_states]
        return back, [*stacked[:outs], *states, *history, *stacked[outs + n_states :]], []

    def _check_lengths(self, shapes) -> None:
        lengths = {shape[0] for shape in shapes if shape and shape[0] is not None}
        if len(lengths) > 1:
            got = " and ".join(map(str, sorted(lengths)))
            raise ShapeError(message("foreach", "data", "arrays of one length along axis 0", got))

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        body, roles, n_outs = attrs["bodies"][0], self.roles(attrs), attrs["num_out_data"]
        n_data, n_states = len(roles.data), len(roles.states)
        data, states = inputs[:n_data], list(inputs[n_data : n_data + n_states])
        self._check_lengths([x.shape for x in data])
        inside: list[Any] = [None] * len(body.inputs)
        for place, value in zip((*roles.states, *roles.free), inputs[n_data:], strict=False):
            if place != UNUSED:
                inside[place] = value
        steps = _Steps("foreach", body, roles, inside, n_outs, data)
        _check_states("foreach", steps.plan, states, n_outs)
        rows = data[0].shape[0]
        results = _results(self, attrs, steps.plan, outs, rows, data[0], states)
        length = int(inputs[-1]) if attrs["counted"] else rows
        order = range(length)[::-1] if attrs["reverse"] else range(length)
        stacks, final, history, kept = _parts(results, n_outs, n_states)
        steps.go(order, states, [*stacks, *kept], history, final, is_train, data[0]._face)
        if length < rows:
            for x in stacks:
                kernels.fill(x._view(slice(length, None)), 0)
        return results

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        g_outputs = [*g_outputs, *[None] * (self.num_outputs(attrs) - len(g_outputs))]
        roles = self.roles(attrs)
        places = (*roles.data, *roles.states, *roles.free)
        operands = {place: x for place, x in zip(places, inputs, strict=False) if place != UNUSED}
        asked = [p for i, p in enumerate(places) if p != UNUSED and (wanted is None or wanted[i])]
        if not asked or all(g is None for g in g_outputs):
            return [None] * len(inputs)
        count = inputs[-1] if attrs["counted"] else None
        found = _gradients(attrs["bodies"][0], roles, operands, g_outputs, outputs, asked,
                           attrs["num_out_data"], attrs["reverse"], count)  # fmt: skip
        return [found.get(p) for p in places] + [None] * (len(inputs) - len(places))


class WhileLoop(ControlFlow):
    """Runs a body while a condition on the loop variables holds, at most `max_iterations` times.

    Outputs have `max_iterations` rows, zero beyond the last step. A hidden output counts the steps.
    """

    count = 2

    def check(self, attrs):
        """See `ControlFlow.check`."""
        condition, body = attrs["bodies"]
        given = attrs["num_args"] - self.count
        for name, graph in (("cond_input_locs", condition), ("func_input_locs", body)):
            places = attrs[name]
            fits = len(places) == len(graph.inputs) and all(0 <= place < given for place in places)
            self.require(fits, name, attrs, f"{len(graph.inputs)} places below {given}")
        places = attrs["func_var_locs"]
        fits = len({*places}) == len(places) and all(0 <= place < len(body.inputs) for place in places)
        self.require(fits and bool(places), "func_var_locs", attrs, f"places below {len(body.inputs)}")
        heads = len(body.graph.heads)
        self.require(attrs["num_outputs"] == heads, "num_outputs", attrs, f"{heads}, as the graph has")
        outs = heads - len(places)
        self.require(attrs["num_out_data"] == outs, "num_out_data", attrs, outs)
        self.require(attrs["max_iterations"] >= 0, "max_iterations", attrs, "at least 0")
        if len(condition.graph.heads) != 1:
            got = f"{len(condition.graph.heads)} outputs"
            raise ArgumentError(message(self.name, "cond", "one output", got))

    def roles(self, attrs) -> Roles:
        """What the inputs of the body are."""
        states = attrs["func_var_locs"]
        free = [place for place in range(len(attrs["bodies"][1].inputs)) if place not in states]
        return Roles((), states, tuple(free))

    def num_outputs(self, attrs):
        """See `Operator.num_outputs`."""
        return attrs["num_outputs"] + len(attrs["func_var_locs"]) + len(attrs["bodies"][1].kept) + 1

    def infer(self, what, known, attrs, results):
        """See `ControlFlow.infer`."""
        condition, body = attrs["bodies"]
        outs, n_states = attrs["num_out_data"], len(attrs["func_var_locs"])
        inside = spread(known, attrs["func_input_locs"])
        inputs, found = _infer_steps(what, body, inside, self.roles(attrs), outs)
        back = list(known)
        for number, value in zip(attrs["func_input_locs"], inputs, strict=True):
            back[number] = value if back[number] is None else back[number]
        of_condition, _ = condition.infer(what, spread(back, attrs["cond_input_locs"]))
        for number, value in zip(attrs["cond_input_locs"], of_condition, strict=True):
            back[number] = value if back[number] is None else back[number]
        stacked = [_stacked(what, value, attrs["max_iterations"]) for value in found]
        states, history = found[outs : outs + n_states], stacked[outs : outs + n_states]
        counted = (1,) if what == "shape" else COUNT
        return back, [*stacked[:outs], *states, *history, *stacked[outs + n_states :], counted], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        condition, body = attrs["bodies"]
        roles, n_outs = self.roles(attrs), attrs["num_out_data"]
        inside = spread(inputs, attrs["func_input_locs"])
        states = [inside[place] for place in roles.states]
        like = inputs[0]
        steps = _Steps("while_loop", body, roles, inside, n_outs, ())
        _check_states("while_loop", steps.plan, states, n_outs)
        rows = attrs["max_iterations"]
        results = _results(self, attrs, steps.plan, outs, rows, like, states, [((1,), COUNT)])
        stacks, final, history, kept = _parts(results[:-1], n_outs, len(states))
        proceed = _condition(condition, inputs, attrs, is_train)
        rows_done = steps.go(
            range(rows), states, [*stacks, *kept], history, final, is_train, like._face, proceed
        )
        if rows_done < rows:
            for x in stacks:
                kernels.fill(x._view(slice(rows_done, None)), 0)
        kernels.fill(results[-1], rows_done)
        return results

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        count = self.num_outputs(attrs)
        g_outputs = [*g_outputs, *[None] * (count - len(g_outputs))][: count - 1]
        places = attrs["func_input_locs"]
        operands = dict(enumerate([inputs[number] for number in places]))
        asked = [p for p, number in enumerate(places) if wanted is None or wanted[number]]
        if not asked or all(g is None for g in g_outputs):
            return [None] * len(inputs)
        found = _gradients(attrs["bodies"][1], self.roles(attrs), operands, g_outputs, outputs, asked,
                           attrs["num_out_data"], False, outputs[-1])  # fmt: skip
        parts: list[list] = [[] for _ in inputs]
        for place, g in found.items():
            if place in asked:
                parts[places[place]].append(g)
        return [ops.add_n(*part) if len(part) > 1 else part[0] if part else None for part in parts]


def _condition(body: Body, inputs: Sequence, attrs: Any, is_train: bool) -> Callable[[list], bool]:
    """Return what says whether the loop goes on with these states."""
    places, locs = attrs["func_input_locs"], attrs["cond_input_locs"]
    number = {places[place]: j for j, place in enumerate(attrs["func_var_locs"])}
    plan = body.plan([inputs[i].shape for i in locs], [inputs[i].dtype for i in locs])
    rest = [None] * (len(plan.results) - 1)

    def proceed(states: list) -> bool:
        values = [states[number[i]] if i in number else inputs[i] for i in locs]
        return truth("while_loop", run(plan, values, [None, *rest], is_train, inputs[0]._face)[0])

    return proceed


def truth(op: str, x: Any) -> bool:
    """Wait for a condition and return it."""
    if x.size != 1:
        raise ArgumentError(message(op, "cond", "one element", f"shape {x.shape}"))
    return bool(x)


def _parts(results: list, outs: int, states: int) -> tuple[list, list, list, list]:
    """The arrays of the outputs, of the final states, of the states before each step, and of what is kept."""
    begin = outs + states
    return results[:outs], results[outs:begin], results[begin : begin + states], results[begin + states :]


COUNT = ops.REGISTRY["_zeros"].parse_attrs({"shape": 1, "dtype": "int64"})["dtype"]

foreach = Foreach(
    "_foreach",
    Foreach,
    ("in_data_locs", "in_state_locs", "remain_locs"),
    [Attribute("num_out_data", int), Attribute("reverse", bool, False), Attribute("counted", bool, False)],
)
while_loop = WhileLoop(
    "_while_loop",
    WhileLoop,
    ("cond_input_locs", "func_input_locs", "func_var_locs"),
    [Attribute("num_out_data", int), Attribute("max_iterations", int)],
)
