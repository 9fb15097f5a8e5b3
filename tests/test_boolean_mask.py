"""boolean_mask: rows by values that are not zero."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import ArgumentError, ShapeError


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("mask", [[0, 2, 0, -1], [0, 0, 0, 0], [1, 1, 1, 1]])
def test_rows_and_gradient(mask, dtype):
    values = np.arange(24).reshape(4, 3, 2).astype(dtype)
    kept = np.array(mask) != 0
    x = mx.nd.array(values, dtype=dtype)
    index = mx.nd.array(mask)
    if dtype == "int32":
        np.testing.assert_array_equal(mx.nd.contrib.boolean_mask(x, index).asnumpy(), values[kept])
        return
    x.attach_grad()

    with mx.autograd.record():
        y = mx.nd.contrib.boolean_mask(x * 2, index)
    y.backward(mx.nd.ones_like(y) * 3)

    assert y.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(y.asnumpy(), 2 * values[kept])
    np.testing.assert_array_equal(x.grad.asnumpy(), np.broadcast_to(6.0 * kept[:, None, None], values.shape))


def test_what_is_refused():
    x = mx.nd.ones((3, 2))
    with pytest.raises(ArgumentError, match=r"boolean_mask\(axis\): expected 0, got 1"):
        mx.nd.contrib.boolean_mask(x, mx.nd.ones(2), axis=1)
    with pytest.raises(ShapeError, match=r"boolean_mask\(index\): expected shape \(3,\)"):
        mx.nd.contrib.boolean_mask(x, mx.nd.ones(2))
