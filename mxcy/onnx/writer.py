"""`Writer`: an ONNX graph in the making, as the functions that translate operators see it.

A translation is a function `f(g, attrs, *inputs)` that adds nodes to the writer `g` and returns the name of
its result, or several. It names nothing itself: what it returns gets the names that MXNet gives to the
results of the node, all else gets names made from that of the node.

Extents that follow from those of inputs that may vary are None in `Value.extents`. `g.extent` turns both
kinds into something of which `g.dims` makes a shape, so that a translation need not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import MXNetError, message
from .package import package

__all__ = ["EXPORTS", "Step", "Value", "Writer", "exports"]

Translation = Callable[..., Any]

# Name of an operator -> its translation.
EXPORTS: dict[str, Translation] = {}


def exports(*names: str) -> Callable[[Translation], Translation]:
    """Register a translation under the names of operators."""

    def register(function: Translation) -> Translation:
        for name in names:
            EXPORTS[name] = function
        return function

    return register


class Value(str):
    """The name of a tensor with what inference found out about it.

    `extents` holds an integer for each axis, or None where it varies with the inputs; `dtype` NumPy's dtype.
    """

    extents: tuple[int | None, ...]
    dtype: np.dtype

    def __new__(cls, name: str, extents: Sequence[int | None], dtype: Any) -> Value:
        value = super().__new__(cls, name)
        value.extents, value.dtype = tuple(extents), np.dtype(dtype)
        return value

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.extents)

    @property
    def fixed(self) -> bool:
        """Whether no extent varies."""
        return None not in self.extents


class Step:
    """A node of ONNX before its results have their last names."""

    __slots__ = ("attributes", "inputs", "kind", "outputs")

    def __init__(self, kind: str, inputs: list[str], outputs: list[str], attributes: dict[str, Any]):
        self.kind, self.inputs, self.outputs, self.attributes = kind, inputs, outputs, attributes

    def rename(self, old: str, new: str) -> None:
        """Give a tensor another name."""
        self.inputs = [new if name == old else name for name in self.inputs]
        self.outputs = [new if name == old else name for name in self.outputs]


class Writer:
    """Nodes and constants of a graph."""

    def __init__(self, constants: dict[str, np.ndarray]):
        self.steps: list[Step] = []
        self.constants = dict(constants)
        self.results: list[Value] = []
        self._shared: dict[tuple, str] = {}
        self._names = set(constants)
        self.kind = self._name = ""

    # --- for translations ---------------------------------------------------------------------------------
    def __call__(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; return the name of its result, or the names of several.

        Inputs that are left out are empty strings; attributes that are None are left out.
        """
        names = [self._fresh(f"{self._name}_{kind.lower()}") for _ in range(outputs)]
        given = {name: value for name, value in attributes.items() if value is not None}
        self.steps.append(Step(kind, list(inputs), names, given))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Return the name of a constant; equal ones are shared."""
        array = np.asarray(values, dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._shared:
            self._shared[key] = self._fresh(f"{self._name}_const")
            self.constants[self._shared[key]] = array
        return self._shared[key]

    def ints(self, *values: int) -> str:
        """Return the name of a constant vector of integers: axes, shapes, places."""
        return self.constant(np.array(values, np.int64))

    def extent(self, x: Value, axis: int) -> int | str:
        """Return the extent of an axis: a number, or the name of a vector with one element."""
        known = x.extents[axis]
        return self("Gather", self("Shape", x), self.ints(axis % x.rank)) if known is None else known

    def extents(self, x: Value) -> list[int | str]:
        """Return all extents."""
        return [self.extent(x, axis) for axis in range(x.rank)]

    def dims(self, *parts: int | str) -> str:
        """Return the name of a vector of integers made of numbers and of vectors."""
        numbers = [part for part in parts if isinstance(part, int)]
        if len(numbers) == len(parts):
            return self.ints(*numbers)
        vectors = [self.ints(part) if isinstance(part, int) else part for part in parts]
        return self("Concat", *vectors, axis=0)

    def reshape(self, x: str, *parts: int | str) -> str:
        """Return x in another shape; 0 keeps the extent of the same axis, -1 is what is left."""
        return self("Reshape", x, self.dims(*parts))

    def cast(self, x: str, dtype: Any) -> str:
        """Return x in another dtype; as it is where that is known to be its own."""
        if isinstance(x, Value) and x.dtype == np.dtype(dtype):
            return x
        return self("Cast", x, to=package().helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def array(self, x: str) -> np.ndarray | None:
        """Return the values of a tensor that is a parameter or a constant, else None."""
        return self.constants.get(x)

    def need(self, met: bool, argument: str, expected: str, got: Any) -> None:
        """Raise MXNetError unless the node is one that can be written."""
        if not met:
            raise MXNetError(message(f"export_model: {self.kind} {self._name!r}", argument, expected, got))

    def fixed(self, x: Value, *axes: int) -> tuple[int, ...]:
        """Return extents (all of them, or those of some axes) where a translation must know them."""
        found = tuple(x.extents[axis] for axis in axes) if axes else x.extents
        self.need(None not in found, "dynamic", f"fixed extents of {str(x)!r}", x.extents)
        return found  # type: ignore[return-value]

    # --- for the export -----------------------------------------------------------------------------------
    def translate(self, kind: str, name: str, attrs: Any, inputs: Iterable[Value], results: list[Value],
                  ) -> None:  # fmt: skip
        """Add what computes one node of a symbol."""
        self.kind, self._name, self.results = kind, name, results
        self._names.update(results)
        first = len(self.steps)
        found = EXPORTS[kind](self, attrs, *inputs)
        named = (found,) if isinstance(found, str) else found
        own = {output for step in self.steps[first:] for output in step.outputs}
        for old, new in zip(named, results, strict=False):
            if old not in own:
                self.steps.append(Step("Identity", [old], [new], {}))
                continue
            own.discard(old)
            for step in self.steps[first:]:
                step.rename(old, new)

    def _fresh(self, name: str) -> str:
        found, count = name, 0
        while found in self._names:
            count += 1
            found = f"{name}{count}"
        self._names.add(found)
        return found
