"""`CachedGraph`: a traced network that runs on executors, and that autograd differentiates as one operator.

An executor has one set of buffers, so a call that is recorded needs one of its own until its gradient was
taken. Executors are kept for the next call with arrays of the same shapes; parameters are bound as they are,
and so are buffers of gradients that are to be written; inputs and outputs are copied. Gradients of the
outputs go into arrays of the executor (`_with_gradient`), so that its backward pass is the same each time.
A gradient that is to be differentiated again is computed from the recorded operators of the graph instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import autograd
from .._locks import new_lock
from ..errors import ArgumentError, ArgumentTypeError, message
from ..executor import Executor, bind
from ..graph.ir import Entry, Graph, variable
from ..graph.ir import Node as GraphNode
from ..graph.storage import gradient_storage, infer_storage
from ..ndarray import NDArray, _tape
from ..ndarray._creation import blank
from ..ndarray._tape import OFF, RECORDING, STATE, Leaf, Node
from ..ndarray.ndarray import FACE
from ..ops import REGISTRY
from ..ops._call import special
from ..symbol import Symbol

__all__ = ["CachedGraph", "CachedOp"]

KEPT = 64  # executors that wait for a call; the first ones go when there are more


class Bound(NamedTuple):
    """An executor, and the arrays into which the inputs of a call are copied.

    `heads` are those for the gradients of the outputs, None if they are given to `backward`; `gradients`
    those of the inputs, None where not wanted, and `direct` those among them that are parameters' buffers.
    """

    executor: Executor
    targets: list[NDArray]
    heads: list[NDArray] | None
    gradients: list[NDArray | None]
    direct: list[NDArray]


class CachedGraph:
    """A symbol as a function of arrays.

    Parameters
    ----------
    symbol : the graph.
    inputs : names of its arguments and auxiliary states, in the order in which arrays are given.
    copied : names of those that are given anew with each call; the others are bound as they are.
    """

    def __init__(self, symbol: Symbol, inputs: Sequence[str], copied: Sequence[str]):
        self.symbol = symbol
        self.inputs = list(inputs)
        states = set(symbol.list_auxiliary_states())
        self._is_state = [name in states for name in self.inputs]
        self._copied = [i for i, name in enumerate(self.inputs) if name in set(copied)]
        self._bound = [i for i, name in enumerate(self.inputs) if name not in set(copied)]
        # Executors need to know all shapes before they run.
        self._dynamic = any(getattr(node.op, "dynamic", False) for node in symbol._graph.nodes)
        self._free: dict[tuple, list[Bound]] = {}
        self._lock = new_lock()  # guards _free; a destructor may give back while it is held
        self.callback: tuple[Callable, bool] | None = None

    def __call__(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        """Compute the outputs; recorded if autograd records."""
        if self._dynamic:
            return self.interpret(arrays)
        training, mode = STATE.train, STATE.mode
        places: list[Any] = [None] * len(arrays)
        if mode == RECORDING:
            places = [None if state else _tape.place_of(x)
                      for x, state in zip(arrays, self._is_state, strict=True)]  # fmt: skip
        key = self._key(arrays, places)
        # Nothing below is recorded. The mode alone is changed: the session goes on.
        STATE.mode = OFF
        try:
            bound = self._take(key, arrays, places)
            for i, target in zip(self._copied, bound.targets, strict=True):
                arrays[i].copyto(target)
            if self.callback is not None:
                bound.executor.set_monitor_callback(*self.callback)
            results = [out.copy() for out in bound.executor.forward(is_train=training)]
        finally:
            STATE.mode = mode
        if all(place is None for place in places):
            self._give(key, bound)
            return results
        use = Use(self, key, bound, arrays, places)
        node = UseNode(use, None, places, len(results))
        node.shells = [(True, i, _tape.shell(y)) for i, y in enumerate(results)]
        for i, y in enumerate(results):
            y._tape = (node, i, y._version)
        return results

    # -- executors --------------------------------------------------------------------------------------

    def _key(self, arrays: Sequence[NDArray], places: Sequence) -> tuple:
        shapes = tuple([(arrays[i].shape, arrays[i].dtype, arrays[i].stype) for i in self._copied])
        # What a gradient is written to: 0 for none, 1 for an array of the executor.
        wanted = tuple([0 if place is None else id(buffer) if (buffer := written_of(place)) is not None else 1
                        for place in places])  # fmt: skip
        return arrays[0].context, wanted, shapes, tuple([id(arrays[i]) for i in self._bound])

    def _take(self, key: tuple, arrays: Sequence[NDArray], places: Sequence) -> Bound:
        with self._lock:
            waiting = self._free.get(key)
            if waiting:
                return waiting.pop()
        args: dict[str, NDArray] = {}
        states: dict[str, NDArray] = {}
        for i, name in enumerate(self.inputs):
            own = arrays[i].copy() if i in self._copied else arrays[i]
            (states if self._is_state[i] else args)[name] = own
        named = args | states
        wanted = {name: place for name, place in zip(self.inputs, places, strict=True) if place is not None}
        grads = self._gradients(args, list(wanted))
        direct = []
        for name, own in grads.items():
            buffer = written_of(wanted[name])
            if buffer is not None and fits(buffer, own):
                grads[name] = buffer
                direct.append(buffer)
        symbol, heads = self.symbol, None
        if grads and self._is_dense(args):
            symbol, heads = self._with_heads(args, key[0])
            args |= heads
        requests = {name: "write" if name in grads else "null" for name in args}
        executor = bind(symbol, key[0], args, grads, requests, states)
        targets = [named[self.inputs[i]] for i in self._copied]
        gradients = [grads.get(name) for name in self.inputs]
        return Bound(executor, targets, None if heads is None else list(heads.values()), gradients, direct)

    def _is_dense(self, args: dict[str, NDArray]) -> bool:
        """Whether neither inputs nor results are sparse."""
        graph = self.symbol._graph
        stypes = {node: args[node.name].stype for node in graph.arguments}
        return not infer_storage(graph, stypes)

    def _with_heads(self, args: dict[str, NDArray], context: Any) -> tuple[Symbol, dict[str, NDArray]]:
        """The symbol whose outputs have gradients from arrays, and these arrays by name."""
        given: dict[str, Any] = {name: x.shape for name, x in args.items()}
        shapes = self.symbol.infer_shape(**given)[1]
        given = {name: x.dtype for name, x in args.items()}
        dtypes = self.symbol.infer_type(**given)[1]
        op = REGISTRY["_with_gradient"]
        heads, arrays = [], {}
        for i, (head, shape, dtype) in enumerate(zip(self.symbol._graph.heads, shapes, dtypes, strict=True)):
            name = f"gradient of output {i}"
            heads.append(Entry(GraphNode(op, f"output {i}", {}, [head, variable(name)]), 0))
            arrays[name] = blank(shape, ctx=context, dtype=dtype)
        return Symbol(Graph(heads)), arrays

    def _gradients(self, args: dict[str, NDArray], names: list[str]) -> dict[str, NDArray]:
        """Arrays for the gradients of arguments, in the storage in which they are computed."""
        graph = self.symbol._graph
        nodes = {node.name: node for node in graph.arguments}
        stypes = {node: args[name].stype for name, node in nodes.items()}
        shapes = {node: args[name].shape for name, node in nodes.items()}
        found = gradient_storage(graph, [nodes[name] for name in names], stypes, shapes)
        made = {}
        for name, stype in zip(names, found, strict=True):
            x = args[name]
            made[name] = blank(x.shape, ctx=x.context, dtype=x.dtype, stype=stype)
        return made

    def _give(self, key: tuple, bound: Bound) -> None:
        with self._lock:
            self._free.setdefault(key, []).append(bound)
            if sum(map(len, self._free.values())) > KEPT:
                self._free.pop(next(iter(self._free)))

    def interpret(self, arrays: Sequence[Any]) -> list:
        """The outputs by one operator after the other, so that each is recorded."""
        values: dict[tuple, Any] = {}
        graph = self.symbol._graph
        named = dict(zip(self.inputs, arrays, strict=True))
        for node in graph.nodes:
            if node.op is None:
                values[node, 0] = named[node.name]
                continue
            operands = tuple([values[source.node, source.index] for source in node.inputs])
            sparse = special(operands)
            if sparse is not None:
                found = sparse._apply(node.op, operands, node.attrs)
            elif operands:
                found = _tape.apply(node.op, operands, node.attrs, None)
            else:
                found = node.op.compute((), node.attrs, is_train=STATE.train, face=FACE)
            for i, value in enumerate(found if isinstance(found, list) else [found]):
                values[node, i] = value
        return [values[head.node, head.index] for head in graph.heads]


def written_of(place: Any) -> NDArray | None:
    """The buffer that the gradient of a place is written to, if there is one."""
    leaf = place[0]
    return leaf.grad if isinstance(leaf, Leaf) and leaf.req == "write" else None


def fits(buffer: NDArray, own: NDArray) -> bool:
    """Whether gradients may be written to a buffer rather than to an array of the executor's own."""
    same = buffer.shape == own.shape and buffer.dtype == own.dtype
    return same and buffer.stype == own.stype == "default"


class CachedOp:
    """A symbol as a function of arrays: all inputs in the order of `list_inputs`, one array or a list back.

    >>> import mxcy as mx
    >>> double = CachedOp(mx.sym.Variable("x") * 2)
    >>> double(mx.nd.ones(2)).asnumpy().tolist()
    [2.0, 2.0]
    """

    def __init__(self, sym: Symbol, flags: Sequence[tuple] = ()):
        names = sym.list_inputs()
        states = set(sym.list_auxiliary_states())
        self._graph = CachedGraph(sym, names, [name for name in names if name not in states])

    def __call__(self, *args: NDArray, out: Any = None) -> Any:
        """Return the outputs; `out` is an array, or a list of them, that they are written to."""
        names = self._graph.inputs
        if len(args) != len(names):
            expected = f"{len(names)} arrays: {', '.join(names)}"
            raise ArgumentError(message("CachedOp", "args", expected, len(args)))
        wrong = next((x for x in args if not isinstance(x, NDArray)), None)
        if wrong is not None:
            raise ArgumentTypeError(message("CachedOp", "args", "NDArrays", type(wrong).__name__))
        results = self._graph(args)
        if out is None:
            return results[0] if len(results) == 1 else results
        for result, target in zip(results, [out] if isinstance(out, NDArray) else out, strict=True):
            target[:] = result
        return out


class UseNode(Node):
    """A recorded call of a graph; gives its executor back when nothing needs it any more."""

    __slots__ = ()

    def free(self) -> None:
        """See `Node.free`."""
        super().free()
        self.op.release()


class Use:
    """Stands on the tape for a call of a graph."""

    lends = True  # gradients are those of the executor, which the next call overwrites

    def __init__(self, graph: CachedGraph, key: tuple, bound: Bound, arrays: Sequence[NDArray],
                 places: Sequence):  # fmt: skip
        self.name = "CachedOp"
        self._graph = graph
        self._key = key
        self._held: Bound | None = bound
        self._arrays = arrays
        self._places = places

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted, apart=False):
        """See `Operator.gradient`. With `apart` nothing is written to the buffers of parameters."""
        if STATE.mode == RECORDING:
            return self._recorded_gradient(g_outputs, wanted)
        bound, mode = self._held, STATE.mode
        STATE.mode = OFF
        try:
            before = [buffer.copy() for buffer in bound.direct] if apart else []
            if bound.heads is None:
                bound.executor.backward(list(g_outputs), is_train=STATE.train)
            else:
                for head, g in zip(bound.heads, g_outputs, strict=True):
                    g.copyto(head)
                bound.executor.backward(is_train=STATE.train)
            found = [g if want else None for g, want in zip(bound.gradients, wanted, strict=True)]
            if apart:
                found = [None if g is None else g.copy() for g in found]
            for buffer, value in zip(bound.direct, before, strict=False):  # none, unless apart
                value.copyto(buffer)
            return found
        finally:
            STATE.mode = mode

    def _recorded_gradient(self, g_outputs, wanted):
        """Gradients that can be differentiated again."""
        variables = [_tape.alias(x) for x in self._arrays]
        for x, place in zip(variables, self._places, strict=True):
            if place is not None:
                x._tape = place
        heads = self._graph.interpret(variables)
        asked = [x for x, want in zip(variables, wanted, strict=True) if want]
        found = iter(autograd.grad(heads, asked, list(g_outputs), create_graph=True, train_mode=STATE.train))
        return [next(found) if want else None for want in wanted]

    def as_symbol(self, operands: Sequence[Symbol]) -> Symbol:
        """The graph with these inputs, for `autograd.get_symbol`."""
        named: dict[str, Any] = dict(zip(self._graph.inputs, operands, strict=True))
        return self._graph.symbol(**named)

    def release(self) -> None:
        """Give the executor back."""
        bound, self._held = self._held, None
        if bound is not None:
            self._graph._give(self._key, bound)

    def __del__(self) -> None:
        self.release()
