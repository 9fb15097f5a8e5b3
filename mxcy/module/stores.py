"""Which store a module or a trainer uses for its parameters."""

from __future__ import annotations

import os
from typing import Any

from .. import kvstore as stores
from ..errors import ArgumentTypeError, message

__all__ = ["is_distributed", "reduce_gradients", "store_for"]

LARGE = 16 << 20  # elements; from here on MXNet's "local" leaves updates to the devices


def store_for(given: Any, devices: int, params: dict[str, Any], needed: bool = False) -> tuple[Any, bool]:
    """Return (store or None, whether it runs the optimizer) for what `init_optimizer` was given.

    One that is `needed` runs the optimizer, and is there for one device too.
    """
    if needed:
        store = stores.create(given) if isinstance(given, str) else given
        if not isinstance(store, stores.KVStoreBase) or not store.is_capable(stores.KVStoreBase.OPTIMIZER):
            expected = "a store that updates parameters in sparse storage"
            raise ArgumentTypeError(message("init_optimizer", "kvstore", expected, type(given).__name__))
        return store, True
    if given is None:
        return None, False
    on_store = os.environ.get("MXNET_UPDATE_ON_KVSTORE", "1") != "0"
    if isinstance(given, stores.KVStoreBase):
        return given, on_store and given.is_capable(stores.KVStoreBase.OPTIMIZER)
    if not isinstance(given, str):
        expected = "None, a name or a KVStore"
        raise ArgumentTypeError(message("init_optimizer", "kvstore", expected, type(given).__name__))
    store = stores.create(given)  # which refuses names of no store
    if devices == 1 and not is_distributed(store):
        return None, False
    if given == "local" and max((x.size for x in params.values()), default=0) > LARGE:
        on_store = False
    return store, on_store and store.is_capable(stores.KVStoreBase.OPTIMIZER)


def is_distributed(store: Any) -> bool:
    """Whether a store is shared by workers of several processes."""
    return store is not None and "dist" in store.type


def reduce_gradients(store: Any, key: Any, gradients: list, priority: int, out: Any = None) -> None:
    """Push the gradients of all devices, and pull their sum, or what the store keeps, to `out`."""
    if gradients[0].stype == "default":
        store.pushpull(key, gradients, out=out, priority=priority)
        return
    store.push(key, gradients, priority=priority)
    store.pull(key, gradients if out is None else out, priority=priority, ignore_sparse=is_distributed(store))
