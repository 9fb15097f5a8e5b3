"""`KVStoreBase`: what training asks of a store, so that others can be put in its place."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from ..errors import ArgumentError, OperandTypeError, message
from ..ndarray import NDArray

__all__ = ["KVStoreBase", "TestStore"]


class KVStoreBase:
    """Base class of stores. Subclasses registered with `KVStoreBase.register` are made by `mx.kv.create`."""

    OPTIMIZER = "optimizer"
    kv_registry: ClassVar[dict[str, type]] = {}

    @staticmethod
    def register(klass: type) -> type:
        """Enter a class under its name in lower case among those that `create` makes.

        One that takes the place of another is warned of.
        """
        if not isinstance(klass, type):
            raise OperandTypeError(message("register", "klass", "a class", type(klass).__name__))
        name = klass.__name__.lower()
        before = KVStoreBase.kv_registry.get(name)
        if before is not None:
            new, old = (f"{one.__module__}.{one.__name__}" for one in (klass, before))
            warnings.warn(f"New kvstore {new} is overriding existing kvstore {old}", stacklevel=2)
        KVStoreBase.kv_registry[name] = klass
        return klass

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Return whether the store can do something: `KVStoreBase.OPTIMIZER` is to run an optimizer."""
        raise NotImplementedError

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Keep values under keys, and copy them to arrays."""
        raise NotImplementedError

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Add up values of devices and copy the results to arrays, or back."""
        raise NotImplementedError

    def set_optimizer(self, optimizer: Any) -> None:
        """Let the store update what it keeps by what is pushed."""
        raise NotImplementedError

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states of the optimizer to a file."""
        raise NotImplementedError

    def load_optimizer_states(self, fname: str) -> None:
        """Take over the states of a file."""
        raise NotImplementedError

    @property
    def type(self) -> str:
        """The name under which the store was made."""
        raise NotImplementedError

    @property
    def rank(self) -> int:
        """The number of this worker."""
        raise NotImplementedError

    @property
    def num_workers(self) -> int:
        """How many workers there are."""
        raise NotImplementedError


def unknown_capability(capability: str) -> ArgumentError:
    """The error of `is_capable` for a word that it does not know."""
    return ArgumentError(message("KVStore", "capability", repr(KVStoreBase.OPTIMIZER), repr(capability)))


@KVStoreBase.register
class TestStore(KVStoreBase):
    """`create("teststore")`: keeps nothing; what comes from several devices is added up and handed back."""

    type = "teststore"
    rank = 0
    num_workers = 1

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Return False: updates are left to the caller."""
        if capability.lower() != KVStoreBase.OPTIMIZER:
            raise unknown_capability(capability)
        return False

    def broadcast(self, key: Any, value: NDArray, out: Any, priority: int = 0) -> None:
        """Copy a value to one array or several."""
        for target in _listed(out):
            value.copyto(target)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Add up the values and copy the sum to `out`, or to themselves."""
        values = _listed(value)
        total = values[0].copy()
        for x in values[1:]:
            total += x.as_in_context(total.context)
        for target in values if out is None else _listed(out):
            total.copyto(target)


def _listed(arrays: Any) -> list[NDArray]:
    return list(arrays) if isinstance(arrays, (list, tuple)) else [arrays]
