"""`mx.nd._internal`: operators under the names that MXNet's files hold, such as `_plus_scalar`.

Programs that were written before `mx.nd` had a function for everything call these. Every operator of the
registry is found here when it is asked for; those below write arrays in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ._creation import blank
from .ndarray import FACE, NDArray

__all__: list[str] = []


def _set_value(src: float, out: NDArray) -> NDArray:
    """Write a number to all elements."""
    out[:] = src
    return out


def _copyto(data: NDArray, out: NDArray) -> NDArray:
    """Write one array to another."""
    return data.copyto(out)


def _target(out: NDArray | None, data: NDArray) -> NDArray:
    """The array to write into: `out` with the elements of data, or a copy."""
    if out is None:
        return data.copy()
    if out is not data:
        out[:] = data
    return out


def _slice_assign(
    lhs: NDArray, rhs: NDArray, begin: tuple, end: tuple, step: tuple = (), out: Any = None
) -> NDArray:
    """Return lhs with rhs in the part between begin and end; in place if `out` is lhs."""
    return _target(out, lhs).slice_assign(rhs, begin, end, step)


def _slice_assign_scalar(
    data: NDArray, scalar: float = 0, begin: tuple = (), end: tuple = (), step: tuple = (),
    out: Any = None,
) -> NDArray:  # fmt: skip
    """Return data with a number in the part between begin and end; in place if `out` is data."""
    return _target(out, data).slice_assign_scalar(scalar, begin, end, step)


_crop_assign = _slice_assign
_crop_assign_scalar = _slice_assign_scalar


def _scatter_set_nd(
    lhs: NDArray, rhs: NDArray, indices: NDArray, shape: Sequence | None = None, out: Any = None
) -> NDArray:
    """Return lhs with the elements of rhs at the points that the columns of indices name."""
    target = _target(out, lhs)
    target[tuple(indices)] = rhs
    return target


def _backward_gather_nd(
    data: NDArray, indices: NDArray, shape: Sequence, out: NDArray | None = None
) -> NDArray:
    """Return zeros of a shape with data added at the points that the columns of indices name."""
    like = blank(tuple(shape), ctx=data.context, dtype=data.dtype)
    return ops.REGISTRY["_gather_grad"](data, indices, like, out=out)


def _rnn_param_concat(*data: NDArray, dim: int = 1, num_args: int | None = None) -> NDArray:
    """Return arrays one after the other."""
    return ops.Concat(*data, dim=dim)


def _creator(op: Any) -> Callable:
    """The function of an operator without inputs, which no array's method can lead to."""

    def create(*args: Any, out: Any = None, name: str | None = None, **attributes: Any) -> Any:
        inputs, attrs = op.bind_arguments(args, attributes)
        results = op.compute(inputs, attrs, None if out is None else [out], face=FACE)
        return results[0] if len(results) == 1 else results

    create.__name__ = create.__qualname__ = op.name
    create.__doc__ = op.__doc__
    return create


def __getattr__(name: str) -> Any:
    op = None if name.startswith("__") else ops.lookup(name)
    if op is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return op if op.inputs else _creator(op)
