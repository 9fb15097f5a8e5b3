"""What the array API standard (2024.12) wants beyond NumPy's main namespace."""

from __future__ import annotations

from typing import Any

import numpy as _np

from ..context import num_gpus
from ..errors import ArgumentError, message

__all__ = ["__array_api_version__", "__array_namespace_info__"]

__array_api_version__ = "2024.12"

_KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


class __array_namespace_info__:
    """What the namespace can do, for libraries that ask."""

    def capabilities(self) -> dict[str, Any]:
        """Return which optional parts of the standard are there."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

    def default_device(self) -> str:
        """Return the device of new arrays."""
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> dict[str, _np.dtype]:
        """Return the dtypes that new arrays have by default."""
        return {
            "real floating": _np.dtype(_np.float64),
            "complex floating": _np.dtype(_np.complex128),
            "integral": _np.dtype(_np.int64),
            "indexing": _np.dtype(_np.int64),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, _np.dtype]:
        """Return the dtypes of a kind ("bool", "integral", …), of several, or all of them."""
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        for one in kinds:
            if one not in _KINDS:
                raise ArgumentError(message("dtypes", "kind", f"one of {', '.join(_KINDS)}", repr(one)))
        return {name: _np.dtype(name) for one in kinds for name in _KINDS[one]}

    def devices(self) -> list[str]:
        """Return the devices that arrays can be on."""
        return ["cpu"] + [f"gpu({i})" for i in range(num_gpus())]
