"""What MXNet keeps apart: the first autograd, bridges, text, SVRG, mixed precision."""

import importlib
import sys
from typing import Any

from ..ndarray import contrib as ndarray
from ..symbol import contrib as symbol

nd = ndarray
sym = symbol
# MXNet has modules of these names here, which programs import.
sys.modules[f"{__name__}.ndarray"] = ndarray
sys.modules[f"{__name__}.symbol"] = symbol

# Loaded when they are first asked for: some need all of Gluon, parts of which need the texts.
LATER = ("amp", "autograd", "io", "onnx", "quantization", "svrg_optimization", "tensorboard", "text")

__all__ = [*LATER, "nd", "ndarray", "sym", "symbol"]


def __getattr__(name: str) -> Any:
    if name in LATER:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
