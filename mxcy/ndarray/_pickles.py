"""Reader of pickles with MXNet's arrays in them.

A pickle is a program. This reader runs only what builds values: numbers, texts, dicts, lists, tuples and
arrays. No name in a pickle is ever looked up: what MXNet and Python 2 and 3 write for these values has a
stand-in here. None of the stand-ins can be changed from inside a pickle.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Reader", "StandIn", "begins", "plain"]

LIST_MAGIC = 0x112
ARRAYS = {"NDArray", "ndarray", "RowSparseNDArray", "CSRNDArray"}
NUMBERS = "?bBhHiIlLqQefdg"


def begins(head: bytes) -> bool:
    """Whether these first bytes of a file are those of a pickle (of protocol 2 or later)."""
    return head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}


class StandIn:
    """What stands for a class or a function that a pickle names."""

    def __setstate__(self, state: Any) -> None:
        # Without this a pickle could set attributes of the class itself.
        raise pickle.UnpicklingError(f"a state for {type(self).__name__}")


class PickledArray(StandIn):
    """An array as the bytes that a file has of it."""

    def __init__(self, *_: Any):
        self.content: bytes | None = None

    def __setstate__(self, state: Any) -> None:
        if state["handle"] is not None:
            self.content = bytes(state["handle"])

    def framed(self) -> bytes:
        """The bytes of a file with this array alone."""
        return struct.pack("<QQQ", LIST_MAGIC, 0, 1) + (self.content or b"") + struct.pack("<Q", 0)


class Encoded(StandIn):
    """`codecs.encode`, by which protocols before 3 write bytes."""

    def __new__(cls, text: str, coding: str) -> Any:
        """Return the bytes of a text in Latin-1."""
        if coding not in {"latin1", "latin-1"}:
            raise pickle.UnpicklingError(f"bytes in {coding!r}")
        return text.encode("latin-1")


class Bytes(StandIn):
    """`bytearray`, of bytes, or of a text and its coding as Python 2 wrote it."""

    def __new__(cls, content: Any = b"", coding: str = "latin-1") -> Any:
        """Return the bytes."""
        return bytearray(Encoded(content, coding) if isinstance(content, str) else bytes(memoryview(content)))


class Rebuilt(StandIn):
    """`copyreg._reconstructor`, by which protocols before 2 make objects."""

    def __new__(cls, kind: Any, base: Any, state: Any) -> Any:
        """Return a stand-in of this kind."""
        if not (isinstance(kind, type) and issubclass(kind, StandIn)):
            raise pickle.UnpicklingError(f"an object of {kind!r}")
        return kind()


class Base(StandIn):
    """`object`, as `Rebuilt` gets it."""


class Type(StandIn):
    """`numpy.dtype` of one number."""

    def __init__(self, code: str, *_: Any):
        self.dtype = np.dtype(code)
        if self.dtype.char not in NUMBERS:
            raise pickle.UnpicklingError(f"numbers of {code!r}")

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder("=" if state[1] == "|" else state[1])


class Number(StandIn):
    """One number of NumPy, which becomes Python's."""

    def __new__(cls, kind: Type, content: Any) -> Any:
        """Return the number."""
        content = content.encode("latin-1") if isinstance(content, str) else content
        return np.frombuffer(content, kind.dtype, 1)[0].item()


NAMES = {
    ("builtins", "bytearray"): Bytes,
    ("builtins", "object"): Base,
    ("_codecs", "encode"): Encoded,
    ("copyreg", "_reconstructor"): Rebuilt,
    ("numpy", "dtype"): Type,
    ("numpy.core.multiarray", "scalar"): Number,
    ("numpy._core.multiarray", "scalar"): Number,
}


class Reader(pickle.Unpickler):
    """An unpickler that knows the names of arrays and numbers and no others."""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="latin-1")

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or a function."""
        if module.startswith("mxnet.") and name in ARRAYS:
            return PickledArray
        # Python 2 called some modules otherwise; later protocols may have those names too.
        old = {"__builtin__": "builtins", "copy_reg": "copyreg"}
        if (stand_in := NAMES.get((old.get(module, module), name))) is not None:
            return stand_in
        return self.unknown(module, name)

    def unknown(self, module: str, name: str) -> Any:
        """Return what stands for a name not known here; raise UnpicklingError if nothing does."""
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def plain(value: Any, array: Callable[[bytes], Any], others: tuple = ()) -> Any:
    """A value with arrays in place of what stood for them; raise TypeError for anything else.

    Parameters
    ----------
    array : makes an array of the bytes of a file with it alone.
    others : classes of values that may be there too, and stay as they are.
    """
    if isinstance(value, PickledArray):
        return None if value.content is None else array(value.framed())
    if isinstance(value, dict):
        return {key: plain(item, array, others) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item, array, others) for item in value)
    if value is None or isinstance(value, (bool, int, float, str, *others)):
        return value
    raise TypeError(f"{type(value).__name__} is not among the values of such a file")
