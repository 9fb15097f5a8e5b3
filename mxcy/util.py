"""`mx.util`: small things that programs written for MXNet import from there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .context import gpu_memory_info, num_gpus

__all__ = [
    "get_gpu_count", "get_gpu_memory", "getenv", "is_np_array", "is_np_shape", "set_module", "setenv",
]  # fmt: skip


def getenv(name: str) -> str | None:
    """Return an environment variable, None if it is not set."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable; None removes it."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def get_gpu_count() -> int:
    """Return how many GPUs can be used."""
    return num_gpus()


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Return (free, total) bytes of the memory of a GPU."""
    return gpu_memory_info(gpu_dev_id)


def is_np_shape() -> bool:
    """Return whether extents of 0 and arrays without axes mean what they mean in NumPy.

    In `mx.nd` and `mx.sym` they do not, as in MXNet.
    """
    return False


def is_np_array() -> bool:
    """Return whether blocks and operators make arrays of `mx.np`: not those of `mx.nd` and `mx.sym`."""
    return False


def set_module(module: str | None) -> Callable:
    """Return a decorator that sets the `__module__` of a function or class."""

    def decorate(target: Any) -> Any:
        if module is not None:
            target.__module__ = module
        return target

    return decorate
