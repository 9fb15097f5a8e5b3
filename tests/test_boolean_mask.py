"""boolean_mask: rows by values that are not zero."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import ArgumentError, BindError, ShapeError


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


class Masked(mx.gluon.HybridBlock):
    def __init__(self):
        super().__init__()
        self.dense = mx.gluon.nn.Dense(2, flatten=False, in_units=3)

    def hybrid_forward(self, F, data, index):
        return F.contrib.boolean_mask(self.dense(data) * 2, index)


def test_a_hybridised_block_masks_as_a_plain_one():
    plain, hybrid = Masked(), Masked()
    rng = np.random.default_rng(0)
    for block in (plain, hybrid):
        block.initialize(mx.init.One())
    hybrid.hybridize()
    for kept in ([0, 1, 1], [1, 0, 0], [0, 0, 0]):
        data, index = mx.nd.array(rng.standard_normal((3, 3))), mx.nd.array(kept)
        found = []
        for block in (plain, hybrid):
            data.attach_grad()
            with mx.autograd.record():
                y = block(data, index)
            y.backward(mx.nd.ones_like(y) * 3)
            weight = block.dense.weight.grad()
            found.append([x.asnumpy() for x in (y, data.grad, weight)])
        for mine, expected in zip(*found, strict=True):
            np.testing.assert_array_equal(mine, expected)


def test_a_symbol_knows_all_extents_but_one_and_is_not_bound():
    net = mx.sym.contrib.boolean_mask(mx.sym.Variable("x"), mx.sym.Variable("index"))

    assert net.infer_shape_partial(x=(4, 3), index=(4,))[1] == [(0, 3)]
    assert '"op": "_contrib_boolean_mask"' in net.tojson()
    with pytest.raises(BindError, match="boolean_mask.*whose shape values decide; run it in a Gluon block"):
        net.bind(mx.cpu(), {"x": mx.nd.ones((4, 3)), "index": mx.nd.ones(4)})
