"""How graphs are bound: which passes they go through, and how their memory is planned."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import ArgumentError, message
from ..graph.plan_memory import STRATEGIES

__all__ = ["DEFAULT", "PLAIN", "Options", "read"]


class Options(NamedTuple):
    """Which passes a graph goes through when it is bound, and how its memory is planned."""

    strategy: str = "both"
    simplify: bool = True
    fuse: bool = True
    paths: int | None = None  # None: as many as the engine has workers


PLAIN = Options("none", simplify=False, fuse=False)  # every node runs, and its result stays


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
    return Options(strategy, fuse=fusion == "1")


DEFAULT = read(os.environ)
