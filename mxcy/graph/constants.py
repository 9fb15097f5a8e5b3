"""Computes what depends on no variable once, when a graph is bound, instead of in every run.

These are arrays made from attributes (`arange`, `full`), zeros and ones in the likeness of an array of known
shape, and all that is computed from nothing but such arrays. It is computed by the operators themselves, so
that every bit is that of a run. Results larger than `LARGEST` elements are left to each run: their memory
would stay taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from .. import ops
from .._array import as_face
from ..kernels import cpu as kernels
from ._nodes import enter, rebuilt
from .effects import sequence
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["LARGEST", "Constant", "fold_constants"]

LARGEST = 1 << 16  # elements

_MADE = frozenset({"_zeros", "_ones", "_full", "_arange", "_eye", "_linspace"})
_LIKE = {"zeros_like": "_zeros", "ones_like": "_ones"}


class Constant:
    """The operator of a node whose result is known: an array that nobody writes."""

    identity = view = False
    name = "constant"

    def __init__(self, value: Any):
        self.value = value

    def num_outputs(self, attrs: Any) -> int:
        """How many results it has."""
        return 1

    num_visible = num_outputs

    def output_names(self, attrs: Any) -> tuple[str, ...]:
        """The name of its result."""
        return ("output",)

    def aux_names(self, attrs: Any) -> tuple[str, ...]:
        """States: none."""
        return ()

    def format_attrs(self, attrs: Any) -> dict[str, str]:
        """Attributes: none."""
        return {}

    def in_place_inputs(self, attrs: Any, output: int) -> tuple[int, ...]:
        """Inputs over which it may be written: none."""
        return ()

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """The shape of its result."""
        return [], [self.value.shape], []

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """The dtype of its result."""
        return [], [self.value.dtype], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """Return the array, or copy it into the one given."""
        if outs is None:
            return [as_face(self.value, face or 0)]
        return [kernels.copy(self.value, out=outs[0])]


def fold_constants(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with constants in place of what depends on no variable, and what became of entries.

    `shapes` and `dtypes` are those of every entry. What draws random numbers stays. If the graph itself is
    returned, nothing has become of any.
    """
    moved: dict[Entry, Entry] = {}
    if not any(_begins(node) for node in graph.nodes):
        return graph, moved
    fixed = set(sequence(graph))
    for node in graph.nodes:
        inputs = tuple(moved[source] for source in node.inputs)
        value = None if node in fixed else _value(node, inputs, shapes, dtypes)
        if value is not None:
            new = Node(Constant(value), node.name, {}, ())
        else:
            new = rebuilt(node, moved)
        enter(moved, node, new)
    return Graph(moved[head] for head in graph.heads), moved


def _begins(node: Node) -> bool:
    """Whether a node may be a constant whatever its inputs are."""
    return node.op is not None and (not node.inputs or node.op.name in _LIKE)


def _value(node: Node, inputs: tuple[Entry, ...], shapes: Mapping, dtypes: Mapping) -> Any:
    """The result of a node, None if it is none of the kind."""
    result = Entry(node, 0)
    shape, dtype = shapes.get(result), dtypes.get(result)
    if node.op is None or node.num_outputs != 1 or not complete(shape) or dtype is None:
        return None
    if shape is None or prod(shape) > LARGEST or node.attrs.get("ctx") is not None:
        return None
    if node.op.name in _LIKE:
        made = ops.REGISTRY[_LIKE[node.op.name]]
        return made.compute([], made.parse_attrs({"shape": shape, "dtype": dtype}))[0]
    if not inputs:
        return node.op.compute([], node.attrs)[0] if node.op.name in _MADE else None
    if not all(isinstance(source.node.op, Constant) for source in inputs):
        return None
    return node.op.compute([source.node.op.value for source in inputs], node.attrs)[0]
