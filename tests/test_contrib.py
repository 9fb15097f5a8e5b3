"""`mx.contrib`: the first autograd, and loaders of Gluon for modules."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd
from mxcy.contrib import autograd


def test_gradients_by_some_arguments():
    def product(x, y):
        assert mx.autograd.is_recording() and mx.autograd.is_training()
        with autograd.test_section():
            assert not mx.autograd.is_recording()
        return x * y

    x, y = nd.array([2.0, 3.0]), nd.array([5.0, 7.0])
    grads, loss = autograd.grad_and_loss(product)(x, y)

    assert [g.asnumpy().tolist() for g in grads] == [[5, 7], [2, 3]]
    assert loss.asnumpy().tolist() == [10, 21]
    assert [g.asnumpy().tolist() for g in autograd.grad(product, 1)(x, y)] == [[2, 3]]
    assert [g.asnumpy().tolist() for g in autograd.grad(product, [0])(x, y)] == [[5, 7]]
    assert not mx.autograd.is_recording()


def test_sections_and_mistakes():
    x = nd.array([2.0])
    x.attach_grad()
    with autograd.train_section():
        y = x * x
    autograd.compute_gradient([y])

    assert x.grad.asscalar() == 4
    with pytest.raises(AssertionError, match="list of NDArrays"):
        autograd.backward(y)
    with pytest.raises(AssertionError, match="expected NDArrays, got int"):
        autograd.grad(lambda x: x)(3)


def test_a_loader_feeds_a_module():
    data, label = np.arange(10, dtype="float32").reshape(5, 2), np.array([0, 1, 0, 1, 0], "float32")
    loader = gluon.data.DataLoader(gluon.data.ArrayDataset(data, label), 2)
    batches = mx.contrib.io.DataLoaderIter(loader)
    for _ in range(2):
        seen = [(b.data[0].asnumpy().tolist(), b.label[0].asnumpy().tolist(), b.pad) for b in batches]
        assert seen == [
            ([[0, 1], [2, 3]], [0, 1], 0),
            ([[4, 5], [6, 7]], [0, 1], 0),
            ([[8, 9], [0, 0]], [0, 0], 1),
        ]
        batches.reset()
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2), name="softmax")
    module = mx.mod.Module(net)
    module.fit(batches, num_epoch=1)

    assert module.predict(batches).shape == (5, 2)
