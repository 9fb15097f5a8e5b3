"""`mx.onnx.export_model`: a symbol and its parameters as a file of ONNX."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import symbol as sym_module
from .._files import replacing
from ..errors import ArgumentError, ArgumentTypeError, BindError, MXNetError, message
from ..graph.infer import complete, infer_dtypes, infer_shapes, unknown
from ..graph.ir import Entry, Graph, Node
from ..symbol import Symbol
from . import writing  # noqa: F401 (translations register themselves)
from .package import IR_VERSION, OPSET, package
from .writer import EXPORTS, Step, Value, Writer

__all__ = ["export_model", "get_operator_support"]

Extents = tuple[int | None, ...]

# Losses: in prediction their labels are not read.
LOSSES = ("SoftmaxOutput", "LogisticRegressionOutput", "LinearRegressionOutput", "MAERegressionOutput",
          "SVMOutput")  # fmt: skip

# What is computed at once where it is made of parameters only, such as the weights of a recurrent layer.
FOLDED = {"Reshape", "Concat", "transpose", "Flatten", "expand_dims", "squeeze", "slice", "slice_axis",
          "SwapAxis"}  # fmt: skip


def get_operator_support(opset_version: int | None = None) -> list[str]:
    """Return the names of the operators that `export_model` writes.

    They are written in operator set 13; there is none for older sets.
    """
    newest = package().defs.onnx_opset_version()
    version = newest if opset_version is None else opset_version
    return sorted(EXPORTS) if version >= OPSET else []


def export_model(sym: str | Symbol, params: str | Mapping | Sequence[Mapping], in_shapes: Any = None,
                 in_types: Any = np.float32, onnx_file_path: str = "model.onnx", verbose: bool = False,
                 dynamic: bool = False, dynamic_input_shapes: Any = None, run_shape_inference: bool = False,
                 input_type: Any = None, input_shape: Any = None) -> str:  # fmt: skip
    """Write a symbol and its parameters as a file of ONNX (operator set 13); return its path.

    Parameters
    ----------
    sym : a symbol, or the path of its JSON file.
    params : parameters and states by name (with "arg:" and "aux:" or without), a list of two such
        dictionaries, or the path of their file.
    in_shapes : shapes of the inputs in the order of `sym.list_inputs()`, labels of losses left out.
    in_types : their dtypes, or one for all.
    dynamic : whether extents of inputs may vary from call to call.
    dynamic_input_shapes : with `dynamic`, for each input its shape with None where it may vary; without it
        all extents may. What is translated with fixed extents (an adaptive pooling, states of a recurrent
        layer that are made of zeros) is an error then.
    run_shape_inference : whether the shapes of all tensors are written too.
    input_type, input_shape : MXNet's old names of `in_types` and `in_shapes`.

    Raises BindError that names missing inputs, MXNetError that names a node which ONNX cannot express,
    ModuleNotFoundError without the package onnx (`pip install mxcy[onnx]`).
    """
    onnx = package()
    shapes = in_shapes if input_shape is None else input_shape
    types = in_types if input_type is None else input_type
    symbol, values = _loaded(sym, params)
    inputs = _inputs(symbol, values, shapes, types)
    varying = _varying([shape for shape, _ in inputs.values()], dynamic, dynamic_input_shapes)
    exported = _Export(symbol, values, inputs, dict(zip(inputs, varying, strict=True)), verbose)
    proto = exported.model(onnx)
    if run_shape_inference:
        proto = onnx.shape_inference.infer_shapes(proto)
    onnx.checker.check_model(proto)
    with replacing(onnx_file_path) as file:
        file.write(proto.SerializeToString())
    logging.info("Exported ONNX file %s saved to disk", onnx_file_path)
    return onnx_file_path


def _loaded(sym: Any, params: Any) -> tuple[Symbol, dict[str, np.ndarray]]:
    """The symbol, and its parameters by name."""
    if isinstance(sym, (str, os.PathLike)):
        sym = sym_module.load(os.fspath(sym))
    if not isinstance(sym, Symbol):
        raise ArgumentTypeError(
            message("export_model", "sym", "a Symbol or the path of one", type(sym).__name__)
        )
    if isinstance(params, (str, os.PathLike)):
        params = nd.load(os.fspath(params))
    parts = list(params) if isinstance(params, (list, tuple)) else [params]
    if not all(isinstance(part, Mapping) for part in parts):
        expected = "parameters by name, a list of two such dictionaries, or the path of a file"
        raise ArgumentTypeError(message("export_model", "params", expected, type(params).__name__))
    named = {name: value for part in parts for name, value in part.items()}
    values = {name.removeprefix("arg:").removeprefix("aux:"): value for name, value in named.items()}
    return sym, {name: value.asnumpy() for name, value in values.items()}


def _inputs(
    symbol: Symbol, params: Mapping, shapes: Any, types: Any
) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """The shape and dtype of each input."""
    graph = symbol._graph
    labels = {node.inputs[1].node for node in graph.nodes
              if node.op is not None and node.op.name in LOSSES and len(node.inputs) > 1}  # fmt: skip
    names = [node.name for node in graph.variables if node.name not in params and node not in labels]
    if shapes is None or len(shapes) != len(names):
        got = "nothing" if shapes is None else f"{len(shapes)} shapes"
        hint = "names that should be parameters are missing in params"
        raise BindError(message("export_model", "in_shapes", f"shapes of {', '.join(names)}", got, hint))
    given = list(types) if isinstance(types, (list, tuple)) else [types] * len(names)
    if len(given) != len(names):
        raise ArgumentError(message("export_model", "in_types", f"dtypes of {', '.join(names)}", given))
    pairs = zip(shapes, given, strict=True)
    return {name: (tuple(shape), np.dtype(dtype)) for name, (shape, dtype) in zip(names, pairs, strict=True)}


def _varying(shapes: list, dynamic: bool, given: Any) -> list[tuple[bool, ...]]:
    """Which extents of each input may vary."""
    if not dynamic:
        if given is not None:
            raise ArgumentError(
                message("export_model", "dynamic_input_shapes", "None without dynamic=True", given)
            )
        return [(False,) * len(shape) for shape in shapes]
    if given is None:
        return [(True,) * len(shape) for shape in shapes]
    if [len(shape) for shape in given] != [len(shape) for shape in shapes]:
        expected = f"as many extents as in {shapes}"
        raise ArgumentError(message("export_model", "dynamic_input_shapes", expected, given))
    return [tuple(not isinstance(extent, int) for extent in shape) for shape in given]


class _Export:
    """One export: what is known of each entry, and the writer."""

    def __init__(self, symbol: Symbol, params: dict[str, np.ndarray],
                 inputs: dict[str, tuple[tuple[int, ...], np.dtype]], varying: dict[str, tuple[bool, ...]],
                 verbose: bool):  # fmt: skip
        self.graph, self.inputs, self.varying, self.verbose = symbol._graph, inputs, varying, verbose
        self.heads = symbol.list_outputs()
        own = {node.name for node in self.graph.variables}
        self.params = {name: value for name, value in params.items() if name in own}
        self.shapes = self._shapes(lambda shape, may: shape)
        self.extents = self._extents()
        self.dtypes = self._dtypes()
        self.folded = self._folded()
        self.values: dict[Entry, Value] = {}

    def _shapes(self, change: Any) -> dict[Entry, Extents]:
        """Shapes of all entries, of inputs with changed shapes."""
        known: dict[Node, Extents | None] = {}
        for node in self.graph.variables:
            if node.name in self.params:
                known[node] = self.params[node.name].shape
            elif node.name in self.inputs:
                known[node] = change(self.inputs[node.name][0], self.varying[node.name])
        shapes = infer_shapes(self.graph, known)
        missing = [entry for node in self.graph.nodes for entry in node.entries()
                   if not complete(shapes.get(entry))]  # fmt: skip
        if missing:
            expected = "shapes and parameters that decide all shapes"
            names = ", ".join(unknown(shapes, missing)[:5])
            raise BindError(message("export_model", "in_shapes", expected, f"none for {names}"))
        return {entry: shape for entry, shape in shapes.items() if shape is not None}

    def _extents(self) -> dict[Entry, Extents]:
        """The extents of all entries; None where they follow from those that vary.

        They are found by inference with other extents: what stays is fixed. Where nothing follows from
        other extents, all entries that are made of inputs are taken to vary.
        """
        if not any(any(may) for may in self.varying.values()):
            return dict(self.shapes)
        found = dict(self.shapes)
        for step in (32, 1, 7):  # convolutions halve extents, so that a small step may be lost
            try:
                others = self._shapes(
                    lambda shape, may: tuple(n + step * m for n, m in zip(shape, may, strict=True))  # noqa: B023
                )
            except MXNetError:
                continue
            if any(len(shape) != len(found[entry]) for entry, shape in others.items()):
                continue
            for entry, shape in others.items():
                pairs = zip(found[entry], shape, strict=True)
                found[entry] = tuple(a if a == b else None for a, b in pairs)
        if found == self.shapes:
            return self._all_vary()
        return found

    def _all_vary(self) -> dict[Entry, Extents]:
        found, free = dict(self.shapes), set[Entry]()
        for node in self.graph.nodes:
            if node.name in self.inputs if node.op is None else free.intersection(node.inputs):
                free.update(node.entries())
        return found | {entry: (None,) * len(found[entry]) for entry in free}

    def _dtypes(self) -> dict[Entry, np.dtype | None]:
        known = {}
        for node in self.graph.variables:
            if node.name in self.params:
                known[node] = self.params[node.name].dtype
            elif node.name in self.inputs:
                known[node] = self.inputs[node.name][1]
        return infer_dtypes(self.graph, known)

    def _folded(self) -> dict[Entry, np.ndarray]:
        """Values of nodes that are made of parameters only."""
        fixed = {Entry(node, 0) for node in self.graph.variables if node.name in self.params}
        made = []
        for node in self.graph.nodes:
            if node.op is not None and node.op.name in FOLDED and fixed.issuperset(node.inputs):
                fixed.add(Entry(node, 0))
                made.append(node)
        users = self.graph.users
        last = [node for node in made if any(user not in made for user in users.get(Entry(node, 0), ()))]
        found = {}
        for node in last:
            part = Symbol(Graph([Entry(node, 0)]))
            arrays = {name: nd.array(self.params[name], dtype=self.params[name].dtype)
                      for name in part.list_inputs()}  # fmt: skip
            found[Entry(node, 0)] = part.eval(**arrays)[0].asnumpy()
        return found

    def model(self, onnx: Any) -> Any:
        """Return the whole as ONNX's message."""
        heads = self._named_heads()
        folded = {heads.get(entry, entry.node.name): value for entry, value in self.folded.items()}
        g = Writer(self.params | folded)
        used, seen = self._needed(), set()
        for index, node in enumerate(self.graph.nodes):
            name = f"idx_{index}_{node.name}" if node.name in seen else node.name
            seen.add(name)
            for entry, own in zip(node.entries(), self._names(node, name), strict=True):
                self.values[entry] = self._value(entry, heads.get(entry, own))
            if node in used and node.op is not None:
                self._translate(g, index, node, name)
        for entry, name in heads.items():
            if entry.node.op is None:
                g.steps.append(Step("Identity", [self.values[entry]], [name], {}))
        return self._message(onnx, g, list(heads.items()))

    def _translate(self, g: Writer, index: int, node: Node, name: str) -> None:
        kind = node.op.name
        if self.verbose:
            logging.info("Converting idx: %d, op: %s, name: %s", index, kind, name)
        if kind not in EXPORTS:
            expected = "an operator that ONNX can express (mx.onnx.get_operator_support())"
            raise MXNetError(message("export_model", f"node {name}", expected, kind))
        inputs = [self.values[entry] for entry in node.inputs]
        if kind in LOSSES:
            inputs = inputs[:1]
        g.translate(kind, name, node.attrs, inputs, [self.values[entry] for entry in node.entries()])

    def _needed(self) -> set[Node]:
        """Nodes of which results are made, without what is folded."""
        found: set[Node] = set()
        todo = [head.node for head in self.graph.heads]
        while todo:
            node = todo.pop()
            if node in found or Entry(node, 0) in self.folded:
                continue
            found.add(node)
            label_free = node.inputs[:1] if node.op is not None and node.op.name in LOSSES else node.inputs
            todo += [entry.node for entry in label_free]
        return found

    def _names(self, node: Node, name: str) -> list[str]:
        count = len(node.entries())
        return [name] if count == 1 else [f"{name}{i}" for i in range(count)]

    def _named_heads(self) -> dict[Entry, str]:
        """The names of results, those that MXNet gives them."""
        found: dict[Entry, str] = {}
        for entry, text in zip(self.graph.heads, self.heads, strict=True):
            name = text
            for ending, rest in (("_state_output", "1"), ("_statecell_output", "2"), ("_output", "")):
                if text.endswith(ending):
                    name = text.removesuffix(ending) + rest
                    break
            else:
                numbered = re.fullmatch(r"(.*)_output(\d+)", text)
                name = numbered[1] + numbered[2] if numbered else text
            if entry.node.op is None:
                name = f"{name}_output"
            found.setdefault(entry, name)
        return found

    def _value(self, entry: Entry, name: str) -> Value:
        if entry.node.op is None:
            name = entry.node.name
        return Value(name, self.extents[entry], self.dtypes[entry])

    def _message(self, onnx: Any, g: Writer, heads: list[tuple[Entry, str]]) -> Any:
        helper, number = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype
        read = {name for step in g.steps for name in step.inputs}
        nodes = [self._node(onnx, step) for step in g.steps]
        inputs = []
        for name, (shape, dtype) in self.inputs.items():
            extents = [
                f"{name}_{axis}" if may else extent
                for axis, (extent, may) in enumerate(zip(shape, self.varying[name], strict=True))
            ]
            inputs.append(helper.make_tensor_value_info(name, number(dtype), extents))
        outputs = [helper.make_tensor_value_info(name, number(self.dtypes[entry]), self.extents[entry])
                   for entry, name in heads]  # fmt: skip
        constants = [onnx.numpy_helper.from_array(value, name) for name, value in g.constants.items()
                     if name in read]  # fmt: skip
        graph = helper.make_graph(nodes, "mxnet_converted_model", inputs, outputs, constants)
        return helper.make_model(graph, producer_name="mxcy", ir_version=IR_VERSION,
                                 opset_imports=[helper.make_opsetid("", OPSET)])  # fmt: skip

    @staticmethod
    def _node(onnx: Any, step: Step) -> Any:
        attributes = {
            name: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for name, value in step.attributes.items()
        }
        return onnx.helper.make_node(step.kind, step.inputs, step.outputs, step.outputs[0], **attributes)
