"""`mx.executor_manager`: what older training loops share to spread batches over devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .errors import ArgumentError, message
from .module.older_loops import DataParallelExecutorManager
from .module.parallel_group import split
from .ndarray import NDArray
from .symbol import Symbol

__all__ = [
    "DataParallelExecutorManager",
    "_check_arguments",
    "_load_data",
    "_load_general",
    "_load_label",
    "_split_input_slice",
]


def _split_input_slice(batch_size: int, work_load_list: Sequence[float]) -> list[slice]:
    """Return the part of a batch for each device, in proportion to its work load.

    Raises a ValueError if a part would be empty.

    >>> _split_input_slice(10, [1, 1, 1])
    [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
    """
    return split(batch_size, work_load_list)


def _check_arguments(symbol: Symbol) -> None:
    """Raise a ValueError if arguments, or auxiliary states, of a symbol share a name."""
    for kind, names in (
        ("arguments", symbol.list_arguments()),
        ("auxiliary states", symbol.list_auxiliary_states()),
    ):
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            expected = f"{kind} with names of their own"
            raise ArgumentError(
                message("_check_arguments", "symbol", expected, f"several called {repeated[0]}")
            )


def _load_general(data: Iterable[NDArray], targets: Iterable[Any]) -> None:
    """Copy arrays to their targets: an array, or pairs (slice of the batch, array) for several devices."""
    for source, target in zip(data, targets, strict=False):
        parts = [(None, target)] if isinstance(target, NDArray) else target
        for part, destination in parts:
            (source if part is None else source[part]).copyto(destination)


def _load_data(batch: Any, targets: Iterable[Any]) -> None:
    """Copy the data of a batch to their targets."""
    _load_general(batch.data, targets)


def _load_label(batch: Any, targets: Iterable[Any]) -> None:
    """Copy the labels of a batch to their targets."""
    _load_general(batch.label, targets)
