"""Gluon on arrays of `mx.np`: blocks, data and losses give the kind of arrays that they are given."""

import numpy
import pytest

import mxcy as mx
from mxcy import autograd, gluon, init, np, npx
from mxcy.gluon import nn


@pytest.fixture(autouse=True)
def arrays_of_numpy():
    npx.set_np()
    yield
    npx.reset_np()


class Sum(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(3, 2))
            self.shift = self.params.get_constant("shift", np.ones((2,), "float32"))

    def hybrid_forward(self, F, x, weight, shift):
        return F.npx.relu(F.np.dot(x, weight) + shift) + x.dot(weight).sum()


@pytest.mark.parametrize("hybridize", [False, True])
def test_blocks_call_the_functions_of_numpy(hybridize):
    net = Sum()
    net.initialize(init.Constant(np.array([[1, 2], [3, 4], [5, 6]])))
    if hybridize:
        net.hybridize()
    x = np.array([[1, 0, 2]], dtype="float32")
    with autograd.record():
        y = net(x)
    y.backward()

    assert type(y) is type(net.weight.data()) is type(net.weight.grad()) is np.ndarray
    numpy.testing.assert_array_equal(y.asnumpy(), [[37, 40]])
    numpy.testing.assert_array_equal(net.weight.grad().asnumpy(), [[3, 3], [0, 0], [6, 6]])
    assert net.weight.data().grad is not None


@pytest.mark.parametrize("hybridize", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_learn(hybridize, dtype):
    numpy.random.seed(1)
    mx.random.seed(1)
    net = nn.HybridSequential()
    net.add(nn.Dense(8, activation="relu"), nn.BatchNorm(), nn.Dropout(0.1), nn.Dense(3))
    net.initialize(init.Xavier())
    if hybridize:
        net.hybridize()
    x = np.array(numpy.random.normal(size=(30, 4)), dtype=dtype)
    label = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
    batches = gluon.data.DataLoader(gluon.data.ArrayDataset(x, label), 10, shuffle=True)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05})
    loss, metric = gluon.loss.SoftmaxCrossEntropyLoss(), mx.metric.Accuracy()
    seen = []
    for _ in range(30):
        metric.reset()
        for data, labels in batches:
            with autograd.record():
                out = net(data)
                value = loss(out, labels)
            value.backward()
            trainer.step(len(data))
            metric.update(labels, out)
            assert type(data) is type(labels) is type(value) is np.ndarray
        seen.append(metric.get()[1])

    assert seen[-1] > seen[0] and seen[-1] > 0.8


class Fifth(init.Initializer):
    def _init_weight(self, name, data):
        data[:] = np.full(data.shape, 4)
        data += np.ones_like(data)


@pytest.mark.parametrize(
    "given",
    [Fifth(), init.Xavier(), init.Orthogonal(), init.One(), "normal", init.Uniform(), init.MSRAPrelu()],
)
def test_initializers_fill_arrays_of_numpy(given):
    net = nn.Dense(3, in_units=4)
    net.initialize(given)

    assert type(net.weight.data()) is np.ndarray and net.weight.data().dtype == "float32"
    assert not isinstance(given, Fifth) or (net.weight.data() == 5).all()
    net.weight.data()[0, 0] = 42
    assert net.weight.data()[0, 0] == 42


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (lambda: nn.Conv2D(2, 3), (1, 3, 8, 8), (1, 2, 6, 6)),
        (lambda: nn.MaxPool2D(2), (1, 3, 8, 8), (1, 3, 4, 4)),
        (lambda: nn.LayerNorm(), (2, 5), (2, 5)),
        (lambda: nn.Flatten(), (2, 5, 3), (2, 15)),
        (lambda: nn.HybridLambda(lambda F, x: F.npx.softmax(x) * F.np.ones(5)), (2, 5), (2, 5)),
        (lambda: nn.Lambda(lambda x: np.concatenate([x, x])), (2, 5), (4, 5)),
        (lambda: nn.PReLU(), (2, 5), (2, 5)),
    ],
)
def test_layers_return_arrays_of_numpy(layer, shape, expected):
    net = layer()
    net.initialize()
    result = net(np.random.uniform(size=shape))

    assert type(result) is np.ndarray and result.shape == expected


@pytest.mark.parametrize("make", [gluon.rnn.LSTM, gluon.rnn.GRU, gluon.rnn.RNN])
def test_recurrent_layers_take_and_give_states(make):
    net = make(5)
    net.initialize()
    states = net.begin_state(batch_size=2)
    out, after = net(np.random.uniform(size=(3, 2, 4)).astype("float32"), states)

    assert out.shape == (3, 2, 5) and [s.shape for s in after] == [(1, 2, 5)] * len(states)
    assert {type(x) for x in [out, *states, *after]} == {np.ndarray}


@pytest.mark.parametrize("make", [gluon.rnn.LSTMCell, gluon.rnn.GRUCell, gluon.rnn.RNNCell])
def test_recurrent_cells_unroll(make):
    cell = make(5)
    cell.initialize()
    out, states = cell.unroll(3, np.random.uniform(size=(2, 3, 4)).astype("float32"), merge_outputs=True)

    assert out.shape == (2, 3, 5) and {type(x) for x in [out, *states]} == {np.ndarray}


def test_arrays_are_split_loaded_and_clipped():
    parts = gluon.utils.split_and_load(np.arange(8).reshape(4, 2), [mx.cpu(0), mx.cpu(1)])
    assert [type(x) for x in parts] == [np.ndarray] * 2 and [x.shape for x in parts] == [(2, 2)] * 2
    gradients = [np.full((2, 2), 3.0, dtype="float32"), np.full((2,), 4.0, dtype="float32")]
    norm = gluon.utils.clip_global_norm(gradients, 1)
    assert norm == pytest.approx(numpy.sqrt(68)) and gradients[1][0] == pytest.approx(4 / norm)


def test_batches_of_workers_are_of_the_same_kind():
    data = gluon.data.ArrayDataset(numpy.arange(8.0).reshape(4, 2), numpy.arange(4))
    batches = list(gluon.data.DataLoader(data, 2, num_workers=1))

    assert {type(part) for batch in batches for part in batch} == {np.ndarray}


def test_both_kinds_share_a_gradient():
    x = mx.nd.array([1, 2])
    for request, expected in (("write", [8, 8]), ("add", [8, 8])):
        x.attach_grad(request)
        other = x.as_np_ndarray()
        with autograd.record():
            y = (other * 3).sum() + (x * 5).as_np_ndarray().sum()
        y.backward()
        assert type(x.grad) is mx.nd.NDArray and type(other.grad) is np.ndarray
        numpy.testing.assert_array_equal(x.grad.asnumpy(), expected)
        numpy.testing.assert_array_equal(other.grad.asnumpy(), expected)
    with autograd.record():
        y = (x * x).sum()
    (found,) = autograd.grad(y, [other])
    assert type(found) is np.ndarray and found.tolist() == [2, 4]


def test_decorated_classes_run_inherited_methods_with_the_switches():
    class Base:
        def asked(self):
            return mx.util.is_np_array()

    @mx.util.use_np
    class Derived(Base):
        pass

    npx.reset_np()
    assert not Base().asked() and Derived().asked()
