"""Gluon: parameters, names, files, hooks, graphs, trainers and their errors."""

import numpy as np
import pytest
from gluon_nets import X, dense_net, ready

import mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.errors import ShapeError
from mxcy.gluon import nn

# -- parameters -----------------------------------------------------------------------------------------


def test_parameters_are_on_every_device():
    parameter = gluon.Parameter("weight", shape=(2, 3))
    parameter.initialize(ctx=[mx.cpu(0), mx.cpu(1)], init="ones")

    assert [x.context for x in parameter.list_data()] == parameter.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    assert parameter.data(mx.cpu(1)).asnumpy().tolist() == [[1] * 3] * 2
    assert parameter.grad(mx.cpu(1)).shape == (2, 3)
    with pytest.raises(RuntimeError, match="only on"):
        parameter.data(mx.cpu(2))
    parameter.reset_ctx(mx.cpu(2))

    assert parameter.list_ctx() == [mx.cpu(2)]
    parameter.grad_req = "null"
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        parameter.grad()


def test_parameters_know_what_they_miss():
    parameter = gluon.Parameter("w", shape=(2, 0), allow_deferred_init=True)
    with pytest.raises(RuntimeError, match="not been initialized"):
        parameter.data()
    parameter.initialize()
    with pytest.raises(gluon.DeferredInitializationError, match="deferred"):
        parameter.data()
    parameter.shape = (2, 5)
    parameter._finish_deferred_init()

    assert parameter.data().shape == (2, 5)
    with pytest.raises(AssertionError, match="expected"):
        parameter.shape = (3, 5)
    with pytest.raises(ValueError, match="invalid shape"):
        gluon.Parameter("w", shape=(0,)).initialize()
    with pytest.warns(UserWarning, match="already initialized"):
        parameter.initialize()
    parameter.cast("float16")

    assert parameter.data().dtype == np.float16
    assert repr(parameter) == "Parameter w (shape=(2, 5), dtype=float16)"


def test_constants_stay():
    class Scaled(gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = self.params.get_constant("scale", [1.0, 2.0])

        def hybrid_forward(self, F, x, scale):
            return F.broadcast_mul(x, scale)

    for hybridize in (False, True):
        net = Scaled()
        net.initialize()
        net.hybridize(hybridize)
        trainer = gluon.Trainer(net.collect_params(), "sgd")
        x = nd.ones((1, 2))
        x.attach_grad()
        with autograd.record():
            y = net(x)
        y.backward()
        trainer.step(1)

        assert y.asnumpy().tolist() == [[1, 2]]
        assert x.grad.asnumpy().tolist() == [[1, 2]]
    with pytest.warns(UserWarning, match="ignored"):
        net.scale.grad_req = "write"


def test_dicts_of_parameters_share_and_merge():
    params = gluon.ParameterDict("net_")
    weight = params.get("weight", shape=(2, 0), allow_deferred_init=True)

    assert params.get("weight", shape=(0, 3)) is weight
    assert weight.shape == (2, 3)
    with pytest.raises(AssertionError, match="desired shape"):
        params.get("weight", shape=(3, 3))
    with pytest.raises(KeyError):
        params.get_constant("none")
    assert list(params) == ["net_weight"]
    params.setattr("lr_mult", 3)

    assert weight.lr_mult == 3
    other = gluon.ParameterDict("net_", shared=params)
    assert other.get("weight") is weight
    with pytest.raises(AssertionError, match="same name"):
        params.update({"net_weight": gluon.Parameter("net_weight")})
    assert repr(params) == "net_ (\n  Parameter net_weight (shape=(2, 3), dtype=<class 'numpy.float32'>)\n)"


# -- names ----------------------------------------------------------------------------------------------


def test_names_follow_scopes():
    with mx.name.NameManager():
        net, other = dense_net(), nn.Dense(2, params=None)
        shared = nn.Dense(4, params=net[0].params, prefix="again_")

    assert net[1].name == "hybridsequential0_dense1"
    assert other.prefix == "dense0_"
    assert shared.weight is net[0].weight
    assert list(net.collect_params(".*bias")) == [
        "hybridsequential0_dense0_bias",
        "hybridsequential0_dense1_bias",
    ]


def test_blocks_refuse_what_would_be_lost():
    net = dense_net()
    with pytest.raises(TypeError, match="changing its type"):
        net[0].act = 3
    with pytest.raises(ValueError, match="HybridSequential"):
        net.add(nn.Sequential())

    class Hidden(gluon.Block):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Dense(2)]

    with pytest.warns(UserWarning, match="unregistered container"):
        Hidden().collect_params()


# -- files ----------------------------------------------------------------------------------------------


def test_parameters_are_saved_by_attribute_and_by_name(tmp_path):
    net, path = ready(dense_net(), X), str(tmp_path / "x.params")
    net.save_parameters(path)

    assert list(nd.load(path)) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    other = dense_net()
    other.load_parameters(path)
    np.testing.assert_array_equal(other(X).asnumpy(), net(X).asnumpy())

    net.collect_params().save(path, strip_prefix=net.prefix)
    third = dense_net()
    third.load_parameters(path)
    np.testing.assert_array_equal(third(X).asnumpy(), net(X).asnumpy())
    with pytest.raises(AssertionError, match="missing in file"):
        net.save_parameters(path)
        nn.HybridSequential.load_parameters(deeper(), path)
    with pytest.raises(ValueError, match="not present"):
        shallow = nn.HybridSequential()
        shallow.add(nn.Dense(4))
        shallow.load_parameters(path)
    with pytest.raises(AssertionError, match="shape"):
        dense_net(units=7).load_parameters(path)
    shallow.load_parameters(path, ignore_extra=True)


def deeper():
    net = dense_net()
    net.add(nn.Dense(1))
    return net


def test_saved_dtypes_are_cast_if_wanted(tmp_path):
    net, path = ready(dense_net(), X), str(tmp_path / "x.params")
    net.cast("float16")
    net.save_parameters(path)
    other = dense_net()
    with pytest.raises(AssertionError, match="cast_dtype"):
        other.load_parameters(path)
    other.load_parameters(path, cast_dtype=True)

    assert other[0].weight.data().dtype == np.float32
    third = dense_net()
    third.load_parameters(path, cast_dtype=True, dtype_source="saved")

    assert third[0].weight.data().dtype == np.float16


def test_exports_are_symbols_and_checkpoints(tmp_path):
    net, path = dense_net(prefix="net_"), str(tmp_path / "x")
    with pytest.raises(RuntimeError, match="hybridize"):
        net.export(path)
    net.hybridize()
    ready(net, X)
    expected = net(X).asnumpy()
    net.export(path, epoch=3)
    block = gluon.SymbolBlock.imports(f"{path}-symbol.json", ["data"], f"{path}-0003.params")

    np.testing.assert_array_equal(block(X).asnumpy(), expected)
    module = mx.mod.Module.load(path, 3, label_names=None)
    module.bind([("data", X.shape)], for_training=False)
    module.forward(mx.io.DataBatch([X]))
    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), expected, rtol=1e-6)

    symbol = block(mx.sym.var("other"))
    assert symbol.list_arguments()[0] == "other"
    inner = mx.sym.load(f"{path}-symbol.json").get_internals()["net_dense0_relu_fwd_output"]
    features = gluon.SymbolBlock(inner, mx.sym.var("data"))
    features.load_parameters(f"{path}-0003.params", ignore_extra=True)

    assert features(X).shape == (5, 4)
    net.save(path)
    dense_net(prefix="net_").load(path)
    sparse = mx.sym.dot(mx.sym.var("data"), mx.sym.var("weight", stype="row_sparse"))
    with pytest.raises(AssertionError, match="'weight' is row-sparse"):
        gluon.SymbolBlock(sparse, mx.sym.var("data"))


# -- trainers -------------------------------------------------------------------------------------------


def step(net, trainer, x=X):
    with autograd.record():
        loss = net(x).square().sum()
    loss.backward()
    trainer.step(len(x))


@pytest.mark.parametrize("update_on_kvstore", [None, False, True])
@pytest.mark.parametrize("devices", [1, 2])
def test_states_are_saved_and_loaded(tmp_path, devices, update_on_kvstore):
    def made():
        mx.random.seed(1)
        net = dense_net(prefix="net_", in_units=6)
        net[1]._in_units = 4
        net.initialize(mx.init.Xavier(), ctx=[mx.cpu(i) for i in range(devices)])
        for i in range(devices):
            net(X.as_in_context(mx.cpu(i)))
        store = mx.kv.create("device") if update_on_kvstore else "device"
        options = {"learning_rate": 0.1, "momentum": 0.9}
        return net, gluon.Trainer(net.collect_params(), "sgd", options, store,
                                  update_on_kvstore=update_on_kvstore)  # fmt: skip

    def train(net, trainer):
        with autograd.record():
            losses = [net(X.as_in_context(mx.cpu(i))).square().sum() for i in range(devices)]
        autograd.backward(losses)
        trainer.step(5)

    net, trainer = made()
    for _ in range(3):
        train(net, trainer)
    trainer.save_states(str(tmp_path / "s"))
    net.save_parameters(str(tmp_path / "p"))
    other, again = made()
    other.load_parameters(str(tmp_path / "p"))
    again.load_states(str(tmp_path / "s"))
    train(net, trainer)
    train(other, again)
    for a, b in zip(net.collect_params().values(), other.collect_params().values(), strict=True):
        np.testing.assert_array_equal(a.data(mx.cpu(0)).asnumpy(), b.data(mx.cpu(0)).asnumpy())


def test_trainers_see_stale_gradients():
    net, idle = ready(dense_net(), X), ready(nn.Dense(2), X)
    params = net.collect_params()
    params.update(idle.collect_params())
    trainer = gluon.Trainer(params, "sgd")
    with pytest.raises(UserWarning, match="not been updated"):
        step(net, trainer)
    before = idle.weight.data().asnumpy()
    with autograd.record():
        loss = net(X).sum()
    loss.backward()
    trainer.step(1, ignore_stale_grad=True)

    assert (idle.weight.data().asnumpy() == before).all()


def test_trainers_clip_between_reduction_and_update():
    net = ready(dense_net(), X)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0}, update_on_kvstore=False)
    with autograd.record():
        loss = net(X).square().sum()
    loss.backward()
    trainer.allreduce_grads()
    grads = [p.grad() for p in net.collect_params().values()]
    norm = gluon.utils.clip_global_norm(grads, 0.5)
    after = np.sqrt(sum((g.asnumpy() ** 2).sum() for g in grads))

    assert norm > 0.5
    assert after == pytest.approx(0.5, rel=1e-5)
    trainer.update(1)
    trainer.set_learning_rate(0.3)
    assert trainer.learning_rate == trainer.optimizer.learning_rate == 0.3


def test_trainers_are_driven_step_by_step():
    """As scalers of losses and trainers over other transports do it."""
    net = ready(dense_net(), X)
    trainer = gluon.Trainer(net.collect_params(), "sgd", kvstore="local", update_on_kvstore=False)
    with autograd.record():
        loss = net(X).sum()
    loss.backward()

    assert trainer._kvstore_params == {"kvstore": "local", "update_on_kvstore": False}
    trainer._init_kvstore()
    trainer._init_params()
    assert trainer._kv_initialized
    assert trainer._params_to_init == []
    trainer._allreduce_grads()
    trainer._update(False)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ValueError, lambda: gluon.Trainer(3, "sgd")),
        (ValueError, lambda: gluon.Trainer([3], "sgd")),
        (RuntimeError, lambda: gluon.Trainer(nn.Dense(2).collect_params(), "sgd")),
        (AssertionError, lambda: gluon.Trainer({}, mx.optimizer.SGD(), {"momentum": 1})),
        (ValueError, lambda: gluon.Trainer({}, "nosuch")),
        (AssertionError, lambda: gluon.Parameter("w", grad_req="some")),
        (AssertionError, lambda: gluon.Parameter("w", stype="dense")),
        (AssertionError, lambda: nn.LeakyReLU(-1)),
        (AssertionError, lambda: nn.Conv2D(3, (1, 2, 3))),
        (AssertionError, lambda: nn.Conv1D(3, 1, layout="NWC")),
        (AssertionError, lambda: nn.MaxPool2D(layout="CHWN")),
        (AssertionError, lambda: nn.Lambda("nosuch")),
        (ValueError, lambda: nn.HybridLambda(3)),
        (AssertionError, lambda: gluon.loss.CTCLoss(layout="CTN")),
        (ValueError, lambda: gluon.loss.LogisticLoss(label_format="x")),
    ],
)
def test_wrong_arguments_are_errors(error, make):
    with pytest.raises(error):
        make()


# -- utilities ------------------------------------------------------------------------------------------


def test_batches_are_split():
    parts = gluon.utils.split_data(nd.arange(10), 4, even_split=False)

    assert [len(p) for p in parts] == [3, 3, 2, 2]
    assert [p.shape for p in gluon.utils.split_data(nd.ones((2, 6)), 3, batch_axis=1)] == [(2, 2)] * 3
    with pytest.raises(ValueError, match="evenly"):
        gluon.utils.split_data(nd.ones(5), 2)
    loaded = gluon.utils.split_and_load(np.ones((4, 2)), [mx.cpu(0), mx.cpu(1)])

    assert [x.context for x in loaded] == [mx.cpu(0), mx.cpu(1)]


def test_files_are_checked_and_never_downloaded(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")

    assert gluon.utils.check_sha1(str(path), "a9993e364706816aba3e25717850c26c9cd0d89d")
    assert gluon.utils.download("http://nowhere/x", str(tmp_path)) == str(path)
    with pytest.raises(mx.MXNetError, match="nothing is downloaded"):
        gluon.utils.download("http://nowhere/y", str(tmp_path))
    with pytest.raises(OSError, match="nothing is downloaded"):  # the class of a download that fails
        gluon.model_zoo.vision.alexnet(pretrained=True, root=str(tmp_path))
    with pytest.raises(AssertionError, match="retries"):
        gluon.utils.download("http://nowhere/x", str(tmp_path), retries=-1)
    gluon.utils.replace_file(str(path), str(tmp_path / "z"))

    assert (tmp_path / "z").exists()
    with pytest.warns(UserWarning, match="nan or inf"), np.errstate(all="ignore"):
        gluon.utils.clip_global_norm([nd.array([np.inf])], 1)


# -- recurrent layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_compute_what_their_cells_do(mode, bidirectional):
    layer = getattr(gluon.rnn, mode)(4, 2, bidirectional=bidirectional, input_size=3)
    layer.initialize(mx.init.Uniform(0.5))
    x = nd.array(np.random.default_rng(0).normal(size=(5, 2, 3)), dtype="float32")
    states = layer.begin_state(batch_size=2)
    outputs, after = layer(x, states)
    cells = layer._unfuse()
    expected, _ = cells.unroll(5, x, layout="TNC", merge_outputs=True)

    np.testing.assert_allclose(outputs.asnumpy(), expected.asnumpy(), rtol=1e-4, atol=1e-6)
    assert [s.shape for s in after] == [s.shape for s in states]
    with pytest.raises(ValueError, match="states"):
        layer(x, layer.begin_state(batch_size=3))


def test_layers_are_saved_under_the_names_of_their_cells(tmp_path):
    layer = gluon.rnn.LSTM(4, 2, bidirectional=True, input_size=3)
    layer.initialize()
    layer.save_parameters(str(tmp_path / "x"))

    assert "_unfused.1.r_cell.h2h_weight" in nd.load(str(tmp_path / "x"))
    other = gluon.rnn.LSTM(4, 2, bidirectional=True)
    other.load_parameters(str(tmp_path / "x"))
    x = nd.ones((2, 1, 3))
    np.testing.assert_array_equal(other(x).asnumpy(), layer(x).asnumpy())
    assert repr(layer) == "LSTM(3 -> 4, TNC, num_layers=2, bidirectional)"


def test_valid_lengths_mask_outputs_and_choose_states():
    cell = gluon.rnn.GRUCell(3)
    cell.initialize(mx.init.Uniform(0.5))
    x = nd.array(np.random.default_rng(0).normal(size=(2, 4, 3)), dtype="float32")
    outputs, states = cell.unroll(4, x, merge_outputs=True, valid_length=nd.array([2, 4]))
    whole, _ = cell.unroll(4, x, merge_outputs=True)

    assert (outputs.asnumpy()[0, 2:] == 0).all()
    np.testing.assert_allclose(outputs.asnumpy()[1], whole.asnumpy()[1], rtol=1e-6)
    np.testing.assert_allclose(states[0].asnumpy()[0], whole.asnumpy()[0, 1], rtol=1e-6)
    both = gluon.rnn.BidirectionalCell(gluon.rnn.RNNCell(2), gluon.rnn.RNNCell(2))
    both.initialize()
    joined, _ = both.unroll(4, x, merge_outputs=True, valid_length=nd.array([2, 4]))

    assert joined.shape == (2, 4, 4)
    assert (joined.asnumpy()[0, 2:] == 0).all()


def test_zoneout_keeps_what_was():
    cell = gluon.rnn.ZoneoutCell(gluon.rnn.RNNCell(3), 0.5, 0.5)
    cell.initialize(mx.init.One())
    x = nd.ones((2, 3, 4))
    with autograd.record():
        outputs, _ = cell.unroll(3, x)

    assert len(outputs) == 3
    assert (outputs[0].asnumpy() == 0).any()
    with pytest.raises(AssertionError, match="twice"):
        gluon.rnn.ResidualCell(cell.base_cell)
    with pytest.raises(AssertionError, match="modifier"):
        cell.base_cell.begin_state(2)


@pytest.mark.parametrize("on_store", [True, False])
def test_every_device_counts_its_updates(on_store):
    x = gluon.Parameter("x", shape=(2,))
    x.initialize(ctx=[mx.cpu(0), mx.cpu(1)], init="zeros")
    schedule = mx.lr_scheduler.FactorScheduler(2, factor=0.1, base_lr=1)
    settings = {"learning_rate": 1, "lr_scheduler": schedule}
    trainer = gluon.Trainer([x], "sgd", settings, update_on_kvstore=on_store)
    rates = []
    for _ in range(5):
        with mx.autograd.record():
            mx.autograd.backward([w + 1 for w in x.list_data()])
        trainer.step(1)
        rates.append(trainer.learning_rate)

    np.testing.assert_allclose(rates, [1, 1, 0.1, 0.1, 0.01])


def test_counts_of_devices_are_saved(tmp_path):
    def trained(steps, load):
        x = gluon.Parameter("x", shape=(2,))
        x.initialize(ctx=[mx.cpu(0), mx.cpu(1)], init="zeros")
        trainer = gluon.Trainer([x], "adam", {"learning_rate": 0.1}, update_on_kvstore=False)
        if load:
            x.set_data(nd.load(str(tmp_path / "x.params"))[0])
            trainer.load_states(str(tmp_path / "x.states"))
        for _ in range(steps):
            with mx.autograd.record():
                mx.autograd.backward([w * w + w for w in x.list_data()])
            trainer.step(1)
        return x, trainer

    whole, _ = trained(5, False)
    x, trainer = trained(2, False)
    nd.save(str(tmp_path / "x.params"), [x.data()])
    trainer.save_states(str(tmp_path / "x.states"))
    rest, _ = trained(3, True)

    for device in (mx.cpu(0), mx.cpu(1)):
        assert (rest.data(device) == whole.data(device)).asnumpy().all()


@pytest.mark.parametrize("kind", ["DeformableConvolution", "ModulatedDeformableConvolution"])
def test_deformable_convolutions_start_as_ordinary_ones_and_learn(kind):
    layer = getattr(gluon.contrib.cnn, kind)(4, 3, 2, 1)
    layer.initialize(mx.init.Xavier())
    layer.hybridize()
    x = nd.random.normal(shape=(2, 3, 8, 8))
    found = layer(x)
    weight, bias = layer.deformable_conv_weight.data(), layer.deformable_conv_bias.data()
    settings = {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "num_filter": 4}

    np.testing.assert_allclose(
        found.asnumpy(), nd.Convolution(x, weight, bias, **settings).asnumpy(), atol=1e-5
    )
    assert layer.offset_weight.shape == ((18 if kind[0] == "D" else 27), 3, 3, 3)
    with autograd.record():
        y = (layer(x) ** 2).sum()
    y.backward()
    assert np.abs(layer.offset_weight.grad().asnumpy()).max() > 0
    with pytest.raises(AssertionError, match="expected 'NCHW'"):
        getattr(gluon.contrib.cnn, kind)(4, layout="NHWC")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_ask_for_three_dimensions(kind):
    layer = getattr(gluon.rnn, kind)(4)
    layer.initialize()

    with pytest.raises(ShapeError, match=rf"{kind}\(inputs\): expected three dimensions in the order TNC"):
        layer(mx.nd.ones((2, 3)))
