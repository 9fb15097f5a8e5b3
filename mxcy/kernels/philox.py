"""Seeds of the random generators: one generator for each device.

A generator is a seed and a count of the fills drawn from it. Each fill reserves a number of its own at
the call, so what it draws depends on the order of the calls alone, not on when or where it runs.
"""

from __future__ import annotations

from .._locks import new_lock
from .._segment import refuse
from ..context import Context, current_context
from ..errors import ArgumentError, ArgumentTypeError, message

__all__ = ["get_state", "reserve", "seed", "set_state"]

_DEFAULT_SEED = 0  # as MXNet: programs that set no seed repeat themselves
_SALT = 0x9E3779B97F4A7C15  # makes devices with one seed draw different numbers

_lock = new_lock()  # guards the three below
_default_seed = _DEFAULT_SEED
_seeds: dict[tuple[int, int], int] = {}
_streams: dict[tuple[int, int], int] = {}


def seed(value: int, ctx: Context | str = "all") -> None:
    """Restart the generator of a device, or of all devices, from a seed.

    Under "all" each device draws numbers of its own; a device seeded by itself draws the same numbers
    as any other one seeded so.
    """
    global _default_seed
    try:
        value = value.__index__() & (2**64 - 1)
    except AttributeError:
        raise ArgumentTypeError(message("seed", "seed_state", "an int", type(value).__name__)) from None
    with _lock:
        if isinstance(ctx, str):
            if ctx != "all":
                raise ArgumentError(message("seed", "ctx", "a context or 'all'", repr(ctx)))
            _default_seed = value
            _seeds.clear()
            _streams.clear()
        else:
            key = _key(ctx)
            _seeds[key] = value
            _streams[key] = 0


def reserve(ctx: Context | None = None) -> tuple[int, int]:
    """Return (seed, stream) for one fill on a device, by default the thread's current one."""
    refuse("it draws random numbers")
    key = _key(ctx or current_context())
    with _lock:
        stream = _streams.get(key, 0)
        _streams[key] = stream + 1
        return _seed_of(key), stream


def get_state(ctx: Context | None = None) -> tuple[int, int]:
    """Return what `set_state` takes to draw again what comes next."""
    key = _key(ctx or current_context())
    with _lock:
        return _seed_of(key), _streams.get(key, 0)


def set_state(state: tuple[int, int], ctx: Context | None = None) -> None:
    """Put a device's generator back where `get_state` was called."""
    key = _key(ctx or current_context())
    with _lock:
        _seeds[key], _streams[key] = state


def _key(ctx: Context) -> tuple[int, int]:
    return ctx.device_typeid, ctx.device_id


def _seed_of(key: tuple[int, int]) -> int:
    device = (key[0] - 1) << 16 | key[1]
    return _seeds.get(key, (_default_seed + device * _SALT) & (2**64 - 1))
