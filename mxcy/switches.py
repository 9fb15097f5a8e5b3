"""MXNet's switches between `mx.nd` and `mx.np`.

Here both kinds of arrays work at any time, and a layer returns the kind that it is given. So the switches
are remembered, for programs that ask, and decide one thing: whether an extent of 0 in the shape of a symbol
is unknown or 0.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .errors import ArgumentTypeError, message

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


def set_np_shape(active: int) -> bool:
    """Remember that the program uses NumPy's shapes (2: other threads, too); return whether it did."""
    was, _state.shape = _state.shape, bool(active)
    if active in (0, 2):
        _State.shape = active == 2
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


class _NumpyArrayScope(_Scope):
    """The scope that `np_array` makes, under MXNet's name."""

    def __init__(self, is_np_array: bool):
        super().__init__("array", is_np_array)
        self._is_np_array = self._active


def np_array(active: bool = True) -> _Scope:
    """Return a scope in which `is_np_array` has a value."""
    return _NumpyArrayScope(active)


def use_np(target: Any) -> Any:
    """Return a function, or a class with all its methods, that runs with NumPy's shapes and arrays."""
    return use_np_shape(use_np_array(target))


def use_np_shape(target: Any) -> Any:
    """Return a function, or a class with all its methods, that runs with NumPy's shapes."""
    return _decorated("use_np_shape", target, np_shape)


def use_np_array(target: Any) -> Any:
    """Return a function, or a class with all its methods, that runs with NumPy's arrays."""
    return _decorated("use_np_array", target, np_array)


def use_np_default_dtype(target: Any) -> Any:
    """Return the function or class itself: float64 is what `mx.np` makes by default anyway."""
    return target


def _decorated(name: str, target: Any, scope: Callable[[], _Scope]) -> Any:
    """What a decorator makes of a function or a class, whose own methods are replaced in place."""
    if not callable(target):
        raise ArgumentTypeError(message(name, None, "a class or a function", type(target).__name__))
    if not isinstance(target, type):
        return _within(target, scope)
    inherited = {key: value for base in reversed(target.__mro__[:-1]) for key, value in vars(base).items()}
    for key, value in inherited.items():
        if isinstance(value, FunctionType):
            setattr(target, key, _within(value, scope))
        elif isinstance(value, (staticmethod, classmethod)):
            setattr(target, key, type(value)(_within(value.__func__, scope)))
        elif isinstance(value, property):
            get, put, delete = [f and _within(f, scope) for f in (value.fget, value.fset, value.fdel)]
            setattr(target, key, property(get, put, delete, value.__doc__))
    return target


def _within(function: Callable, scope: Callable[[], _Scope]) -> Callable:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return function(*args, **kwargs)

    return call
