"""Names that MXNet programs import from `mxnet.base`."""

import numpy as np

from .errors import MXNetError, NotImplementedForSymbol

__all__ = [
    "MXNetError", "NotImplementedForSymbol", "integer_types", "mx_real_t", "numeric_types", "py_str",
    "string_types",
]  # fmt: skip

string_types = (str,)
numeric_types = (float, int, np.generic)
integer_types = (int, np.int32, np.int64)
mx_real_t = np.float32


def py_str(text: bytes | str) -> str:
    """Return a name as text. MXNet gives its callbacks bytes, which programs convert; ours get text."""
    return text.decode() if isinstance(text, bytes) else text
