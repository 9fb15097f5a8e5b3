"""Operators written in Python: `CustomOp`, what it computes, and `CustomOpProp`, what is known of it.

    class Sigmoid(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            self.assign(out_data[0], req[0], 1 / (1 + mx.nd.exp(-in_data[0])))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            y = out_data[0]
            self.assign(in_grad[0], req[0], out_grad[0] * y * (1 - y))

    @mx.operator.register("sigmoid")
    class SigmoidProp(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Sigmoid()

    y = mx.nd.Custom(x, op_type="sigmoid")

The code runs in the thread that calls the operator, or that runs the graph it is in.

`from mxnet.operator import *` brings modules and names of others, too, which programs use.
"""

from __future__ import annotations

import collections
import ctypes
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from . import context, symbol
from .autograd import pause
from .base import NDArrayHandle, py_str
from .errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, message
from .ndarray import NDArray
from .ops import ALIASES, PUBLIC, REGISTRY, custom, lookup
from .ops._attributes import REQUIRED, Shape
from .symbol import Symbol
from .symbol import op as symbols

__all__ = [
    "CustomOp", "CustomOpProp", "NDArray", "NDArrayHandle", "NDArrayOp", "NumpyOp", "OperatorArguments",
    "PythonOp", "collections", "context", "ctypes", "get_all_registered_operators", "get_operator_arguments",
    "py_str", "register", "symbol", "traceback", "warnings",
]  # fmt: skip

REQUESTS = ("null", "write", "inplace", "add")


class CustomOp:
    """What an operator computes. Subclasses give `forward`, and `backward` if it has a gradient.

    Arguments of both are lists of NDArrays, in the order of the property's lists of names; `req` says for
    each result how to `assign` it.
    """

    def forward(
        self, is_train: bool, req: Sequence, in_data: Sequence, out_data: Sequence, aux: Sequence
    ) -> None:
        """Fill `out_data` from `in_data`; `aux` are states, which may be written."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(
        self, req: Sequence, out_grad: Sequence, in_data: Sequence, out_data: Sequence, in_grad: Sequence,
        aux: Sequence,
    ) -> None:  # fmt: skip
        """Fill `in_grad`, the gradients of the inputs, from `out_grad`, those of the results."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def assign(self, dst: Any, req: str, src: Any) -> None:
        """Write `src` into an array, or add it, or do nothing, as requested."""
        if req not in REQUESTS:
            raise ArgumentError(message("assign", "req", f"one of {', '.join(REQUESTS)}", repr(req)))
        if req == "add":
            dst[:] += src
        elif req != "null":
            dst[:] = src


class CustomOpProp:
    """What is known of an operator before it runs. Subclasses give at least `create_operator`.

    The keywords of a use arrive as text at the constructor. `need_top_grad` says whether the gradient reads
    those of the results; a loss's does not.
    """

    def __init__(self, need_top_grad: bool = True):
        self.need_top_grad_ = need_top_grad

    def infer_shape(self, in_shape: list) -> tuple:
        """Return (shapes of the inputs, of the results, of the states). Here: all that of the first input.

        An unknown shape is given as [].
        """
        first = in_shape[0]
        return [first] * len(in_shape), [first] * len(self.list_outputs()), []

    def infer_type(self, in_type: list) -> tuple:
        """Return (dtypes of the inputs, of the results, of the states). Here: all that of the first input."""
        first = in_type[0]
        results = [first] * len(self.list_outputs())
        return [first] * len(in_type), results, [first] * len(self.list_auxiliary_states())

    def infer_storage_type(self, in_stype: list) -> tuple:
        """Return (storage types of the inputs, of the results, of the states). Here: all dense."""
        other = next((stype for stype in in_stype if stype != "default"), None)
        if other is not None:
            hint = "operators for sparse arrays define infer_storage_type and infer_storage_type_backward"
            raise AssertedArgumentError(message("infer_storage_type", "in_stype", "'default'", other, hint))
        return (
            in_stype,
            ["default"] * len(self.list_outputs()),
            ["default"] * len(self.list_auxiliary_states()),
        )

    def infer_storage_type_backward(
        self, ograd_stype: list, in_stype: list, out_stype: list, igrad_stype: list, aux_stype: list
    ) -> tuple:
        """Return the storage types of the five kinds of arrays of the gradient. Here: all dense."""
        kinds = (ograd_stype, in_stype, out_stype, igrad_stype, aux_stype)
        return tuple([["default"] * len(kind) for kind in kinds])

    def list_outputs(self) -> list[str]:
        """Return the names of the results."""
        return ["output"]

    def list_arguments(self) -> list[str]:
        """Return the names of the inputs."""
        return ["data"]

    def list_auxiliary_states(self) -> list[str]:
        """Return the names of the states."""
        return []

    def declare_backward_dependency(self, out_grad: Sequence, in_data: Sequence, out_data: Sequence) -> list:
        """Return which of these numbers the gradient reads; all are kept."""
        read = [*in_data, *out_data]
        return [*out_grad, *read] if self.need_top_grad_ else read

    def create_operator(self, ctx: Any, in_shapes: list, in_dtypes: list) -> CustomOp:
        """Return the operator for inputs of these shapes and dtypes on a context."""
        raise NotImplementedError(f"{type(self).__name__}.create_operator")


def register(reg_name: str) -> Callable[[type], type]:
    """Return a decorator that registers a `CustomOpProp` under the name that `Custom` takes as `op_type`."""

    def enter(prop_cls: type) -> type:
        if not (isinstance(prop_cls, type) and issubclass(prop_cls, CustomOpProp)):
            raise ArgumentTypeError(
                message("register", "prop_cls", "a subclass of CustomOpProp", repr(prop_cls))
            )
        custom.register(reg_name, prop_cls, lambda is_train: pause(train_mode=is_train))
        return prop_cls

    return enter


def get_all_registered_operators() -> list[str]:
    """Return the names of all operators, of those written in Python too."""
    hidden = [name for name in (*REGISTRY, *ALIASES) if name.startswith("_")]
    return sorted({*REGISTRY, *ALIASES, *PUBLIC} - set(hidden)) + hidden + list(custom.PROPERTIES)


class OperatorArguments(NamedTuple):
    """The arguments of an operator: how many, their names, and what they take, in words."""

    narg: int
    names: list[str]
    types: list[str]


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """Return the arguments of an operator, its inputs first."""
    op = lookup(op_name)
    if op is None:
        raise ArgumentError(message("get_operator_arguments", "op_name", "an operator", repr(op_name)))
    kind = "NDArray-or-Symbol" + ("[]" if op.variadic else "")
    names = [*op.inputs, *op.attributes]
    types = [kind] * len(op.inputs) + [words_of(attribute) for attribute in op.attributes.values()]
    return OperatorArguments(len(names), names, types)


def words_of(attribute: Any) -> str:
    """What an attribute takes, as MXNet's documentation says it."""
    annotation, default = attribute.annotation, attribute.default
    if get_origin(annotation) is Literal:
        choices = "{" + ", ".join(sorted(map(repr, get_args(annotation)))) + "}"
        return choices + (", required" if default is REQUIRED else f",optional, default={str(default)!r}")
    kind = WORDS.get(annotation, attribute.expected)
    if default is REQUIRED:
        return f"{kind}, required"
    if annotation is int:
        return f"{kind}, optional, default={str(default)!r}"
    text = list(default) if isinstance(default, tuple) else int(default) if annotation is bool else default
    return (
        f"{kind}, optional, default={text:g}" if annotation is float else f"{kind}, optional, default={text}"
    )


WORDS: dict[Any, str] = {int: "int", float: "float", bool: "boolean", str: "string", Shape: "Shape(tuple)"}


# --- the older form ------------------------------------------------------------------------------------
class PythonOp:
    """An operator of a symbol, in one class: what is known of it and what it computes.

    Subclass `NumpyOp` or `NDArrayOp`; `CustomOp` does the same and more.
    """

    def __init__(self, need_top_grad: bool = True):
        self.need_top_grad_ = need_top_grad

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        """The same as `get_symbol`."""
        return self.get_symbol(*args, **kwargs)

    def get_symbol(self, *args: Any, **kwargs: Any) -> Symbol:
        """Return the operator applied to symbols."""
        name = f"_{type(self).__name__}_{id(self)}"
        if name not in custom.PROPERTIES:
            kept: Any = self  # the graph runs the operator, so it must live as long

            class Property(Bridge):
                own = kept

            register(name)(Property)
        return symbols.Custom(*args, op_type=name, **kwargs)

    def forward(self, in_data: Sequence, out_data: Sequence) -> None:
        """Fill `out_data` from `in_data`. Here: the first result is the first input."""
        out_data[0][:] = in_data[0]

    def backward(self, out_grad: Sequence, in_data: Sequence, out_data: Sequence, in_grad: Sequence) -> None:
        """Fill `in_grad`, the gradients of the inputs. Here: that of the first input is 1."""
        in_grad[0][:] = 1.0

    def infer_shape(self, in_shape: list) -> tuple:
        """Return (shapes of the inputs, shapes of the results). Here: those of the first input."""
        return in_shape, [in_shape[0]]

    def list_outputs(self) -> list[str]:
        """Return the names of the results."""
        return ["output"]

    def list_arguments(self) -> list[str]:
        """Return the names of the inputs."""
        return ["data"]

    def need_top_grad(self) -> bool:
        """Whether the gradient reads those of the results."""
        return self.need_top_grad_


class NumpyOp(PythonOp):
    """A `PythonOp` whose `forward` and `backward` get NumPy arrays."""


class NDArrayOp(PythonOp):
    """A `PythonOp` whose `forward` and `backward` get NDArrays."""

    def declare_backward_dependency(self, out_grad: Sequence, in_data: Sequence, out_data: Sequence) -> list:
        """Return which of these numbers the gradient reads; all are kept."""
        return [*(out_grad if self.need_top_grad() else ()), *in_data, *out_data]


class Runner(CustomOp):
    """A `PythonOp` as a `CustomOp`."""

    def __init__(self, own: PythonOp):
        self.own = own

    def forward(self, is_train, req, in_data, out_data, aux):
        """See `CustomOp.forward`."""
        self._call(self.own.forward, in_data, out_data)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        """See `CustomOp.backward`."""
        self._call(self.own.backward, out_grad, in_data, out_data, in_grad)

    def _call(self, function: Callable, *lists: Sequence) -> None:
        """Call with lists of arrays, of which the last is written."""
        if not isinstance(self.own, NumpyOp):
            function(*lists)
            return
        plain = [[x.asnumpy() for x in arrays] for arrays in lists]
        function(*plain)
        for target, value in zip(lists[-1], plain[-1], strict=True):
            target[:] = value


class Bridge(CustomOpProp):
    """What is known of a `PythonOp`, for `Custom`."""

    own: PythonOp

    def __init__(self) -> None:
        super().__init__(self.own.need_top_grad())

    def infer_shape(self, in_shape: list) -> tuple:
        """See `CustomOpProp.infer_shape`."""
        return (*self.own.infer_shape(in_shape), [])

    def list_outputs(self) -> list[str]:
        """See `CustomOpProp.list_outputs`."""
        return self.own.list_outputs()

    def list_arguments(self) -> list[str]:
        """See `CustomOpProp.list_arguments`."""
        return self.own.list_arguments()

    def create_operator(self, ctx: Any, in_shapes: list, in_dtypes: list) -> CustomOp:
        """See `CustomOpProp.create_operator`."""
        return Runner(self.own)
