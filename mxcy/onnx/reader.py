"""`Reader`: a symbol in the making out of a graph of ONNX, as the functions that translate operators see it.

A translation is a function `f(n)` of a `Call` that returns a symbol, or several for several results.
Whatever is made of constants only (shapes that exporters compute, weights that they transpose) is computed
at once by the reference implementation of the package onnx, and so are shapes that inference knows.

A node that cannot be translated is an error only if what is made needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import symbol as sym
from ..errors import MXNetError, closest, message
from ..symbol import Symbol
from .package import package

__all__ = ["IMPORTS", "Call", "Reader", "imports"]

# Operator of ONNX -> its translation.
IMPORTS: dict[str, Callable[[Call], Any]] = {}

Made = Symbol | MXNetError


def imports(*kinds: str) -> Callable[[Callable], Callable]:
    """Register a translation for operators of ONNX."""

    def register(function: Callable) -> Callable:
        for kind in kinds:
            IMPORTS[kind] = function
        return function

    return register


class Call:
    """A node of ONNX, and what is known of its inputs."""

    def __init__(self, reader: Reader, node: Any):
        helper = package().helper
        self.reader, self.kind = reader, node.op_type
        self.inputs, self.outputs = list(node.input), list(node.output)
        self.name = node.name or self.outputs[0]
        self.attrs = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        self.opset = reader.opset

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Symbol:
        """An input as a symbol."""
        return self.reader.symbol(self.inputs[index])

    def symbols(self) -> list[Symbol]:
        """All inputs as symbols."""
        return [self[i] for i in range(len(self))]

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; texts are decoded."""
        value = self.attrs.get(name, default)
        if isinstance(value, bytes):
            return value.decode()
        return [part.decode() for part in value] if isinstance(value, list) and value and isinstance(
            value[0], bytes) else value  # fmt: skip

    def values(self, index: int, what: str = "a constant") -> np.ndarray:
        """An input that must be a constant."""
        found = self.constant(index)
        self.need(found is not None, self.inputs[index], what, "what is computed from inputs")
        return found  # type: ignore[return-value]

    def constant(self, index: int) -> np.ndarray | None:
        """The values of an input that is a constant, else None."""
        return self.reader.constants.get(self.inputs[index]) if self.has(index) else None

    def numbers(self, index: int, attribute: str) -> list[int] | None:
        """A list of integers that is an attribute in old operator sets and an input in new ones."""
        if attribute in self.attrs:
            value = self.attrs[attribute]
            return [value] if isinstance(value, int) else list(value)
        return [int(n) for n in self.values(index).ravel()] if self.has(index) else None

    def number(self, index: int, attribute: str) -> float | None:
        """A number that is an attribute in old operator sets and an input in new ones."""
        if attribute in self.attrs:
            return self.attrs[attribute]
        return self.values(index).item() if self.has(index) else None

    def shape(self, index: int) -> tuple[int | None, ...] | None:
        """The extents of an input as far as they are known, None if not even their number is."""
        return self.reader.shapes.get(self.inputs[index])

    def dtype(self, index: int) -> np.dtype:
        """The dtype of an input, single precision where nothing is known."""
        return self.reader.dtypes.get(self.inputs[index], np.dtype("float32"))

    def rank(self, index: int = 0) -> int:
        """The number of axes of an input."""
        shape = self.shape(index)
        self.need(
            shape is not None, self.inputs[index], "a tensor of which shape inference finds the rank", "none"
        )
        return len(shape)  # type: ignore[arg-type]

    def extents(self, index: int) -> tuple[int, ...]:
        """All extents of an input, which must be known."""
        shape = self.shape(index)
        known = shape is not None and None not in shape
        self.need(known, self.inputs[index], "a tensor of which shape inference finds the shape", shape)
        return shape  # type: ignore[return-value]

    def result(self, index: int = 0) -> tuple[int | None, ...] | None:
        """The extents of a result as far as they are known."""
        return self.reader.shapes.get(self.outputs[index])

    def need(self, met: bool, argument: str, expected: str, got: Any) -> None:
        """Raise MXNetError unless the node can be translated."""
        if not met:
            raise MXNetError(message(f"import_model: {self.kind} {self.name!r}", argument, expected, got))

    def parameter(self, suffix: str, values: np.ndarray) -> Symbol:
        """A new parameter of this node."""
        name = f"{self.name}_{suffix}"
        self.reader.constants[name] = values
        return self.reader.symbol(name)


class Reader:
    """The values of a graph by name: constants, or symbols made of its inputs."""

    def __init__(self, graph: Any, opset: int):
        self.opset = opset
        self.made: dict[str, Made] = {}
        self.shapes: dict[str, tuple[int | None, ...]] = {}
        self.dtypes: dict[str, np.dtype] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.params: dict[str, np.ndarray] = {}
        numpy_helper, helper = package().numpy_helper, package().helper
        for tensor in graph.initializer:
            self._keep(tensor.name, numpy_helper.to_array(tensor))
        for value in (*graph.input, *graph.value_info, *graph.output):
            code = value.type.tensor_type.elem_type
            if code:
                self.dtypes[value.name] = np.dtype(helper.tensor_dtype_to_np_dtype(code))
            if value.name not in self.constants and value.type.tensor_type.HasField("shape"):
                dims = value.type.tensor_type.shape.dim
                self.shapes[value.name] = tuple(
                    d.dim_value if d.HasField("dim_value") else None for d in dims
                )
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        for name in self.inputs:
            self.made[name] = sym.Variable(name)
        for node in graph.node:
            self._read(node)
        self.outputs = [value.name for value in graph.output]

    def symbol(self, name: str) -> Symbol:
        """Return a tensor as a symbol; constants become parameters."""
        if name in self.constants:
            values = self.params[name] = self.constants[name]
            self.made.setdefault(name, sym.Variable(name, shape=values.shape or (1,)))
        found = self.made.get(name)
        if found is None:
            raise MXNetError(message("import_model", name, "a tensor of the graph", "nothing of this name"))
        if isinstance(found, MXNetError):
            raise found
        return found

    def arrays(self, symbol: Symbol) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters and the states that a symbol reads, by name."""

        def those(names: Sequence[str]) -> dict[str, Any]:
            return {name: _array(self.params[name]) for name in names if name in self.params}

        return those(symbol.list_arguments()), those(symbol.list_auxiliary_states())

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.constants[name] = values
        self.shapes[name], self.dtypes[name] = values.shape, values.dtype

    def _read(self, node: Any) -> None:
        call = Call(self, node)
        if self._folded(node, call):
            return
        made: Any
        try:
            if call.kind not in IMPORTS or node.domain not in ("", "ai.onnx"):
                near = closest(call.kind, IMPORTS)
                hint = f"did you mean {near[0]}?" if near else ""
                expected = "an operator that can be translated"
                raise MXNetError(message("import_model", f"node {call.name}", expected, call.kind, hint))
            made = IMPORTS[call.kind](call)
        except MXNetError as error:
            made = [error] * len(call.outputs)
        results = list(made) if isinstance(made, (list, tuple, Symbol)) else [made]
        for name, value in zip(call.outputs, results, strict=False):
            self.made[name] = value

    def _folded(self, node: Any, call: Call) -> bool:
        """Compute a node whose inputs are all constants; whether that was done."""
        if call.kind == "Shape" and "start" not in call.attrs and "end" not in call.attrs:
            shape = self.shapes.get(call.inputs[0])
            if shape is not None and None not in shape:
                self._keep(call.outputs[0], np.array(shape, np.int64))
                return True
        given = [name for name in call.inputs if name]
        fixed = all(name in self.constants for name in given)
        if (
            not fixed
            or not (given or call.kind == "Constant")
            or call.kind in ("Dropout", "BatchNormalization")
        ):
            return False
        if any(part.type in (5, 10) for part in node.attribute):  # graphs
            return False
        found = _evaluated(node, {name: self.constants[name] for name in given}, self.opset)
        for name, values in zip(call.outputs, found or (), strict=False):
            self._keep(name, np.asarray(values))
        return found is not None


def _evaluated(node: Any, feeds: dict[str, np.ndarray], opset: int) -> list | None:
    """The results of a node of constants, None if the reference implementation does not know its form."""
    from onnx.reference import ReferenceEvaluator

    try:
        return list(ReferenceEvaluator(node, opsets={"": opset}).run(None, feeds))
    except Exception:  # it lacks old forms of operators, which raise what comes; they are translated instead
        return None


def _array(values: np.ndarray) -> Any:
    """A parameter as an array; numbers get an axis, and truth is 0 or 1."""
    dtype = np.dtype("float32") if values.dtype == bool else values.dtype
    return nd.array(values.reshape(values.shape or (1,)), dtype=dtype)
