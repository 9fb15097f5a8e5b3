"""Callbacks write what MXNet writes, when it does."""

import io
import logging
import sys

import numpy as np
import pytest

import mxcy as mx
from mxcy import callback, metric, nd
from mxcy.base import MXNetError
from mxcy.model import BatchEndParam


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def batch(nbatch, measure=None, epoch=0):
    return BatchEndParam(epoch=epoch, nbatch=nbatch, eval_metric=measure, locals=None)


def half():
    measure = metric.create("acc")
    measure.update([nd.array([0, 1])], [nd.array([0, 0])])
    return measure


def texts(logged):
    """Log lines with the speed, which is never the same, replaced."""
    parts = [message.split("\t") for message in logged.messages]
    return ["\t".join("Speed" if part.startswith("Speed: ") else part for part in line) for line in parts]


def test_speedometer_shows_the_batches_since_its_last_line(logged):
    speed, measure = callback.Speedometer(8, 3), half()
    for number in range(7):
        speed(batch(number, measure, epoch=2))
        if number == 3:
            measure.update([nd.array([1])], [nd.array([1])])

    assert texts(logged) == [
        "Epoch[2] Batch [0-3]\tSpeed\taccuracy=0.500000",
        "Epoch[2] Batch [3-6]\tSpeed\taccuracy=1.000000",
    ]
    assert logged.messages[0].split("\t")[1].endswith(" samples/sec")
    assert measure.get_global()[1] == 2 / 3


def test_speedometer_may_show_the_whole_epoch(logged):
    speed, measure = callback.Speedometer(8, 3, auto_reset=False), half()
    for number in range(7):
        speed(batch(number, measure))

    assert texts(logged) == [f"Epoch[0] Batch [0-{last}]\tSpeed\taccuracy=0.500000" for last in (3, 6)]


def test_speedometer_starts_anew_in_each_epoch_and_works_without_a_metric(logged):
    speed = callback.Speedometer(8, 2)
    for epoch in range(2):
        for number in range(4):
            speed(batch(number, epoch=epoch))

    assert texts(logged) == ["Iter[0] Batch [2]\tSpeed", "Iter[1] Batch [2]\tSpeed"]


def test_progress_bar(logged):
    callback.ProgressBar(10)(batch(3))
    callback.ProgressBar(10, 20)(batch(10))

    assert logged.messages == ["[" + "=" * 24 + "-" * 56 + "] 30%\r", "[" + "=" * 20 + "] 100%\r"]


def test_training_metric_is_logged_now_and_then(logged):
    log, measure = callback.log_train_metric(2, auto_reset=True), half()
    for number in range(3):
        log(batch(number, measure))
    callback.log_train_metric(1)(batch(0))

    assert logged.messages == [
        "Iter[0] Batch[0] Train-accuracy=0.500000",
        "Iter[0] Batch[2] Train-accuracy=nan",
    ]


def test_validation_metric_is_logged(logged):
    callback.LogValidationMetricsCallback()(batch(3, half(), epoch=2))
    callback.LogValidationMetricsCallback()(batch(3))

    assert logged.messages == ["Epoch[2] Validation-accuracy=0.500000"]


def test_checkpoints_are_saved_every_few_epochs(logged, tmp_path):
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    save = callback.do_checkpoint(str(tmp_path / "a"), 2)
    for epoch in range(5):
        save(epoch, net, {"fc_weight": nd.ones((2, 3))}, {"moving": nd.ones(1)})

    names = sorted(path.name for path in tmp_path.iterdir())

    assert names == ["a-0002.params", "a-0004.params", "a-symbol.json"]
    assert logged.messages[0] == f'Saved checkpoint to "{tmp_path}/a-0002.params"'

    symbol, args, auxs = mx.model.load_checkpoint(str(tmp_path / "a"), 4)

    assert symbol.tojson() == net.tojson()
    assert args["fc_weight"].shape == (2, 3)
    assert list(auxs) == ["moving"]


def test_modules_are_saved_every_few_epochs(logged, tmp_path):
    product = mx.sym.Variable("data") * mx.sym.Variable("w")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(product, name="softmax"))
    module.bind([("data", (2, 3))], [("softmax_label", (2,))])
    module.init_params(arg_params={"w": nd.ones((2, 3))})
    module.init_optimizer()
    save = callback.module_checkpoint(module, str(tmp_path / "m"), 2, save_optimizer_states=True)
    for epoch in range(3):
        save(epoch)

    names = sorted(path.name for path in tmp_path.iterdir())

    assert names == ["m-0002.params", "m-0002.states", "m-symbol.json"]
    assert logged.messages[-2:] == [
        f'Saved checkpoint to "{tmp_path}/m-0002.params"',
        f'Saved optimizer state to "{tmp_path}/m-0002.states"',
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_bar_of_a_terminal(logged, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = callback.ProgressBar(3)
    for epoch in range(2):
        for number in range(3):
            bar(batch(number, half(), epoch))

    shown = sys.stderr.getvalue()
    assert logged.messages == []
    assert "epoch 0: 100%" in shown and "epoch 1: 100%" in shown
    assert "accuracy=0.5" in shown


def iterator(data):
    label = np.zeros(len(data), "float32")
    return mx.io.NDArrayIter(np.asarray(data, "float32"), label, batch_size=2)


def network():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    return mx.sym.LinearRegressionOutput(mx.sym.sum(net, axis=1, name="total"), name="softmax")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of numbers that overflow
def test_training_stops_at_the_first_bad_array():
    stop = callback.StopOnNaN()
    data = np.ones((6, 3))
    data[4] = np.nan
    with pytest.raises(FloatingPointError, match="data 0 is not finite in epoch 0, batch 2"):
        mx.mod.Module(network()).fit(iterator(data), eval_metric="mse", batch_end_callback=stop, num_epoch=1)

    module = mx.mod.Module(network())
    named = r"fit: (softmax_output|fc_\w+|the metric mse) is not finite in epoch \d, batch \d"
    with pytest.raises(MXNetError, match=named):
        module.fit(
            iterator(np.full((6, 3), 1e6)),
            eval_metric="mse",
            batch_end_callback=stop,
            optimizer_params={"learning_rate": 1e6},
            num_epoch=3,
        )
    callback.StopOnNaN(2)(batch(1))


def test_history_is_kept_and_drawn():
    history = callback.History(2)
    module = mx.mod.Module(network())
    data = iterator(np.ones((8, 3)))
    module.fit(
        data,
        eval_data=data,
        eval_metric="mse",
        num_epoch=2,
        batch_end_callback=history.on_batch,
        eval_end_callback=history.on_evaluation,
    )

    assert [batches for batches, _ in history.records["train-mse"]] == [2, 4, 6, 8]
    assert [batches for batches, _ in history.records["validation-mse"]] == [4, 8]

    figure = mx.viz.plot_history(history)
    [axes] = figure.axes
    assert [line.get_label() for line in axes.lines] == ["train", "validation"]
    assert axes.lines[1].get_xdata().tolist() == [4, 8]
    assert len(mx.viz.plot_history({"loss": [3, 2], "train-acc": [0, 1]}).axes) == 2
    assert len(mx.viz.plot_history({"loss": [3, 2], "train-acc": [0, 1]}, ["acc"]).axes) == 1
    for wrong in ({}, 3):
        with pytest.raises(MXNetError, match=r"plot_history\(history\)"):
            mx.viz.plot_history(wrong)
    with pytest.raises(MXNetError, match="some of loss, got acc"):
        mx.viz.plot_history({"loss": [1]}, ["acc"])
