"""What other libraries ask of arrays: NumPy's functions on them, the array API, devices."""

from __future__ import annotations

import sys
from typing import Any

import numpy as _np

from ..context import Context
from ..errors import ArgumentError, DTypeError, message
from ._calls import as_numpy_has_it, given_numbers, holds_no_numbers, is_array
from ._functions import Through
from ._ufunc import elementwise, ufunc

__all__ = ["array_function", "array_namespace", "array_ufunc", "context_named"]

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_TAKEN = (int, float, complex, _np.ndarray, _np.generic, list, tuple)


def array_ufunc(array: Any, function: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    """Do a universal function of NumPy, SciPy or Numba with one of our arrays among the operands."""
    out = kwargs.get("out") or ()
    if any(map(holds_no_numbers, inputs)) and not any(map(is_array, out)):
        call = getattr(function, method)
        return given_numbers(call(*as_numpy_has_it(inputs), **_for_numpy(kwargs)))
    own = _ufunc_named(function)
    for x in (*inputs, *out):
        if isinstance(x, (type(array), *_TAKEN)) or x is None:
            continue
        if getattr(type(x), "__array_ufunc__", None) is not None:
            return NotImplemented
    if kwargs.get("out") is not None and len(kwargs["out"]) == 1:
        kwargs = kwargs | {"out": kwargs["out"][0]}
    return own(*inputs, **kwargs) if method == "__call__" else getattr(own, method)(*inputs, **kwargs)


def _ufunc_named(function: Any) -> Any:
    """The function of this namespace that a ufunc is, or one made of it."""
    namespace = sys.modules[__package__]
    own = getattr(namespace, function.__name__, None)
    if isinstance(own, (ufunc, Through)) and getattr(own, "function", None) is function:
        return own
    return elementwise(function)


def array_function(function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
    """Do a function of NumPy with our arrays among its arguments by the one of the same name here.

    NotImplemented, which NumPy turns into TypeError, if there is none, or for arrays of other libraries.
    A call with objects or texts among its arguments, as libraries for plots do it, is NumPy's, as its result.
    """
    namespace: Any = sys.modules[__package__]
    if not all(issubclass(t, (namespace.ndarray, _np.ndarray)) for t in types):
        return NotImplemented
    for part in function.__module__.split(".")[1:]:
        if part in ("linalg", "fft"):
            namespace = getattr(namespace, part)
    own = getattr(namespace, function.__name__, None)
    if own is None:
        return NotImplemented
    try:
        return own(*args, **kwargs)
    except DTypeError:
        return given_numbers(function(*as_numpy_has_it(args), **_for_numpy(kwargs)))


def _for_numpy(kwargs: dict) -> dict:
    return {name: as_numpy_has_it(x) for name, x in kwargs.items()}


def array_namespace(api_version: str | None) -> Any:
    """Return the module that has the functions of the array API standard."""
    if api_version is not None and api_version not in _VERSIONS:
        expected = f"one of {', '.join(_VERSIONS)}"
        raise ArgumentError(message("__array_namespace__", "api_version", expected, repr(api_version)))
    return sys.modules[__package__]


def context_named(device: Any) -> Context:
    """Return the context that a device means: "cpu", "gpu", "gpu(1)" or a context."""
    if isinstance(device, Context):
        return device
    kind, _, number = str(device).partition("(")
    if kind in ("cpu", "gpu") and (not number or number[:-1].isdigit()):
        return Context(kind, int(number[:-1]) if number else 0)
    raise ArgumentError(message("to_device", "device", "'cpu', 'gpu', 'gpu(1)' or a context", repr(device)))
