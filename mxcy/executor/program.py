"""A graph and its gradient as two lists of steps over fixed buffers.

When a graph is bound, passes make its nodes fewer (graph/optimise.py), and every result gets a buffer,
which results that are not needed at once share (graph/plan_memory.py). A step pushes one operation to the
engine, which runs independent steps in parallel; steps are pushed in graph order, so that results depend
on nothing else. A shared buffer is one variable of the engine, so that a step that writes it waits for
the steps before it that read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from .._array import Array, overlay
from .._engine import num_workers
from ..errors import BindError, MXNetError, message
from ..graph._lifetimes import Roots
from ..graph._nodes import line_of_site
from ..graph.constants import Constant
from ..graph.effects import sequence
from ..graph.infer import complete
from ..graph.ir import Entry, Graph, Node, variable
from ..graph.optimise import optimise
from ..graph.plan_memory import plan_memory
from ..graph.storage import infer_storage, may_be_sparse
from ..graph.training import with_gradient
from ..ndarray import NDArray, empty
from ..ndarray import array as new_array
from ..ndarray._creation import blank
from ..ops import _storage
from ..ops._call import special
from ..ops._elementwise import Elementwise
from .options import PLAIN, Options
from .pool import Pool
from .schedule import Schedule

__all__ = ["Program", "Step"]

# What has one input, to which MXNet gives no name; so have operators of single elements, but one.
_NAMELESS = frozenset([
    "Activation", "BlockGrad", "Cast", "Flatten", "Reshape", "SoftmaxActivation",
    "_contrib_AdaptiveAvgPooling2D", "_contrib_arange_like", "_contrib_box_nms", "_contrib_div_sqrt_dim",
    "_contrib_gradientmultiplier", "_contrib_round_ste", "_contrib_sign_ste", "_copy", "_sample_multinomial",
    "_shuffle", "amp_cast", "argmax", "argmax_channel", "argmin", "argsort", "broadcast_axis", "broadcast_to",
    "expand_dims", "make_loss", "max", "mean", "min", "nanprod", "nansum", "norm", "ones_like", "prod",
    "shape_array", "size_array", "slice", "slice_axis", "softmin", "sort", "sum", "topk", "transpose",
    "zeros_like",
])  # fmt: skip


class Step:
    """One push: an operator on fixed arrays. `inputs` is a list, as head gradients change."""

    __slots__ = ("attrs", "inputs", "mixed", "name", "op", "outs", "site", "sources")

    def __init__(
        self, op: Any, attrs: Any, inputs: list, outs: list, name: str, sources: Sequence, site: Any = None
    ):
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.outs = outs
        self.name = name
        self.sources = sources
        self.site = site  # the line that made the node, or the one whose gradient it computes
        self.mixed = any(map(_storage.stored, (*inputs, *outs)))  # sparse arrays take part

    def read(self) -> Iterator[tuple[str, Any]]:
        """What it reads, under MXNet's names: variables by their own, and all as inputs of the node."""
        names = [*self.op.input_names(self.attrs), *self.op.aux_names(self.attrs)]
        alone = isinstance(self.op, Elementwise) and len(names) == 1
        plain = self.op.name in _NAMELESS or (alone and self.op.name != "_contrib_quadratic")
        for position, (source, value) in enumerate(zip(self.sources, self.inputs, strict=True)):
            if isinstance(source, Entry) and source.node.op is None:
                yield source.name, value
            named = position < len(names) and not plain
            yield f"{self.name}_{names[position] if named else f'input{position}'}", value

    def written(self) -> Iterator[tuple[str, Any]]:
        """What it writes, under MXNet's names; hidden outputs too, without those that MXNet has not."""
        names = self.op.output_names(self.attrs)[: self.op.num_written(self.attrs)]
        for name, value in zip(names, self.outs, strict=False):
            yield f"{self.name}_{name}", value

    def run(self, is_train: bool) -> None:
        """Push the operation. Errors that are known now name the node."""
        try:
            if self.mixed or special(tuple(self.inputs)) is not None:  # a gradient that backward was given
                _storage.compute(self.op, self.inputs, self.attrs, self.outs, is_train)
            else:
                self.op.compute(self.inputs, self.attrs, self.outs, is_train)
        except MXNetError as error:
            error.add_note(self.note())
            raise

    def note(self) -> str:
        """What errors say of where they come from."""
        text = f"in node '{self.name}' of the graph"
        if self.site is None:
            return text
        file, line, function = line_of_site(self.site)
        return f'{text}, made by "{file}", line {line}, in {function}'


class Program:
    """The steps of a graph bound to arrays.

    Attributes
    ----------
    forward, backward, both : their steps.
    outputs : the array of each head.
    head_uses : for each head, the places (inputs of a step, position) where its gradient is read.
    whole : the graph with its gradient, as it was before passes changed it.
    shapes, dtypes : of every entry that has a buffer.
    plan : the memory plan.
    nbytes : of the buffers that the program made, or has in a pool.
    generation : that of the pool when buffers were taken from it.
    consumes : whether backward writes over results of forward that it has read.
    repeatable : whether forward gives the same results again.

    `contexts` are those of the outputs, if they are not all that of the program. `known` holds shapes and
    dtypes of all entries of the graph, if inference has found them already.
    """

    def __init__(self, graph: Graph, arrays: Mapping[Node, NDArray],
                 gradients: Sequence[tuple[Node, NDArray, str]], ctx: Any,
                 contexts: Sequence[Any] | None = None,
                 options: Options = PLAIN, outputs: Sequence[NDArray | None] | None = None,
                 pool: Pool | None = None, known: tuple[dict, dict] | None = None):  # fmt: skip
        self.ctx = ctx
        self._contexts = contexts or [ctx] * len(graph.heads)
        self.nbytes = 0
        self._sites = {node.name: node.site for node in graph.nodes if node.site is not None}
        heads = [variable(f"_head_grad_{i}") for i in range(len(graph.heads))]
        wanted = [node for node, _, _ in gradients]
        shapes = {node: array.shape for node, array in arrays.items()}
        dtypes = {node: np.dtype(array.dtype) for node, array in arrays.items()}
        mirrors, budget = options.mirror, options.budget
        found = with_gradient(graph, wanted, heads, shapes, dtypes, mirrors, budget, known)
        self.whole, self.shapes, self.dtypes = found
        _check_shapes(self.whole)
        stypes = {node: array.stype for node, array in arrays.items() if _storage.stored(array)}
        sparse = bool(stypes) or may_be_sparse(graph, stypes)
        if sparse:  # passes know nothing of storage
            options = options._replace(simplify=False, fuse=False)
        forward, backward, targets = self._optimise(graph, options)
        self.head_uses: list[list[tuple[list, int]]] = [[] for _ in heads]
        self._head_places = dict(zip(heads, self.head_uses, strict=True))
        self._buffers = {Entry(node, 0): array for node, array in arrays.items()}
        self._rigid = {entry for entry, array in self._buffers.items() if not array._c_contiguous}
        self._rigid.update(heads)
        if not options.views:
            self._rigid.update(self._buffers)
            self._rigid.update(entry for node in (*forward, *backward) for entry in node.all_entries())
        if sparse:
            self._make_sparse([*self.heads, *targets], stypes)
        self._source = Roots(self.shapes, self._rigid)  # the entry whose buffer another one has
        self._written: set[int] = set()  # gradients that a step of the graph writes
        self._assign_outputs(outputs)
        self._assign_targets(targets, gradients, set(forward))
        self._plan(forward, backward, targets, options)
        self._shared = self._take(Pool(ctx) if pool is None else pool)
        steps = [step for node in forward for step in self._steps(node)]
        self.outputs = [self._output(i, head, outputs, steps) for i, head in enumerate(self.heads)]
        self.forward = Schedule(steps, fresh=self._shared)
        steps = [step for node in backward for step in self._steps(node)]
        for target, (node, array, req) in zip(targets, gradients, strict=True):
            steps += self._final_steps(target, array, req, node.name)
        outside = frozenset(array._storage_id for _, array, _ in gradients)
        self.backward = Schedule(steps, outside)
        self.both = Schedule([*self.forward.steps, *steps], outside, self._shared)
        self._buffers.clear()
        del self._source

    def _make_sparse(self, heads: list[Entry], stypes: Mapping[Node, str]) -> None:
        """Give results that are sparse arrays of their own, which no plan concerns."""
        for entry, stype in infer_storage(Graph(heads), stypes, self.shapes).items():
            self._rigid.add(entry)
            if entry.node.op is not None:
                made = blank(self.shapes[entry], ctx=self.ctx, dtype=self.dtypes[entry], stype=stype)
                self._buffers[entry] = made

    def _optimise(self, graph: Graph, options: Options) -> tuple[list, list, list]:
        """Run the passes. Return the nodes of forward and of backward, in order, and the new targets."""
        passes = options.simplify, options.fuse, all(ctx.device_type == "cpu" for ctx in self._contexts)
        made = optimise(graph, self.whole, self.shapes, self.dtypes, *passes)
        count = len(graph.heads)
        self.heads = made.graph.heads[:count]
        self.shapes, self.dtypes = made.shapes, made.dtypes
        self.repeatable = not sequence(graph)
        return made.forward, made.backward, list(made.graph.heads[count:])

    def _plan(self, forward: list, backward: list, targets: Sequence[Entry], options: Options) -> None:
        """Plan the memory of all nodes."""
        for node in (*forward, *backward):
            self._check_known(node)
            if isinstance(node.op, Constant):
                self._buffers[Entry(node, 0)] = self._held(node.op.value)
        self.plan = plan_memory(
            [*forward, *backward],
            self.shapes,
            self.dtypes,
            keep=[*self.heads, *targets],
            external=[entry for entry in self._buffers if entry.node.op is not None],
            strategy=options.strategy,
            paths=num_workers() if options.paths is None else options.paths,
            roots=self._source,
        )
        self.consumes = self.plan.consumes(set(forward))

    def _take(self, pool: Pool) -> list[NDArray]:
        """The buffers of the plan: those of results that stay are new, others those of the pool."""
        sizes, own = self.plan.sizes, self.plan.own
        passing = iter(pool.take([nbytes for number, nbytes in enumerate(sizes) if number not in own]))
        self.nbytes += sum(nbytes for number, nbytes in enumerate(sizes) if number not in own)
        self.generation = pool.generation
        byte = np.dtype(np.uint8)
        roots = [self.plan.place(self._source(head)) for head in self.heads]
        places = {root.buffer: ctx for root, ctx in zip(roots, self._contexts, strict=True) if root}
        return [
            self._new((size,), byte, places.get(number)) if number in own else next(passing)
            for number, size in enumerate(sizes)
        ]

    def _check_known(self, node: Node) -> None:
        for entry in node.all_entries():
            shape, dtype = self.shapes.get(entry), self.dtypes.get(entry)
            if shape is None or not complete(shape) or dtype is None:
                what = "dtype" if complete(shape) else "shape"
                text = f"a {what} of {entry.name} that follows from the arguments"
                raise BindError(message("bind", node.name, text, "an unknown one"))

    def _buffer(self, entry: Entry) -> NDArray | None:
        """The array of an entry; None for a gradient that backward is given."""
        source = self._source(entry)
        found = self._buffers.get(source)
        if found is None:
            if source in self._head_places:
                return None
            place = self.plan.place(source)
            assert place is not None, "every other result is planned"
            buffer, offset, alone = place
            found = overlay(self._shared[buffer], self.shapes[source], self.dtypes[source], offset, alone)
            self._buffers[source] = found
        if source is not entry and self.shapes.get(entry) != self.shapes.get(source):
            found = found._reshape_view(self.shapes[entry])
        return found

    def _new(self, shape: Sequence, dtype: np.dtype, ctx: Any = None) -> NDArray:
        made = empty(shape, ctx=ctx or self.ctx, dtype=dtype)
        self.nbytes += made.nbytes
        return made

    def _held(self, value: Array) -> NDArray:
        """A constant on the device of the program."""
        return new_array(value.view_numpy(), ctx=self.ctx, dtype=np.dtype(value.dtype))

    def _assign_outputs(self, outputs: Sequence[NDArray | None] | None) -> None:
        """Let forward write arrays of an earlier program."""
        for head, array in zip(self.heads, outputs or (), strict=False):
            if array is not None and self._source(head) == head and _computed(head):
                self._buffers[head] = array

    def _assign_targets(self, targets: Sequence[Entry], gradients: Sequence, forward: set[Node]) -> None:
        """Let the last step of a gradient write the user's array, if the result is that array's alone."""
        for target, (_, array, req) in zip(targets, gradients, strict=True):
            source = self._source(target)
            own = _computed(source) and source.node not in forward
            if req != "write" or not own or source in self._buffers:
                continue
            if _storage.stored(array):
                continue
            shape = self.shapes[source]
            fitting = array if array.shape == shape else array._reshape_view(shape)
            if fitting is not None:
                self._buffers[source] = fitting
                self._written.add(id(array))

    def _steps(self, node: Node) -> list[Step]:
        """The step of a node; none of variables, constants and results that are their operand."""
        if not _computed(Entry(node, 0)) or self._source(Entry(node, 0)).node is not node:
            return []
        outs = [self._buffer(entry) for entry in node.all_entries()]
        return [self._step(node.op, node.attrs, node.inputs, outs, node.name)]

    def _step(self, op: Any, attrs: Any, sources: Sequence, outs: list, name: str) -> Step:
        """A step that reads these entries (or arrays); remembers where it reads head gradients."""
        inputs = [self._buffer(source) if isinstance(source, Entry) else source for source in sources]
        for position, found in enumerate(inputs):
            if found is None:
                self._head_places[self._source(sources[position])].append((inputs, position))
        site = self._sites.get(name) or self._sites.get(name.partition("_backward")[0])
        return Step(op, attrs, inputs, outs, name, sources, site)

    def _final_steps(self, target: Entry, array: NDArray, req: str, name: str) -> list[Step]:
        """The copy to a gradient array that no step writes, or the addition for req "add"."""
        if req == "add":
            add = ops.elemwise_add
            return [self._step(add, add.parse_attrs({}), [array, target], [array], name)]
        if id(array) in self._written:
            return []
        return [self._copy(target, array, name)]

    def _copy(self, source: Entry, out: NDArray, name: str) -> Step:
        copy = ops.identity
        return self._step(copy, copy.parse_attrs({}), [source], [out], name)

    def _output(
        self, position: int, head: Entry, outputs: Sequence[NDArray | None] | None, steps: list[Step]
    ) -> NDArray:
        """The array of a head. Variables and constants are copied: outputs are those of the last forward."""
        array = self._buffer(head)
        assert array is not None, "heads are no gradients"
        given = None if outputs is None else outputs[position]
        if _computed(self._source(head)) and (given is None or given is array):
            return array
        out = given
        if out is None:
            dtype, place = np.dtype(array.dtype), self._contexts[position]
            if _storage.stored(array):
                out = blank(array.shape, ctx=place, dtype=dtype, stype=array.stype)
            else:
                out = self._new(array.shape, dtype, place)
        steps.append(self._copy(head, out, head.node.name))
        return out


def _check_shapes(graph: Graph) -> None:
    """Raise BindError where only values decide the shape of a result."""
    if any(getattr(op, "dynamic", False) for op in {node.op for node in graph.nodes}):
        name = next(node.name for node in graph.nodes if getattr(node.op, "dynamic", False))
        text, hint = "an operator whose result has a known shape", "run it in a Gluon block"
        raise BindError(message("bind", name, text, "one whose shape values decide", hint))


def _computed(entry: Entry) -> bool:
    """Whether a run computes an entry: it is no variable and no constant."""
    return entry.node.op is not None and not isinstance(entry.node.op, Constant)
