"""`mx.library`: operators from shared libraries, which are not loaded here."""

from __future__ import annotations

import os

from .errors import MXNetError, message, problem

__all__ = ["load"]


def load(path: str, verbose: bool = True) -> None:
    """Raises MXNetError: libraries for MXNet are compiled against its headers.

    Write operators in Python, with `mx.operator.CustomOp`; their bodies may call a library by ctypes.
    """
    if not os.path.exists(path):
        raise MXNetError(message("load", "path", "a file", f"{path}, which does NOT exist"))
    if not os.path.isabs(path):
        raise MXNetError(message("load", "path", "an absolute path", path))
    if os.path.splitext(path)[1] not in (".so", ".dll"):
        raise MXNetError(message("load", "path", "a library, .so or .dll", path))
    hint = "write operators with mx.operator.CustomOp, which may call a library by ctypes"
    raise MXNetError(problem("load", "path", "libraries of operators for MXNet are not loaded", hint))
