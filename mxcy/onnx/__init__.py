"""`mx.onnx`: symbols with their parameters as files of ONNX.

Files are read by `mx.contrib.onnx`. The package onnx is imported when the first file is written or read
(`pip install mxcy[onnx]`).
"""

from .export import export_model, get_operator_support

__all__ = ["export_model", "get_operator_support"]
