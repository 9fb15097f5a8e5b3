"""Factors of matrices: gradients on symmetric ones to second order, errors, batches."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import MXNetError


def from_square_root(function):
    """A function of B through the symmetric matrix B Bᵀ + 3."""

    def applied(b):
        eye = mx.nd.eye(b.shape[-1], dtype="float64")
        return function(mx.nd.broadcast_add(mx.nd.linalg.syrk(b), 3 * eye))

    return applied


def eigen(a):
    u, values = mx.nd.linalg.syevd(a)
    return mx.nd.concat(mx.nd.square(u).reshape((-1,)), values.reshape((-1,)), dim=0)


@pytest.mark.parametrize("function", [mx.nd.linalg.potrf, eigen], ids=["potrf", "syevd"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3)])
def test_gradients_on_symmetric_matrices_to_second_order(function, shape):
    rng = np.random.default_rng(3)
    function = from_square_root(function)
    point, direction = rng.uniform(-1, 1, shape), rng.uniform(-1, 1, shape)
    heads = None

    def gradient(values, create_graph=False):
        nonlocal heads
        x = mx.nd.array(values, dtype="float64")
        x.attach_grad()
        with mx.autograd.record():
            y = function(x)
            if heads is None:
                heads = mx.nd.array(rng.uniform(-1, 1, y.shape), dtype="float64")
            total = (y * heads).sum()
            (g,) = mx.autograd.grad(total, [x], create_graph=True)
            slope = (g * mx.nd.array(direction, dtype="float64")).sum()
        slope.backward()
        return total.asscalar(), g.asnumpy(), x.grad.asnumpy()

    step = 1e-5
    _, g, second = gradient(point)
    above, below = gradient(point + step * direction), gradient(point - step * direction)
    np.testing.assert_allclose(
        (g * direction).sum(), (above[0] - below[0]) / (2 * step), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(second, (above[1] - below[1]) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op, matrix", [("potrf", [[1, 2], [2, 1]]), ("inverse", [[1, 2], [2, 4]])])
def test_bad_matrices_are_named_when_the_result_is_read(op, matrix):
    with pytest.raises(
        ValueError, match="expected (symmetric positive definite|invertible) matrices"
    ) as caught:
        getattr(mx.nd.linalg, op)(mx.nd.array(matrix)).asnumpy()
    assert isinstance(caught.value, MXNetError)


def test_large_batches_equal_single_matrices():
    rng = np.random.default_rng(0)
    matrices = rng.uniform(-1, 1, (300, 8, 8))
    matrices = matrices @ matrices.transpose(0, 2, 1) + np.eye(8)
    x = mx.nd.array(matrices, dtype="float64")
    for op in ("potrf", "inverse", "det", "gelqf"):
        whole = getattr(mx.nd.linalg, op)(x)
        one = getattr(mx.nd.linalg, op)(x[250])
        for a, b in zip(*[v if isinstance(v, list) else [v] for v in (whole, one)], strict=True):
            np.testing.assert_array_equal(a[250].asnumpy().reshape(-1), b.asnumpy().reshape(-1))
