"""`mx.contrib.onnx`: files of ONNX to symbols, and symbols to files of ONNX.

The package onnx is imported when the first file is written or read (`pip install mxcy[onnx]`).
"""

from ..onnx import export_model
from ..onnx.load import get_model_metadata, import_model, import_to_gluon

__path__: list[str] = []  # MXNet has modules inside, which are this one
__all__ = ["export_model", "get_model_metadata", "import_model", "import_to_gluon"]
