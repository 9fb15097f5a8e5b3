"""A graph and its gradient as two lists of steps over fixed buffers.

Every output of every node has a buffer of its own, made when the graph is bound. A step pushes one
operation to the engine, which runs independent steps in parallel; steps are pushed in graph order, so
that results depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import BindError, MXNetError, message
from ..graph.gradient import gradient
from ..graph.infer import Shape, complete, infer_dtypes, infer_shapes
from ..graph.ir import Entry, Graph, Node, variable
from ..graph.prune import nodes_beyond
from ..ndarray import NDArray, empty

__all__ = ["Program", "Step"]


class Step:
    """One push: an operator on fixed arrays. `inputs` is a list, as head gradients change."""

    __slots__ = ("attrs", "inputs", "name", "op", "outs", "sources")

    def __init__(self, op: Any, attrs: Any, inputs: list, outs: list, name: str, sources: Sequence):
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.outs = outs
        self.name = name
        self.sources = sources

    def input_names(self) -> list[str]:
        """Names of what it reads."""
        return [source.name if isinstance(source, Entry) else self.name for source in self.sources]

    def output_names(self) -> list[str]:
        """Names of the visible outputs."""
        return [
            f"{self.name}_{output}"
            for output in self.op.output_names(self.attrs)[: self.op.num_visible(self.attrs)]
        ]

    def run(self, is_train: bool) -> None:
        """Push the operation. Errors that are known now name the node."""
        try:
            self.op.compute(self.inputs, self.attrs, self.outs, is_train)
        except MXNetError as error:
            error.add_note(f"in node '{self.name}' of the graph")
            raise


class Program:
    """The steps of a graph bound to arrays.

    Attributes
    ----------
    forward, backward : steps, in the order in which they are pushed.
    outputs : the array of each head.
    head_uses : for each head, the places (inputs of a step, position) where its gradient is read.
    whole : the graph with its gradient.
    shapes, dtypes : of every entry of it.
    nbytes : of the buffers that the program made.
    """

    def __init__(self, graph: Graph, arrays: Mapping[Node, NDArray],
                 gradients: Sequence[tuple[Node, NDArray, str]], ctx: Any):  # fmt: skip
        self.graph = graph
        self.ctx = ctx
        self.nbytes = 0
        heads = [variable(f"_head_grad_{i}") for i in range(len(graph.heads))]
        wanted = [node for node, _, _ in gradients]
        targets = gradient(graph, wanted, heads) if wanted else []
        self.whole = Graph([*graph.heads, *targets])
        self.shapes, self.dtypes = self._infer(arrays, heads)
        self.head_uses: list[list[tuple[list, int]]] = [[] for _ in heads]
        self._head_places = dict(zip(heads, self.head_uses, strict=True))
        self._buffers = {Entry(node, 0): array for node, array in arrays.items()}
        self._assign_targets(targets, gradients)
        self.forward = [step for node in graph.nodes for step in self._steps(node)]
        self.outputs = [self._output(head) for head in graph.heads]
        self.backward = [step for node in nodes_beyond(self.whole, graph.nodes) for step in self._steps(node)]
        for target, (node, array, req) in zip(targets, gradients, strict=True):
            self.backward += self._final_steps(target, array, req, node.name)

    def _infer(self, arrays: Mapping[Node, NDArray], heads: Sequence[Entry]) -> tuple[dict, dict]:
        """Decide shape and dtype of every entry; head gradients are like their heads."""
        shapes: dict[Node, Shape] = {node: array.shape for node, array in arrays.items()}
        dtypes: dict[Node, np.dtype | None] = {node: np.dtype(a.dtype) for node, a in arrays.items()}
        forward = infer_shapes(self.graph, shapes), infer_dtypes(self.graph, dtypes)
        if self.whole.nodes == self.graph.nodes:
            return forward
        for head, g in zip(self.graph.heads, heads, strict=True):
            shapes[g.node] = forward[0].get(head)
            dtypes[g.node] = forward[1].get(head)
        return infer_shapes(self.whole, shapes), infer_dtypes(self.whole, dtypes)

    def _source(self, entry: Entry) -> Entry:
        """The entry whose buffer this one has: a result that is its operand needs none of its own."""
        while entry.node.op is not None and entry.node.op.identity:
            operand = entry.node.inputs[0]
            if self.shapes.get(entry) != self.shapes.get(operand):
                break
            entry = operand
        return entry

    def _buffer(self, entry: Entry) -> NDArray | None:
        """The array of an entry, made if there is none; None for a gradient that backward is given."""
        entry = self._source(entry)
        if entry in self._head_places:
            return None
        found = self._buffers.get(entry)
        if found is None:
            shape, dtype = self.shapes.get(entry), self.dtypes.get(entry)
            if shape is None or not complete(shape) or dtype is None:
                what = "dtype" if complete(shape) else "shape"
                text = f"a {what} of {entry.name} that follows from the arguments"
                raise BindError(message("bind", entry.node.name, text, "an unknown one"))
            found = self._buffers[entry] = self._new(shape, dtype)
        return found

    def _new(self, shape: Sequence, dtype: np.dtype) -> NDArray:
        made = empty(shape, ctx=self.ctx, dtype=dtype)
        self.nbytes += made.nbytes
        return made

    def _assign_targets(self, targets: Sequence[Entry], gradients: Sequence) -> None:
        """Let the last step of a gradient write the user's array, if the result is that array's alone."""
        forward = set(self.graph.nodes)
        for target, (_, array, req) in zip(targets, gradients, strict=True):
            source = self._source(target)
            own = source.node.op is not None and source.node not in forward
            if req == "write" and own and source not in self._buffers:
                self._buffers[source] = array

    def _steps(self, node: Node) -> list[Step]:
        """The step of a node; none of variables and of results that are their operand."""
        if node.op is None or self._source(Entry(node, 0)).node is not node:
            return []
        outs = [self._buffer(Entry(node, index)) for index in range(node.num_outputs)]
        return [self._step(node.op, node.attrs, node.inputs, outs, node.name)]

    def _step(self, op: Any, attrs: Any, sources: Sequence, outs: list, name: str) -> Step:
        """A step that reads these entries (or arrays); remembers where it reads head gradients."""
        inputs = [self._buffer(source) if isinstance(source, Entry) else source for source in sources]
        for position, source in enumerate(sources):
            if inputs[position] is None:
                self._head_places[self._source(source)].append((inputs, position))
        return Step(op, attrs, inputs, outs, name, sources)

    def _final_steps(self, target: Entry, array: NDArray, req: str, name: str) -> list[Step]:
        """The copy to a gradient array that no step writes, or the addition for req "add"."""
        if req == "add":
            add = ops.elemwise_add
            return [self._step(add, add.parse_attrs({}), [array, target], [array], name)]
        if self._buffer(target) is array:
            return []
        return [self._copy(target, array, name)]

    def _copy(self, source: Entry, out: NDArray, name: str) -> Step:
        copy = ops.identity
        return self._step(copy, copy.parse_attrs({}), [source], [out], name)

    def _output(self, head: Entry) -> NDArray:
        """The array of a head. A variable is copied: outputs are those of the last forward."""
        array = self._buffer(head)
        assert array is not None, "heads are no gradients"
        if self._source(head).node.op is not None:
            return array
        out = self._new(array.shape, np.dtype(array.dtype))
        self.forward.append(self._copy(head, out, head.node.name))
        return out
