"""Element types: the codes of native/dtype.hpp, NumPy's dtypes and MXNet's type flags in one table."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

__all__ = ["DTYPES", "MXNET_FLAGS", "bfloat16", "code_of", "from_mxnet_flag", "mxnet_flag_of", "numpy_dtype"]

bfloat16 = ml_dtypes.bfloat16

# Index = code.  The order is that of native/dtype.hpp.
DTYPES: tuple[np.dtype, ...] = tuple(
    np.dtype(t)
    for t in (
        np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
        np.float16, bfloat16, np.float32, np.float64, np.complex64, np.complex128,
    )
)  # fmt: skip

# By dtype, by scalar class and by name: what programs write most costs one look-up.
_CODES: dict[object, int] = {
    key: code for code, dtype in enumerate(DTYPES) for key in (dtype, dtype.type, dtype.name)
}
_CODES.update({bool: 0, int: 7, float: 12, complex: 14})

# code -> flag that MXNet 1.9.1 writes into .params files and JSON (mshadow's TypeFlag).
MXNET_FLAGS: dict[int, int] = {
    11: 0, 12: 1, 9: 2, 2: 3, 5: 4, 1: 5, 7: 6, 0: 7, 3: 8, 4: 9, 6: 10, 8: 11, 10: 12,
}  # fmt: skip
_FROM_MXNET: dict[int, int] = {flag: code for code, flag in MXNET_FLAGS.items()}


def code_of(dtype: object) -> int:
    """Return the code of anything that `numpy.dtype` accepts; raise `DTypeError` for others.

    What has a dtype, such as an array that is not NumPy's, stands for it.
    """
    try:
        return _CODES[dtype]
    except (KeyError, TypeError):
        pass
    from .errors import DTypeError, message

    own = getattr(dtype, "dtype", None)
    if own is not None and not isinstance(dtype, (type, np.ndarray, np.generic)):
        return code_of(own)
    try:
        source: Any = bfloat16 if dtype == "bfloat16" else dtype
        found = np.dtype(source).newbyteorder("=")
        if found.kind in "iu":  # long and long long are one type here
            found = np.dtype(f"{found.kind}{found.itemsize}")
        return _CODES[found]
    except (KeyError, TypeError):
        names = ", ".join(d.name for d in DTYPES)
        raise DTypeError(message("dtype", "dtype", f"one of {names}", repr(dtype))) from None


def numpy_dtype(code: int) -> np.dtype:
    """Return NumPy's dtype of a code."""
    return DTYPES[code]


def mxnet_flag_of(code: int) -> int | None:
    """Return MXNet's type flag of a code, or None where MXNet has no such type (complex)."""
    return MXNET_FLAGS.get(code)


def from_mxnet_flag(flag: int) -> int | None:
    """Return the code of one of MXNet's type flags, or None if there is none."""
    return _FROM_MXNET.get(flag)
