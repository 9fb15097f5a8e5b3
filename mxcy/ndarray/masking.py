"""`nd.contrib.boolean_mask`: its result's shape depends on values, so it waits for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError, message
from ._creation import array
from .ndarray import NDArray

__all__ = ["boolean_mask"]


def boolean_mask(data: NDArray, index: NDArray, axis: Any = 0, out: NDArray | None = None) -> NDArray:
    """Return the rows of data (along axis 0) at which index (rows,) is not zero.

    >>> import mxcy as mx
    >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])
    >>> mx.nd.contrib.boolean_mask(x, mx.nd.array([0, 1, 1])).asnumpy().tolist()
    [[3.0, 4.0], [5.0, 6.0]]

    Waits for index. Recorded by autograd: the gradient of other rows is zero.
    """
    if int(axis) != 0:
        raise ArgumentError(message("boolean_mask", "axis", "0", axis))
    if index.ndim != 1 or data.ndim < 1 or data.shape[0] != index.shape[0]:
        expected = f"shape ({data.shape[0]},), one number for every row of data"
        raise ShapeError(message("boolean_mask", "index", expected, index.shape))
    rows = np.flatnonzero(index.asnumpy())
    positions = array(rows, ctx=data.context, dtype=np.int64)
    return ops.take(data, positions, axis=0, out=out)
