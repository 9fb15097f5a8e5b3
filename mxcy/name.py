"""Names of nodes that the user did not name: `fullyconnected0`, `fullyconnected1`, `_plus0`."""

from __future__ import annotations

import threading
from typing import ClassVar

__all__ = ["NameManager", "Prefix", "current"]


class _ManagerType(type):
    """Gives `NameManager.current`, which belongs to the class."""

    @property
    def current(cls) -> NameManager:
        """The manager of the innermost `with` statement of this thread."""
        return _managers.stack[-1]

    @current.setter
    def current(cls, manager: NameManager) -> None:
        _managers.stack[-1] = manager


class NameManager(metaclass=_ManagerType):
    """Counts the names given for each hint. In a `with` statement it names what the thread makes.

    A subclass that overrides `get` changes the naming.

    >>> with NameManager() as names:
    ...     [names.get(None, "exp"), names.get("mine", "exp"), names.get(None, "exp")]
    ['exp0', 'mine', 'exp1']
    """

    _current: ClassVar[_Managers]  # programs set its `value` to begin with new names

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}

    def get(self, name: str | None, hint: str) -> str:
        """Return `name` if it is given, else the hint with the next number."""
        if name:
            return name
        count = self._counter.get(hint, 0)
        self._counter[hint] = count + 1
        return f"{hint}{count}"

    def __enter__(self) -> NameManager:
        _managers.stack.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _managers.stack.pop()


class Prefix(NameManager):
    """Puts a prefix before every name, given or not.

    >>> with Prefix("net_") as names:
    ...     [names.get("fc1", "fullyconnected"), names.get(None, "fullyconnected")]
    ['net_fc1', 'net_fullyconnected0']
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        """Return the prefix and the name."""
        return self._prefix + super().get(name, hint)


class _Managers(threading.local):
    def __init__(self) -> None:
        self.stack = [NameManager()]

    @property
    def value(self) -> NameManager:
        """The manager of the innermost `with` statement; setting it replaces it."""
        return self.stack[-1]

    @value.setter
    def value(self, manager: NameManager) -> None:
        self.stack[-1] = manager


_managers = NameManager._current = _Managers()


def current() -> NameManager:
    """Return the manager that names nodes in this thread."""
    return _managers.stack[-1]
