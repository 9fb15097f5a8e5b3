"""Programs on a GPU give what they give on the CPU: Module, autograd, random numbers, losses, products."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import _gpu, autograd, nd

pytestmark = pytest.mark.skipif(_gpu.count() == 0, reason="no GPU, and NUMBA_ENABLE_CUDASIM is not 1")
CONTEXTS = (mx.cpu(), mx.gpu(0))


def on_both(function, *values):
    """Results on the CPU and on the GPU, compared."""
    found = []
    for context in CONTEXTS:
        with context:
            made = function(*[nd.array(v, dtype=v.dtype) for v in values])
        made = made if isinstance(made, (list, tuple)) else [made]
        assert all(x.context == context for x in made)
        found.append([x.asnumpy() for x in made])
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6)


def draw(*shape, dtype=np.float32):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2)])
def test_reductions(axis):
    on_both(lambda x: [nd.sum(x, axis=axis), nd.max(x, axis=axis), nd.mean(x, axis=axis)], draw(5, 7, 9))


def test_long_reductions_are_split_and_repeat():
    values = draw(6000)
    on_both(lambda x: [nd.sum(x), nd.norm(x), nd.argmax(x, axis=0)], values)
    x = nd.array(values, ctx=mx.gpu(0))
    assert nd.sum(x).asscalar() == nd.sum(x).asscalar()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64"])
def test_products(dtype):
    a, b = (np.abs(draw(*shape) * 3).astype(dtype) for shape in ((3, 5, 6), (3, 7, 6)))
    if dtype == "float16":
        a, b = np.round(a), np.round(b)
    on_both(lambda x, y: nd.batch_dot(x, y, transpose_b=True), a, b)
    on_both(lambda x, y: nd.dot(x.T, y), a[0, :, :4], b[0, :5])


def test_softmax_and_losses():
    labels = np.array([0, 3, -1, 2], np.float32)
    on_both(lambda x: [nd.softmax(x, axis=0), nd.log_softmax(x, axis=1), nd.softmin(x)], draw(4, 5, 3))
    for attributes in ({}, {"use_ignore": True, "ignore_label": -1, "normalization": "valid"}):

        def loss(x, y, attributes=attributes):
            x.attach_grad()
            with autograd.record():
                made = nd.SoftmaxOutput(x, y, **attributes)
            made.backward()
            return [made, x.grad]

        on_both(loss, draw(4, 5), labels)


def test_indexing_and_its_gradient():
    places = np.array([[0, 2], [2, 9]], np.float32)

    def embed(x, index):
        x.attach_grad()
        with autograd.record():
            y = nd.take(x, index, axis=0) * 2
        y.backward()
        return [y, x.grad, nd.take(x, index, axis=1, mode="wrap"), nd.one_hot(index, 4)]

    on_both(embed, draw(4, 5), places)
    on_both(lambda x: [x[[1, 0]], x[:, [0, 3]]], draw(4, 5))


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_are_those_of_the_cpu(name, dtype):
    found = []
    for context in CONTEXTS:
        mx.random.seed(3, context)
        found.append(getattr(nd.random, name)(shape=(150,), ctx=context, dtype=dtype).asnumpy())
    np.testing.assert_array_equal(*found)


def test_convolution_pooling_and_normalisation():
    def layers(x, weight, gamma, beta):
        mean, var = nd.zeros((4,)), nd.ones((4,))
        for leaf in (x, weight, gamma):
            leaf.attach_grad()
        with autograd.record():
            y = nd.Convolution(
                x, weight, kernel=(3, 2), num_filter=4, no_bias=True, pad=(1, 0), stride=(2, 1)
            )
            y = nd.BatchNorm(y, gamma, beta, mean, var, fix_gamma=False)
            z = nd.Pooling(y, kernel=(2, 2), stride=(1, 2), pool_type="max") + nd.Pooling(
                y, kernel=(2, 2), stride=(1, 2), pool_type="avg"
            )
        z.backward()
        return [z, x.grad, weight.grad, gamma.grad, mean, var]

    on_both(layers, draw(2, 3, 7, 6), draw(4, 3, 3, 2), np.abs(draw(4)), draw(4))


def test_rows_channels_and_sequences():
    def layers(x, gamma, beta, length):
        x.attach_grad()
        with autograd.record():
            y = nd.LayerNorm(x, gamma, beta) + nd.GroupNorm(x, gamma[:2], beta[:2], num_groups=2)
            z = nd.LRN(y, nsize=3) * nd.SequenceMask(y, length, use_sequence_length=True, value=2)
        z.backward()
        return [z, x.grad, nd.SequenceReverse(x, length, use_sequence_length=True)]

    on_both(layers, draw(3, 4, 5), np.abs(draw(5)), draw(5), np.array([1, 3, 2, 0], np.float32))


def test_linear_algebra_of_the_host():
    a = draw(4, 4) + 4 * np.eye(4, dtype=np.float32)
    on_both(lambda x: [nd.linalg.inverse(x), nd.linalg.potrf(nd.dot(x, x.T))], a)


def test_sorting():
    on_both(lambda x: [nd.sort(x), nd.argsort(x, axis=0), *nd.topk(x, k=2, ret_typ="both")], draw(3, 6))


def test_an_index_out_of_range_is_reported():
    x = nd.ones((4, 5), ctx=mx.gpu(0))
    picked = nd.gather_nd(x, nd.array([[7], [0]], ctx=mx.gpu(0)))

    with pytest.raises(IndexError, match=r"take: an index is out of bounds \(on gpu\(0\)\)"):
        picked.asnumpy()
    assert nd.sum(x).asscalar() == 20


def perceptron():
    net = mx.sym.Variable("data")
    net = mx.sym.Activation(mx.sym.FullyConnected(net, num_hidden=6, name="one"), act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=4, name="two"), name="softmax")


def test_module_trains_to_the_same_weights():
    rng = np.random.default_rng(0)
    values, labels = rng.random((20, 5)).astype(np.float32), np.arange(20) % 4
    net, trained = perceptron(), []
    shapes = dict(zip(net.list_arguments(), net.infer_shape(data=(5, 5))[0], strict=True))
    weights = {
        n: nd.array(rng.standard_normal(s)) for n, s in shapes.items() if "data" not in n and "soft" not in n
    }
    for context in (*CONTEXTS, mx.gpu(0)):
        module = mx.mod.Module(net, context=context)
        batches = mx.io.NDArrayIter(values, labels, batch_size=5)
        options = {"learning_rate": 0.1, "momentum": 0.9}
        module.fit(batches, num_epoch=2, optimizer_params=options, arg_params=weights)
        trained.append({name: x.asnumpy() for name, x in module.get_params()[0].items()})
    for name, expected in trained[0].items():
        np.testing.assert_allclose(trained[1][name], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(trained[1][name], trained[2][name])


def test_what_follows_products_and_layers_in_graphs():
    sym = mx.sym
    x, more = sym.Variable("x"), sym.Variable("more")
    nets = [
        (sym.relu(sym.FullyConnected(x, num_hidden=9) + more), {"x": (4, 6), "more": (4, 9)}),
        (sym.tanh(sym.Convolution(x, num_filter=3, kernel=(3, 3), pad=(1, 1)) + x), {"x": (1, 3, 6, 6)}),
    ]
    for net, shapes in nets:

        def run(*values, net=net, shapes=shapes):
            executor = net.simple_bind(mx.current_context(), **shapes)
            for array, value in zip(executor.arg_arrays, values, strict=True):
                array[:] = value
            executor.forward(is_train=True)
            executor.backward(nd.ones(executor.outputs[0].shape))
            return [*executor.outputs, *executor.grad_arrays]

        on_both(run, *[draw(*shape) for shape in net.infer_shape(**shapes)[0]])
