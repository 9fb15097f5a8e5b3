"""Names that MXNet programs import from `mxnet.base`."""

import ctypes
import os
from typing import Any

import numpy as np

from .errors import MXNetError, NotImplementedForSymbol

__all__ = [
    "MXNetError", "NDArrayHandle", "NotImplementedForSymbol", "data_dir", "integer_types", "mx_real_t",
    "numeric_types", "py_str", "string_types",
]  # fmt: skip

string_types = (str,)
numeric_types = (float, int, np.generic)
integer_types = (int, np.int32, np.int64)
mx_real_t = np.float32


class NDArrayHandle(ctypes.c_void_p):
    """What MXNet's callbacks are given in place of arrays, which they convert.

    Ours are given arrays, of which `ctypes.cast(array, NDArrayHandle)` makes one.
    """


def py_str(x: bytes | str) -> str:
    """Return a name as text. MXNet gives its callbacks bytes, which programs convert; ours get text."""
    return x.decode() if isinstance(x, bytes) else x


def _as_list(obj: Any) -> list | tuple:
    """Return lists and tuples as they are, and anything else as a list of one."""
    return obj if isinstance(obj, (list, tuple)) else [obj]


def data_dir() -> str:
    """Return the folder of data sets and models: that in MXNET_HOME, or `.mxnet` in the user's folder."""
    return os.environ.get("MXNET_HOME", os.path.join(os.path.expanduser("~"), ".mxnet"))
