"""`sym.contrib.foreach`, `while_loop` and `cond`: loops and branches whose bodies are Python functions.

The functions are called once, on variables. What they make is cut out of the graph around it and becomes
the graph of one node; symbols from outside that they use become inputs of that node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import attribute, ops
from .._locks import new_lock
from ..errors import ArgumentError, AssertedArgumentError, message, problem
from ..graph import branches, loops
from ..graph.cut import SCOPE, cut
from ..graph.ir import Entry, Graph, Node
from ..graph.structure import flatten, regroup
from . import compose
from .symbol import Symbol, Variable

__all__ = ["cond", "foreach", "while_loop"]


_counting = new_lock()


def _open(hint: str) -> str:
    """A name for a scope: with the next number, behind that of the scope around it."""
    outer = attribute.current().get(None).get(SCOPE)
    name = f"{outer}${hint}" if outer else hint
    counts = attribute.AttrScope._subgraph_names
    with _counting:
        counts[name] += 1
        return f"{name}{counts[name] - 1}"


def _flat(op: str, argument: str, given: Any) -> tuple[list[Symbol], Any]:
    """The symbols in nested lists, one for each output, and how they were nested."""
    return flatten(op, argument, given, Symbol, list)


def _own(symbols: Sequence[Symbol]) -> list[Symbol]:
    """A variable of the scope for each symbol, under the name that MXNet gives it."""
    heads = [symbol._graph.heads[0] for symbol in symbols]
    return [Variable(f"{head.node.name}-{head.index}") for head in heads]


def _body(scope: str, outputs: Sequence[Symbol], states: Sequence[Symbol] = ()) -> list[Entry]:
    """The heads of a body: copies of those that are variables, were not made in it, or come twice."""
    heads: list[Entry] = []
    names = {output.name for output in outputs}
    inputs = {name for symbol in (*outputs, *states) for name in symbol.list_inputs()}
    for number, symbol in enumerate((*outputs, *states)):
        entry = symbol._graph.heads[0]
        foreign = entry.node.labels.get(SCOPE) != scope
        if entry.node.name in inputs or foreign or (number >= len(outputs) and entry.node.name in names):
            entry = compose.add_node(ops.identity, [symbol], ops.identity.parse_attrs({}), None, None,
                                     "identity").heads[0]  # fmt: skip
        heads.append(entry)
    return heads


class _Inputs:
    """The inputs of the node, each once, and which of them the variables of its graphs stand for."""

    def __init__(self) -> None:
        self.entries: dict[Entry, int] = {}

    def places(self, graph: Graph, sources: dict[Node, Entry]) -> list[int]:
        """The places of the inputs that the variables of a graph stand for; new ones go to the end."""
        return [self.entries.setdefault(sources[node], len(self.entries)) for node in graph.variables]


def _node(op: Any, graphs: list[Graph], inputs: Sequence[Entry], **attrs: Any) -> list[Symbol]:
    """The outputs of a new node of a control flow operator."""
    made = op.made(graphs, len(inputs), **attrs)
    operands = [Symbol(Graph([entry])) for entry in inputs]
    return list(Symbol(compose.add_node(op, operands, made, None, None)))


def foreach(body: Callable, data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Run a function for every slice of data along axis 0, handing on states.

    >>> import mxcy as mx
    >>> x, total = mx.sym.Variable("x"), mx.sym.Variable("total")
    >>> outs, states = mx.sym.contrib.foreach(lambda d, s: (d + s[0], [d + s[0]]), x, [total])
    >>> outs.eval(x=mx.nd.array([1, 2, 3]), total=mx.nd.zeros(1))[0].asnumpy().ravel().tolist()
    [1.0, 3.0, 6.0]

    Parameters
    ----------
    body : takes a slice (of each of the data) and the states; returns (outputs, new states). Data, states
        and outputs are symbols or nested lists of symbols; the new states are nested as the old ones.
    data : symbols of arrays of one length along axis 0.
    init_states : the states before the first step.
    name : of the scope of the body.

    Returns (outputs, states): the outputs of all steps stacked along axis 0, and the states at the end.
    Raises AssertedArgumentError where the body does not use a slice or a state, or where states are nested
    in another way.
    """
    slices, data_form = _flat("foreach", "data", data)
    states, state_form = _flat("foreach", "init_states", init_states)
    scope = _open(name)
    with attribute.AttrScope(**{SCOPE: scope}):
        items, before = _own(slices), _own(states)
        returned = body(regroup(items, data_form), regroup(before, state_form))
        outputs, new_states = _pair("foreach", returned)
        outs, out_form = _flat("foreach", "output of body", outputs)
        after, form = _flat("foreach", "states of body", new_states)
        if form != state_form:
            text = "the states are nested in another way than init_states"
            raise AssertedArgumentError(problem("foreach", "body", text))
        heads = _body(scope, outs, after)
    own = [symbol._graph.heads[0].node for symbol in (*items, *before)]
    graph, sources = cut(heads, scope, own)
    position = {node: number for number, node in enumerate(graph.variables)}
    for node in own:
        if node not in position:
            what = "slice of the data" if node in own[: len(items)] else "state"
            raise AssertedArgumentError(problem("foreach", "body", f"a {what} is not used ('{node.name}')"))
    rest = [node for node in graph.variables if node not in own]
    inputs = [symbol._graph.heads[0] for symbol in (*slices, *states)] + [sources[node] for node in rest]
    found = _node(
        loops.foreach,
        [graph],
        inputs,
        num_outputs=len(heads),
        num_out_data=len(outs),
        in_state_locs=[position[node] for node in own[len(items) :]],
        in_data_locs=[position[node] for node in own[: len(items)]],
        remain_locs=[position[node] for node in rest],
    )
    return regroup(found[: len(outs)], out_form), regroup(found[len(outs) :], state_form)


def while_loop(cond: Callable, func: Callable, loop_vars: Any, max_iterations: int | None = None,
               name: str = "while_loop") -> tuple[Any, Any]:  # fmt: skip
    """Run a function on variables while a condition on them holds.

    >>> import mxcy as mx
    >>> i = mx.sym.Variable("i")
    >>> outs, i = mx.sym.contrib.while_loop(lambda i: i < 3, lambda i: (i * 10, i + 1), [i], 5)
    >>> outs.eval(i=mx.nd.zeros(1))[0].asnumpy().ravel().tolist()
    [0.0, 10.0, 20.0, 0.0, 0.0]

    Parameters
    ----------
    cond : takes the variables; returns a symbol with one element, not zero for a further step.
    func : takes the variables; returns (outputs, new variables), the outputs None or nested lists.
    loop_vars : a symbol or nested lists of symbols, at least one.
    max_iterations : of which there are not more.
    name : of the scopes of the two graphs.

    Returns (outputs, variables): outputs of the steps stacked along axis 0, with `max_iterations` rows that
    are zero beyond the last step, and the variables at the end.
    """
    limit = _limit(max_iterations)
    variables, form = _flat("while_loop", "loop_vars", loop_vars)
    if not variables:
        raise ArgumentError(message("while_loop", "loop_vars", "at least one symbol", "none"))
    given = [symbol._graph.heads[0] for symbol in variables]

    def graph_of(hint: str, call: Callable) -> tuple[Graph, dict[Node, Entry], list[Node]]:
        scope = _open(name + hint)
        with attribute.AttrScope(**{SCOPE: scope}):
            own = _own(variables)
            nested = regroup(own, form)
            outs, states = call(*(nested if isinstance(nested, list) else [nested]))
            heads = _body(scope, [*outs, *states])
        nodes = [symbol._graph.heads[0].node for symbol in own]
        graph, sources = cut(heads, scope, nodes)
        return graph, {**sources, **dict(zip(nodes, given, strict=True))}, nodes

    def condition(*args: Symbol) -> tuple[list[Symbol], list[Symbol]]:
        return _flat("while_loop", "result of cond", cond(*args))[0], []

    forms: list[Any] = []

    def step(*args: Symbol) -> tuple[list[Symbol], list[Symbol]]:
        outputs, new = _pair("while_loop", func(*args))
        outs, out_form = _flat("while_loop", "output of func", [] if outputs is None else outputs)
        states, _ = _flat("while_loop", "variables of func", [] if new is None else new)
        if len(states) != len(variables):
            expected = f"{len(variables)} new variables"
            raise ArgumentError(message("while_loop", "func", expected, len(states)))
        forms.append((out_form, len(outs)))
        return outs, states

    inputs = _Inputs()
    condition_graph, condition_sources, _ = graph_of("_cond", condition)
    if len(condition_graph.heads) != 1:
        raise ArgumentError(message("while_loop", "cond", "one symbol", len(condition_graph.heads)))
    condition_places = inputs.places(condition_graph, condition_sources)
    graph, sources, own = graph_of("_func", step)
    places = inputs.places(graph, sources)
    position = {node: number for number, node in enumerate(graph.variables)}
    unused = next((number for number, node in enumerate(own, 1) if node not in position), None)
    if unused is not None:
        text = f"variable number {unused} is not used"
        raise ArgumentError(problem("while_loop", "func", text, "every loop variable must be"))
    out_form, outs = forms[0]
    found = _node(
        loops.while_loop,
        [condition_graph, graph],
        list(inputs.entries),
        max_iterations=limit,
        cond_input_locs=condition_places,
        func_input_locs=places,
        func_var_locs=[position[node] for node in own],
        num_out_data=outs,
        num_outputs=len(graph.heads),
    )
    return regroup(found[:outs], out_form), regroup(found[outs:], form)


def cond(pred: Symbol, then_func: Callable, else_func: Callable, name: str = "cond") -> Any:
    """Run one of two functions, as a condition says.

    >>> import mxcy as mx
    >>> a = mx.sym.Variable("a")
    >>> y = mx.sym.contrib.cond(a > 0, lambda: a * 2, lambda: a - 1)
    >>> y.eval(a=mx.nd.array([3]))[0].asnumpy().tolist()
    [6.0]

    Parameters
    ----------
    pred : a symbol with one element; not zero chooses `then_func`.
    then_func, else_func : take nothing and return symbols or nested lists of them, as many in both, which
        have the same shapes and dtypes.
    name : of the scopes of the graphs.

    Returns what the chosen function returns, nested in the same way.
    """
    inputs = _Inputs()

    def graph_of(hint: str, call: Callable) -> tuple[Graph, list[int], Any]:
        scope = _open(f"{name}_{hint}")
        with attribute.AttrScope(**{SCOPE: scope}):
            outs, form = _flat("cond", f"{hint}_func", call())
            heads = _body(scope, outs)
        graph, sources = cut(heads, scope)
        return graph, inputs.places(graph, sources), form

    condition, condition_places, _ = graph_of("pred", lambda: pred)
    if len(condition.heads) != 1:
        raise ArgumentError(message("cond", "pred", "one symbol", len(condition.heads)))
    then, then_places, form = graph_of("then", then_func)
    other, else_places, _ = graph_of("else", else_func)
    if len(then.heads) != len(other.heads):
        got = f"{len(then.heads)} and {len(other.heads)}"
        raise ArgumentError(message("cond", None, "as many outputs from both functions", got))
    found = _node(
        branches.cond,
        [condition, then, other],
        list(inputs.entries),
        cond_input_locs=condition_places,
        then_input_locs=then_places,
        else_input_locs=else_places,
        num_outputs=len(then.heads),
    )
    return regroup(found, form)


def _pair(op: str, returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, (list, tuple)) or len(returned) != 2:
        got = type(returned).__name__
        raise AssertedArgumentError(message(op, "body", "(outputs, states) from the function", got))
    return returned[0], returned[1]


def _limit(max_iterations: Any) -> int:
    try:
        return int(max_iterations)
    except (TypeError, ValueError):
        got = repr(max_iterations)
        raise ArgumentError(message("while_loop", "max_iterations", "an integer", got)) from None
