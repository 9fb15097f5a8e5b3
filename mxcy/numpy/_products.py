"""Products of matrices, by the engine's own where both operands have axes for it."""

from __future__ import annotations

from typing import Any

import numpy as _np

from .._array import Array
from .._matmul import matmul as _matmul
from . import _small
from ._calls import as_array
from ._functions import Through, with_small

__all__ = ["dot", "matmul", "matvec", "vecdot", "vecmat"]

_dot = Through(_np.dot)
_through = Through(_np.matmul)
vecdot = Through(_np.vecdot)
matvec = Through(_np.matvec)
vecmat = Through(_np.vecmat)

FEW = 4096  # multiplications up to which NumPy's own call takes less


def _is_large(a: Any, b: Any) -> bool:
    return (
        isinstance(a, Array) and isinstance(b, Array) and a.ndim >= 2 and b.ndim >= 2
        and a.size * b.shape[-1] > FEW and a.dtype.kind in "fc" and b.dtype.kind in "fc"
    )  # fmt: skip


@with_small(_small.matmul, 2, few=_through)
def matmul(x1, x2, /, out=None, **kwargs):
    """Product of matrices, which are the last two axes; the leading ones broadcast."""
    if out is None and not kwargs and _is_large(x1, x2):
        return _matmul(x1, x2)
    if out is not None:
        kwargs["out"] = out
    return _through(_operand(x1), _operand(x2), **kwargs)


def _operand(x: Any) -> Any:
    return x if isinstance(x, (Array, _np.ndarray, _np.generic, int, float, complex)) else as_array(x)


@with_small(_small.matmul, 2, few=_dot)
def dot(a, b, out=None):
    """Product over the last axis of a and the last but one of b."""
    if out is None and _is_large(a, b) and a.ndim == b.ndim == 2:
        return _matmul(a, b)
    return _dot(a, b, out) if out is not None else _dot(a, b)
