"""`mx.io.utils`: what iterators that programs write share with `NDArrayIter`."""

from __future__ import annotations

from typing import Any

from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray
from .ndarray_iter import named_arrays

__all__ = ["_init_data"]


def _init_data(data: Any, allow_empty: bool, default_name: str) -> list[tuple[str, NDArray]]:
    """Return sorted (name, NDArray) pairs of an array, or a list or dict of arrays.

    Several arrays of a list are named `_0_data`, `_1_data` and so on, one `default_name`.
    Raises an AssertionError if there is none, unless `allow_empty`.
    """
    found = named_arrays("data", data, default_name)
    if not found and not allow_empty:
        raise AssertedArgumentError(message("_init_data", "data", "at least one array", "none"))
    return found
