"""Typed attributes of operators: what an annotation accepts, from Python values and from MXNet's strings.

MXNet writes attributes as text (`"(2, 2)"`, `"True"`, `"None"`).  The readers here accept such text
and the Python values alike, and never evaluate it.
"""

import operator
import types
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np

from ..dtypes import DTYPES, code_of
from ..errors import ArgumentError, ArgumentTypeError, DTypeError, message

__all__ = ["Attribute", "Attributes", "Axes", "Axis", "Bounds", "DType", "Numbers", "Place", "Steps"]
__all__ += ["REQUIRED", "Shape"]

# Annotations that need more than a built-in type.  The text names the reader.
Shape = Annotated[tuple, "shape"]  # ints; one int stands for a tuple of one
Axes = Annotated[int | tuple | None, "axes"]  # None, an int or a tuple of ints
Axis = Annotated[int | None, "axis"]  # None or an int
Bounds = Annotated[tuple, "bounds"]  # ints or None, as slices have
Steps = Annotated[tuple | None, "steps"]  # None, or bounds
Numbers = Annotated[tuple, "numbers"]  # numbers; one stands for a tuple of one
DType = Annotated[np.dtype | None, "dtype"]
Place = Annotated[Any, "context"]  # a context, or its text

REQUIRED = type("REQUIRED", (), {"__repr__": lambda self: "required"})()


class Attributes(dict):
    """Values of all attributes of one use of an operator; `given` names those that the caller wrote."""

    __slots__ = ("given",)

    def __init__(self, values, given=()):
        dict.__init__(self, values)  # half the time of super()
        self.given = tuple(given)

    def __reduce__(self):
        return Attributes, (dict(self), self.given)


class Attribute:
    """One attribute of an operator: its name, its reader and its default."""

    __slots__ = ("annotation", "default", "expected", "name", "read")

    def __init__(self, name: str, annotation: Any, default: Any = REQUIRED):
        self.name = name
        self.annotation = annotation
        self.default = default
        self.read, self.expected = reader(annotation)

    @property
    def is_scalar(self) -> bool:
        """Whether the attribute is a run-time number of a pointwise body."""
        return self.annotation is float

    def parse(self, op: str, value: Any) -> Any:
        """Return the typed value of a Python value or of MXNet's text."""
        try:
            return self.read(value)
        except DTypeError:
            raise
        except TypeError:
            raise ArgumentTypeError(message(op, self.name, self.expected, repr(value))) from None
        except (ValueError, OverflowError):
            raise ArgumentError(message(op, self.name, self.expected, repr(value))) from None

    def format(self, value: Any) -> str:
        """Return the text that MXNet's files hold for a value."""
        if isinstance(value, np.dtype):
            return value.name
        if isinstance(value, tuple):
            return "(" + ", ".join(map(str, value)) + (",)" if len(value) == 1 else ")")
        return str(value)


def reader(annotation: Any) -> tuple[Any, str]:
    """Return the function that reads values of an annotation, and what it expects, in words."""
    if annotation in READERS:
        return READERS[annotation]
    if get_origin(annotation) is Annotated:
        return READERS[get_args(annotation)[1]]
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        names = ", ".join(repr(c) for c in choices)
        return (lambda value: read_choice(choices, value)), f"one of {names}"
    if isinstance(annotation, types.UnionType) and type(None) in get_args(annotation):
        inner, expected = reader(next(a for a in get_args(annotation) if a is not type(None)))
        return (lambda value: None if is_none(value) else inner(value)), f"{expected} or None"
    raise TypeError(f"no reader for attributes of type {annotation!r}")


def is_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in ("None", ""))


def read_int(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        return int(text[:-1] if text[-1:] == "L" else text)  # Python 2 wrote 3L
    return operator.index(value)


def read_float(value: Any) -> float:
    if isinstance(value, str):
        # An int stays one, so that a file is written back as it was read.
        return int(value) if len(value) < 16 and value.lstrip("-").isdecimal() else float(value)
    if isinstance(value, (bool, int, float, np.generic)):
        return value if isinstance(value, float) else value.item() if isinstance(value, np.generic) else value
    raise TypeError


def read_bool(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False, "none": False}.get(
            value.strip().lower()
        )
        if value is None:
            raise ValueError
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1)):
        return bool(value)
    if value is None:
        return False
    raise TypeError


def read_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def read_choice(choices: tuple, value: Any) -> Any:
    if value in choices:
        return value
    if is_none(value) and None in choices:
        return None
    for choice in choices:
        if isinstance(value, str) and isinstance(choice, int) and value == str(choice):
            return choice
    raise ValueError


def items(value: Any) -> list:
    """The entries of a tuple, given as one, as text in brackets, or as a single entry."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, (tuple, list, range, np.ndarray)) else [value]
    text = value.strip()
    if text[:1] in "([" and text[-1:] in ")]" and len(text) >= 2:
        text = text[1:-1]
    entries = text.split(",")
    if entries and not entries[-1].strip():
        entries.pop()
    return entries


def read_shape(value: Any) -> tuple:
    if value is None:
        raise TypeError
    return tuple([read_int(item) for item in items(value)])


def read_numbers(value: Any) -> tuple:
    if value is None:
        raise TypeError
    return tuple([float(read_float(item)) for item in items(value)])


def read_axes(value: Any) -> int | tuple | None:
    if is_none(value):
        return None
    plain = isinstance(value, str) and value.strip()[:1] not in ("(", "[")
    return read_int(value) if plain or isinstance(value, (int, np.integer)) else read_shape(value)


def read_axis(value: Any) -> int | None:
    return None if is_none(value) else read_int(value)


def read_bounds(value: Any) -> tuple:
    entries = [item.strip() if isinstance(item, str) else item for item in items(value)]
    return tuple([None if is_none(item) else read_int(item) for item in entries])


def read_steps(value: Any) -> tuple | None:
    return None if is_none(value) else read_bounds(value)


def read_dtype(value: Any) -> np.dtype | None:
    return None if is_none(value) else DTYPES[code_of(value)]


def read_context(value: Any) -> Any:
    return None if is_none(value) else value


READERS: dict[Any, tuple[Any, str]] = {
    int: (read_int, "an int"),
    float: (read_float, "a number"),
    bool: (read_bool, "True or False"),
    str: (read_text, "a str"),
    "shape": (read_shape, "an int or a tuple of ints"),
    "axes": (read_axes, "None, an int or a tuple of ints"),
    "axis": (read_axis, "an int or None"),
    "numbers": (read_numbers, "a number or a tuple of numbers"),
    "bounds": (read_bounds, "a tuple of ints or None"),
    "steps": (read_steps, "None, or a tuple of ints or None"),
    "dtype": (read_dtype, "a dtype"),
    "context": (read_context, "a context"),
}
