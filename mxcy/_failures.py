"""Exceptions, notes and warnings for what went wrong inside an operation."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable

from .errors import (
    ArgumentError,
    ArgumentTypeError,
    EngineError,
    OutOfMemory,
    copy_of,
    message,
    problem,
    wrap,
)

__all__ = [
    "bad_bound",
    "bad_lane",
    "bad_variable",
    "calling_place",
    "exception",
    "first_of",
    "fp_mask",
    "out_of_memory",
    "print_unseen",
    "refused",
    "report_fp",
    "selected_engine",
    "with_note",
    "wrapped",
]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep

Place = tuple[str, int, str] | None  # file, line, function

# FailureKind of native/op.hpp -> the class that NumPy raises.
_CLASSES: dict[int, type[Exception]] = {
    1: ValueError,
    2: TypeError,
    3: IndexError,
    4: MemoryError,
    5: FloatingPointError,
    6: RuntimeError,
    7: ZeroDivisionError,
    8: OverflowError,
}

# Flag, position in NumPy's error mask, key of errstate, and text.
_FP_FLAGS = (
    (1, 0, "divide", "divide by zero"),
    (2, 3, "over", "overflow"),
    (4, 6, "under", "underflow"),
    (8, 9, "invalid", "invalid value"),
)
NOTE = "\x1f"  # between the text of a failure and what is a note of the exception (native/segment.hpp)
_FP_ACTIONS = ("ignore", "warn", "raise", "call", "print", "log")

wrapped = wrap


def exception(kind: int, text: str) -> BaseException:
    """Return the exception for a failed kernel: of NumPy's class and ours."""
    text, _, note = text.partition(NOTE)
    error = OutOfMemory(text) if kind == 4 else wrap(_CLASSES.get(kind, RuntimeError)(text))
    if note:
        error.add_note(note)
    return error


def with_note(error: BaseException, operation: str, place: Place) -> BaseException:
    """Return a copy of an exception that names the operation, and the line that pushed it.

    The variable keeps the exception itself. If that were raised, it would hold the frames of its readers,
    and so the array that holds the variable: a circle that no collector sees.
    """
    error = copy_of(error)
    note = f"in operation '{operation}'"
    if place:
        note += f', pushed by "{place[0]}", line {place[1]}, in {place[2]}'
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return error


def calling_place() -> Place:
    """Return the innermost line outside this package."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname


def first_of(errors: list[BaseException]) -> BaseException:
    """Return the first error; its notes tell of the others."""
    first, *others = errors
    for other in others[:10]:
        first.add_note(f"also failed: {_in_one_line(other)}")
    if len(others) > 10:
        first.add_note(f"and {len(others) - 10} more")
    return first


def _in_one_line(error: BaseException) -> str:
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("in operation")]
    return "; ".join([f"{type(error).__name__}: {error}", *notes])


def print_unseen(error: BaseException) -> None:
    """Print an error that no wait has raised, when the program ends."""
    print("mxcy: an operation failed and its result was never read:", file=sys.stderr)
    traceback.print_exception(error)


def fp_mask(state: dict) -> tuple[int, object]:
    """Return NumPy's error mask of an errstate, and its function or log object."""
    mask = 0
    for _, shift, key, _ in _FP_FLAGS:
        mask |= _FP_ACTIONS.index(state[key]) << shift
    return mask, state["call"]


def report_fp(operation: str, flags: int, mask: int, handler: object, place: Place) -> None:
    """Do what NumPy does about floating-point flags under an error mask."""
    for flag, shift, _, text in _FP_FLAGS:
        if flags & flag:
            _ACTIONS[(mask >> shift) & 7](f"{text} encountered in {operation}", text, flags, handler, place)


def _warn(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    if place is None:
        warnings.warn(sentence, RuntimeWarning, stacklevel=3)
        return
    # The line that pushed the operation, which may be far from the one that waits for it. With a registry
    # Python's filters show what a line warns of once, as they do for NumPy's warnings.
    registry = _SHOWN.setdefault(place[0], {})
    warnings.warn_explicit(sentence, RuntimeWarning, place[0], place[1], registry=registry)


def _raise(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    raise wrap(FloatingPointError(sentence))


def _call(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    if handler is None:
        raise wrap(NameError(f"python callback specified for {text} (in {sentence}) but no function found."))
    handler(text, flags)  # type: ignore[operator]


def _print(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    print(f"Warning: {sentence}", file=sys.stderr)


def _log(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    if handler is None:
        text = f"log specified for {text} (in {sentence}) but no object with write method found."
        raise wrap(NameError(text))
    handler.write(f"Warning: {sentence}\n")  # type: ignore[attr-defined]


def _ignore(sentence: str, text: str, flags: int, handler: object, place: Place) -> None:
    pass


_SHOWN: dict[str, dict] = {}  # of each file, what Python's filters have shown
_ACTIONS: tuple[Callable[[str, str, int, object, Place], None], ...] = (
    _ignore,
    _warn,
    _raise,
    _call,
    _print,
    _log,
)


def out_of_memory(nbytes: int) -> OutOfMemory:
    """Return the error for a buffer that the system does not give."""
    return OutOfMemory(message("allocate", None, "memory for an array", f"none for {nbytes:,} bytes"))


def refused(name: str, outcome: int) -> EngineError:
    """Return the error for a push or a wait that cannot come to an end; outcomes of native/engine.hpp."""
    return EngineError(problem(name, None, *_REFUSALS[outcome]))


_REFUSALS: dict[int, tuple[str, str | None]] = {
    3: (
        "writes a variable that the operation around it only reads",
        "name it among the writes of the outer operation",
    ),
    4: (
        "would wait for the end of the operation that calls it",
        "name the variable among what the outer operation uses",
    ),
    5: ("would wait for an operation that the exit of the program no longer waits for", None),
}


def bad_variable(argument: str, value: object) -> ArgumentTypeError:
    """Return the error for something else where the engine takes variables."""
    return ArgumentTypeError(message("engine", argument, "Var", type(value).__name__))


def bad_lane(lane: object) -> ArgumentError:
    """Return the error for a lane that does not exist."""
    return ArgumentError(message("push", "lane", "'cpu', 'io' or 'python'", repr(lane)))


def bad_bound(argument: str, value: object) -> ArgumentError:
    """Return the error for a bound that would let nothing run."""
    return ArgumentError(message("set_bound", argument, "at least 1", value))


def selected_engine() -> str:
    """Return the engine that the environment selects: by our variable, or else by MXNet's."""
    mxnets = "serial" if os.environ.get("MXNET_ENGINE_TYPE") == "NaiveEngine" else "threaded"
    name = os.environ.get("MXCY_ENGINE") or mxnets
    if name not in ("threaded", "serial"):
        raise EngineError(message("MXCY_ENGINE", None, "threaded or serial", name))
    return name
