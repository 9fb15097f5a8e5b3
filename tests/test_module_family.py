"""Modules with buckets, in rows, in Python, and the oldest interface."""

import numpy as np
import pytest
from module_cases import data, network

import mxcy as mx
from mxcy import nd
from mxcy.io import DataBatch, DataDesc

# -- buckets --------------------------------------------------------------------------------------------


def generate(length):
    """A network that sums `length` columns of hidden units; weights do not depend on the length."""
    x = mx.sym.Variable("data")
    parts = mx.sym.split(x, num_outputs=length, axis=1, squeeze_axis=False)
    weight, bias = mx.sym.Variable("fc_weight"), mx.sym.Variable("fc_bias")
    hidden = [mx.sym.FullyConnected(parts[i], weight, bias, num_hidden=4) for i in range(length)]
    total = hidden[0] if length == 1 else mx.sym.add_n(*hidden)
    out = mx.sym.FullyConnected(mx.sym.Activation(total, act_type="tanh"), num_hidden=2, name="out")
    return mx.sym.SoftmaxOutput(out, name="softmax"), ("data",), ("softmax_label",)


def batch_of(length, seed=0):
    values = np.random.default_rng(seed).normal(size=(6, length)).astype("f")
    label = (values.sum(axis=1) > 0).astype("f")
    shapes = [DataDesc("data", (6, length))], [DataDesc("softmax_label", (6,))]
    return DataBatch([nd.array(values)], [nd.array(label)], bucket_key=length, provide_data=shapes[0],
                     provide_label=shapes[1])  # fmt: skip


def bucketing(**options):
    module = mx.mod.BucketingModule(generate, default_bucket_key=4, **options)
    first = batch_of(4)
    module.bind(first.provide_data, first.provide_label)
    module.init_params(mx.init.Xavier())
    return module


@pytest.mark.parametrize("context", [None, [mx.cpu(0), mx.cpu(1)]])
def test_buckets_train_the_same_parameters(context):
    mx.random.seed(3)
    module = bucketing(context=context)
    module.init_optimizer(optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    measure = mx.metric.create("acc")
    for seed in range(60):
        batch = batch_of([4, 2, 3][seed % 3], seed)
        module.prepare(batch)
        module.forward_backward(batch)
        module.update()
    for length in (1, 2, 4):
        batch = batch_of(length, 99)
        module.forward(batch, is_train=False)
        module.update_metric(measure, batch.label)

    assert set(module._buckets) == {1, 2, 3, 4}
    assert measure.get()[1] > 0.75
    params = [m.get_params()[0]["fc_weight"].asnumpy() for m in module._buckets.values()]
    assert all((p == params[0]).all() for p in params)


def test_buckets_are_saved_and_loaded(tmp_path):
    module = bucketing()
    batch = batch_of(2)
    module.forward(batch, is_train=False)
    expected = module.get_outputs()[0].asnumpy()
    module.save_checkpoint(str(tmp_path / "net"), 3)
    loaded = mx.mod.BucketingModule.load(str(tmp_path / "net"), 3, generate, 4)
    loaded.bind(batch_of(4).provide_data, batch_of(4).provide_label, for_training=False)
    loaded.forward(batch)

    np.testing.assert_allclose(loaded.get_outputs()[0].asnumpy(), expected, rtol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net-0003.params", "net-2-symbol.json", "net-4-symbol.json", "net.buckets",
    ]  # fmt: skip


def test_buckets_show_the_current_network():
    module = bucketing()
    monitor = mx.mon.Monitor(1, pattern="softmax_output")
    module.install_monitor(monitor)
    monitor.tic()
    module.forward(batch_of(3), is_train=True)

    assert module.data_shapes == [DataDesc("data", (6, 3))]
    assert module.output_shapes == [("softmax_output", (6, 2))]
    assert [name for _, name, _ in monitor.toc()] == ["softmax_output"]
    again = module.get_params()[0]
    module.bind(batch_of(4).provide_data, batch_of(4).provide_label, force_rebind=True)

    assert list(module._buckets) == [4]
    assert (module.get_params()[0]["fc_weight"].asnumpy() == again["fc_weight"].asnumpy()).all()


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (AssertionError, lambda: mx.mod.BucketingModule(generate)),
        (TypeError, lambda: mx.mod.BucketingModule(3, 4)),
        (AssertionError, lambda: mx.mod.BucketingModule.load_dict({}, generate, 4, {}, {})),
        (AssertionError, lambda: mx.mod.BucketingModule.load_dict(None, generate, 4, {}, {})),
        (mx.MXNetError, lambda: mx.mod.BucketingModule(generate, 4).forward(batch_of(4))),
        (AssertionError, lambda: mx.mod.BucketingModule(generate, 4).save_checkpoint("x", 1)),
    ],
)
def test_wrong_uses_of_buckets_are_errors(error, use):
    with pytest.raises(error):
        use()


# -- rows of modules ------------------------------------------------------------------------------------


def row():
    first = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="fc1")
    last = mx.sym.FullyConnected(mx.sym.Variable("hidden"), num_hidden=3, name="fc2")
    last = mx.sym.SoftmaxOutput(last, name="softmax")
    module = mx.mod.SequentialModule()
    module.add(mx.mod.Module(mx.sym.Activation(first, act_type="relu"), label_names=None))
    return module.add(mx.mod.Module(last, data_names=["hidden"]), take_labels=True, auto_wiring=True)


def test_a_row_learns_what_the_whole_learns():
    found = []
    for module in (mx.mod.Module(network()), row()):
        module.bind(data().provide_data, data().provide_label)
        start = {"fc1_weight": nd.ones((8, 5)) * 0.1, "fc1_bias": nd.arange(8), "fc2_weight": nd.ones((3, 8)),
                 "fc2_bias": nd.zeros(3)}  # fmt: skip
        module.init_params(None, start, {}, allow_missing=True)
        module.init_optimizer(optimizer_params={"learning_rate": 0.5})
        for batch in data():
            module.forward_backward(batch)
            module.update()
        found.append((module.get_params()[0], module.score(data(), "acc"), module))

    (whole, value, _), (parts, also, module) = found
    assert value == also
    assert {n: x.asnumpy().tolist() for n, x in whole.items()} == {
        n: x.asnumpy().tolist() for n, x in parts.items()
    }
    assert module.output_names == ["softmax_output"]
    assert (module.data_names, module.output_shapes[0][1]) == (["data"], (8, 3))


def test_a_row_trains_with_fit():
    module = row()
    module.fit(data(), num_epoch=3, optimizer_params={"learning_rate": 0.1}, initializer=mx.init.Xavier())

    assert module.predict(data()).shape == (20, 3)
    with pytest.raises(AssertionError, match="auto_wiring"):
        module.add(module, autowire=True)
    with pytest.raises(AssertionError, match="call add first"):
        mx.mod.SequentialModule().bind([("data", (1, 2))])
    twice = mx.mod.SequentialModule()
    for _ in range(2):
        net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5, name="fc1")
        twice.add(mx.mod.Module(net, label_names=None), auto_wiring=True)
    twice.bind([("data", (2, 5))])
    with pytest.raises(AssertionError, match="duplicated parameter name 'fc1_weight'"):
        twice.init_params()


# -- modules in Python ----------------------------------------------------------------------------------


def softmax_gradient(scores, labels):
    probability = nd.softmax(scores)
    return probability - nd.one_hot(labels, 3)


def test_a_loss_in_python_gives_the_gradient_of_softmax_output():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc2")
    whole, parts = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax")), mx.mod.SequentialModule()
    parts.add(mx.mod.Module(net, label_names=None))
    parts.add(mx.mod.PythonLossModule(grad_func=softmax_gradient), take_labels=True, auto_wiring=True)
    found = []
    for module in (whole, parts):
        module.bind(data().provide_data, data().provide_label)
        module.init_params(mx.init.One())
        module.init_optimizer()
        for batch in data():
            module.forward_backward(batch)
            module.update()
        found.append(module.get_params()[0]["fc2_weight"].asnumpy())

    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    measure = mx.metric.create("acc")
    parts.update_metric(measure, batch.label)

    assert measure.num_inst == 8


def test_modules_in_python_check_their_names():
    module = mx.mod.PythonLossModule()
    with pytest.raises(AssertionError, match="data_shapes"):
        module.bind([("x", (2, 3))], [("softmax_label", (2,))])
    module.bind([("data", (2, 3))], [("softmax_label", (2,))])

    assert module.output_shapes == [("pyloss_output", (2, 3))]
    module.forward(DataBatch([nd.ones((2, 3))], [nd.ones(2)]))
    with pytest.raises(NotImplementedError, match="grad_func"):
        module.backward()
    with pytest.raises(NotImplementedError):
        mx.mod.PythonModule(["data"], None, ["y"]).bind([("data", (2,))])


# -- FeedForward ----------------------------------------------------------------------------------------


def test_feed_forward_trains_predicts_and_saves(tmp_path):
    values = np.random.default_rng(3).random((40, 5), np.float32)
    labels = values[:, :3].argmax(axis=1).astype("f")
    mx.random.seed(1)
    np.random.seed(1)
    with pytest.warns(DeprecationWarning):
        model = mx.model.FeedForward(network(), num_epoch=80, numpy_batch_size=10, learning_rate=0.5,
                                     initializer=mx.init.Xavier())  # fmt: skip
    model.fit(values, labels, eval_data=(values, labels))
    iterator = mx.io.NDArrayIter(values, labels, 10)

    assert model.score(iterator) > 0.8
    found = model.predict(values)
    assert found.shape == (40, 3)
    outputs, inputs, given = model.predict(iterator, return_data=True)
    assert (inputs == values).all()
    assert (given == labels).all()
    np.testing.assert_allclose(outputs, found, rtol=1e-5)

    model.save(str(tmp_path / "net"))
    with pytest.warns(DeprecationWarning):
        loaded = mx.model.FeedForward.load(str(tmp_path / "net"), 80)
    np.testing.assert_allclose(loaded.predict(values), found, rtol=1e-5)


def test_feed_forward_refuses_wrong_data():
    with pytest.warns(DeprecationWarning):
        model = mx.model.FeedForward(network(), num_epoch=1)
    with pytest.raises(ValueError, match="y must be specified"):
        model.fit(np.ones((2, 5)))
    with pytest.raises(ValueError, match="expected 2 labels, got 3"):
        model.fit(np.ones((2, 5)), np.ones(3))
    with pytest.raises(TypeError, match="a DataIter"):
        model.fit([1])
    with pytest.raises(AssertionError), pytest.warns(DeprecationWarning):
        mx.model.FeedForward(3)
