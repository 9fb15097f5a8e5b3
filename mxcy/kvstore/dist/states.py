"""States of optimizers as flat lists of arrays and a structure that JSON holds.

A structure is None, the number of an array, or a list of structures (a tuple of states).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ndarray as nd

__all__ = ["arrays_of", "restored", "structure_of", "viewed"]


def arrays_of(state: Any) -> list[Any]:
    """Return the NDArrays of a state, in order."""
    if isinstance(state, (tuple, list)):
        return [x for part in state for x in arrays_of(part)]
    return [state] if isinstance(state, nd.NDArray) else []


def structure_of(state: Any) -> Any:
    """Return how the arrays of a state belong together."""
    numbers = iter(range(len(arrays_of(state))))

    def of(part: Any) -> Any:
        if isinstance(part, (tuple, list)):
            return [of(one) for one in part]
        return next(numbers) if isinstance(part, nd.NDArray) else None

    return of(state)


def restored(structure: Any, arrays: list[np.ndarray]) -> Any:
    """Return the state of a structure; arrays are copied."""
    if isinstance(structure, list):
        return tuple(restored(part, arrays) for part in structure)
    return None if structure is None else nd.array(arrays[structure], dtype=arrays[structure].dtype)


def viewed(x: Any) -> np.ndarray:
    """Return the memory of an NDArray when its operations are done."""
    return np.asarray(x)
