"""`mx.util`: small things that programs written for MXNet import from there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .context import gpu_memory_info, num_gpus
from .switches import (
    _NumpyArrayScope as _NumpyArrayScope,
)
from .switches import (
    is_np_array,
    is_np_default_dtype,
    is_np_shape,
    np_array,
    np_shape,
    reset_np,
    set_np,
    set_np_shape,
    use_np,
    use_np_array,
    use_np_default_dtype,
    use_np_shape,
)

__all__ = [
    "get_gpu_count", "get_gpu_memory", "getenv", "is_np_array", "is_np_default_dtype", "is_np_shape",
    "np_array", "np_shape", "reset_np", "set_module", "set_np", "set_np_shape", "setenv", "use_np",
    "use_np_array", "use_np_default_dtype", "use_np_shape",
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


def set_module(module: str | None) -> Callable:
    """Return a decorator that sets the `__module__` of a function or class."""

    def decorate(target: Any) -> Any:
        if module is not None:
            target.__module__ = module
        return target

    return decorate
