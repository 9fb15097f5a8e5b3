"""What the control flow operators have in common: bodies, attributes, and their checks.

`_foreach`, `_while_loop` and `_cond` have the names, attributes and order of inputs that MXNet 1.9.1 writes
to files. Besides the attributes in its files they have `bodies`, the graphs that they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._array import empty
from ..errors import ArgumentError, ArgumentTypeError, message, problem
from ..ops._attributes import Attribute, Attributes, Shape
from ..ops._operator import Operator
from .body import Body
from .ir import Graph

__all__ = ["ControlFlow", "allocate", "spread"]


class ControlFlow(Operator):
    """An operator that runs graphs of its own. `count` is the number of these."""

    count = 1
    _reserved = ("is_train",)  # a body may behave differently in training

    def __init__(self, name: str, doc: Any, places: Sequence[str], others: Sequence[Attribute]):
        attributes = [Attribute("num_args", int), Attribute("num_outputs", int), *others]
        attributes += [Attribute(place, Shape) for place in places]
        super().__init__(name, doc, ("args",), attributes, grad=None, variadic=True)
        self._places = tuple(places)
        self.differentiable = True
        self.needs = frozenset({"args", "y"})  # which of them is found by a trial run

    def with_bodies(self, attrs: Attributes, graphs: Sequence[Graph]) -> Attributes:
        """Return the attributes with the graphs that the operator runs.

        Raises ArgumentError for attributes that do not fit the graphs.
        """
        if len(graphs) != self.count:
            raise ArgumentError(message(self.name, "subgraphs", self.count, len(graphs)))
        bodies = tuple([Body(graph) for graph in graphs])
        full = Attributes({**attrs, "bodies": bodies}, attrs.given)
        self.check(full)
        return full

    def made(self, graphs: Sequence[Graph], inputs: int, **attrs: Any) -> Attributes:
        """Return the attributes of a use with these graphs and so many inputs."""
        return self.with_bodies(self.parse_attrs({"num_args": self.count + inputs, **attrs}), graphs)

    def check(self, attrs: Attributes) -> None:
        """Raise ArgumentError where attributes and bodies contradict each other."""
        raise NotImplementedError

    def require(self, fits: bool, name: str, attrs: Attributes, expected: Any) -> None:
        """Raise ArgumentError for the attribute of this name, unless it `fits`."""
        if not fits:
            raise ArgumentError(message(self.name, name, expected, attrs[name]))

    # -- what operators are asked ------------------------------------------------------------------------

    def draws(self, attrs: Attributes) -> bool:
        """Whether a body draws random numbers or uses states."""
        return any(body.fixed for body in attrs["bodies"])

    def bind_arguments(self, operands, keywords):
        """See `Operator.bind_arguments`."""
        hint = "call foreach, while_loop or cond of contrib"
        raise ArgumentTypeError(problem(self.name, None, "takes graphs, which a call cannot give it", hint))

    def hidden_heads(self, attrs):
        """See `Operator.hidden_heads`."""
        return tuple(range(attrs["num_outputs"], self.num_outputs(attrs)))

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        return tuple([f"arg{i}" for i in range(attrs["num_args"] - self.count)])

    def format_attrs(self, attrs, every=False):
        """See `Operator.format_attrs`."""
        found = super().format_attrs({k: v for k, v in attrs.items() if k in attrs.given})
        return found | {place: str(list(attrs[place])) for place in self._places if place in found}

    def output_names(self, attrs):
        """Names of the visible outputs: hidden ones are mxcy's own, and nobody asks for them."""
        visible = attrs["num_outputs"]
        return ("output",) if visible == 1 else tuple([f"output{i}" for i in range(visible)])

    def num_visible(self, attrs):
        """See `Operator.num_visible`."""
        return attrs["num_outputs"]

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        return self.infer("shape", in_shapes, attrs, out_shapes)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        return self.infer("dtype", in_dtypes, attrs, out_dtypes)

    def infer(self, what, known, attrs, results):
        """Return (inputs, outputs, states) as far as they follow; `what` is "shape" or "dtype"."""
        raise NotImplementedError


def spread(known: Sequence, places: Sequence[int]) -> list:
    """What is known of the inputs of a body that takes the operator's inputs at these places."""
    return [known[place] for place in places]


def allocate(shape: Sequence[int], dtype: np.dtype, like: Any) -> Any:
    """Return a new array beside another one."""
    return empty(tuple(shape), dtype, like._face, like._context_code)
