"""Every error that mxcy raises, and the one form of their messages.

A program written for MXNet catches `MXNetError`; one written for NumPy catches the class that NumPy
raises in the same place. So each class here is both. An exception that comes from elsewhere (a user's
function, NumPy called inside an operation) becomes both by `wrap`.

Messages read `op(argument): expected <what>, got <value>; <what to do>`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from numpy.exceptions import AxisError as NumpyAxisError

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "ArrayIndexError",
    "AssertedArgumentError",
    "AxisError",
    "BindError",
    "DTypeError",
    "EngineError",
    "FormatError",
    "MXNetError",
    "NonFiniteError",
    "NotImplementedForSymbol",
    "OperandTypeError",
    "OutOfMemory",
    "ShapeError",
    "StateError",
    "UnknownAttributeError",
    "closest",
    "copy_of",
    "message",
    "problem",
    "unknown_attribute",
    "wrap",
]


class MXNetError(RuntimeError):
    """Base class of all errors of mxcy, under the name that MXNet programs catch."""


class ShapeError(MXNetError, ValueError):
    """Shapes that do not fit together, or that an operator does not take."""


class DTypeError(MXNetError, TypeError):
    """A dtype that an operator does not take."""


class ArgumentError(MXNetError, ValueError):
    """An argument of the right type with a value outside its range."""


class ArgumentTypeError(MXNetError, TypeError):
    """An argument of a type that a function does not take."""


class AssertedArgumentError(ArgumentError, AssertionError):
    """An argument that MXNet checks by an assertion."""


class OperandTypeError(ArgumentTypeError, AssertionError):
    """An operand that is no array and no symbol, which MXNet finds by an assertion."""


class UnknownAttributeError(MXNetError, TypeError):
    """A keyword that an operator does not have."""


class ArrayIndexError(MXNetError, IndexError):
    """An index out of range, or of a kind that does not index."""


class AxisError(NumpyAxisError, MXNetError):
    """An axis out of range. The text is complete; `axis` and `ndim` are for programs."""

    def __init__(self, text: str, axis: int | None = None, ndim: int | None = None):
        super().__init__(text)  # type: ignore[call-overload]
        self.axis = axis
        self.ndim = ndim

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self):
        return AxisError, (self.args[0], self.axis, self.ndim), self.__dict__


class BindError(MXNetError, ValueError):
    """A graph that cannot be bound to the arrays given."""


class EngineError(MXNetError):
    """The engine was used in a way that it does not allow."""


class OutOfMemory(MXNetError, MemoryError):
    """A buffer that could not be allocated."""


class StateError(MXNetError, AssertionError):
    """A call that comes too early: before `bind`, `init_params` or the like. MXNet asserts these."""


class NonFiniteError(MXNetError, FloatingPointError):
    """A value that must be finite is NaN or infinite."""


class FormatError(MXNetError, ValueError):
    """A file or a message that is not what it claims to be."""


class NotImplementedForSymbol(MXNetError, NotImplementedError):
    """A method of arrays that has no meaning for a symbol, which holds no values."""

    def __init__(self, function, alias: str | None = None, *args: object):
        name = getattr(function, "__name__", str(function))
        also = f" ({alias})" if alias else ""
        types = f" with arguments of type {', '.join(type(a).__name__ for a in args)}" if args else ""
        super().__init__(f"{name}{also}{types}: not implemented for Symbol, only for NDArray")

    def __reduce__(self):
        return _rebuild, (NotImplementedForSymbol, self.args, self.__dict__)


def problem(op: str, argument: str | None, text: str, hint: str | None = None) -> str:
    """Return `op(argument): text; hint`, for what is not a matter of expected and got."""
    place = f"{op}({argument})" if argument else op
    return f"{place}: {text}; {hint}" if hint else f"{place}: {text}"


def message(op: str, argument: str | None, expected: object, got: object, hint: str | None = None) -> str:
    """Return `op(argument): expected ..., got ...; hint`.

    >>> message("FullyConnected", "weight", "shape (64, 784)", (784, 64), "transpose it")
    'FullyConnected(weight): expected shape (64, 784), got (784, 64); transpose it'
    """
    return problem(op, argument, f"expected {expected}, got {got}", hint)


def closest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """Return the candidates most like a name, best first, if any are like it.

    >>> closest("num_hiden", ["no_bias", "num_hidden", "flatten"])
    ['num_hidden']
    """
    import difflib  # with what it imports, a tenth of the time that the package takes

    return difflib.get_close_matches(name, list(candidates), count, 0.6)


def unknown_attribute(op: str, name: str, known: Iterable[str]) -> UnknownAttributeError:
    """Return the error for a keyword that an operator does not have, naming the closest that it has."""
    known = list(known)
    near = closest(name, known)
    expected = f"one of {', '.join(known)}" if known else "no attributes"
    hint = f"did you mean {' or '.join(near)}?" if near else None
    return UnknownAttributeError(message(op, name, expected, repr(name), hint))


def wrap(error: BaseException) -> BaseException:
    """Return an exception that is both an `MXNetError` and of the error's own class.

    Arguments, attributes, notes, traceback, cause and context are kept. An error that is both already,
    one that is no `Exception` (`KeyboardInterrupt`), and one whose class cannot be a base with ours
    come back unchanged.
    """
    if isinstance(error, MXNetError) or not isinstance(error, Exception):
        return error
    cls: Any = type(error)
    both = _both(cls)
    return error if both is None else _as(both, error)


def copy_of(error: BaseException) -> BaseException:
    """Return an equal exception, with the notes and traceback that this one has now.

    Whoever keeps an exception and raises it more than once raises copies: each raise adds the frames that it
    passes, with all that they hold. An exception that cannot be made again comes back itself.
    """
    try:
        new = _as(type(error), error)
    except Exception:  # whatever the constructor of its class, or one of its attributes, says
        return error
    if "__notes__" in new.__dict__:
        new.__notes__ = list(new.__notes__)
    return new


def _as(cls: type, error: BaseException) -> BaseException:
    """An exception of another class, equal otherwise."""
    new = _new(cls, error.args)
    _restore(new, _fields(error) | error.__dict__)
    new.__traceback__ = error.__traceback__
    new.__context__ = error.__context__
    new.__cause__ = error.__cause__
    new.__suppress_context__ = error.__suppress_context__
    return new


@functools.lru_cache(maxsize=256)
def _both(cls: Any) -> type[MXNetError] | None:
    """The class that is both, under the name of the original, so that a traceback reads as usual."""
    if issubclass(MXNetError, cls):
        return MXNetError
    space = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__reduce__": _reduce,
    }
    try:
        return type(cls)(cls.__name__, (cls, MXNetError), space)
    except TypeError:
        return None


def _new(cls: type, args: tuple) -> BaseException:
    """An instance with these arguments, made without the constructors of classes written in Python.

    Theirs may take other arguments than those they stored. Those of built-in classes fill fields that
    `args` implies (`OSError.errno`, `UnicodeError.start`).
    """
    native = next(base for base in cls.__mro__ if base.__flags__ & _IMMUTABLE)
    new = native.__new__(cls, *args)
    try:
        native.__init__(new, *args)  # type: ignore[misc]
    except TypeError:
        pass
    new.args = args
    return new


_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: classes written in C


def _fields(error: BaseException) -> dict[str, object]:
    """What an exception holds outside `args` and `__dict__`."""
    of_builtins = ("name", "path", "obj", "filename", "filename2")  # set to None they would be printed
    values = {name: getattr(error, name, None) for name in of_builtins}
    values = {name: value for name, value in values.items() if value is not None}
    for base in type(error).__mro__:
        slots = base.__dict__.get("__slots__", ())
        slots = (slots,) if isinstance(slots, str) else slots
        values.update((name, getattr(error, name)) for name in slots if hasattr(error, name))
    return values


def _reduce(error: BaseException):
    """Pickle a class made by `_both` as its original class, which can be found by name."""
    fields = _fields(error)
    fields.pop("obj", None)  # any object at all; the standard library leaves it behind as well
    return _rebuild, (type(error).__bases__[0], error.args, fields | error.__dict__)


def _restore(error: BaseException, state: dict[str, object]) -> None:
    for name, value in state.items():
        try:
            setattr(error, name, value)
        except AttributeError:
            pass  # a property that its class computes


def _rebuild(cls: Any, args: tuple, state: dict[str, object]) -> BaseException:
    both = cls if issubclass(cls, MXNetError) else _both(cls)
    new = _new(both or cls, args)
    _restore(new, state)
    return new
