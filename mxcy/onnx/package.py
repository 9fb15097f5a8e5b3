"""The package onnx, imported when it is first needed."""

from typing import Any

from ..errors import wrap

# Graphs are written in the operators of this set, which every runtime of the last years reads.
OPSET = 13
IR_VERSION = 7


def package() -> Any:
    """Return the module `onnx`, or raise ModuleNotFoundError that names the extra that brings it."""
    try:
        import onnx
        import onnx.shape_inference
    except ImportError as error:
        error.add_note("files of ONNX need its package: pip install mxcy[onnx]")
        raise wrap(error) from None
    return onnx
