"""Locks that a forked process finds free.

A fork copies the thread that forks, and the locks that others hold: nobody is left in the child to release
them. What they guard here are counts and dicts that are whole between any two steps of the interpreter, so
that the child may go on with them.
"""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["new_lock"]

_all: weakref.WeakSet = weakref.WeakSet()


def new_lock() -> threading.RLock:  # type: ignore[valid-type]  # a function, until Python 3.13
    """Return a new lock. Its holder may take it again: a destructor may run inside, at any allocation."""
    lock = threading.RLock()
    _all.add(lock)
    return lock


def _free_all() -> None:
    """In a forked process: only what the thread that forked holds is held."""
    for lock in list(_all):
        if not lock._is_owned():
            lock._at_fork_reinit()


os.register_at_fork(after_in_child=_free_all)
