"""`Monitor`: what it shows of executors, and when."""

import logging

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd


def bound():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc", no_bias=True)
    net = mx.sym.Activation(net, act_type="relu", name="act")
    exe = net.simple_bind(mx.cpu(), data=(1, 2))
    exe.arg_dict["data"][:] = [[3.0, 4.0]]
    exe.arg_dict["fc_weight"][:] = 1
    return exe


def test_monitor_shows_outputs_and_parameters_every_other_batch(caplog):
    monitor = mx.mon.Monitor(2, sort=True)
    exe = bound()
    monitor.install(exe)
    seen = []
    for _ in range(3):
        monitor.tic()
        exe.forward()
        seen.append(monitor.toc())

    assert [name for _, name, _ in seen[0]] == ["act_output", "data", "fc_output", "fc_weight"]
    assert seen[1] == []
    assert [step for step, _, _ in seen[2]] == [3] * 4
    values = {name: float(text) for _, name, text in seen[0]}
    assert values["data"] == pytest.approx(5 / np.sqrt(2))
    assert values["fc_output"] == pytest.approx(7)

    caplog.set_level(logging.INFO)
    monitor.tic()
    monitor.tic()
    exe.forward()
    monitor.toc_print()

    assert f"{5:7d} {'fc_weight':<30} 1.0\t" in caplog.text


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (lambda x: mx.sym.BatchNorm(x, name="n"), ["n_output", "n_mean", "n_var"]),
        (lambda x: mx.sym.BatchNorm(x, output_mean_var=True, name="n"), ["n_output", "n_mean", "n_var"]),
        (lambda x: mx.sym.LayerNorm(x, name="n"), ["n_output", "n_mean", "n_std"]),
        (lambda x: mx.sym.Dropout(x, name="n"), ["n_output", "n_mask"]),
        (lambda x: mx.sym.topk(x, ret_typ="both", name="n"), ["n_output0", "n_output1"]),
    ],
)
@pytest.mark.parametrize("is_train", [False, True])
def test_monitors_are_shown_the_hidden_results_that_mxnet_has(layer, names, is_train):
    exe = layer(mx.sym.Variable("data")).simple_bind(mx.cpu(), grad_req="null", data=(2, 3, 4))
    seen = []
    exe.set_monitor_callback(lambda name, _: seen.append(name))
    exe.forward(is_train=is_train)

    assert seen == names


def test_monitor_takes_a_pattern_and_a_statistic():
    monitor = mx.monitor.Monitor(1, lambda x: [nd.max(x), x], pattern="fc.*")
    exe = bound()
    monitor.install(exe)
    monitor.tic()
    exe.forward()

    assert {name: text for _, name, text in monitor.toc()} == {
        "fc_output": "7.0\t[[7. 7.]]\t",
        "fc_weight": "1.0\t[[1. 1.]\n [1. 1.]]\t",
    }


def test_a_statistic_must_be_arrays():
    monitor = mx.mon.Monitor(1, lambda x: [3])
    exe = bound()
    monitor.install(exe)
    monitor.tic()
    with pytest.raises(AssertionError, match="stat_func"):
        monitor.toc()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of the root
def test_the_first_array_that_is_not_finite_is_named():
    data = mx.sym.Variable("data")
    net = mx.sym.sqrt(mx.sym.FullyConnected(data, num_hidden=2, name="fc"), name="root")
    module = mx.mod.Module(mx.sym.LinearRegressionOutput(mx.sym.exp(net, name="power"), name="softmax"))
    rows = np.ones((4, 3), "float32")
    batches = mx.io.NDArrayIter(rows, np.zeros((4, 2), "float32"), batch_size=2)
    named = "root_output is the first array that is not finite, in batch 0"
    with pytest.raises(FloatingPointError, match=named):
        module.fit(batches, initializer=mx.init.Constant(-1), monitor=mx.mon.FiniteMonitor(), num_epoch=1)

    good = mx.mod.Module(mx.sym.LinearRegressionOutput(net, name="softmax"))
    monitor = mx.mon.FiniteMonitor()
    batches.reset()
    params = {"learning_rate": 0.0}
    good.fit(batches, initializer=mx.init.One(), monitor=monitor, optimizer_params=params, num_epoch=1)

    assert monitor.step == 2
