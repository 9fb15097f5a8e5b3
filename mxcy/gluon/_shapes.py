"""Shapes of which parts are unknown, and names for error texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["known", "merged_shape", "shortened"]


def known(shape: tuple | None) -> bool:
    """Whether all extents of a shape are known; 0 and -1 stand for unknown ones."""
    return bool(shape) and all(n > 0 for n in shape)  # type: ignore[arg-type, union-attr]


def merged_shape(desired: Any, existing: tuple) -> tuple | None:
    """What is known of a shape from two, None if they contradict each other."""
    desired = (desired,) if isinstance(desired, int) else tuple(desired)
    if len(desired) != len(existing):
        return None
    if any(a > 0 and b > 0 and a != b for a, b in zip(desired, existing, strict=True)):
        return None
    return tuple(b if a in (0, -1) else a for a, b in zip(desired, existing, strict=True))


def shortened(names: Iterable[str], limit: int = 7) -> str:
    """Names for an error text, not too many of them."""
    found = [repr(name) for name in names]
    if len(found) > limit:
        found = [*found[: limit // 2], "...", *found[-(limit // 2) :]]
    return ", ".join(found) or "nothing"
