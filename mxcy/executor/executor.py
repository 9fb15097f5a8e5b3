"""`Executor`: a symbol bound to arrays, which runs forward and backward over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..context import Context, current_context
from ..errors import ArgumentError, ArgumentTypeError, BindError, ShapeError, message
from ..graph.fold_norms import Folded, fold_norms
from ..graph.infer import infer_dtypes, infer_shapes
from ..graph.ir import Entry, Graph, Node
from ..graph.pack_filters import pack_filters
from ..graph.place import place
from ..graph.simplify import simplify
from ..kernels import philox
from ..ndarray import NDArray, array
from ..ndarray._creation import blank
from ..symbol.text import listing, unknown_name
from . import options
from .arguments import Arrays, Problems, shapes_of
from .folding import Folding
from .pool import Pool
from .program import Program, Step
from .schedule import Schedule

__all__ = ["Executor"]


class Executor:
    """Runs a symbol on fixed arrays. Made by `Symbol.bind` and `Symbol.simple_bind`.

    Operations are pushed to the engine, so that `forward` and `backward` return before they are done;
    reading an array waits for it. Arguments may be changed between calls in any way.

    Attributes
    ----------
    arg_arrays, grad_arrays, aux_arrays : arrays of the arguments, of their gradients (None where not
        wanted) and of the auxiliary states, in order.
    outputs : arrays of the outputs, overwritten by each `forward`.
    """

    def __init__(self, symbol: Any, ctx: Context, args: Arrays, grads: Arrays, grad_req: list[str],
                 states: Arrays, group2ctx: Mapping | None = None,
                 shared_exec: Executor | None = None,
                 inferred: Mapping[str, dict] | None = None,
                 outputs: Sequence[NDArray | None] | None = None):  # fmt: skip
        graph = symbol._graph
        self._symbol = symbol
        self._ctx = ctx
        self._grad_req = grad_req
        self._group2ctx = group2ctx
        self._forward_mode: bool | None = None  # is_train of the last forward
        self._monitor: Callable | None = None
        self._monitor_all = False
        self.arg_arrays = args
        self.grad_arrays = grads
        self.aux_arrays = states
        arrays = dict(zip([*graph.arguments, *graph.states], [*args, *states], strict=True))
        wanted = [
            (node, grad, req)
            for node, grad, req in zip(graph.arguments, grads, grad_req, strict=True)
            if grad is not None
        ]
        contexts = None
        if group2ctx:
            graph, found = place(graph, ctx, group2ctx)
            contexts, inferred = [found[head.node] for head in graph.heads], None
        self._made_of = (graph, arrays, wanted, ctx, contexts)
        self._options = options.current()
        shares = shared_exec is not None and shared_exec._ctx == ctx
        self._pool: Pool = shared_exec._pool if shared_exec is not None and shares else Pool(ctx)
        self._number = self._pool.join()
        known = None if inferred is None else (inferred["shape"], inferred["dtype"])
        self._program = self._planned = Program(*self._made_of, self._options, outputs, self._pool, known)
        self._plain: Program | None = None  # with every node and its result, for monitors
        self._drawn: tuple = ()  # where the last forward began to draw random numbers
        self._folded: Graph | None = None  # the graph for prediction, once it has been looked for
        self._folding: Folding | None = None  # its weights, if they are others
        self._predicting: Program | None = None  # what runs it, if it is another one
        self._spent = False  # backward has written over what forward left for it
        self.outputs = self._program.outputs

    # -- arrays by name -------------------------------------------------------------------------------

    @property
    def arg_dict(self) -> dict[str, NDArray]:
        """Arrays of the arguments by name."""
        return _by_name(self._symbol.list_arguments(), self.arg_arrays)

    @property
    def grad_dict(self) -> dict[str, NDArray | None]:
        """Arrays of the gradients by name of the argument, None where not wanted."""
        return _by_name(self._symbol.list_arguments(), self.grad_arrays)

    @property
    def aux_dict(self) -> dict[str, NDArray]:
        """Arrays of the auxiliary states by name."""
        return _by_name(self._symbol.list_auxiliary_states(), self.aux_arrays)

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """Arrays of the outputs by name."""
        return _by_name(self._symbol.list_outputs(), self.outputs)

    # -- running --------------------------------------------------------------------------------------

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Compute the outputs and return their arrays.

        Keywords are values of arguments, copied into their arrays. With `is_train` operators behave as
        in training (Dropout drops, states are updated).
        """
        with self._pool.lock:
            self._begin(bool(is_train), kwargs)
            self._run(self._program.forward, bool(is_train))
            self._spent = False
        return self.outputs

    def _begin(self, is_train: bool, values: Mapping[str, Any]) -> None:
        """Make ready for a run of forward."""
        if values:
            self._assign(values)
        self._program = self._chosen(is_train)
        if not self._program.repeatable:
            self._drawn = current_context(), philox.get_state()
        self._forward_mode = is_train
        self._pool.user = self._number

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:
        """Compute the gradients of the arguments for which arrays were bound.

        `out_grads` holds the gradient of each output: an array, a list, or a dict by name. Outputs that
        are losses need none.
        """
        with self._pool.lock:
            if self._forward_mode is None:  # as in MXNet, where gradients may need no results
                self.forward(is_train=True)
            given = self._head_gradients(out_grads)
            if self._spent or (self._pool.user != self._number and self._program is self._planned):
                self._repeat()
            self._spent = self._program.consumes
            self._run_backward(given, bool(is_train))

    def _run_backward(self, given: Sequence[NDArray | None], is_train: bool) -> None:
        """Run the backward steps with these gradients of the outputs."""
        for places, gradient in zip(self._program.head_uses, given, strict=True):
            for inputs, position in places:
                inputs[position] = gradient
        try:
            self._run(self._program.backward, is_train)
        finally:
            for places in self._program.head_uses:
                for inputs, position in places:
                    inputs[position] = None

    def forward_backward(self, out_grads: Any = None, **kwargs: Any) -> list[NDArray]:
        """Run `forward` for training, then `backward`; return the outputs.

        Where no gradients of outputs are read, both are pushed together.
        """
        with self._pool.lock:
            self._begin(True, kwargs)
            if self._monitor is not None or any(self._program.head_uses):
                self._run(self._program.forward, True)
                self._spent = False
                self.backward(out_grads)
            else:
                self._head_gradients(out_grads)
                self._program.both.run(True)
                self._spent = self._program.consumes
        return self.outputs

    def _repeat(self) -> None:
        """Run forward again where backward, or another executor, has used the buffers of its results."""
        if self._program.repeatable:
            self._run(self._program.forward, bool(self._forward_mode))
        else:  # with the same random numbers, and without a second effect on states
            ctx, drawn = self._drawn
            held: list[Any] = list(self.aux_arrays)
            now, states = philox.get_state(ctx), [state.copy() for state in held]
            philox.set_state(drawn, ctx)
            self._run(self._program.forward, bool(self._forward_mode))
            philox.set_state(now, ctx)
            for state, value in zip(held, states, strict=True):
                state[:] = value
        self._pool.user = self._number

    def _chosen(self, is_train: bool) -> Program:
        """The program for a run."""
        if self._monitor is not None:
            return self._watched()
        graph, arrays, wanted, ctx, contexts = self._made_of
        if is_train or wanted or contexts or not (self._options.simplify and self._options.fuse):
            return self._unwatched()
        if self._folded is None:
            self._folded, weights = folded_for_prediction(graph, arrays, ctx, self._options)
            self._folding = Folding(weights, arrays, ctx, self._options) if weights else None
        if self._folding is None:
            return self._unwatched()
        self._folding.refresh()
        arrays = arrays | self._folding.arrays
        if self._predicting is None or self._predicting.generation != self._pool.generation:
            made_of = self._folded, arrays, wanted, ctx, contexts
            self._predicting = Program(*made_of, self._options, self.outputs, self._pool)
        return self._predicting

    def _unwatched(self) -> Program:
        """The planned program, in the buffers that the pool has now."""
        if self._planned.generation != self._pool.generation:
            self._planned = Program(*self._made_of, self._options, self.outputs, self._pool)
        return self._planned

    def _watched(self) -> Program:
        """The program in which a monitor sees every node."""
        if self._plain is None:
            self._plain = Program(*self._made_of, options.PLAIN._replace(views=False), self.outputs)
        return self._plain

    def _run(self, schedule: Schedule, is_train: bool) -> None:
        if self._monitor is None:
            schedule.run(is_train)
            return
        for step in schedule.steps:
            self._watch(step, is_train, self._monitor)

    def _watch(self, step: Step, is_train: bool, monitor: Callable) -> None:
        """Run a step and show what it computed, and with monitor_all what it read."""
        if self._monitor_all:
            for name, value in step.read():
                monitor(name, value)
        step.run(is_train)
        for name, value in step.written():
            monitor(name, value)

    def _assign(self, values: Mapping[str, Any]) -> None:
        """Copy values into arguments: all are checked before the first is copied."""
        arguments = self.arg_dict
        for name, value in values.items():
            if name not in arguments:
                text = unknown_name("forward", None, "an argument", name, list(arguments))
                raise ArgumentTypeError(text)
            if not isinstance(value, (NDArray, np.ndarray)):
                raise ArgumentError(message("forward", name, "an array", type(value).__name__))
            if value.shape != arguments[name].shape:
                hint = "reshape the executor for other shapes"
                expected = f"shape {arguments[name].shape}"
                raise ShapeError(message("forward", name, expected, value.shape, hint))
        for name, value in values.items():
            if value is not arguments[name]:
                arguments[name][:] = value

    def _head_gradients(self, given: Any) -> list[NDArray | None]:
        """One gradient per output; raise where one that is read is missing."""
        names = self._symbol.list_outputs()
        if isinstance(given, Mapping):
            for name in given:
                if name not in names:
                    raise ArgumentError(unknown_name("backward", "out_grads", "an output", name, names))
            given = [given.get(name) for name in names]
        elif given is None:
            given = []
        elif not isinstance(given, (list, tuple)):
            given = [given]
        given = [*given, *[None] * (len(names) - len(given))][: len(names)]  # surplus ones are not read
        pairs = zip(names, given, self.outputs, self._program.head_uses, strict=True)
        return [self._head_gradient(name, g, output) if places else None for name, g, output, places in pairs]

    def _head_gradient(self, name: str, given: Any, output: NDArray) -> NDArray:
        if given is None:
            hint = "the output is no loss; give out_grads, or wrap it in MakeLoss to minimise its sum"
            raise ArgumentError(message("backward", "out_grads", f"the gradient of '{name}'", "none", hint))
        if not isinstance(given, (NDArray, np.ndarray)):
            expected = f"an NDArray for '{name}'"
            raise ArgumentTypeError(message("backward", "out_grads", expected, type(given).__name__))
        if given.shape != output.shape:
            expected = f"shape {output.shape} for '{name}'"
            raise ShapeError(message("backward", "out_grads", expected, given.shape))
        if not isinstance(given, NDArray):
            return array(given, ctx=self._ctx, dtype=output.dtype)
        return given if given.dtype == output.dtype else given.astype(output.dtype)

    # -- parameters, shapes ---------------------------------------------------------------------------

    def copy_params_from(self, arg_params: Mapping[str, NDArray], aux_params: Mapping | None = None,
                         allow_extra_params: bool = False) -> None:  # fmt: skip
        """Copy values into arguments and states by name.

        Raises ArgumentError for names that the symbol does not have, unless `allow_extra_params`.
        """
        for kind, given, own in (
            ("arg_params", arg_params, self.arg_dict),
            ("aux_params", aux_params, self.aux_dict),
        ):
            for name, value in (given or {}).items():
                if name not in own:
                    if not allow_extra_params:
                        raise ArgumentError(unknown_name("copy_params_from", kind, "a name", name, list(own)))
                elif value.shape != own[name].shape:
                    expected = f"shape {own[name].shape} for '{name}'"
                    raise ShapeError(message("copy_params_from", kind, expected, value.shape))
                else:
                    own[name][:] = value

    def reshape(self, partial_shaping: bool = False, allow_up_sizing: bool = False,
                **kwargs: Sequence[int]) -> Executor:  # fmt: skip
        """Return an executor for other shapes of some arguments, which shares the memory of the arrays, and
        that of results, outputs that do not grow included: one runs after the other. It has the callback of
        this one.

        An array that shrinks becomes the first elements of the old one; one that grows is new, of zeros.
        Raises BindError, naming the argument, if an argument that is not named changes its shape
        (unless `partial_shaping`), or if an array becomes larger (unless `allow_up_sizing`).
        """
        graph = self._symbol._graph
        problems = Problems(graph)
        found = shapes_of(problems, kwargs)

        def fitted(node: Node, old: NDArray | None) -> NDArray | None:
            if old is None or old.shape == found[node]:
                return old
            if node.name not in kwargs and not partial_shaping:
                text = f"'{node.name}' would become {found[node]} instead of {old.shape}"
                problems.add(f"{text} (name its shape, or pass partial_shaping=True)")
            if math.prod(found[node]) > old.size and not allow_up_sizing:
                text = f"'{node.name}' would grow from {old.shape} to {found[node]}"
                problems.add(f"{text} (pass allow_up_sizing=True)")
            return _first_elements(old, found[node])

        args = [fitted(*pair) for pair in zip(graph.arguments, self.arg_arrays, strict=True)]
        grads = [fitted(*pair) for pair in zip(graph.arguments, self.grad_arrays, strict=True)]
        states = [fitted(*pair) for pair in zip(graph.states, self.aux_arrays, strict=True)]
        problems.check()
        shapes = [problems.inferred["shape"][head] for head in graph.heads]
        smaller = [math.prod(shape) <= old.size for shape, old in zip(shapes, self.outputs, strict=True)]
        outputs = [
            _first_elements(old, shape) if fits else None
            for shape, old, fits in zip(shapes, self.outputs, smaller, strict=True)
        ]
        made = Executor(
            self._symbol, self._ctx, args, grads, self._grad_req, states, self._group2ctx, self, None, outputs
        )
        made.set_monitor_callback(self._monitor, self._monitor_all)
        return made

    # -- looking in -----------------------------------------------------------------------------------

    def set_monitor_callback(self, callback: Callable[[str, NDArray], None] | None,
                             monitor_all: bool = False) -> None:  # fmt: skip
        """Call `callback(name, array)` with every result (and, with `monitor_all`, operand) of a run.

        From the next `forward` on. While there is a callback, no nodes are fused and results share no
        memory, so that there is an array to show for each.
        """
        self._monitor = callback
        self._monitor_all = monitor_all

    def get_optimized_symbol(self) -> Any:
        """Return the symbol as it is after equal nodes have become one.

        An output that comes twice is copied the second time, as in MXNet. What other passes make of the
        graph has no form as a symbol.
        """
        if not self._options.simplify:
            return self._symbol
        heads: list[Entry] = []
        for head in simplify(self._symbol._graph, {}, {})[0].heads:
            if head in heads:
                name = f"{head.node.name}_{head.index}_copy"
                head = Entry(Node(ops.identity, name, ops.identity.parse_attrs({}), [head]), 0)
            heads.append(head)
        return type(self._symbol)(Graph(heads))

    def debug_str(self) -> str:
        """Return a listing of the graph with its gradient, and the memory of the buffers made for it."""
        nbytes = self._planned.nbytes
        return listing(self._planned.whole) + f"{nbytes} bytes\nTotal {nbytes >> 20} MB allocated\n"


def folded_for_prediction(
    graph: Graph, arrays: Mapping[Node, NDArray], ctx: Context, chosen: options.Options
) -> Folded:
    """The graph that gives the same outside training with less work; itself if there is none."""
    kinds = {node.op.name for node in graph.nodes if node.op is not None}
    weights: dict[Node, Entry] = {}
    if "BatchNorm" in kinds:
        graph, weights = fold_norms(graph, *_inferred(graph, arrays, {}))
    if "Convolution" in kinds and ctx.device_type == "cpu" and chosen.weight_cache:
        return pack_filters(graph, weights, *_inferred(graph, arrays, weights), chosen.weight_cache)
    return Folded(graph, weights)


def _inferred(
    graph: Graph, arrays: Mapping[Node, NDArray], weights: Mapping[Node, Entry]
) -> tuple[dict[Entry, Any], dict[Entry, Any]]:
    """Shapes and dtypes of all entries, where `weights` are new variables that follow from arrays."""
    shapes: dict[Node, Any] = {node: array.shape for node, array in arrays.items()}
    dtypes: dict[Node, Any] = {node: np.dtype(array.dtype) for node, array in arrays.items()}
    if weights:
        made = Graph(weights.values())
        for known, infer in ((shapes, infer_shapes), (dtypes, infer_dtypes)):
            found = infer(made, {node: known[node] for node in made.variables})
            known.update({node: found[entry] for node, entry in weights.items()})
    within = set(graph.variables)
    return (
        infer_shapes(graph, {node: shape for node, shape in shapes.items() if node in within}),
        infer_dtypes(graph, {node: dtype for node, dtype in dtypes.items() if node in within}),
    )


def _first_elements(old: NDArray, shape: tuple[int, ...]) -> NDArray:
    """As many elements of an array as there are in this shape; new ones, of zeros, if it has fewer."""
    if old.stype != "default":
        return blank(shape, ctx=old.context, dtype=old.dtype, stype=old.stype)
    size = math.prod(shape)
    flat = old._reshape_view((old.size,)) if size <= old.size else None
    if flat is None:
        return blank(shape, ctx=old.context, dtype=old.dtype)
    return flat[:size]._reshape_view(shape)


def _by_name(names: list[str], arrays: list) -> dict:
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise BindError(
            message("Executor", None, "names that differ", f"several {', '.join(map(repr, repeated))}")
        )
    return dict(zip(names, arrays, strict=True))
