"""The engine's slow twin: every operation runs in the thread that pushes it, before `push` returns.

It keeps no queues, so it is the thing to compare with, and the thing to debug with (`MXCY_ENGINE=serial`).
The interface is that of `_engine`; tests hold both to one list.  What it shares with the other engine are
the rules: duplicates collapse, a variable that is read and written is written; the first error stays on
all that a failed operation writes; an operation with a failed input does not run but passes the error on.

Several threads may push.  A variable is free for one writer or many readers; a thread waits for its
variables until it has all of them, so nobody holds one while waiting for another.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from . import _failures
from ._engine import Var
from .errors import ArgumentTypeError, copy_of, message

__all__ = [
    "Var",
    "counters",
    "io_threads",
    "num_workers",
    "push",
    "set_bound",
    "set_hook",
    "start",
    "stop",
    "wait",
    "waitall",
]

_changed = threading.Condition()  # guards _reading and _writing
_reading: Counter[Var] = Counter()  # how many operations read a variable now
_writing: set[Var] = set()  # variables that an operation writes now
_own = threading.local()  # .held: variables of the operations that this thread is inside of
_hook: Callable | None = None
_events: list[tuple] = []


def push(
    fn: Callable[[], object],
    reads: Iterable[Var] = (),
    writes: Iterable[Var] = (),
    *,
    priority: int = 0,
    lane: str = "python",
    name: str | None = None,
    nbytes: int = 0,
    overwrites: bool = False,
    skip_errors: bool = False,
) -> None:
    """Call `fn()` now; keep what it raises for all that `writes` names, and raise it."""
    if lane not in ("cpu", "io", "python"):
        raise _failures.bad_lane(lane)
    if not callable(fn):
        raise ArgumentTypeError(message("push", "fn", "a callable", type(fn).__name__))
    label = str(name or getattr(fn, "__name__", "function"))
    reads, writes = _unique("reads", reads), _unique("writes", writes)
    inputs = reads if overwrites else [*reads, *writes]
    reads = [var for var in reads if var not in writes]
    held = _acquire(reads, writes)
    try:
        for var in writes:
            var._bump()
        failed = None if skip_errors else next((var for var in inputs if var.failed), None)
        if failed is None:
            _run(fn, writes, label, overwrites)
        else:
            _pass_on(failed, writes, overwrites)
    finally:
        _release(held)


def _run(fn: Callable[[], object], writes: list[Var], name: str, overwrites: bool) -> None:
    start, error = time.monotonic_ns(), None
    try:
        fn()
    except BaseException as raised:
        error = _failures.with_note(_failures.wrapped(raised), name, _failures.calling_place())
        kept = copy_of(error)
        kept.__traceback__ = None  # its frames, and their callers, hold what will hold the error
        for var in writes:
            if overwrites or not var.failed:
                var._fail(kept, name)
    finally:
        if _hook is not None:
            _events.append((name, "caller", threading.get_ident(), start, time.monotonic_ns()))
    if error is not None:
        raise error
    if overwrites:
        for var in writes:
            var._clear()


def _pass_on(failed: Var, writes: list[Var], overwrites: bool) -> None:
    for var in writes:
        if var is not failed and (overwrites or not var.failed):
            var._inherit(failed)


def _unique(argument: str, variables: Iterable[Var]) -> list[Var]:
    unique = list(dict.fromkeys(variables))
    for var in unique:
        if not isinstance(var, Var):
            raise _failures.bad_variable(argument, var)
    return unique


# --- one writer or many readers ------------------------------------------------------------------


def _held() -> Counter[Var]:
    if not hasattr(_own, "held"):
        _own.held = Counter()
    return _own.held


def _is_free(var: Var, for_write: bool) -> bool:
    return bool(_held()[var]) or (var not in _writing and not (for_write and _reading[var]))


def _acquire(reads: list[Var], writes: list[Var]) -> list[tuple[Var, bool]]:
    """Take what this thread does not hold already; returns it."""
    with _changed:
        while not all(_is_free(v, False) for v in reads) or not all(_is_free(v, True) for v in writes):
            _changed.wait()
        wanted = [*((var, False) for var in reads), *((var, True) for var in writes)]
        held = [(var, write) for var, write in wanted if not _held()[var]]
        for var, write in held:
            _held()[var] += 1
            var._enter(write)
            if write:
                _writing.add(var)
            else:
                _reading[var] += 1
    return held


def _release(held: list[tuple[Var, bool]]) -> None:
    with _changed:
        for var, write in held:
            del _held()[var]
            var._leave(write)
            if write:
                _writing.remove(var)
            else:
                _reading[var] -= 1
                if not _reading[var]:
                    del _reading[var]
        _changed.notify_all()


# --- waiting -------------------------------------------------------------------------------------


def wait(var: Var, for_write: bool = False) -> None:
    """Wait for an operation of another thread on the variable; raise the variable's error."""
    with _changed:
        _changed.wait_for(lambda: _is_free(var, for_write))
    _deliver_events()
    var._raise()


def waitall() -> None:
    """Wait for the operations of other threads.  Their errors have been raised where they were pushed."""
    with _changed:
        _changed.wait_for(lambda: not (_reading or _writing) or bool(_held()))
    _deliver_events()


# --- the rest of the interface -------------------------------------------------------------------


def num_workers() -> int:
    """One: the calling thread."""
    return 1


def io_threads(at_least: int = 0) -> int:
    """One: the calling thread."""
    return 1


def set_bound(operations: int | None = None, nbytes: int | None = None) -> None:
    """Check the bounds.  Nothing is ever in flight here."""
    for argument, value in (("operations", operations), ("nbytes", nbytes)):
        if value is not None and value < 1:
            raise _failures.bad_bound(argument, value)


def counters() -> dict[str, int]:
    """Return the operations and bytes in flight and the errors that nobody has seen: none."""
    return {"operations": 0, "nbytes": 0, "unseen_errors": 0}


def set_hook(function: Callable[[list[tuple]], object] | None) -> None:
    """Give `function` a list of (name, lane, thread, start_ns, end_ns) at each wait; None: stop."""
    global _hook
    _deliver_events()
    _hook = function


def _deliver_events() -> None:
    if _hook is not None and _events:
        events = _events[:]
        _events.clear()
        _hook(events)


def start() -> None:
    """There is nothing to start."""


def stop() -> None:
    """Wait for the operations of other threads."""
    waitall()


def _after_fork() -> None:
    """In a forked process: the other threads, and what they held, are gone."""
    global _changed
    _changed = threading.Condition()
    mine = _held()
    for var in [var for var in _writing if not mine[var]]:
        _writing.remove(var)
        var._leave(True)
    for var, count in list(_reading.items()):
        for _ in range(count - mine[var]):
            var._leave(False)
        if mine[var]:
            _reading[var] = mine[var]
        else:
            del _reading[var]


os.register_at_fork(after_in_child=_after_fork)
