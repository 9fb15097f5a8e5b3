"""Modules: training steps and logs are those of MXNet 1.9.1."""

import logging
from collections import namedtuple

import numpy as np
import pytest
from module_cases import MLP, PARAMS, bound_module, data, golden_module, network

import mxcy as mx
from mxcy import nd
from mxcy.io import DataBatch, DataDesc


@pytest.fixture
def bound():
    return bound_module()


# -- one step -------------------------------------------------------------------------------------------


def test_outputs_and_gradients_are_mxnets():
    module, batch = golden_module()
    module.forward_backward(batch)
    gradients = module._exec_group.groups[0].gradients

    np.testing.assert_allclose(module.get_outputs()[0].asnumpy(), MLP["output"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(module.get_input_grads()[0].asnumpy(), MLP["grad_data"], rtol=1e-4, atol=1e-6)
    for name in PARAMS:
        np.testing.assert_allclose(gradients[name].asnumpy(), MLP[f"grad_{name}"], rtol=1e-4, atol=1e-6)


def test_five_steps_end_at_mxnets_weights():
    module, batch = golden_module()
    module.init_optimizer(optimizer_params={"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01})
    for _ in range(5):
        module.forward_backward(batch)
        module.update()

    assert module._optimizer.rescale_grad == 0.25
    for name, value in module.get_params()[0].items():
        np.testing.assert_allclose(value.asnumpy(), MLP[f"after5_{name}"], rtol=1e-5, atol=1e-6)


def test_names_and_shapes_before_and_after_binding():
    module = mx.mod.Module(network())

    assert (module.data_names, module.label_names) == (["data"], ["softmax_label"])
    assert module.output_names == ["softmax_output"]
    assert (module._data_shapes, module._label_shapes) == (None, None)

    module.bind([("data", (8, 5))], [("softmax_label", (8,))])

    assert module.data_shapes == [DataDesc("data", (8, 5))]
    assert module.label_shapes == module._label_shapes == [DataDesc("softmax_label", (8,))]
    assert module.output_shapes == [("softmax_output", (8, 3))]
    assert (module.binded, module.params_initialized, module.optimizer_initialized) == (True, False, False)
    assert module.symbol.list_outputs() == ["softmax_output"]


EARLY = {
    "get_params": lambda m: m.get_params(),
    "forward": lambda m: m.forward(next(data())),
    "backward": lambda m: m.backward(),
    "update": lambda m: m.update(),
    "init_optimizer": lambda m: m.init_optimizer(),
    "get_outputs": lambda m: m.get_outputs(),
    "install_monitor": lambda m: m.install_monitor(None),
    "save_checkpoint": lambda m: m.save_checkpoint("x", 0),
    "save_optimizer_states": lambda m: m.save_optimizer_states("x"),
    "predict": lambda m: m.predict(data()),
    "score": lambda m: m.score(data(), "acc"),
    "init_params": lambda m: m.init_params(),
    "set_params": lambda m: m.set_params({}, {}),
    "data_shapes": lambda m: m.data_shapes,
    "reshape": lambda m: m.reshape([("data", (2, 5))]),
    "get_states": lambda m: m.get_states(),
}


@pytest.mark.parametrize("call", EARLY)
def test_what_comes_too_early_says_what_to_do_first(call):
    with pytest.raises(AssertionError, match=f"{call}: .*call ") as caught:
        EARLY[call](mx.mod.Module(network()))
    assert isinstance(caught.value, mx.MXNetError)


def test_gradients_need_the_right_binding(bound):
    bound.forward(next(data()))
    bound.backward()
    with pytest.raises(AssertionError, match="re-bind with inputs_need_grad=True"):
        bound.get_input_grads()
    with pytest.raises(AssertionError, match="call init_optimizer first"):
        bound.update()

    bound.bind([("data", (8, 5))], for_training=False, force_rebind=True)
    bound.forward(next(data()))
    with pytest.raises(AssertionError, match="re-bind with for_training=True to run backward"):
        bound.backward()
    with pytest.raises(AssertionError, match="need for_training=True"):
        bound.bind([("data", (8, 5))], for_training=False, inputs_need_grad=True, force_rebind=True)


# -- binding and shapes -----------------------------------------------------------------------------------


def test_binding_twice_needs_force(bound, caplog):
    bound.bind([("data", (2, 5))], [("softmax_label", (2,))])

    assert caplog.messages == ["Already bound, ignoring bind()"]
    assert bound.data_shapes[0].shape == (8, 5)

    before = bound.get_params()[0]
    bound.bind([("data", (2, 5))], [("softmax_label", (2,))], force_rebind=True)

    assert bound.data_shapes[0].shape == (2, 5)
    for name, value in bound.get_params()[0].items():
        assert (value.asnumpy() == before[name].asnumpy()).all()


def test_batches_of_other_sizes_share_parameters_and_gradients(bound):
    bound.init_optimizer(optimizer_params={"learning_rate": 0.5})
    whole = data(rows=12, batch_size=12)
    parts = [next(data(rows=12, batch_size=n)) for n in (12, 4, 12, 4)]
    expected = bound.predict(whole).asnumpy()
    for batch in parts:
        rows = batch.data[0].shape[0]
        bound.forward(batch, is_train=False)

        np.testing.assert_allclose(bound.get_outputs()[0].asnumpy(), expected[:rows], rtol=1e-6)
        assert bound.data_shapes[0].shape == (rows, 5)
        assert bound.label_shapes[0].shape == (rows,)
    assert len(bound._exec_group.groups[0]._executors) == 3

    before = bound.get_params()[0]["fc2_bias"].asnumpy()
    bound.forward_backward(parts[1])
    bound.update()

    assert (bound.get_params()[0]["fc2_bias"].asnumpy() != before).any()


def test_a_batch_is_anything_with_data(bound):
    batch = namedtuple("Batch", ["data"])
    values = np.ones((8, 5), np.float32)
    bound.forward(batch([nd.array(values)]))
    expected = bound.get_outputs()[0].asnumpy()
    bound.forward(batch([values[:3]]))

    np.testing.assert_array_equal(bound.get_outputs()[0].asnumpy(), expected[:3])


def test_few_shapes_are_kept(bound):
    for rows in range(1, 20):
        bound.forward(DataBatch([nd.ones((rows, 5))]), is_train=False)

        assert bound.get_outputs()[0].shape == (rows, 3)
    assert len(bound._exec_group.groups[0]._executors) == 8


def test_labels_may_come_and_go(bound):
    with_label, larger = next(data()), next(data(batch_size=10))
    bound.forward(DataBatch(larger.data), is_train=False)

    assert bound.get_outputs()[0].shape == (10, 3)

    bound.forward_backward(with_label)
    gradient = bound._exec_group.groups[0].gradients["fc2_bias"].asnumpy()
    probability = bound.get_outputs()[0].asnumpy()
    right = np.eye(3)[with_label.label[0].asnumpy().astype(int)]

    np.testing.assert_allclose(gradient, (probability - right).sum(axis=0), atol=1e-6)


def test_reshape_keeps_the_parameters(bound):
    before = bound.get_params()[0]
    bound.reshape([("data", (4, 5))], [("softmax_label", (4,))])

    assert bound.output_shapes == [("softmax_output", (4, 3))]
    assert all((bound.get_params()[0][n].asnumpy() == v.asnumpy()).all() for n, v in before.items())


def test_data_of_another_width_does_not_fit(bound):
    with pytest.raises(ValueError, match="fc1_weight") as caught:
        bound.forward(DataBatch([nd.ones((8, 7))]))
    assert isinstance(caught.value, mx.MXNetError)

    bound.forward(next(data()))  # and nothing was broken

    with pytest.raises(ValueError, match=r"forward\(data\): expected 1 arrays \(data\), got 2"):
        bound.forward(DataBatch([nd.ones((8, 5)), nd.ones(3)]))


def test_arrays_of_numpy_and_other_dtypes_are_converted(bound):
    batch = next(data())
    bound.forward(batch, is_train=False)
    expected = bound.get_outputs()[0].asnumpy()
    bound.forward(DataBatch([batch.data[0].asnumpy().astype(np.float64)]), is_train=False)

    np.testing.assert_allclose(bound.get_outputs()[0].asnumpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("match", "shapes"),
    [
        ("data_shapes don't match names specified by data_names", [("foo", (8, 5))]),
        ("expected shapes of data, got none", []),
        ("DataDesc or .name, shape.", [3]),
    ],
)
def test_wrong_data_shapes_are_errors(match, shapes):
    with pytest.raises(ValueError, match=match):
        mx.mod.Module(network()).bind(shapes)


def test_wrong_names_are_named():
    with pytest.raises(ValueError, match=r"data_names=\['foo'\].*mean one of:\n\tdata\n\tsoftmax_label"):
        mx.mod.Module(network(), data_names=["foo"])
    with pytest.raises(ValueError, match="fixed_param_names"):
        mx.mod.Module(network(), fixed_param_names=["foo"])
    with pytest.warns(UserWarning, match="label_names"):
        mx.mod.Module(network(), label_names=["foo"])
    with pytest.warns(UserWarning, match="label_shapes don't match names"):
        mx.mod.Module(network()).bind([("data", (8, 5))], [("foo", (8,))])
    with pytest.raises(TypeError, match="a Symbol, got int"):
        mx.mod.Module(3)


def test_fixed_parameters_stay():
    module = mx.mod.Module(network(), fixed_param_names=["fc1_weight"], context=[mx.cpu()])
    module.bind(data().provide_data, data().provide_label)
    module.init_params(mx.init.Xavier())
    module.init_optimizer()
    before = module.get_params()[0]
    module.forward_backward(next(data()))
    module.update()
    after = module.get_params()[0]

    assert (after["fc1_weight"].asnumpy() == before["fc1_weight"].asnumpy()).all()
    assert (after["fc2_weight"].asnumpy() != before["fc2_weight"].asnumpy()).any()


def test_gradients_may_add_up():
    module = mx.mod.Module(network())
    module.bind(data().provide_data, data().provide_label, grad_req="add")
    module.init_params(mx.init.Xavier())
    batch, gradients = next(data()), module._exec_group.groups[0].gradients
    module.forward_backward(batch)
    once = gradients["fc2_weight"].asnumpy()
    module.forward_backward(batch)

    np.testing.assert_allclose(gradients["fc2_weight"].asnumpy(), 2 * once, rtol=1e-5, atol=1e-7)


def test_head_gradients_are_passed_on():
    module = mx.mod.Module(mx.sym.Variable("data") * mx.sym.Variable("w"), label_names=None)
    module.bind([("data", (2,))], inputs_need_grad=True)
    module.init_params(arg_params={"w": nd.array([3, 4])})
    module.forward(DataBatch([nd.array([1, 2])]), is_train=True)
    module.backward([nd.array([10, 100])])

    assert module.get_input_grads()[0].asnumpy().tolist() == [30, 400]
    assert module.get_input_grads(merge_multi_context=False)[0][0].shape == (2,)
    assert module.get_outputs(merge_multi_context=False)[0][0].asnumpy().tolist() == [3, 8]


def test_states_keep_their_values_from_batch_to_batch():
    sum_ = mx.sym.Variable("data") + mx.sym.Variable("state")
    module = mx.mod.Module(sum_, label_names=None, state_names=["state"])
    module.bind([("data", (2,))])
    module.init_params()
    module.set_states(value=1)
    module.forward(DataBatch([nd.array([1, 2])]))

    assert module.get_outputs()[0].asnumpy().tolist() == [2, 3]

    module.set_states(states=module.get_outputs(merge_multi_context=False))

    assert module.get_states()[0].asnumpy().tolist() == [2, 3]
    with pytest.raises(AssertionError, match="either states or value"):
        module.set_states()


def test_modules_share_parameters_and_optimizer(bound):
    bound.init_optimizer()
    other = mx.mod.Module(network())
    other.bind([("data", (2, 5))], [("softmax_label", (2,))], shared_module=bound)

    assert other.params_initialized
    assert other.optimizer_initialized

    other.forward_backward(next(data(batch_size=2)))
    other.update()

    for name, value in bound.get_params()[0].items():
        assert (other.get_params()[0][name].asnumpy() == value.asnumpy()).all()


# -- parameters -----------------------------------------------------------------------------------------


def test_parameters_are_copies(bound):
    params, _ = bound.get_params()
    params["fc1_bias"][:] = 7

    assert (bound.get_params()[0]["fc1_bias"].asnumpy() == 0).all()


def test_given_parameters_come_before_the_initializer():
    module = mx.mod.Module(network())
    module.bind(data().provide_data, data().provide_label)
    weight = nd.ones((8, 5))
    with pytest.raises(RuntimeError, match="fc1_bias, fc2_weight, fc2_bias is not presented"):
        module.init_params(arg_params={"fc1_weight": weight})
    assert not module.params_initialized

    module.init_params(mx.init.Constant(5), {"fc1_weight": weight, "other": weight}, allow_missing=True)
    params, _ = module.get_params()

    assert (params["fc1_weight"].asnumpy() == 1).all()
    assert (params["fc2_weight"].asnumpy() == 5).all()


def test_all_that_is_wrong_with_parameters_is_said_at_once(bound):
    before = bound.get_params()[0]
    wrong = {"fc1_wieght": before["fc1_weight"], "fc1_bias": nd.ones(3), "fc2_bias": nd.ones(3)}
    with pytest.raises(ValueError) as caught:
        bound.set_params(wrong, {})
    text = str(caught.value)

    assert isinstance(caught.value, RuntimeError)
    assert "fc1_weight, fc2_weight is not presented" in text
    assert "'fc1_wieght' is not in the arguments (did you mean fc1_weight?)" in text
    assert "'fc1_bias' expected shape (8,), got (3,)" in text
    assert (bound.get_params()[0]["fc2_bias"].asnumpy() == before["fc2_bias"].asnumpy()).all()

    bound.set_params({"fc2_bias": nd.ones(3), "other": nd.ones(1)}, {}, allow_missing=True, allow_extra=True)
    bound.set_params(bound.get_params()[0] | {"other": nd.ones(1)}, {})
    with pytest.raises(ValueError, match="'other' is not in the arguments"):
        bound.set_params({"other": nd.ones(1)}, {}, allow_missing=True)

    assert (bound.get_params()[0]["fc2_bias"].asnumpy() == 1).all()


def test_parameters_are_set_once_unless_forced(bound):
    with pytest.warns(UserWarning, match="init_params call ignored"):
        bound.init_params(mx.init.One())
    with pytest.warns(UserWarning, match="set_params call ignored"):
        bound.set_params({}, {}, force_init=False)
    assert (bound.get_params()[0]["fc1_weight"].asnumpy() != 1).any()

    bound.init_params(mx.init.One(), force_init=True)

    assert (bound.get_params()[0]["fc1_weight"].asnumpy() == 1).all()


def test_variables_have_their_own_initializer_and_rates():
    weight = mx.sym.Variable("own", init=mx.init.Constant(0.5), lr_mult=0)
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), weight=weight, num_hidden=3, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    module.fit(data(), num_epoch=1, initializer=mx.init.One())
    params, _ = module.get_params()

    assert (params["own"].asnumpy() == 0.5).all()
    assert (params["fc_bias"].asnumpy() != 0).any()


# -- optimizer ------------------------------------------------------------------------------------------


def test_optimizer_is_made_for_the_batch_size_and_the_names(bound, caplog):
    bound.init_optimizer(optimizer_params={"learning_rate": 0.1})

    assert bound._optimizer.rescale_grad == 0.125
    assert bound._optimizer.idx2name == dict(enumerate(PARAMS))

    bound.init_optimizer()

    assert caplog.messages == ["optimizer already initialized, ignoring..."]
    with pytest.warns(UserWarning, match=r"rescale_grad is not normalized .* \(1.0 vs. 0.125\)"):
        bound.init_optimizer(optimizer=mx.optimizer.SGD(), force_init=True)
    assert bound._optimizer.idx2name == dict(enumerate(PARAMS))


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ValueError, "got 'foo'", {"kvstore": "foo"}),
        (TypeError, "kvstore.*got int", {"kvstore": 3}),
        (AssertionError, "a name or an Optimizer, got int", {"optimizer": 3}),
        (ValueError, "cannot find optimizer 'nope'", {"optimizer": "nope"}),
        (TypeError, "foo", {"optimizer_params": {"foo": 3}}),
    ],
)
def test_wrong_optimizers_are_errors(bound, error, match, arguments):
    with pytest.raises(error, match=match):
        bound.init_optimizer(**arguments)
    for kvstore in (None, "local", "device"):
        bound.init_optimizer(kvstore=kvstore, force_init=True)


# -- fit, score, predict ----------------------------------------------------------------------------------


def test_fit_logs_what_mxnet_logs(caplog, tmp_path):
    caplog.set_level(logging.INFO)
    module = mx.mod.Module(network())
    module.fit(
        data(rows=50), data(rows=20), "acc", num_epoch=2, optimizer_params={"learning_rate": 0.5},
        batch_end_callback=mx.callback.Speedometer(8, 3),
        epoch_end_callback=mx.callback.do_checkpoint(str(tmp_path / "chk")),
    )  # fmt: skip
    kinds = [message.split("=")[0].split("\t")[0] for message in caplog.messages]
    epoch = [
        "Epoch[{}] Batch [0-3]", "Epoch[{}] Batch [3-6]", "Epoch[{}] Train-accuracy", "Epoch[{}] Time cost",
        "Saved checkpoint to", "Epoch[{}] Validation-accuracy",
    ]  # fmt: skip

    assert [k.split(' "')[0] for k in kinds] == [text.format(e) for e in (0, 1) for text in epoch]


def test_rows_that_fill_a_batch_count_in_metrics_but_are_not_predicted(bound):
    source = data(rows=50)
    counted = mx.metric.Accuracy()
    bound.score(source, counted)

    assert counted.num_inst == 56
    assert bound.predict(source).shape == (50, 3)


def test_fit_learns():
    mx.random.seed(1)
    np.random.seed(1)
    source = data(rows=200, batch_size=20, shuffle=True)
    module = mx.mod.Module(network(16))
    options = {"learning_rate": 0.3, "momentum": 0.9}
    module.fit(source, initializer=mx.init.Xavier(), optimizer_params=options, num_epoch=20)

    assert module.score(source, "acc")[0][1] > 0.9


def test_training_is_the_same_again():
    def run():
        mx.random.seed(4)
        np.random.seed(4)
        module = mx.mod.Module(network())
        module.fit(data(shuffle=True), initializer=mx.init.Xavier(), num_epoch=3)
        return {name: value.asnumpy().tobytes() for name, value in module.get_params()[0].items()}

    assert run() == run()


def test_fit_may_be_called_again(bound, caplog):
    bound.fit(data(), num_epoch=1, force_init=True)
    bound.fit(data(), num_epoch=2, begin_epoch=1, force_init=True, optimizer_params={"learning_rate": 9})

    assert caplog.messages == [
        "Already bound, ignoring bind()",
        "Already bound, ignoring bind()",
        "optimizer already initialized, ignoring...",
    ]
    assert bound._optimizer.lr == 0.01


def test_callbacks_see_the_loop():
    seen = []
    module = mx.mod.Module(network())
    module.fit(
        data(), data(), ["acc", "ce"], num_epoch=1, validation_metric="ce",
        epoch_end_callback=[lambda n, net, args, auxs: seen.append((n, net.name, sorted(args), auxs))],
        batch_end_callback=[lambda p: seen.append((p.epoch, p.nbatch, p.locals["data_batch"].pad))],
        eval_batch_end_callback=lambda p: seen.append(("eval", p.nbatch)),
        eval_end_callback=lambda p: seen.append(("end", p.nbatch, p.eval_metric.name)),
    )  # fmt: skip

    assert seen == [
        (0, 0, 0), (0, 1, 0), (0, 2, 4),
        (0, "softmax", sorted(PARAMS), {}),
        ("eval", 0), ("eval", 1), ("eval", 2), ("end", 3, "cross-entropy"),
    ]  # fmt: skip


def test_fit_needs_a_number_of_epochs_and_data():
    module = mx.mod.Module(network())
    with pytest.raises(AssertionError, match="please specify number of epochs"):
        module.fit(data())
    empty = data()
    list(empty)
    with pytest.raises(ValueError, match="at least one batch, got none; reset the iterator"):
        module.fit(empty, num_epoch=1)


def test_score_takes_metrics_and_stops_early(bound):
    assert [name for name, _ in bound.score(data(), ["acc", "ce"])] == ["accuracy", "cross-entropy"]

    source, counted = data(), mx.metric.Accuracy()
    bound.score(source, counted, num_batch=1)
    assert counted.num_inst == 8
    bound.score(source, counted, reset=False)
    assert counted.num_inst == 8  # one batch was taken to see that it is enough


def test_labels_go_by_the_order_of_their_shapes():
    x = mx.sym.Variable("data")
    outputs = [mx.sym.LinearRegressionOutput(x, name=name) for name in ("a", "b")]
    module = mx.mod.Module(mx.sym.Group(outputs), label_names=["a_label", "b_label"])
    module.bind([("data", (2, 1))], [("b_label", (2, 1)), ("a_label", (2, 1))])
    module.init_params()
    batch = DataBatch([nd.zeros((2, 1))], [nd.ones((2, 1)), nd.full((2, 1), 3)])
    measure = mx.metric.MSE(output_names=["a_output"], label_names=["a_label"])
    module.forward(batch)
    module.update_metric(measure, batch.label)

    assert measure.get()[1] == 9


def test_predict_joins_batches(bound):
    source = data()
    merged = bound.predict(source)
    batches = bound.predict(source, merge_batches=False)

    assert merged.shape == (20, 3)
    assert [out.shape for (out,) in batches] == [(8, 3), (8, 3), (4, 3)]
    assert (np.concatenate([out.asnumpy() for (out,) in batches]) == merged.asnumpy()).all()
    assert bound.predict(source, num_batch=2).shape == (16, 3)
    assert isinstance(bound.predict(source, always_output_list=True), list)
    assert [(o[0].shape, i, b.pad) for o, i, b in bound.iter_predict(source)][2] == ((4, 3), 2, 4)

    first = next(data()).data[0]

    assert (bound.predict(first).asnumpy() == merged[:8].asnumpy()).all()
    assert (bound.predict(first.asnumpy()).asnumpy() == merged[:8].asnumpy()).all()
    with pytest.raises(ValueError, match="an NDArray or a DataIter, got int"):
        bound.predict(3)


def test_monitor_is_installed_in_every_executor(bound):
    class Monitor:
        installed = 0

        def install(self, executor):
            self.installed += 1

    monitor = Monitor()
    bound.install_monitor(monitor)
    bound.forward(DataBatch([nd.ones((3, 5))]), is_train=False)

    assert monitor.installed == 2


def test_base_module_names_what_a_subclass_lacks():
    with pytest.raises(NotImplementedError, match="BaseModule must define bind"):
        mx.mod.BaseModule().bind([])
