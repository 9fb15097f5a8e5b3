"""Which server keeps what: small keys whole, big keys one slice a server, at whole rows if possible."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import ml_dtypes
import numpy as np

__all__ = ["Key", "Slice", "big", "dtype_named", "key_of", "slices"]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Slice:
    """A part of a flat array.

    Attributes
    ----------
    unit : its number in the job.
    server : who keeps it.
    start, stop : elements.
    """

    unit: int
    server: int
    start: int
    stop: int


@dataclass
class Key:
    """What a worker knows of a key; `pushed` counts its rounds."""

    name: int | str
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype
    width: int
    slices: list[Slice]
    pushed: int = 0

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)


def big() -> int:
    """Elements from which a key is split: MXNET_KVSTORE_BIGARRAY_BOUND, by default a million."""
    return int(os.environ.get("MXNET_KVSTORE_BIGARRAY_BOUND", "1000000"))


def slices(number: int, shape: tuple[int, ...], servers: int, bound: int) -> tuple[int, list[Slice]]:
    """Return (elements of a row or 0, the slices) of key `number`."""
    size = math.prod(shape)
    width = size // shape[0] if len(shape) > 1 and size else (1 if len(shape) == 1 else 0)
    if not size:
        return 0, []  # nothing ever travels
    if not shape or size < bound or servers == 1:
        return width, [Slice(number << 16, number % servers, 0, size)]
    if shape[0] < servers:
        width = 0
    step = width or 1
    cuts = [i * (size // step) // servers * step for i in range(servers + 1)]
    return width, [
        Slice(number << 16 | i, (number + i) % servers, cuts[i], cuts[i + 1]) for i in range(servers)
    ]


def key_of(spec: dict, servers: int, bound: int) -> Key:
    """Return the key that the coordinator described."""
    shape = tuple(spec["shape"])
    width, cut = slices(spec["number"], shape, servers, bound)
    return Key(spec["key"], spec["number"], shape, dtype_named(spec["dtype"]), width, cut)


def dtype_named(name: str) -> np.dtype:
    """The dtype of a name."""
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)
