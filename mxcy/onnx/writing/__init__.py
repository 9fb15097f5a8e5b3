"""Translations of operators into those of ONNX, by topic; importing a file registers its translations."""

from . import (
    attention,
    creation,
    detection,
    elementwise,
    indexing,
    layers,
    normalisation,
    pooling,
    recurrent,
    reductions,
    sequences,
    shapes,
)

__all__ = [
    "attention",
    "creation",
    "detection",
    "elementwise",
    "indexing",
    "layers",
    "normalisation",
    "pooling",
    "recurrent",
    "reductions",
    "sequences",
    "shapes",
]
