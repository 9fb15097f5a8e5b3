"""The engine's controls.

Operations run in the background, in parallel where nothing orders them, with the result of running them
one after the other. `waitall` and reading an array wait for them.

`bulk` and `set_bulk_size` are MXNet's: there they let several small operations share one push. Here small
operations do not go through the queue at all, so the size is only remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import _engine
from ._engine import counters, num_workers, set_bound, set_hook, waitall
from .errors import ArgumentTypeError, message

__all__ = [
    "bulk",
    "counters",
    "name",
    "num_workers",
    "set_bound",
    "set_bulk_size",
    "set_hook",
    "sync",
    "waitall",
]

_bulk_size = 15  # MXNet's default


def name() -> str:
    """Return "threaded" or "serial", as `MXCY_ENGINE` selected at import."""
    return _engine.engine()


def set_bulk_size(size: int) -> int:
    """Set how many operations may be executed in bulk; return the previous size. Has no effect here."""
    global _bulk_size
    if isinstance(size, bool) or not isinstance(size, int):
        raise ArgumentTypeError(message("set_bulk_size", "size", "an int", type(size).__name__))
    before, _bulk_size = _bulk_size, size
    return before


@contextmanager
def bulk(size: int) -> Iterator[None]:
    """Run a block with another bulk size.

    >>> with bulk(10):
    ...     set_bulk_size(10)
    10
    """
    before = set_bulk_size(size)
    try:
        yield
    finally:
        set_bulk_size(before)


@contextmanager
def sync() -> Iterator[None]:
    """Run a block in which every operation completes, and raises its error, before its call returns.

    Pushes of all threads are affected. For finding the line that is at fault; `MXCY_ENGINE=serial` does
    the same for a whole program, without any threads.
    """
    _engine._set_sync(True)
    try:
        yield
    finally:
        _engine._set_sync(False)
