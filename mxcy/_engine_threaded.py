"""The threaded engine's Python interface (one list with `_engine_serial`), fork and exit."""

from __future__ import annotations

import atexit
import functools
import os
import sys
from collections.abc import Callable, Iterable

from . import _engine, _failures
from .errors import ArgumentTypeError, message

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

Var = _engine.Var

_LANES = {"cpu": 2, "io": 1, "python": 2}  # Lane of native/op.hpp; Python callables have their own worker
_LANE_NAMES = ("caller", "cpu", "io", "python", "wait")
_OVERWRITES, _SKIP_ERRORS = 2, 4  # OpFlags of native/op.hpp
_EXIT_SECONDS = 30.0  # how long the interpreter's exit waits for operations
_FORK_SECONDS = 60.0  # how long a fork does

_hook: Callable[[list[tuple]], object] | None = None


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
    """Call `fn()` when every variable in `reads` and `writes` is free for it.

    A ready one runs at once in the calling thread, others in the Python worker; `lane="io"` always takes
    one of the IO threads.  Larger `priority` runs first.  An exception is kept for all that `writes` names,
    and is raised here if the function ran here.  `overwrites`: the function replaces all of what it
    writes, so that an earlier error there is forgotten.  `skip_errors`: run although an input has failed.
    `nbytes`: memory that it holds until it is done.
    """
    if lane not in _LANES:
        raise _failures.bad_lane(lane)
    if not callable(fn):
        raise ArgumentTypeError(message("push", "fn", "a callable", type(fn).__name__))
    reads, writes = list(reads), list(writes)
    for argument, variables in (("reads", reads), ("writes", writes)):
        for var in variables:
            if not isinstance(var, Var):
                raise _failures.bad_variable(argument, var)
    label = str(name or getattr(fn, "__name__", "function"))
    flags = _OVERWRITES * overwrites | _SKIP_ERRORS * skip_errors
    _engine._push(fn, reads, writes, priority, _LANES[lane], label, nbytes, flags)


def wait(var: Var, for_write: bool = False) -> None:
    """Wait for the writes of a variable pushed so far (`for_write`: for the reads too); raise its error."""
    if not isinstance(var, Var):
        raise _failures.bad_variable("var", var)
    _engine._wait(var, for_write)


def waitall() -> None:
    """Wait for everything pushed so far, and raise the first error that nobody has seen."""
    _engine._wait(None, False)


def num_workers() -> int:
    """Threads that run operations: usable cores, or `MXCY_NUM_THREADS`."""
    return _engine._workers(False)


def io_threads(at_least: int = 0) -> int:
    """Return how many threads the IO lane may have, after raising that to a number."""
    return _engine._io_threads(at_least)


def set_bound(operations: int | None = None, nbytes: int | None = None) -> None:
    """Set how many operations, and bytes that they hold, may be in flight before `push` blocks."""
    for argument, value in (("operations", operations), ("nbytes", nbytes)):
        if value is not None and value < 1:
            raise _failures.bad_bound(argument, value)
    _engine._set_bounds(operations or 0, nbytes or 0)


def counters() -> dict[str, int]:
    """Return the operations and bytes in flight and the errors that nobody has seen."""
    return dict(zip(("operations", "nbytes", "unseen_errors"), _engine._counters(), strict=True))


def set_hook(function: Callable[[list[tuple]], object] | None) -> None:
    """Give `function` a list of (name, lane, thread, start_ns, end_ns) at each wait; None: stop.

    Times are those of `time.monotonic_ns`. The lane "wait" is that of threads that slept in a wait.
    """
    global _hook
    deliver_events(False)
    _hook = function
    _engine._take_events(function is not None)


def deliver_events(go_on: bool = True) -> None:
    """Hand the events recorded so far to the hook."""
    events = _engine._take_events(go_on)
    if _hook is not None and events:
        _hook([(name, _LANE_NAMES[lane + 1], *rest) for name, lane, *rest in events])


def start() -> None:
    """Start the worker threads, which otherwise start when there is something to do."""
    _engine._workers(True)


def stop() -> None:
    """Wait for everything and end the worker threads.  The next push starts them again."""
    waitall()
    _engine._stop(1000)


# --- fork and exit -------------------------------------------------------------------------------


def _before_fork() -> None:
    step = 1000
    for left in range(int(_FORK_SECONDS * 1000 / step), -1, -1):
        # Where it fails, another thread has started a Python operation before the GIL was back.
        if _engine._fork(step) or not left:
            return
        _engine._forked(False)


def _at_exit() -> None:
    step = 50
    try:
        for _ in range(int(_EXIT_SECONDS * 1000 / step)):
            if _engine._drain_for_exit(step):
                break
    except KeyboardInterrupt:
        pass  # leave now
    _engine._exit_threads()
    unfinished = _engine._counters()[0]
    if unfinished:
        print(f"mxcy: exit does not wait any longer for {unfinished} operations", file=sys.stderr)
    for error in _engine._take_unseen():
        _failures.print_unseen(error)


if _engine.engine() == "threaded":
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=functools.partial(_engine._forked, False),
        after_in_child=functools.partial(_engine._forked, True),
    )
    atexit.register(_at_exit)
