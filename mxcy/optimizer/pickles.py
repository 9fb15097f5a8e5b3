"""Reader of the optimizer states that MXNet wrote, which are pickles.

A pickle is a program. This reader runs only what builds the states: numbers, texts, dicts, lists, tuples and
arrays. Optimizers and schedulers inside become `Fields`, plain collections of what they held, by their names
and without their classes. Every other name is refused.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

from .. import ndarray as nd
from ..errors import FormatError, problem

__all__ = ["Fields", "read_pickle"]

ARRAY_MODULES = ("mxnet.ndarray.ndarray", "mxnet.ndarray", "mxnet.numpy.multiarray")
FIELD_MODULES = ("mxnet.optimizer.", "mxnet.lr_scheduler")
LIST_MAGIC = 0x112


class Fields:
    """The fields of an optimizer or a scheduler, and the name of its class."""

    name: str

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("fields that are no dict")
        self.held = state


class PickledArray:
    """What stands for an array until its bytes have come."""

    def __init__(self, *_: Any):
        self.array: Any = None

    def __setstate__(self, state: Any) -> None:
        content = state["handle"]
        if content is not None:
            framed = struct.pack("<QQQ", LIST_MAGIC, 0, 1) + bytes(content) + struct.pack("<Q", 0)
            self.array = nd.load_frombuffer(framed)[0]  # type: ignore[index]


class Reader(pickle.Unpickler):
    """An unpickler that knows these names and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class of MXNet; raise UnpicklingError for other names."""
        if module in ARRAY_MODULES and name in ("NDArray", "ndarray"):
            return PickledArray
        if (module, name) in (("builtins", "bytearray"), ("__builtin__", "bytearray")):
            return bytearray
        if module.startswith(FIELD_MODULES) and name.isidentifier():
            return type(name, (Fields,), {"name": name})
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def plain(value: Any) -> Any:
    """A value with arrays in place of what stood for them; raise TypeError for anything else."""
    if isinstance(value, PickledArray):
        return value.array
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str, Fields)):
        return value
    raise TypeError(f"{type(value).__name__} is no state")


def read_pickle(states: bytes) -> tuple[dict[Any, Any], Fields | None]:
    """Return (states by index, fields of the optimizer or None). Raises FormatError for other pickles."""
    try:
        found = plain(Reader(io.BytesIO(states)).load())
        optimizer = None
        if isinstance(found, tuple) and len(found) == 2:
            found, optimizer = found
        if isinstance(found, dict) and (optimizer is None or isinstance(optimizer, Fields)):
            return found, optimizer
        raise TypeError(f"{type(found).__name__} is no dict of states")
    except FormatError:
        raise
    except Exception as error:
        # A damaged pickle raises nearly anything.
        text = f"no states of an optimizer: {error}"
        raise FormatError(problem("set_states", "states", text)) from None
