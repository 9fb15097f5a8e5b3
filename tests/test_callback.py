"""Callbacks write what MXNet writes, when it does."""

import logging

import pytest

import mxcy as mx
from mxcy import callback, metric, nd
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
