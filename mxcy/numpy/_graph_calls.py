"""`_numpy_call`: a function of `mx.np` as the node of a graph.

The node keeps the name of the function and its arguments as text, so that graphs with it can be saved.
What a call gives follows from trying it on arrays of the shapes and dtypes that are known, whose values are
those of unit matrices: they are positive, can be inverted and factorised.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as _np

from .. import autograd
from .._array import Array, as_face
from .._segment import refuse
from ..dtypes import code_of
from ..errors import ArgumentError, MXNetError, ShapeError, message, problem
from ..kernels import cpu as kernels
from ..ops import REGISTRY
from ..ops._attributes import Attribute
from ..ops._operator import Operator
from ._ndarray import FACE, ndarray

__all__ = ["CALL", "decoded", "encoded", "resolve"]

KINDS = {"t": tuple, "l": list}
PRODUCTS = ("np.dot", "np.matmul", "ndarray.dot")
NAMESPACES = ("linalg", "random", "fft")
# What functions of a graph that somebody else wrote must not do: parts of names.
FILES = (
    "save", "load", "file", "dump", "memmap", "txt", "buffer", "dlpack", "pickle", "print", "seed",
    "set_", "setf", "setb", "sete",
)  # fmt: skip


# --- arguments as text -------------------------------------------------------------------------------
def encoded(value: Any, inputs: list) -> Any:
    """An argument as what JSON can say; symbols are appended to `inputs` and become their numbers."""
    if hasattr(value, "_graph"):
        inputs.append(value)
        return {"i": len(inputs) - 1}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return {"t" if isinstance(value, tuple) else "l": [encoded(item, inputs) for item in value]}
    if isinstance(value, slice):
        return {"s": [encoded(item, inputs) for item in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"e": 0}
    if isinstance(value, _np.generic):
        return encoded(value.item(), inputs)
    if isinstance(value, (Array, _np.ndarray)):
        array = _np.asarray(value.asnumpy() if isinstance(value, Array) else value)
        return {"a": [array.dtype.name, list(array.shape), array.ravel().tolist()]}
    if isinstance(value, (type, _np.dtype)):
        return {"d": _np.dtype(value).name}
    raise ArgumentError(message("sym.np", None, "symbols, arrays, numbers and texts", type(value).__name__))


def decoded(value: Any, inputs: Sequence) -> Any:
    """An argument from what `encoded` made of it."""
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "i":
        return inputs[held]
    if kind in KINDS:
        return KINDS[kind]([decoded(item, inputs) for item in held])
    if kind == "s":
        return slice(*[decoded(item, inputs) for item in held])
    if kind == "e":
        return Ellipsis
    if kind == "a":
        dtype, shape, items = held
        return importlib.import_module("mxcy.numpy").array(_np.array(items, dtype).reshape(shape))
    return _np.dtype(held)


def resolve(name: str) -> Any:
    """The function of a dotted name: of `np`, `npx`, or a method of arrays as `ndarray.sum`.

    Raises ArgumentError for what is not public, and for functions that touch files.
    """
    root, *parts = name.split(".")
    module = {"np": "mxcy.numpy", "npx": "mxcy.numpy_extension", "ndarray": "mxcy.numpy"}.get(root)
    found: Any = None if module is None else importlib.import_module(module)
    found = ndarray if root == "ndarray" else found
    for depth, part in enumerate(parts):
        inner = depth + 1 < len(parts)
        outside = part not in NAMESPACES if inner else part.startswith("_") and part != "__getitem__"
        if outside or any(word in part for word in FILES):
            found = None
        found = getattr(found, part, None)
    if found is None or not callable(found):
        raise ArgumentError(message("sym.np", "function", "a public function of mx.np", repr(name)))
    return found


# --- the operator --------------------------------------------------------------------------------------
class Programmed(Operator):
    """What the call and its gradient have in common."""

    def __init__(self, name: str, doc: Any):
        attributes = [Attribute("function", str), Attribute("arguments", str), Attribute("outputs", int, 1)]
        attributes.append(Attribute("num_args", int, 0))
        super().__init__(name, doc, ("data",), attributes, grad=None, variadic=True)
        self._found: dict[tuple, Any] = {}

    def parse_attrs(self, given):
        """See `Operator.parse_attrs`; raises ArgumentError for functions that graphs may not call."""
        attrs = super().parse_attrs(given)
        resolve(attrs["function"])
        return attrs

    def draws(self, attrs: dict) -> bool:
        """Whether results may differ from call to call."""
        return ".random." in attrs["function"]

    def run(self, inputs: Sequence, attrs: dict) -> list:
        """The results on arrays of `mx.np`, recorded if the thread records."""
        args, kwargs = decoded(json.loads(attrs["arguments"]), inputs)
        found = resolve(attrs["function"])(*args, **dict(kwargs))
        results = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(results) != attrs["outputs"]:
            text = f"{attrs['function']} gives {len(results)} results, expected {attrs['outputs']}"
            raise ArgumentError(problem("sym.np", None, text))
        return [importlib.import_module("mxcy.numpy").asarray(x) for x in results]

    def tried(self, shapes: Sequence, dtypes: Sequence, attrs: dict) -> list | None:
        """The results on unit matrices of these shapes and dtypes, None if the function refuses them."""
        key = (tuple(shapes), tuple(map(str, dtypes)), attrs["function"], attrs["arguments"])
        if key not in self._found:
            with autograd.pause(), _np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = self.run([unit(s, d) for s, d in zip(shapes, dtypes, strict=True)], attrs)
                    self._found[key] = [(x.shape, x.dtype) for x in found]
                except (TypeError, ValueError, LookupError, AttributeError, MXNetError):
                    self._found[key] = None
        return self._found[key]


class Call(Programmed):
    """A function of `mx.np` on the inputs: `function` is its name, `arguments` the others, as JSON."""

    def __init__(self) -> None:
        super().__init__("_numpy_call", Call)
        self.differentiable = True
        self.needs = frozenset({"data", "y"})
        self.grad_check = "that of the function"

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        count = attrs["outputs"]
        return ("output",) if count == 1 else tuple([f"output{i}" for i in range(count)])

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        unknown = list(out_shapes or [None] * attrs["outputs"])
        if attrs["function"] in PRODUCTS and len(in_shapes) == 2 and None not in in_shapes:
            a, b = in_shapes
            if a and len(b) == 2 and b[0] is None:  # a weight, whose rows follow from the data
                in_shapes = [a, (a[-1], b[1])]
        if any(shape is None or None in shape for shape in in_shapes):
            return list(in_shapes), unknown, []
        found = self.tried(in_shapes, [_np.float32] * len(in_shapes), attrs)
        found = found or self.tried(in_shapes, [_np.int64] * len(in_shapes), attrs)
        if found is None:
            given = ", ".join(map(str, in_shapes))
            raise ShapeError(problem(attrs["function"], None, f"refuses arrays of the shapes {given}"))
        return list(in_shapes), [shape for shape, _ in found], []

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        known = [d for d in in_dtypes if d is not None]
        if in_dtypes and not known:
            return list(in_dtypes), list(out_dtypes or [None] * attrs["outputs"]), []
        filled = [known[0] if d is None else d for d in in_dtypes]
        for shape in ((2, 2), (1,), (), (2, 2, 2), (2, 2, 2, 2)):
            found = self.tried([shape] * len(filled), filled, attrs)
            if found is not None:
                return filled, [dtype for _, dtype in found], []
        return filled, [_np.result_type(*filled) if filled else None] * attrs["outputs"], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        refuse("it runs Python code")
        with autograd.pause(train_mode=is_train):
            results = self.run([as_face(x, FACE) for x in inputs], attrs)
        return placed(results, outs, inputs[0]._face if inputs else face)

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        zeros = REGISTRY["zeros_like"]
        heads = [g if g is not None else zeros(y) for g, y in zip(g_outputs, outputs, strict=True)]
        if not inputs:
            return []
        made = inputs[0]._apply(BACKWARD, (*heads, *inputs), attrs)
        return made if isinstance(made, list) else [made]


class Backward(Programmed):
    """The gradients of the inputs of a call, from those of its results and its inputs."""

    def __init__(self) -> None:
        super().__init__("_backward_numpy_call", Backward)

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        return tuple([f"arg{i}" for i in range(attrs["num_args"] + attrs["outputs"])])

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        return tuple([f"g_arg{i}" for i in range(attrs["num_args"])])

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        return list(in_shapes), list(in_shapes[attrs["outputs"] :]), []

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        return list(in_dtypes), list(in_dtypes[attrs["outputs"] :]), []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        refuse("it runs Python code")
        count = attrs["outputs"]
        heads = [as_face(x, FACE) for x in inputs[:count]]
        data = [as_face(x, FACE) for x in inputs[count:]]
        smooth = [x for x in data if x.dtype.kind in "fc"]
        for x in smooth:
            x.attach_grad()
        with autograd.record(train_mode=is_train):
            results = self.run(data, attrs)
        traced = [i for i, y in enumerate(results) if y._tape is not None and y._tape[2] is not None]
        if traced:
            given = [heads[i].reshape(results[i].shape).astype(results[i].dtype) for i in traced]
            autograd.backward([results[i] for i in traced], given)
        zeros = REGISTRY["zeros_like"]
        gradients = [x.grad if x.dtype.kind in "fc" else zeros(x) for x in data]
        return placed(gradients, outs, inputs[0]._face)


def unit(shape: tuple, dtype: Any) -> Any:
    """A matrix, or a stack of them, with ones on its diagonal; fewer axes hold ones."""
    made = _np.ones(shape, dtype) if len(shape) < 2 else _np.zeros(shape, dtype)
    if len(shape) > 1:
        made[...] = _np.eye(*shape[-2:], dtype=dtype)
    return importlib.import_module("mxcy.numpy").array(made)


def placed(results: Sequence, outs: Sequence | None, face: int | None) -> list:
    """Results as arrays of a face, in `outs` where these are given."""
    placed = []
    for x, out in zip(results, outs or [None] * len(results), strict=True):
        if out is None:
            placed.append(kernels.copy(as_face(x, FACE if face is None else face)))
            continue
        x = x if code_of(x.dtype) == code_of(out.dtype) else x.astype(out.dtype)
        kernels.copy(x._reshape_view(out.shape), out=out)
        placed.append(out)
    return placed


CALL = Call()
BACKWARD = Backward()
