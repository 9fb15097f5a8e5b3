"""Which store a module or a trainer uses for its parameters."""

from __future__ import annotations

import os
from typing import Any

from .. import kvstore as stores
from ..errors import ArgumentTypeError, message

__all__ = ["store_for"]

LARGE = 16 << 20  # elements; from here on MXNet's "local" leaves updates to the devices


def store_for(given: Any, devices: int, params: dict[str, Any]) -> tuple[Any, bool]:
    """Return (store or None, whether it runs the optimizer) for what `init_optimizer` was given."""
    if given is None:
        return None, False
    on_store = os.environ.get("MXNET_UPDATE_ON_KVSTORE", "1") != "0"
    if isinstance(given, stores.KVStoreBase):
        return given, on_store and given.is_capable(stores.KVStoreBase.OPTIMIZER)
    if not isinstance(given, str):
        expected = "None, a name or a KVStore"
        raise ArgumentTypeError(message("init_optimizer", "kvstore", expected, type(given).__name__))
    store = stores.create(given)  # which refuses names of no store
    if devices == 1:
        return None, False
    if given == "local" and max((x.size for x in params.values()), default=0) > LARGE:
        on_store = False
    return store, on_store and store.is_capable(stores.KVStoreBase.OPTIMIZER)
