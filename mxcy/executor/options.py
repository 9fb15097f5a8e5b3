"""How graphs are bound: which passes they go through, and how their memory is planned."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..errors import ArgumentError, message
from ..graph.plan_memory import STRATEGIES

__all__ = ["DEFAULT", "PLAIN", "Options", "current", "read"]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Options(NamedTuple):
    """Which passes a graph goes through when it is bound, and how its memory is planned."""

    strategy: str = "both"
    simplify: bool = True
    fuse: bool = True
    paths: int | None = None  # None: as many as the engine has workers
    mirror: bool = False  # backward computes again what is quick to compute
    budget: int | None = None  # bytes of results; backward computes again as much as that takes
    weight_cache: int = 16 << 20  # bytes of packed weights that predictions keep
    views: bool = True  # what only names its operand anew does not run


PLAIN = Options("none", simplify=False, fuse=False)  # nodes run as they are, and their results stay


def read(environment: dict | os._Environ) -> Options:
    """Return the options that environment variables ask for.

    Raises ArgumentError for a value that a variable does not take.
    """
    strategy = environment.get("MXCY_MEMORY_PLAN", "both")
    if strategy not in STRATEGIES:
        raise ArgumentError(message("MXCY_MEMORY_PLAN", None, " or ".join(STRATEGIES), repr(strategy)))
    fusion = environment.get("MXCY_FUSION", "1")
    if fusion not in ("0", "1"):
        raise ArgumentError(message("MXCY_FUSION", None, "0 or 1", repr(fusion)))
    cache = environment.get("MXCY_WEIGHT_CACHE_MB", "16")
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", cache):
        raise ArgumentError(message("MXCY_WEIGHT_CACHE_MB", None, "a number of MiB from 0", repr(cache)))
    return Options(strategy, fuse=fusion == "1", weight_cache=int(float(cache) * (1 << 20)))


def current() -> Options:
    """Return the options for a graph that is bound now.

    Programs switch recomputation on and off between two calls of `bind`, so that its variables are read
    each time. Raises ArgumentError for a value that a variable does not take.
    """
    mirror = os.environ.get("MXNET_BACKWARD_DO_MIRROR", "0")
    budget = os.environ.get("MXCY_MEMORY_BUDGET", "")
    merging = os.environ.get("MXNET_ELIMINATE_COMMON_EXPR", "1")
    if mirror == "0" and not budget and merging != "0":
        return DEFAULT
    made = DEFAULT._replace(mirror=mirror != "0", simplify=merging != "0")
    return made._replace(budget=_bytes(budget), paths=1) if budget else made


def _bytes(text: str) -> int:
    """Bytes from a number that may end in K, M or G, for units of 2^10."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)([KMG]?)", text.upper())
    if not found:
        raise ArgumentError(message("MXCY_MEMORY_BUDGET", None, "bytes such as 800M or 2.5G", repr(text)))
    return int(float(found[1]) * _UNITS[found[2]])


DEFAULT = read(os.environ)
