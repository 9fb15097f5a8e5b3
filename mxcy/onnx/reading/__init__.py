"""Translations of the operators of ONNX, by topic; importing a file registers its translations."""

from . import elementwise, indexing, layers, pooling, recurrent, reductions, resizing, shapes

__all__ = ["elementwise", "indexing", "layers", "pooling", "recurrent", "reductions", "resizing", "shapes"]
