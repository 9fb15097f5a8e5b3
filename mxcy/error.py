"""`mx.error`: classes of errors by name, which programs extend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import MXNetError

__all__ = ["MXNetError", "register"]

ERRORS: dict[str, type] = {}  # by the name that was registered


def register(func_name: Any = None, cls: type | None = None) -> Any:
    """Enter a class of errors under a name, or under its own; without a class return a decorator.

    >>> @register
    ... class MyError(RuntimeError):
    ...     pass
    """
    if callable(func_name):
        func_name, cls = func_name.__name__, func_name

    def enter(found: type) -> type:
        ERRORS[func_name if isinstance(func_name, str) else found.__name__] = found
        return found

    decorator: Callable[[type], type] = enter
    return decorator if cls is None else enter(cls)


@register
class InternalError(MXNetError):
    """Something inside went wrong."""


for builtin in (ValueError, TypeError, AttributeError, IndexError, NotImplementedError):
    register(builtin)
