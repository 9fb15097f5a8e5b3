"""Lists of devices, as parameters keep them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import context
from ..context import Context

__all__ = ["device_list", "device_places"]


def device_list(ctx: Any) -> list[Context]:
    """Devices as a list: the current one for None, one for a context."""
    if ctx is None:
        return [context.current_context()]
    return [ctx] if isinstance(ctx, Context) else list(ctx)


def device_places(devices: Iterable[Context]) -> list[list[int | None]]:
    """Positions of devices in their list, by the last bit of their kind and their number."""
    places: list[list[int | None]] = [[], []]
    for position, device in enumerate(devices):
        row = places[device.device_typeid & 1]
        row += [None] * (device.device_id + 1 - len(row))
        row[device.device_id] = position
    return places
