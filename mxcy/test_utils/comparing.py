"""Assertions that arrays agree, with MXNet's tolerances for each dtype."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray

__all__ = [
    "almost_equal", "assert_allclose", "assert_almost_equal", "assert_almost_equal_ignore_nan",
    "assert_almost_equal_with_err", "checkShapes", "compare_ndarray_tuple", "default_atols",
    "default_numeric_eps", "default_rtols", "effective_dtype", "get_atol", "get_etol", "get_rtol",
    "get_tolerance", "get_tols", "locationError", "same", "same_array",
]  # fmt: skip

Tolerance = float | Mapping[np.dtype, float] | None

DOUBLE = np.dtype("float64")
_EXACT = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _table(half: float, single: float, double: float) -> dict[np.dtype, float]:
    """A tolerance by dtype; other dtypes have to agree exactly."""
    floats = {"float16": half, "float32": single, "float64": double}
    return {np.dtype(name): floats.get(name, 0.0) for name in (*floats, *_EXACT)}


def default_rtols() -> dict[np.dtype, float]:
    """Return relative tolerances by dtype."""
    return _table(1e-2, 1e-4, 1e-5)


def default_atols() -> dict[np.dtype, float]:
    """Return absolute tolerances by dtype."""
    return _table(1e-1, 1e-3, 1e-20)


def default_numeric_eps() -> dict[np.dtype, float]:
    """Return steps of finite differences by dtype, powers of two so that adding them loses no bits."""
    return {np.dtype("float16"): 2.0**-6, np.dtype("float32"): 2.0**-9, np.dtype("float64"): 2.0**-14}


def effective_dtype(dat: Any) -> np.dtype:
    """Return the dtype that decides the tolerance for an array."""
    return np.dtype(dat.dtype)


def get_tolerance(dat: Any, tol: Tolerance, default_tol: Mapping[np.dtype, float]) -> float:
    """Return the tolerance for an array: a number, that of a dict by dtype, or the default."""
    if isinstance(tol, numbers.Number):
        return tol  # type: ignore[return-value]
    dtype = effective_dtype(dat)
    given: Mapping = tol or {}  # type: ignore[assignment]
    return given.get(dtype, default_tol[dtype])


def get_tols(x: Any, y: Any, rtol: Tolerance, atol: Tolerance) -> tuple[float, float]:
    """Return the relative and the absolute tolerance for two arrays, of each the larger one."""
    pair = [np.array(value) if isinstance(value, numbers.Number) else value for value in (x, y)]
    return (
        max(get_tolerance(value, rtol, default_rtols()) for value in pair),
        max(get_tolerance(value, atol, default_atols()) for value in pair),
    )


def get_atol(atol: float | None = None, dtype: Any = DOUBLE) -> float:
    """Return an absolute tolerance, the default of a dtype for None."""
    return default_atols()[dtype] if atol is None else atol


def get_rtol(rtol: float | None = None, dtype: Any = DOUBLE) -> float:
    """Return a relative tolerance, the default of a dtype for None."""
    return default_rtols()[dtype] if rtol is None else rtol


def get_etol(etol: float | None = None) -> float:
    """Return the share of elements that may differ, none by default."""
    return 0 if etol is None else etol


def _numpy(x: Any) -> Any:
    return x.asnumpy() if isinstance(x, NDArray) else x


def same(a: Any, b: Any) -> bool:
    """Return whether two arrays have one shape and equal elements."""
    return np.array_equal(_numpy(a), _numpy(b))


def same_array(array1: NDArray, array2: NDArray) -> bool:
    """Return whether two arrays share their memory: what is written to one is in the other."""
    array1[:] += 1
    changed = same(array1, array2)
    array1[:] -= 1
    return changed and same(array1, array2)


def checkShapes(a: Any, b: Any) -> None:
    """Raise AssertionError unless two arrays have one shape."""
    if a.shape != b.shape:
        raise AssertionError(f"a.shape = {a.shape} and b.shape = {b.shape} are not equal")


def almost_equal(a: Any, b: Any, rtol: float | None = None, atol: float | None = None,
                 equal_nan: bool = False, use_broadcast: bool = True) -> bool:  # fmt: skip
    """Return whether |a - b| <= atol + rtol * |b| for all elements."""
    if not use_broadcast:
        checkShapes(a, b)
    return np.allclose(_numpy(a), _numpy(b), get_rtol(rtol), get_atol(atol), equal_nan)


def locationError(a: Any, b: Any, index: tuple, names: Sequence[str], maxError: bool = False) -> str:
    """Return the text that names the elements of two arrays at one place."""
    kind = "maximum error" if maxError else "error"
    return f"Location of {kind}: {index}, {names[0]}={a[index]:.8f}, {names[1]}={b[index]:.8f}"


def _violations(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    """How far each pair of elements exceeds the tolerance: more than 1 is too far.

    Tolerances of zero count as 1e-20, as in MXNet: errors then show numbers that can be read.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    with np.errstate(all="ignore"):
        found = np.abs(a - b) / (atol + rtol * np.abs(b) + 1e-20)
    found = np.where(a == b, 0.0, found)  # infinities of one sign agree
    nan = np.isnan(a) & np.isnan(b) if equal_nan else np.zeros(a.shape, bool)
    return np.where(nan, 0.0, np.where(np.isnan(found), np.inf, found))


def assert_almost_equal(a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None,
                        names: Sequence[str] = ("a", "b"), equal_nan: bool = False,
                        use_broadcast: bool = True,
                        mismatches: tuple[int, int] = (10, 10)) -> None:  # fmt: skip
    """Raise AssertionError, naming the worst elements, unless |a - b| <= atol + rtol * |b| for all elements.

    Parameters
    ----------
    rtol, atol : tolerances: numbers, dicts by dtype, or None for the defaults of the dtypes of a and b.
    names : what the error calls the arrays.
    equal_nan : whether NaN equals NaN.
    use_broadcast : whether arrays of different shapes may agree.
    mismatches : how many elements the error lists, and how many are counted.
    """
    if not use_broadcast:
        checkShapes(a, b)
    relative, absolute = get_tols(a, b, rtol, atol)
    x, y = np.asarray(_numpy(a)), np.asarray(_numpy(b))
    if x.dtype == y.dtype == np.bool_:
        np.testing.assert_equal(x, y)
        return
    if np.allclose(x, y, relative, absolute, equal_nan):
        return
    x, y = np.broadcast_arrays(x, y)
    found = _violations(x, y, relative, absolute, equal_nan)
    worst = np.argsort(found, axis=None)[::-1][: max(1, mismatches[0])]
    count = int((found > 1).sum())
    places = [tuple(int(i) for i in np.unravel_index(place, found.shape)) for place in worst]
    lines = [
        f"Error {found[places[0]]:f} exceeds tolerance rtol={relative:e}, atol={absolute:e} "
        f"(mismatch {100 * count / max(1, found.size):f}%).",
        locationError(x, y, places[0], names, maxError=True),
        *[
            f"  {found[place]:f} at {place}: {x[place]} {y[place]}"
            for place in places[1:]
            if found[place] > 1
        ],
    ]
    raise AssertionError("\n".join(lines))


def assert_allclose(a: Any, b: Any, rtol: float = 1e-7, atol: float = 0, equal_nan: bool = True) -> None:
    """Raise AssertionError unless the elements agree; NaN agrees with NaN."""
    assert_almost_equal(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def assert_almost_equal_with_err(a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None,
                                 etol: float | None = None, names: Sequence[str] = ("a", "b"),
                                 equal_nan: bool = False,
                                 mismatches: tuple[int, int] = (10, 10)) -> None:  # fmt: skip
    """Raise AssertionError if a larger share of the elements than `etol` differs."""
    allowed = get_etol(etol)
    if allowed > 0:
        relative, absolute = get_tols(a, b, rtol, atol)
        equals = np.isclose(_numpy(a), _numpy(b), relative, absolute, equal_nan)
        if 1 - np.count_nonzero(equals) / max(1, equals.size) <= allowed:
            return
    assert_almost_equal(a, b, rtol, atol, names, equal_nan, mismatches=mismatches)


def assert_almost_equal_ignore_nan(a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None,
                                   names: Sequence[str] = ("a", "b")) -> None:  # fmt: skip
    """Raise AssertionError unless the elements agree where neither is NaN."""
    x, y = np.copy(_numpy(a)), np.copy(_numpy(b))
    nan = np.isnan(x) | np.isnan(y)
    x[nan] = y[nan] = 0
    assert_almost_equal(x, y, rtol, atol, names)


def compare_ndarray_tuple(t1: Any, t2: Any, rtol: Tolerance = None, atol: Tolerance = None) -> None:
    """Raise AssertionError unless two arrays, or (nested) tuples of them, agree; None agrees with all."""
    if t1 is None or t2 is None:
        return
    if isinstance(t1, tuple):
        for a, b in zip(t1, t2, strict=False):
            compare_ndarray_tuple(a, b, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol=rtol, atol=atol)
