"""Python's operators for what stands for an array in a graph."""

from __future__ import annotations

from typing import Any

from .. import ops

__all__ = ["Arithmetic"]


class Arithmetic:
    """Number operators, made of the operators that arrays have.

    `_arithmetic` says whether an operand of unknown shape is taken to have the shape of the other one
    ("elemwise", MXNet's symbols), or may broadcast.
    """

    __slots__ = ()
    _arithmetic = "broadcast"
    _rules = "nd"
    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any):
        return ops.add(self, other)

    def __radd__(self, other: Any):
        return ops.add(other, self)

    def __sub__(self, other: Any):
        return ops.subtract(self, other)

    def __rsub__(self, other: Any):
        return ops.subtract(other, self)

    def __mul__(self, other: Any):
        return ops.multiply(self, other)

    def __rmul__(self, other: Any):
        return ops.multiply(other, self)

    def __truediv__(self, other: Any):
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any):
        return ops.divide(other, self)

    def __mod__(self, other: Any):
        return ops.modulo(self, other)

    def __rmod__(self, other: Any):
        return ops.modulo(other, self)

    def __pow__(self, other: Any):
        return ops.power(self, other)

    def __rpow__(self, other: Any):
        return ops.power(other, self)

    def __neg__(self):
        return ops.multiply(self, -1.0)

    def __abs__(self):
        return ops.abs(self)

    def __eq__(self, other: Any):
        return ops.equal(self, other)

    def __ne__(self, other: Any):
        return ops.not_equal(self, other)

    def __gt__(self, other: Any):
        return ops.greater(self, other)

    def __ge__(self, other: Any):
        return ops.greater_equal(self, other)

    def __lt__(self, other: Any):
        return ops.lesser(self, other)

    def __le__(self, other: Any):
        return ops.lesser_equal(self, other)
