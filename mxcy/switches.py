"""MXNet's switches between `mx.nd` and `mx.np`.

Here both kinds of arrays work at any time, and a layer returns the kind that it is given. So the switches
are accepted and remembered, for programs that ask, and change nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = [
    "is_np_array", "is_np_default_dtype", "is_np_shape", "np_array", "np_shape", "reset_np", "set_np",
    "set_np_shape", "use_np", "use_np_array", "use_np_default_dtype", "use_np_shape",
]  # fmt: skip


class _State(threading.local):
    """What one thread has been told."""

    array = False
    shape = False


_state = _State()


def set_np(shape: bool = True, array: bool = True, dtype: bool = False) -> None:
    """Remember that the program uses `mx.np`; `array=True` without `shape=True` is an error, as in MXNet."""
    if array and not shape:
        raise ValueError("NumPy Shape semantics is required in using NumPy array semantics.")
    _state.shape, _state.array = bool(shape), bool(array)


def reset_np() -> None:
    """Forget what `set_np` said."""
    set_np(False, False)


def set_np_shape(active: bool) -> bool:
    """Remember that the program uses NumPy's shapes; return whether it did."""
    was, _state.shape = _state.shape, bool(active)
    return was


def is_np_shape() -> bool:
    """Return what `set_np` or `np_shape` said of shapes."""
    return _state.shape


def is_np_array() -> bool:
    """Return what `set_np` or `np_array` said of arrays."""
    return _state.array


def is_np_default_dtype() -> bool:
    """Return whether `mx.np` makes float64 by default, as NumPy does: always."""
    return True


class _Scope:
    """A `with` block in which a switch has a value."""

    def __init__(self, name: str, active: bool):
        self._name, self._active = name, bool(active)

    def __enter__(self) -> None:
        self._was = getattr(_state, self._name)
        setattr(_state, self._name, self._active)

    def __exit__(self, *error: object) -> None:
        setattr(_state, self._name, self._was)


def np_shape(active: bool = True) -> _Scope:
    """Return a scope in which `is_np_shape` has a value."""
    return _Scope("shape", active)


def np_array(active: bool = True) -> _Scope:
    """Return a scope in which `is_np_array` has a value."""
    return _Scope("array", active)


def use_np(function: Any) -> Any:
    """Return the function or class itself: it may use `mx.np` as it is."""
    return function


use_np_shape: Callable = use_np
use_np_array: Callable = use_np
use_np_default_dtype: Callable = use_np
