"""`gluon.contrib.estimator`: the loop, its handlers, checkpoints."""

import logging
import os
import re

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd
from mxcy.gluon.contrib.estimator import (
    BatchBegin,
    BatchEnd,
    BatchProcessor,
    CheckpointHandler,
    EarlyStoppingHandler,
    EpochBegin,
    EpochEnd,
    Estimator,
    GradientUpdateHandler,
    LoggingHandler,
    MetricHandler,
    StoppingHandler,
    TrainBegin,
    TrainEnd,
    ValidationHandler,
)

BATCHES = 4  # in an epoch


def network(hybrid=False):
    net = gluon.nn.HybridSequential() if hybrid else gluon.nn.Sequential()
    net.add(gluon.nn.Dense(8, activation="relu"), gluon.nn.Dense(3))
    net.initialize(mx.init.Xavier())
    if hybrid:
        net.hybridize()
    return net


def loader():
    rs = np.random.RandomState(0)
    x = rs.randn(8 * BATCHES, 5).astype("f")
    return gluon.data.DataLoader(gluon.data.ArrayDataset(x, (x[:, 0] > 0).astype("f")), batch_size=8)


def estimator(net=None, rate=0.1, **options):
    net = net or network()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": rate, "momentum": 0.9})
    made = Estimator(net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer=trainer, **options)
    made.logger.handlers = []
    return made


def test_training_lowers_the_loss_and_evaluates():
    est = estimator()
    est.fit(loader(), loader(), epochs=8)
    train, validation = dict(m.get() for m in est.train_metrics), dict(m.get() for m in est.val_metrics)

    assert set(train) == {"training accuracy", "training softmaxcrossentropyloss"}
    assert set(validation) == {"validation accuracy", "validation softmaxcrossentropyloss"}
    assert train["training accuracy"] > 0.9 and validation["validation accuracy"] > 0.9
    est.evaluate(loader())
    assert est.val_metrics[0].get()[1] > 0.9


def test_events_come_in_order():
    class Witness(TrainBegin, EpochBegin, BatchBegin, BatchEnd, EpochEnd, TrainEnd):
        def __init__(self):
            self.seen = []

        def note(name):
            def called(self, estimator, *args, **kwargs):
                self.seen.append(name)

            return called

        train_begin, train_end = note("train"), note("end")
        epoch_begin, epoch_end, batch_begin = note("epoch"), note("epoch end"), note("batch")

        def batch_end(self, estimator, batch, pred, label, loss):
            assert batch[0].shape == (8, 5) and pred[0].shape == (8, 3)
            assert label[0].shape == loss[0].shape == (8,)
            self.seen.append("batch end")

    witness = Witness()
    estimator().fit(loader(), epochs=2, event_handlers=witness)

    epoch = ["epoch", *["batch", "batch end"] * BATCHES, "epoch end"]
    assert witness.seen == ["train", *epoch * 2, "end"]


def test_handlers_are_sorted_and_defaults_are_added():
    est = estimator()
    stop = EarlyStoppingHandler(est.val_metrics[0], mode="max")
    kinds = [type(h) for h in est._prepare_default_handlers(None, [stop])]

    assert kinds == [
        GradientUpdateHandler,
        MetricHandler,
        EarlyStoppingHandler,
        StoppingHandler,
        LoggingHandler,
    ]
    groups = est._categorize_handlers([stop])
    assert [len(group) for group in groups] == [1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("batches, epochs", [(3, 1), (BATCHES, 1), (10, 3)])
def test_batches_to_train_are_counted(batches, epochs):
    counter = StoppingHandler()
    estimator().fit(loader(), batches=batches, event_handlers=[counter])

    assert (counter.current_batch, counter.current_epoch) == (batches, epochs)


def test_a_true_result_ends_the_training():
    class Enough(EpochEnd):
        def epoch_end(self, estimator, *args, **kwargs):
            return True

    counter = StoppingHandler()
    estimator().fit(loader(), epochs=5, event_handlers=[counter, Enough()])

    assert counter.current_epoch == 1


def test_early_stopping():
    est = estimator(rate=0.0)
    stop = EarlyStoppingHandler(est.train_metrics[1], patience=2, mode="min")
    est.fit(loader(), epochs=9, event_handlers=[stop])
    assert (stop.current_epoch, stop.stopped_epoch, stop.wait) == (3, 2, 2)

    with pytest.warns(UserWarning, match="`less` operator will be used"):
        assert EarlyStoppingHandler(est.train_metrics[1]).monitor_op(1, 2)
    with pytest.warns(UserWarning, match="`greater` operator will be used"):
        assert EarlyStoppingHandler(est.train_metrics[0]).monitor_op(2, 1)


def test_logging_by_epoch_and_by_interval(tmp_path):
    est = estimator()
    handler = logging.FileHandler(tmp_path / "log")
    est.logger.addHandler(handler)
    est.fit(loader(), epochs=1)
    est.fit(loader(), batches=3, event_handlers=[LoggingHandler(2, est.train_metrics[:1])])
    handler.close()
    text = (tmp_path / "log").read_text().splitlines()

    patterns = [
        r"Training begin: using optimizer SGD with current learning rate 0\.1000 ",
        r"Train for 1 epochs\.",
        r"\[Epoch 0\] Begin, current learning rate: 0\.1000",
        r"\[Epoch 0\] Finished in \d+\.\d{3}s, training accuracy: 0\.\d{4}, "
        r"training softmaxcrossentropyloss: \d+\.\d{4}",
        r"Train finished using total 0s with 1 epochs\. training accuracy: .*",
        r"Training begin: .*",
        r"Train for 3 batches\.",
        r"\[Epoch 0\] Begin, .*",
        r"\[Epoch 0\]\[Batch 0\]\[Samples 8\] time/interval: \d\.\d{3}s training accuracy: \d\.\d{4}",
        r"\[Epoch 0\]\[Batch 2\]\[Samples 24\] time/interval: .*",
        r"\[Epoch 0\] Finished .*",
        r"Train finished .*",
    ]
    assert len(text) == len(patterns)
    for line, pattern in zip(text, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_checkpoints_by_epoch_with_the_best(tmp_path):
    est = estimator()
    keep = CheckpointHandler(str(tmp_path), "e", est.train_metrics[0], save_best=True, mode="max", verbose=1)
    est.fit(loader(), epochs=2, event_handlers=[keep])

    assert {"e-best.params", "e-best.states", "e-epoch0batch4.params", "e-epoch1batch8.states"} <= set(
        os.listdir(tmp_path)
    )
    other = network()
    other.load_parameters(str(tmp_path / "e-epoch1batch8.params"))
    x = nd.ones((1, 5))
    assert (other(x) == est.net(x)).asnumpy().all()


def test_checkpoints_by_batch_keep_the_last_ones_and_the_symbol(tmp_path):
    keep = CheckpointHandler(
        str(tmp_path / "deep" / "er"), "b", epoch_period=None, batch_period=2, max_checkpoints=2
    )
    estimator(network(hybrid=True)).fit(loader(), batches=10, event_handlers=[keep])

    assert sorted(os.listdir(tmp_path / "deep" / "er")) == [
        "b-epoch1batch7.params", "b-epoch1batch7.states", "b-epoch2batch9.params", "b-epoch2batch9.states",
        "b-symbol.json",
    ]  # fmt: skip


def test_going_on_from_a_checkpoint_is_as_if_it_had_not_stopped(tmp_path):
    def fit(epochs, folder, **options):
        mx.random.seed(3)
        est = estimator()
        keep = CheckpointHandler(str(folder), max_checkpoints=1, **options)
        est.fit(loader(), epochs=epochs, event_handlers=[keep])
        return est

    whole = fit(5, tmp_path / "whole")
    fit(2, tmp_path / "parts")
    rest = fit(5, tmp_path / "parts", resume_from_checkpoint=True)

    assert rest.max_epoch == 3
    assert "model-epoch4batch20.params" in os.listdir(tmp_path / "parts")
    for a, b in zip(whole.net.collect_params().values(), rest.net.collect_params().values(), strict=True):
        assert (a.data() == b.data()).asnumpy().all()
    with pytest.raises(ValueError, match="no more than 5 are to be trained"):
        fit(5, tmp_path / "parts", resume_from_checkpoint=True)
    with pytest.raises(AssertionError, match="same kind of period"):
        fit(9, tmp_path / "parts", resume_from_checkpoint=True, batch_period=1)
    os.remove(tmp_path / "parts" / "model-epoch4batch20.states")
    with pytest.raises(AssertionError, match="states does not exist"):
        fit(9, tmp_path / "parts", resume_from_checkpoint=True)


def test_several_devices_and_another_way_to_do_a_batch():
    class Twice(BatchProcessor):
        count = 0

        def fit_batch(self, estimator, train_batch, batch_axis=0):
            Twice.count += 1
            return super().fit_batch(estimator, train_batch, batch_axis)

    net = network()
    net.collect_params().reset_ctx([mx.cpu(0), mx.cpu(1)])
    est = estimator(
        net, context=[mx.cpu(0), mx.cpu(1)], batch_processor=Twice(), train_metrics=mx.metric.Accuracy()
    )
    est.fit(loader(), loader(), epochs=2)

    assert Twice.count == 2 * BATCHES
    assert [m.name for m in est.val_metrics] == ["validation accuracy"]


def test_networks_are_initialized_and_trainers_made():
    net = gluon.nn.Dense(3)
    with pytest.warns(UserWarning, match="No trainer specified"):
        est = Estimator(net, gluon.loss.L2Loss(), initializer=mx.init.One())
    assert est.trainer.learning_rate == 0.001
    assert [m.name for m in est.train_metrics] == ["training l2loss"]
    net(nd.ones((1, 2)))
    assert net.weight.data().asnumpy().tolist() == [[1, 1]] * 3
    with pytest.warns(UserWarning, match="Network already fully initialized"):
        Estimator(net, gluon.loss.L2Loss(), initializer=mx.init.One(), trainer=est.trainer)


def test_validation_by_batch():
    est = estimator()
    seen = []
    often = ValidationHandler(loader(), lambda **given: seen.append(given["batch_axis"]), epoch_period=None,
                              batch_period=3)  # fmt: skip
    est.fit(loader(), epochs=2, event_handlers=[often])

    assert seen == [0, 0]


@pytest.mark.parametrize("options, match", [
    ({"loss": "mse"}, r"Estimator\(loss\): expected a gluon.loss.Loss, got str"),
    ({"train_metrics": "acc"}, "expected an EvalMetric"),
    ({"trainer": "sgd"}, "expected a gluon.Trainer"),
    ({"context": "cpu"}, "expected a Context or a list"),
    ({"batch_processor": object()}, "fit_batch and evaluate_batch missing"),
])  # fmt: skip
def test_mistakes_of_construction(options, match):
    net = network()
    given = {"loss": gluon.loss.L2Loss(), "trainer": gluon.Trainer(net.collect_params(), "sgd")} | options
    with pytest.raises(ValueError, match=match):
        Estimator(net, **given)


def test_mistakes_of_calls():
    est = estimator()
    other = mx.metric.Accuracy()
    composite = mx.metric.CompositeEvalMetric([other])
    calls = [
        (ValueError, "expected a gluon.data.DataLoader", lambda: est.fit([nd.ones((2, 5))], epochs=1)),
        (ValueError, "expected a gluon.data.DataLoader", lambda: est.evaluate([nd.ones((2, 5))])),
        (ValueError, "either epochs or batches", lambda: est.fit(loader())),
        (ValueError, "either epochs or batches", lambda: est.fit(loader(), epochs=1, batches=1)),
        (ValueError, "expected an EventHandler", lambda: est.fit(loader(), epochs=1, event_handlers=[3])),
        (ValueError, "not a metric of the estimator",
         lambda: est.fit(loader(), epochs=1, event_handlers=[LoggingHandler(metrics=[other])])),
        (ValueError, "number of batches or 'epoch'", lambda: LoggingHandler("batch")),
        (ValueError, "not composite", lambda: EarlyStoppingHandler(composite)),
        (ValueError, "for save_best", lambda: CheckpointHandler(".", save_best=True)),
        (AssertionError, "expected one of cpu", lambda: Estimator(est.net, est.loss, context=[mx.gpu(99)])),
    ]  # fmt: skip
    for kind, match, call in calls:
        with pytest.raises(kind, match=match):
            call()
