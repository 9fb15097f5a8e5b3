"""Functions of two operands, each an array, a symbol or a number: `nd.add(a, 2)`, `2 - x`, `a + b`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from ..errors import ArgumentTypeError, message
from ._attributes import Attributes
from ._call import special
from ._operator import Cache, Operator

__all__ = ["BinaryFunction"]

NUMBERS = (bool, int, float, np.generic)

_NUMBERS = Cache()  # attributes with a number, one object for each number: passes know them by their id


class BinaryFunction:
    """Chooses the operator for two operands by their kinds.

    `array` takes two arrays and broadcasts, its twin two symbols, `scalar` a tensor and a number,
    `reflected` (if it differs) a number and a tensor.  Two numbers are computed by Python.
    """

    def __init__(
        self, name: str, array: Any, scalar: Operator, reflected: Operator | None, numbers: Callable
    ):
        self.name = self.__name__ = self.__qualname__ = name
        self.__doc__ = array.__doc__
        self.__module__ = array.__module__
        self.array = array
        self.elemwise = array.elemwise
        self.scalar = scalar
        self.reflected = scalar if reflected is None else reflected
        self.numbers = numbers

    def __repr__(self) -> str:
        return f"<function {self.name}>"

    def __call__(
        self, lhs: Any = None, rhs: Any = None, out: Any = None, *, left: Any = None, right: Any = None
    ) -> Any:
        if lhs is None or rhs is None:  # MXNet's symbols name them otherwise
            lhs, rhs = left if lhs is None else lhs, right if rhs is None else rhs
        left = getattr(lhs, "_apply", None)
        # To find that a number has no such attribute takes as long as the rest of this.
        right = None if isinstance(rhs, NUMBERS) else getattr(rhs, "_apply", None)
        if left is not None and right is not None:
            first = special((lhs, rhs))
            if first is not None:
                return first._apply(self.array, (lhs, rhs), self.array._defaults, out, None)
            elemwise = not isinstance(lhs, Array) and getattr(lhs, "_arithmetic", None) == "elemwise"
            op = self.elemwise if elemwise else self.array
            return left(op, (lhs, rhs), op._defaults, out, None)
        if left is not None:
            return left(self.scalar, (lhs,), self._number("rhs", rhs, lhs), out, None)
        if right is not None:
            return right(self.reflected, (rhs,), self._number("lhs", lhs, rhs), out, None)
        self._number("lhs", lhs), self._number("rhs", rhs)
        return self.numbers(lhs, rhs)

    def _number(self, name: str, value: Any, tensor: Any = None) -> Attributes:
        """The attributes of an operator with this number; complex ones go with complex arrays only."""
        if type(value) in (int, float):
            known = _NUMBERS.get((type(value), value))
            if known is None:
                known = Attributes({"scalar": value, "is_int": True}, ("scalar",))
                if value:  # 0.0 and -0.0 are equal
                    _NUMBERS.add((type(value), value), known)
            return known
        if not isinstance(value, NUMBERS) or isinstance(value, np.complexfloating):
            complex_array = tensor is not None and "complex" in str(getattr(tensor, "dtype", ""))
            if not (isinstance(value, (complex, np.complexfloating)) and complex_array):
                expected = "an NDArray, a Symbol or a number"
                raise ArgumentTypeError(message(self.name, name, expected, type(value).__name__))
        if isinstance(value, np.generic):
            value = value.item()
        return Attributes({"scalar": value, "is_int": True}, ("scalar",))
