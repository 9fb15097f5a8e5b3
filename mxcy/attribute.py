"""Attributes that every symbol made in a block gets: `with AttrScope(ctx_group="first"): ...`."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import ClassVar

from .errors import ArgumentError, message

__all__ = ["AttrScope", "current"]


class _ScopeType(type):
    """Gives `AttrScope.current`, which belongs to the class."""

    @property
    def current(cls) -> AttrScope:
        """The scope of the innermost `with` statement of this thread."""
        return _scopes.stack[-1]

    @current.setter
    def current(cls, scope: AttrScope) -> None:
        _scopes.stack[-1] = scope


class AttrScope(metaclass=_ScopeType):
    """Attributes, all strings, of the symbols made in a `with` statement. Inner scopes add and replace.

    >>> with AttrScope(group="4"), AttrScope(data="great") as scope:
    ...     scope.get({"data": "mine"})
    {'group': '4', 'data': 'mine'}
    """

    _subgraph_names: defaultdict[str, int] = defaultdict(int)  # how many scopes of bodies had each name

    _current: ClassVar[_Scopes]  # programs set its `value`

    def __init__(self, **attributes: str) -> None:
        for name, value in attributes.items():
            if not isinstance(value, str):
                raise ArgumentError(message("AttrScope", name, "a string", repr(value)))
        self._given = attributes
        self._attr = attributes
        self._outer: list[dict[str, str]] = []

    def get(self, attr: dict[str, str] | None) -> dict[str, str]:
        """Return the scope's attributes, updated by those given for one symbol."""
        return {**self._attr, **(attr or {})}

    def __enter__(self) -> AttrScope:
        self._outer.append(self._attr)
        self._attr = {**_scopes.stack[-1]._attr, **self._given}
        _scopes.stack.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _scopes.stack.pop()
        self._attr = self._outer.pop()


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack = [AttrScope()]

    @property
    def value(self) -> AttrScope:
        """The scope of the innermost `with` statement; setting it replaces it."""
        return self.stack[-1]

    @value.setter
    def value(self, scope: AttrScope) -> None:
        self.stack[-1] = scope


_scopes = AttrScope._current = _Scopes()


def current() -> AttrScope:
    """Return the scope that symbols made in this thread get attributes from."""
    return _scopes.stack[-1]
