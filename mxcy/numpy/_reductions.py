"""Sums and their relatives, by the machine's reductions; rare forms (`where=`) by NumPy over our memory."""

from __future__ import annotations

import builtins
import math
from functools import partial
from typing import Any

import numpy as _np

from .._array import Array
from .._pointwise import compile_program
from .._reduce import accumulate, arg_reduce, reduce
from ..dtypes import DTYPES, code_of
from . import _small
from ._calls import as_array
from ._functions import Through, own, with_small
from ._order import order_of
from ._ufuncs import add, maximum, minimum, multiply, sqrt

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumprod", "cumsum", "max", "mean", "min", "prod",
    "std", "sum", "var",
]  # fmt: skip

_NOTHING: Any = _np._NoValue
_FLOAT64 = code_of(_np.float64)
_FLOATS = (code_of(_np.float32), _FLOAT64)
FEW = 4096  # elements of an array that is computed with at once
_THROUGH = {
    name: Through(getattr(_np, name))
    for name in [
        "all",
        "any",
        "argmax",
        "argmin",
        "cumprod",
        "cumsum",
        "max",
        "mean",
        "min",
        "prod",
        "std",
        "sum",
        "var",
    ]
}


def _given(**options: Any) -> dict:
    """The keywords that were given."""
    return {name: x for name, x in options.items() if x is not _NOTHING}


def _plain(x: Any, dtype: Any, out: Any, where: Any) -> bool:
    """Whether the machine's reduction does it."""
    if dtype is not None:
        dtype = _np.dtype(dtype)
        if dtype not in DTYPES or (x.dtype.kind == "c" and dtype.kind != "c"):  # of which NumPy warns
            return False
    return (where is _NOTHING or where is True) and (
        out is None or (isinstance(out, Array) and not out._readonly)
    )


def _reduced(name: str, ufunc: Any, a: Any, axis: Any, dtype: Any, out: Any, keepdims: Any, initial: Any,
             where: Any) -> Any:  # fmt: skip
    a = as_array(a)
    keep = False if keepdims is _NOTHING else keepdims
    start = None if initial is _NOTHING else initial
    if (
        a.size
        and (a.ndim or axis is None)
        and _plain(a, dtype, out, where)
        and (start is None or type(start) in (int, float))
        and axis != ()
    ):
        if out is None:
            return _laid_out(partial(reduce, ufunc, dtype=dtype, initial=start), a, axis, keep)
        if dtype is None and out.dtype == _result_dtype(ufunc, a.dtype) and out.ndim == _left(a, axis, keep):
            reduce(ufunc, a, axis, keep, dtype, out=out, initial=start)
            out._wrote()
            return out
    options = _given(axis=axis, out=out, keepdims=keep, where=where, initial=initial)
    if dtype is not None:
        options["dtype"] = dtype
    return _THROUGH[name](a, **options)


def _left(a: Any, axis: Any, keep: bool) -> int:
    """How many axes a result has."""
    if keep:
        return a.ndim
    return 0 if axis is None else a.ndim - (len(axis) if isinstance(axis, (tuple, list)) else 1)


def _places(a: Any, axis: Any) -> Any:
    """The order in which NumPy lays out the axes of results, and the places in it of those to reduce.

    None where the order is that of C, or for axes with which something is wrong.
    """
    order = None if a._c_contiguous or axis is None else order_of(a)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    if order is None or not builtins.all(type(i) is int and -a.ndim <= i < a.ndim for i in axes):
        return None
    return order, tuple([order.index(i % a.ndim) for i in axes])


def _laid_out(function: Any, a: Any, axis: Any, keep: bool) -> Any:
    """`function(a, axis, keep)`, a reduction, with the axes of the result in memory as NumPy has them."""
    found = _places(a, axis)
    if found is None:
        return function(a, axis, keep)
    order, axes = found
    made = function(a._transpose_view(order), axes, keep)
    left = order if keep else [n for i, n in enumerate(order) if i not in axes]
    ranks = sorted(left)
    return made if left == ranks else made._transpose_view([left.index(n) for n in ranks])


def _result_dtype(ufunc: Any, dtype: Any) -> Any:
    if ufunc in (_np.logical_and, _np.logical_or):
        return _np.dtype(bool)
    if ufunc in (_np.add, _np.multiply) and dtype.kind in "biu" and dtype.itemsize < 8:
        return _np.dtype(_np.uint64 if dtype.kind == "u" else _np.int64)
    return dtype


@with_small(partial(_small.reduce, _small.NAMES.index("sum")), along=True, few=_THROUGH["sum"])
def sum(a, axis=None, dtype=None, out=None, keepdims=_NOTHING, initial=_NOTHING, where=_NOTHING):
    """Sum of the elements along axes (all of them by default); integers shorter than 64 bits are widened."""
    return _reduced("sum", _np.add, a, axis, dtype, out, keepdims, initial, where)


@with_small(partial(_small.reduce, _small.NAMES.index("prod")), along=True, few=_THROUGH["prod"])
def prod(a, axis=None, dtype=None, out=None, keepdims=_NOTHING, initial=_NOTHING, where=_NOTHING):
    """Product of the elements along axes; integers shorter than 64 bits are widened."""
    return _reduced("prod", _np.multiply, a, axis, dtype, out, keepdims, initial, where)


@with_small(partial(_small.reduce, _small.NAMES.index("max")), along=True, few=_THROUGH["max"])
def max(a, axis=None, out=None, keepdims=_NOTHING, initial=_NOTHING, where=_NOTHING):
    """Largest element along axes; NaN if there is one."""
    return _reduced("max", _np.maximum, a, axis, None, out, keepdims, initial, where)


@with_small(partial(_small.reduce, _small.NAMES.index("min")), along=True, few=_THROUGH["min"])
def min(a, axis=None, out=None, keepdims=_NOTHING, initial=_NOTHING, where=_NOTHING):
    """Smallest element along axes; NaN if there is one."""
    return _reduced("min", _np.minimum, a, axis, None, out, keepdims, initial, where)


amax = max
amin = min


@with_small(partial(_small.reduce, _small.NAMES.index("any")), along=True, few=_THROUGH["any"])
def any(a, axis=None, out=None, keepdims=_NOTHING, *, where=_NOTHING):
    """Whether an element along axes is not zero."""
    return _reduced("any", _np.logical_or, a, axis, None, out, keepdims, _NOTHING, where)


@with_small(partial(_small.reduce, _small.NAMES.index("all")), along=True, few=_THROUGH["all"])
def all(a, axis=None, out=None, keepdims=_NOTHING, *, where=_NOTHING):
    """Whether no element along axes is zero."""
    return _reduced("all", _np.logical_and, a, axis, None, out, keepdims, _NOTHING, where)


def _position(kind: str, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    a = as_array(a)
    keep = False if keepdims is _NOTHING else keepdims
    if out is None and a.size and a.ndim and not isinstance(axis, (tuple, list)) and a.dtype.kind != "c":
        return arg_reduce(kind, a, axis, keep)
    return _THROUGH[kind](a, axis, **_given(out=out, keepdims=keepdims))


@with_small(lambda a: _small.arg(a, True), few=_THROUGH["argmax"])
def argmax(a, axis=None, out=None, *, keepdims=_NOTHING):
    """Position of the first largest element along an axis, or in the flattened array."""
    return _position("argmax", a, axis, out, keepdims)


@with_small(lambda a: _small.arg(a, False), few=_THROUGH["argmin"])
def argmin(a, axis=None, out=None, *, keepdims=_NOTHING):
    """Position of the first smallest element along an axis, or in the flattened array."""
    return _position("argmin", a, axis, out, keepdims)


def _none(a: Any) -> None:
    """No way of ours for small arrays."""


def _running(name: str, ufunc: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    a = as_array(a)
    if out is None and _plain(a, dtype, None, True) and (axis is not None or a.ndim > 0):
        if a.dtype != _np.float16 and a.ndim > 0:
            found = _places(a, axis)
            if found is not None:
                order, (along,) = found
                made = accumulate(ufunc, a._transpose_view(order), along, dtype)
                return made._transpose_view([order.index(i) for i in range(a.ndim)])
            return accumulate(ufunc, a, axis, dtype)
    return _THROUGH[name](a, axis, dtype, out)


@with_small(_none, few=_THROUGH["cumsum"])
def cumsum(a, axis=None, dtype=None, out=None):
    """Running sums along an axis, or of the flattened array."""
    return _running("cumsum", _np.add, a, axis, dtype, out)


@with_small(_none, few=_THROUGH["cumprod"])
def cumprod(a, axis=None, dtype=None, out=None):
    """Running products along an axis, or of the flattened array."""
    return _running("cumprod", _np.multiply, a, axis, dtype, out)


# --- means ----------------------------------------------------------------------------------------
def _count(a: Any, axis: Any) -> int:
    """How many elements make one result."""
    if axis is None:
        return a.size
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return math.prod([a.shape[i] for i in axes])


_finishers: dict[int, Any] = {}


def _divided_by(code: int) -> Any:
    """The program that divides a sum by a count."""
    found = _finishers.get(code)
    if found is None:
        found = compile_program(2, [(_np.divide, (0, 1))], [2], [code, float], (code,), "mean")
        _finishers[code] = found
    return found


def _wider(a: Any, dtype: Any) -> Any:
    """The dtype that a mean of floats is added up in where its own is narrower; None if it is not."""
    if dtype is None or a.dtype.kind != "f" or _np.dtype(dtype).kind != "f":
        return None
    wide = _np.result_type(a.dtype, dtype, _np.float32)
    return None if wide == dtype else wide


@with_small(_small.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=_NOTHING, *, where=_NOTHING):
    """Arithmetic mean of the elements along axes, of integers as float64."""
    a = as_array(a)
    if out is None and dtype is None and _plain(a, None, None, where) and a.size and a.ndim and axis != ():
        code = _FLOAT64 if a.dtype.kind in "biu" else a._dtype_code
        keep = False if keepdims is _NOTHING else keepdims
        try:
            count = float(_count(a, axis))
        except (IndexError, TypeError):
            return _THROUGH["mean"](a, axis)  # which says what is wrong
        finish = {"post": _divided_by(code), "post_scalars": (count,), "name": "mean"}
        means = partial(reduce, _np.add, dtype=code, **finish)
        return _laid_out(means, a, axis, keep)
    wide = _wider(a, dtype)
    if wide is not None and out is None:
        return mean.function(a, axis, wide, **_given(keepdims=keepdims, where=where)).astype(dtype)
    return _THROUGH["mean"](a, axis, dtype, out, **_given(keepdims=keepdims, where=where))


def _variance(
    name: str, a: Any, axis: Any, dtype: Any, out: Any, ddof: Any, keepdims: Any, options: dict
) -> Any:
    a = as_array(a)
    wide = _wider(a, dtype)
    if wide is not None and out is None:
        return _variance(name, a, axis, wide, out, ddof, keepdims, options).astype(dtype)
    plain = out is None and dtype is None and not options and a.size and axis != ()
    if (
        plain
        and a._dtype_code in _FLOATS
        and (axis is None or (a.size > FEW and type(axis) is int and -a.ndim <= axis < a.ndim))
    ):
        count = (a.size if axis is None else a.shape[axis]) - ddof
        if count > 0:
            deviation = a - _center(a, axis)
            found = sum(deviation * deviation) if axis is None and keepdims in (False, _NOTHING) else None
            if found is None:
                found = sum.function(deviation * deviation, axis, keepdims=keepdims)
            found = found / float(count)
            return sqrt(found) if name == "std" else found
    return _THROUGH[name](a, axis, dtype, out, ddof, **_given(keepdims=keepdims), **options)


def _center(a: Any, axis: Any) -> Any:
    """The mean: of a small array as a number, which costs less to subtract."""
    if axis is None and a.size <= FEW:
        return float(mean(a))
    return mean.function(a, axis, keepdims=True)


@own
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_NOTHING, *, where=_NOTHING, mean=_NOTHING,
        correction=_NOTHING):  # fmt: skip
    """Variance of the elements along axes: the mean squared deviation, divided by n - `ddof`."""
    options = _given(where=where, mean=mean, correction=correction)
    return _variance("var", a, axis, dtype, out, ddof, keepdims, options)


@own
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_NOTHING, *, where=_NOTHING, mean=_NOTHING,
        correction=_NOTHING):  # fmt: skip
    """Standard deviation of the elements along axes, the root of the variance."""
    options = _given(where=where, mean=mean, correction=correction)
    return _variance("std", a, axis, dtype, out, ddof, keepdims, options)


# --- methods of universal functions -----------------------------------------------------------------
def _reduction_of(name: str, ufunc: Any) -> Any:
    def reduction(array, axis=0, dtype=None, out=None, keepdims=False, where=True, initial=_NOTHING):
        if dtype is not None or out is not None or where is not True or initial is None:
            options = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, "where": where}
            return ufunc.method("reduce", (array,), options | _given(initial=initial))
        return _BY_NAME[name](array, axis, keepdims=keepdims, **_given(initial=initial))

    return reduction


_BY_NAME = {"sum": sum, "prod": prod, "max": max, "min": min}
for _name, _ufunc in (("sum", add), ("prod", multiply), ("max", maximum), ("min", minimum)):
    _ufunc.reduction = _reduction_of(_name, _ufunc)
