"""Symbols of arrays that are made from numbers alone, and functions that MXNet has besides operators."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..errors import ArgumentError, message
from ..ops import places
from ..ops.creation import _arange, _eye, _full, _linspace, _ones, _zeros
from . import compose
from .function import SymbolFunction
from .symbol import Symbol

__all__ = ["arange", "eye", "full", "histogram", "linspace", "made", "ones", "pow", "split_v2", "zeros"]


def made(operator: ops.Operator, given: dict[str, Any], node: dict[str, Any]) -> Symbol:
    """Return a symbol of an operator without inputs; `node` may hold its name and attr."""
    known = {key: node.pop(key, None) for key in ("name", "attr")}
    inputs, attrs = operator.bind_arguments((), given | node)
    return Symbol(compose.add_node(operator, inputs, attrs, known["name"], known["attr"]))


def histogram(a: Symbol, bins: Any = 10, range: Any = None, **node: Any) -> Any:
    """Return how many elements lie between neighbouring edges, and the edges.

    `bins` is a symbol of edges, or their number less one with the first and the last as `range`.
    """
    function = SymbolFunction(places.histogram, "_histogram")
    if isinstance(bins, Symbol):
        return function(a, bins, **node)
    if range is None:
        raise ArgumentError(message("histogram", "range", "the first and the last edge", None))
    return function(a, bin_cnt=bins, range=range, **node)


def zeros(shape: Any, dtype: Any = None, **node: Any) -> Symbol:
    """Return an array of zeros; float32 without `dtype`. Keywords are `name` and `attr` of the node."""
    return made(_zeros, {"shape": shape, "dtype": dtype or "float32"}, node)


def ones(shape: Any, dtype: Any = None, **node: Any) -> Symbol:
    """Return an array of ones; float32 without `dtype`. Keywords are `name` and `attr` of the node."""
    return made(_ones, {"shape": shape, "dtype": dtype or "float32"}, node)


def full(shape: Any, val: float, dtype: Any = None, **node: Any) -> Symbol:
    """Return an array of one value; float32 without `dtype`. Keywords are `name` and `attr` of the node."""
    return made(_full, {"shape": shape, "dtype": dtype or "float32", "value": float(val)}, node)


def eye(N: int, M: int = 0, k: int = 0, **node: Any) -> Symbol:
    """Return an N x M matrix (M = 0: square) with ones on the k-th diagonal and zeros elsewhere."""
    return made(_eye, {"N": N, "M": M, "k": k, "dtype": node.pop("dtype", None) or "float32"}, node)


def arange(start: float, stop: float | None = None, step: float = 1.0, repeat: int = 1,
           infer_range: bool = False, name: str | None = None, dtype: Any = None) -> Symbol:  # fmt: skip
    """Return start, start + step, ... below stop, each `repeat` times; from 0 if only one bound is given."""
    given = {"start": start, "stop": stop, "step": step, "repeat": repeat, "infer_range": infer_range}
    return made(_arange, given | {"dtype": dtype or "float32"}, {"name": name})


def linspace(start: float, stop: float, num: int, endpoint: bool = True, name: str | None = None,
             dtype: Any = None) -> Symbol:  # fmt: skip
    """Return `num` evenly spaced numbers from start to stop, which is the last one if `endpoint`."""
    given = {"start": start, "stop": stop, "num": num, "endpoint": endpoint, "dtype": dtype or "float32"}
    return made(_linspace, given, {"name": name})


def pow(base: Any, exp: Any) -> Any:
    """Return base to the power of exp, each a symbol or a number."""
    return ops.power(base, exp)


def split_v2(ary: Symbol, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False) -> Symbol:
    """Return parts along an axis: so many equal ones, or cut before each of a tuple of positions."""
    return ary.split_v2(indices_or_sections, axis, squeeze_axis)
