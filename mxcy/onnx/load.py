"""Files of ONNX as symbols, or as blocks of Gluon."""

from __future__ import annotations

import os
from typing import Any

from .. import gluon
from .. import symbol as sym
from ..context import Context
from ..errors import FormatError, message, wrap
from ..symbol import Symbol
from . import reading  # noqa: F401 (translations register themselves)
from .package import package
from .reader import Reader

__all__ = ["get_model_metadata", "import_model", "import_to_gluon"]


def _proto(op: str, model_file: Any) -> Any:
    onnx = package()
    path = os.fspath(model_file)
    try:
        return onnx.load_model(path)
    except OSError as error:
        raise wrap(error) from None
    except Exception as error:  # protobuf's own classes
        raise FormatError(message(op, "model_file", "a file of ONNX", f"{path!r} ({error})")) from None


def _read(op: str, model_file: Any) -> tuple[Symbol, Reader]:
    onnx, proto = package(), _proto(op, model_file)
    versions = [part.version for part in proto.opset_import if part.domain in ("", "ai.onnx")]
    try:
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception as error:  # of classes of its own; shapes of a graph that is wrong are not found
        raise FormatError(message(op, "model_file", "a graph with consistent shapes", str(error))) from None
    reader = Reader(proto.graph, max(versions, default=1))
    found = [reader.symbol(name) for name in reader.outputs]
    return found[0] if len(found) == 1 else sym.Group(found), reader


def import_model(model_file: Any) -> tuple[Symbol, dict[str, Any], dict[str, Any]]:
    """Return (symbol, parameters, states) of a file of ONNX.

    Inputs, parameters and results keep their names. Raises MXNetError that names the node which cannot be
    expressed, FormatError for a damaged file, ModuleNotFoundError without the package onnx.
    """
    symbol, reader = _read("import_model", model_file)
    return symbol, *reader.arrays(symbol)


def get_model_metadata(model_file: Any) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Return the names and shapes of a file's inputs and outputs; extents that may vary are 0.

    They are lists under "input_tensor_data" and "output_tensor_data".
    """
    graph = _proto("get_model_metadata", model_file).graph
    params = {tensor.name for tensor in graph.initializer}

    def described(values: Any) -> list[tuple[str, tuple[int, ...]]]:
        return [(value.name, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim))
                for value in values if value.name not in params]  # fmt: skip

    return {"input_tensor_data": described(graph.input), "output_tensor_data": described(graph.output)}


def import_to_gluon(model_file: Any, ctx: Context | list[Context]) -> gluon.SymbolBlock:
    """Return a file of ONNX as a block whose parameters are on one or several contexts."""
    symbol, reader = _read("import_to_gluon", model_file)
    args, states = reader.arrays(symbol)
    block = gluon.SymbolBlock(symbol, [sym.Variable(name) for name in reader.inputs])
    params = block.collect_params()
    for name, value in (args | states).items():
        params[name]._load_init(value, ctx)
    return block
