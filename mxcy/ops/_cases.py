"""Test rows of operators: which inputs and attributes an operator is tried on, and which it refuses.

Rows are plain data, drawn by the tests; the package itself never makes the arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Case", "Draw", "case", "given", "integers", "raises", "special", "uniform"]


class Draw(NamedTuple):
    """How to draw one input array."""

    shape: tuple
    low: float = -2.0
    high: float = 2.0
    avoid: tuple = ()  # points where the derivative does not exist
    dtype: str | None = None  # None: the dtype under test
    values: Any = None  # exact values instead of random ones
    distinct: bool = False  # no two values closer than the steps of numerical gradients
    constant: bool = False  # no gradient is declared for it

    def make(self, rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        """Return a random array as described."""
        dtype = np.dtype(self.dtype) if self.dtype else dtype
        if self.values is not None:
            return np.array(self.values).astype(dtype)
        if dtype.kind == "b":
            return rng.integers(0, 2, self.shape).astype(bool)
        if dtype.kind in "iu":
            low, high = int(np.ceil(self.low)), int(np.floor(self.high))
            if dtype.kind == "u":
                low, high = (-high, -low) if high < 0 else (max(low, 0), high)
            return rng.integers(low, max(high, low) + 1, self.shape).astype(dtype)
        if self.distinct:
            size = int(np.prod(self.shape))
            steps = rng.permutation(size) + rng.uniform(0.2, 0.8, size)
            return (
                (self.low + steps * (self.high - self.low) / max(size, 1)).reshape(self.shape).astype(dtype)
            )
        drawn = rng.uniform(self.low, self.high, self.shape)
        for point in self.avoid:
            drawn = np.where(np.abs(drawn - point) < 0.05, point + 0.1, drawn)
        if dtype.kind == "c":
            drawn = drawn + 1j * rng.uniform(self.low, self.high, self.shape)
        return drawn.astype(dtype)


class Case(NamedTuple):
    """One use of an operator: inputs, attributes and, for error rows, what is raised."""

    inputs: tuple
    attributes: dict
    error: type | None = None
    match: str = ""


def uniform(
    *shape: int,
    low: float = -2.0,
    high: float = 2.0,
    avoid: tuple = (),
    distinct: bool = False,
    dtype: str | None = None,
) -> Draw:
    """An array of uniform random numbers (integers between the bounds for integer dtypes)."""
    return Draw(shape, low, high, avoid, dtype, None, distinct)


def integers(*shape: int, low: int = 0, high: int = 5, dtype: str | None = "int32") -> Draw:
    """An array of random integers from low to high - 1, whatever the dtype under test."""
    return Draw(shape, low, high - 1, (), dtype) if dtype else Draw(shape, low, high - 1, (), "float64")


def given(values: Any, dtype: str | None = None, constant: bool = False) -> Draw:
    """An array of exactly these values."""
    return Draw(np.shape(values), dtype=dtype, values=values, constant=constant)


def case(*inputs: Draw, **attributes: Any) -> Case:
    """A use that works."""
    return Case(inputs, attributes)


def raises(error: type, *inputs: Draw, match: str, **attributes: Any) -> Case:
    """A use that raises `error` with a text that contains `match`."""
    return Case(inputs, attributes, error, match)


class Special:
    """`special.erf(x)` in references: scipy.special, imported when a reference is evaluated."""

    def __getattr__(self, name: str) -> Any:
        import scipy.special

        return getattr(scipy.special, name)


special = Special()
