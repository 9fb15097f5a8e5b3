"""Stores of parameters that several devices of one machine share: `create("local")`."""

from .base import KVStoreBase
from .local import KVStore, create

__all__ = ["KVStore", "KVStoreBase", "create"]
