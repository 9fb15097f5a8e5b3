"""Handlers of what happens while an estimator trains.

A handler derives from the events it is for, and has the methods of their names. Lower `priority` numbers are
called first; a true result of `batch_end` or `epoch_end` ends the epoch or the training.
"""

from __future__ import annotations

import math
import operator
import time
import warnings
from collections.abc import Callable
from typing import Any

from .... import metric as metrics
from ....errors import ArgumentError, message
from .checkpoint import CheckpointHandler
from .events import (
    BatchBegin,
    BatchEnd,
    EpochBegin,
    EpochEnd,
    EventHandler,
    TrainBegin,
    TrainEnd,
    better_of,
    metrics_of,
    worst_for,
)

__all__ = [
    "BatchBegin",
    "BatchEnd",
    "CheckpointHandler",
    "EarlyStoppingHandler",
    "EpochBegin",
    "EpochEnd",
    "EventHandler",
    "GradientUpdateHandler",
    "LoggingHandler",
    "MetricHandler",
    "StoppingHandler",
    "TrainBegin",
    "TrainEnd",
    "ValidationHandler",
]


class StoppingHandler(TrainBegin, BatchEnd, EpochEnd):
    """Ends training after `max_epoch` epochs or `max_batch` batches, which `fit` is given."""

    def __init__(self, max_epoch: int | None = None, max_batch: int | None = None):
        self.max_epoch = max_epoch
        self.max_batch = max_batch
        self.current_batch = 0
        self.current_epoch = 0
        self.stop_training = False

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Take over what `fit` was given, and count from 0."""
        self.max_epoch, self.max_batch = estimator.max_epoch, estimator.max_batch
        self.current_batch = self.current_epoch = 0
        self.stop_training = False

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool:
        """Count a batch."""
        self.current_batch += 1
        self.stop_training |= self.current_batch == self.max_batch
        return self.stop_training

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool:
        """Count an epoch."""
        self.current_epoch += 1
        self.stop_training |= self.current_epoch == self.max_epoch
        return self.stop_training


class MetricHandler(EpochBegin, BatchEnd):
    """Updates metrics after each batch; metrics of class `metric.Loss` are given the losses."""

    def __init__(self, metrics: Any, priority: float = -1000):
        self.metrics = metrics_of(metrics)
        self.priority = priority

    def epoch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start anew."""
        for metric in self.metrics:
            metric.reset()

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        for metric in self.metrics:
            if isinstance(metric, metrics.Loss):
                metric.update(0, kwargs["loss"])
            else:
                metric.update(kwargs["label"], kwargs["pred"])


class ValidationHandler(TrainBegin, BatchEnd, EpochEnd):
    """Evaluates after every `epoch_period` epochs and every `batch_period` batches.

    Parameters
    ----------
    val_data, eval_fn : `eval_fn(val_data=..., batch_axis=..., event_handlers=...)` evaluates, as
        `Estimator.evaluate` does.
    event_handlers : for the evaluation.
    """

    def __init__(self, val_data: Any, eval_fn: Callable, epoch_period: int | None = 1,
                 batch_period: int | None = None, priority: float = -1000,
                 event_handlers: Any = None):  # fmt: skip
        self.val_data = val_data
        self.eval_fn = eval_fn
        self.epoch_period = epoch_period
        self.batch_period = batch_period
        self.current_batch = 0
        self.current_epoch = 0
        self.priority = priority
        self.event_handlers = event_handlers

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Count from 0."""
        self.current_batch = self.current_epoch = 0

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Evaluate, if it is time to."""
        self.current_batch += 1
        self._evaluate(estimator, self.current_batch, self.batch_period)

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Evaluate, if it is time to."""
        self.current_epoch += 1
        self._evaluate(estimator, self.current_epoch, self.epoch_period)

    def _evaluate(self, estimator: Any, count: int, period: int | None) -> None:
        if period and count % period == 0:
            self.eval_fn(val_data=self.val_data, batch_axis=estimator.batch_axis,
                         event_handlers=self.event_handlers)  # fmt: skip


class LoggingHandler(TrainBegin, TrainEnd, EpochBegin, EpochEnd, BatchBegin, BatchEnd):
    """Logs times and metrics to the estimator's logger.

    Parameters
    ----------
    log_interval : "epoch", or a number of batches.
    metrics : what to log; whether one is called "training ..." tells training from evaluation.
    """

    def __init__(self, log_interval: Any = "epoch", metrics: Any = None, priority: float = math.inf):
        if log_interval != "epoch" and not isinstance(log_interval, int):
            expected = "a number of batches or 'epoch'"
            raise ArgumentError(message("LoggingHandler", "log_interval", expected, repr(log_interval)))
        self.metrics = metrics_of(metrics)
        self.batch_index = 0
        self.current_epoch = 0
        self.processed_samples = 0
        self.priority = priority
        self.log_interval = log_interval
        self.log_interval_time = 0.0
        self.train_start = self.epoch_start = self.batch_start = 0.0

    def _values(self) -> str:
        return ", ".join(["{}: {:.4f}".format(*metric.get()) for metric in self.metrics])

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log what will be done, and count from 0."""
        self.train_start = time.time()
        kind, rate = type(estimator.trainer.optimizer).__name__, estimator.trainer.learning_rate
        begins = "Training begin: using optimizer %s with current learning rate %.4f "
        estimator.logger.info(begins, kind, rate)
        if estimator.max_epoch:
            estimator.logger.info("Train for %d epochs.", estimator.max_epoch)
        else:
            estimator.logger.info("Train for %d batches.", estimator.max_batch)
        self.batch_index = self.current_epoch = self.processed_samples = 0
        self.log_interval_time = 0.0

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log how long it took, and the metrics."""
        seconds = time.time() - self.train_start
        text = f"Train finished using total {int(seconds)}s with {self.current_epoch} epochs. "
        estimator.logger.info(text + self._values())

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        self.batch_start = time.time()

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log the interval, if one is over."""
        if self.log_interval != "epoch":
            self.processed_samples += kwargs["batch"][0].shape[0]
            self.log_interval_time += time.time() - self.batch_start
            if self.batch_index % self.log_interval == 0:
                where = f"[Epoch {self.current_epoch}][Batch {self.batch_index}]"
                where += f"[Samples {self.processed_samples}] time/interval: {self.log_interval_time:.3f}s "
                self.log_interval_time = 0.0
                estimator.logger.info(where + self._values())
        self.batch_index += 1

    def epoch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log that an epoch, or an evaluation, begins."""
        self.epoch_start = time.time()
        if any("training" in metric.name for metric in self.metrics):
            begins = "[Epoch %d] Begin, current learning rate: %.4f"
            estimator.logger.info(begins, self.current_epoch, estimator.trainer.learning_rate)
        else:
            estimator.logger.info("Validation Begin")

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log time and metrics of an epoch."""
        seconds = time.time() - self.epoch_start
        text = f"[Epoch {self.current_epoch}] Finished in {seconds:.3f}s, {self._values()}"
        estimator.logger.info(text.removesuffix(", "))
        self.current_epoch += 1
        self.batch_index = 0


class GradientUpdateHandler(BatchEnd):
    """Makes the trainer's step after each batch, before the other handlers."""

    def __init__(self, priority: float = -2000):
        self.priority = priority

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Make a step."""
        loss = kwargs["loss"]
        parts = loss if isinstance(loss, list) else [loss]
        estimator.trainer.step(sum(part.shape[0] for part in parts))


class EarlyStoppingHandler(TrainBegin, EpochEnd, TrainEnd):
    """Ends training when a metric has not become better for `patience` epochs.

    Parameters
    ----------
    monitor : a metric of the estimator.
    min_delta : what counts as better at least.
    patience : epochs to wait.
    mode : "min", "max" or "auto"; see `better_of`.
    baseline : a value than which the metric must be better at first.
    """

    def __init__(self, monitor: Any, min_delta: float = 0, patience: int = 0, mode: str = "auto",
                 baseline: float | None = None):  # fmt: skip
        single = isinstance(monitor, metrics.EvalMetric)
        if not single or isinstance(monitor, metrics.CompositeEvalMetric):
            expected = "a metric of estimator.train_metrics or val_metrics that is not composite"
            raise ArgumentError(message("EarlyStoppingHandler", "monitor", expected, repr(monitor)))
        self.monitor = monitor
        self.baseline = baseline
        self.patience = patience
        self.wait = 0
        self.stopped_epoch = 0
        self.current_epoch = 0
        self.stop_training = False
        self.monitor_op = better_of("EarlyStopping", monitor, mode)
        self.min_delta = min_delta if self.monitor_op is operator.gt else -min_delta
        self.best = worst_for(self.monitor_op)

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start anew."""
        self.wait = self.stopped_epoch = self.current_epoch = 0
        self.stop_training = False
        self.best = worst_for(self.monitor_op) if self.baseline is None else self.baseline

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool:
        """Look at the metric."""
        name, value = self.monitor.get()
        if math.isnan(value):
            warnings.warn(f"{name} is not updated, make sure you pass one of the metric objects of "
                          "estimator.train_metrics and estimator.val_metrics as monitor",
                          RuntimeWarning, stacklevel=3)  # fmt: skip
        elif self.monitor_op(value - self.min_delta, self.best):
            self.best = value
            self.wait = 0
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = self.current_epoch
                self.stop_training = True
        self.current_epoch += 1
        return self.stop_training

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Log why training ended early."""
        if self.stopped_epoch > 0:
            text = "[Epoch %d] EarlyStoppingHandler: early stopping due to %s not improving"
            estimator.logger.info(text, self.stopped_epoch, self.monitor.get()[0])
