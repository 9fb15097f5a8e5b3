"""Operators of `mx.nd` and `mx.sym` that cast their inputs, once mixed precision is switched on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ... import ndarray as nd
from ... import symbol as sym
from ...graph.ir import Entry, Graph, Node
from ...ndarray import NDArray
from ...ops import REGISTRY, Operator
from ...symbol import Symbol
from ...symbol.function import SymbolFunction
from .convert import SINGLE, Rules
from .loss_scaler import LossScaler

__all__ = ["wrap_functions"]


def wrap_functions(rules: Rules, dtype: np.dtype, scaler: LossScaler) -> None:
    """Put functions that cast into `mx.nd` and `mx.sym`, in place of those that the rules name.

    Methods of arrays and symbols, and Python's operators, are those of before.
    """
    for module in (nd, nd.op, nd.contrib, nd.linalg, nd.random):
        for name, value in list(vars(module).items()):
            if isinstance(value, Operator):
                _put(module, name, of_arrays(value, rules, dtype, scaler))
    for module in (sym, sym.op, sym.contrib, sym.linalg, sym.random):
        for name, value in list(vars(module).items()):
            if isinstance(value, SymbolFunction):
                _put(module, name, of_symbols(value, rules, dtype))


def _put(module: ModuleType, name: str, wrapped: Callable | None) -> None:
    if wrapped is not None:
        setattr(module, name, wrapped)


def _named(wrapped: Callable, function: Any) -> Callable:
    """The function with the name and the documentation of the one it stands for."""
    return functools.update_wrapper(
        wrapped, function, assigned=("__name__", "__qualname__", "__doc__"), updated=()
    )


# --- arrays ----------------------------------------------------------------------------------------------
def cast_array(x: Any, dtype: np.dtype) -> Any:
    """An array in another dtype, if devices of its kind compute in half precision of this kind."""
    if not isinstance(x, NDArray) or x.dtype == dtype:
        return x
    low = "bfloat16" if x.context.device_type.startswith("cpu") else "float16"
    floats = {np.dtype(one).name for one in (x.dtype, dtype)}
    return nd.amp_cast(x, dtype=dtype) if floats == {low, "float32"} else x


def of_arrays(op: Operator, rules: Rules, dtype: np.dtype, scaler: LossScaler) -> Callable | None:
    """The operator with casts of its inputs, None if it needs none."""
    function = _cast_arrays(op, rules, dtype)
    if op.name not in rules.losses:
        return function
    inner = function or op

    def scaled(*args: Any, **kwargs: Any) -> Any:
        kwargs["grad_scale"] = float(kwargs.get("grad_scale", 1.0)) * scaler.loss_scale
        return inner(*args, **kwargs)

    return _named(scaled, op)


def _cast_arrays(op: Operator, rules: Rules, dtype: np.dtype) -> Callable | None:
    name = op.name
    conditions = {argument: values for found, argument, values in rules.conditional if found == name}
    kept = rules.single_params.get(name, [])
    if name in rules.widest:

        def widest(*args: Any, **kwargs: Any) -> Any:
            arrays = [x for x in (*args, *kwargs.values()) if isinstance(x, NDArray)]
            if not any(x.dtype == SINGLE for x in arrays):
                return op(*args, **kwargs)
            return op(*[cast_array(x, SINGLE) for x in args],
                      **{key: cast_array(x, SINGLE) for key, x in kwargs.items()})  # fmt: skip

        return _named(widest, op)
    if name not in rules.low and name not in rules.single and not conditions:
        return None
    wanted = dtype if name in rules.low else SINGLE

    def cast(*args: Any, **kwargs: Any) -> Any:
        if any(kwargs.get(argument) not in values for argument, values in conditions.items()):
            return op(*args, **kwargs)
        given = [x if i < len(kept) and kept[i] else cast_array(x, wanted) for i, x in enumerate(args)]
        return op(*given, **{key: x if key in kept else cast_array(x, wanted) for key, x in kwargs.items()})

    return _named(cast, op)


# --- symbols ---------------------------------------------------------------------------------------------
def of_symbols(function: SymbolFunction, rules: Rules, dtype: np.dtype) -> Callable | None:
    """The function of symbols with casts of its inputs, None if it needs none."""
    name = function.op.name
    conditions = {argument: values for found, argument, values in rules.conditional if found == name}
    several = name in rules.widest
    loss = name in rules.losses
    if not (several or loss or name in rules.low or name in rules.single or conditions):
        return None
    wanted = dtype if name in rules.low else SINGLE

    def cast(*args: Any, **kwargs: Any) -> Any:
        if loss:
            text = "%s does not support dynamic loss scaling in symbolic and hybridized execution."
            logging.warning(text, function.__name__)
        made = function(*args, **kwargs)
        node = made._graph.heads[0].node
        if any(node.attrs.get(argument) not in values for argument, values in conditions.items()):
            return made
        if several:
            return with_inputs(made, node, _multicast(node)) if len(node.inputs) > 1 else made
        kept = rules.single_params.get(name, [])
        count = len(node.inputs) - len(node.states)
        inputs = [source if i >= count or (i < len(kept) and kept[i]) else _cast_entry(source, wanted)
                  for i, source in enumerate(node.inputs)]  # fmt: skip
        return with_inputs(made, node, inputs)

    return _named(cast, function)


def _cast_entry(entry: Entry, dtype: np.dtype) -> Entry:
    return Entry(
        Node(REGISTRY["amp_cast"], f"{entry.name}_amp_cast_{dtype.name}", {"dtype": dtype}, [entry]), 0
    )


def _multicast(node: Node) -> list[Entry]:
    name = f"{node.inputs[0].name}_amp_multicast"
    made = Node(REGISTRY["amp_multicast"], name, {"num_outputs": len(node.inputs)}, node.inputs)
    return [Entry(made, i) for i in range(len(node.inputs))]


def with_inputs(made: Symbol, node: Node, inputs: list[Entry]) -> Symbol:
    """The symbol whose node reads other entries."""
    new = Node(node.op, node.name, node.attrs, inputs, node.labels)
    return Symbol(Graph(Entry(new, head.index) for head in made._graph.heads))
