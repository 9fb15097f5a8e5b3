"""`Estimator`: the loop over epochs and batches."""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from typing import Any

from .... import metric as metrics
from ....context import Context, cpu, gpu, num_gpus
from ....errors import ArgumentError, AssertedArgumentError, message, problem
from ...data import DataLoader
from ...loss import Loss, SoftmaxCrossEntropyLoss
from ...trainer import Trainer
from .batch_processor import BatchProcessor
from .event_handler import (
    GradientUpdateHandler,
    LoggingHandler,
    MetricHandler,
    StoppingHandler,
    ValidationHandler,
)
from .events import (
    BatchBegin,
    BatchEnd,
    EpochBegin,
    EpochEnd,
    EventHandler,
    TrainBegin,
    TrainEnd,
    handlers_of,
    metrics_of,
)

__all__ = ["Estimator"]

EVENTS = (TrainBegin, EpochBegin, BatchBegin, BatchEnd, EpochEnd, TrainEnd)


class Estimator:
    """Trains and evaluates a network.

        estimator = Estimator(net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer=trainer)
        estimator.fit(train_data, val_data, epochs=5, event_handlers=[...])

    Parameters
    ----------
    net, loss : the network and a `gluon.loss.Loss`.
    train_metrics, val_metrics : a metric or a list of them; by default accuracy, if the loss is
        cross-entropy, and the loss itself. "training " and "validation " are put before their names.
    initializer : for a network that is not initialized.
    trainer : by default SGD with a learning rate of 0.001.
    context : device or devices; by default gpu(0), or cpu() if there is none.
    val_net, val_loss : for evaluation, if they are others.
    batch_processor : what to do with a batch; see `BatchProcessor`.

    `logger` writes to the standard output.
    """

    logger: Any = None

    def __init__(self, net: Any, loss: Any, train_metrics: Any = None, val_metrics: Any = None,
                 initializer: Any = None, trainer: Any = None, context: Any = None, val_net: Any = None,
                 val_loss: Any = None, batch_processor: Any = None):  # fmt: skip
        self.net = net
        self.loss = self._check_loss(loss)
        self.val_net = net if val_net is None else val_net
        self.val_loss = self.loss if val_loss is None else self._check_loss(val_loss)
        self._train_metrics = list(metrics_of(train_metrics)) or self._default_metrics()
        self._val_metrics = list(metrics_of(val_metrics))
        self._name_metrics()
        self.logger = logging.Logger(name="Estimator", level=logging.INFO)
        self.logger.addHandler(logging.StreamHandler(sys.stdout))
        self.context = self._check_context(context)
        self._initialize(initializer)
        self.trainer = self._check_trainer(trainer)
        self.batch_processor = self._check_batch_processor(batch_processor)
        self.max_epoch: int | None = None
        self.max_batch: int | None = None
        self.batch_axis = 0

    # -- what it was given ------------------------------------------------------------------------------

    def _check_loss(self, loss: Any) -> Loss:
        if not isinstance(loss, Loss):
            raise ArgumentError(message("Estimator", "loss", "a gluon.loss.Loss", type(loss).__name__))
        return loss

    def _check_context(self, context: Any) -> list[Context]:
        devices = [gpu(i) for i in range(num_gpus())]
        if not context:
            if len(devices) > 1:
                warnings.warn("You have multiple GPUs, gpu(0) will be used by default. To utilize all your "
                              "GPUs, specify context as a list of gpus, e.g. context=[mx.gpu(0), mx.gpu(1)]",
                              stacklevel=3)  # fmt: skip
            return devices[:1] or [cpu()]
        found = [context] if isinstance(context, Context) else context
        if not isinstance(found, list) or not all(isinstance(c, Context) for c in found):
            expected = "a Context or a list of Contexts, such as mx.cpu() or [mx.gpu(0), mx.gpu(1)]"
            raise ArgumentError(message("Estimator", "context", expected, repr(context)))
        for device in found:
            if device.device_type == "gpu" and device not in devices:
                expected = f"one of {', '.join(map(str, [cpu(), *devices]))}"
                raise AssertedArgumentError(message("Estimator", "context", expected, device))
        return found

    def _check_trainer(self, trainer: Any) -> Trainer:
        if trainer is None:
            text = "No trainer specified, default SGD optimizer with learning rate 0.001 is used."
            warnings.warn(text, stacklevel=3)
            return Trainer(self.net.collect_params(), "sgd", {"learning_rate": 0.001})
        if not isinstance(trainer, Trainer):
            raise ArgumentError(message("Estimator", "trainer", "a gluon.Trainer", type(trainer).__name__))
        return trainer

    def _check_batch_processor(self, processor: Any) -> Any:
        if processor is None:
            return BatchProcessor()
        missing = [name for name in ("fit_batch", "evaluate_batch")
                   if not callable(getattr(processor, name, None))]  # fmt: skip
        if missing:
            text = f"it must have the methods fit_batch and evaluate_batch; {' and '.join(missing)} missing"
            raise ArgumentError(problem("Estimator", "batch_processor", text))
        return processor

    def _initialize(self, initializer: Any) -> None:
        if not self._is_initialized():
            self.net.initialize(init=initializer, ctx=self.context)
        elif initializer is not None:
            warnings.warn("Network already fully initialized, skipping initialization. You don't need to "
                          "pass initializer if you already initialized your net. You can use "
                          "net.initialize(init=your_initializer, force_reinit=True) to force "
                          "re-initialize.", stacklevel=3)  # fmt: skip

    def _is_initialized(self) -> bool:
        return all(p._data is not None or p._deferred_init for p in self.net.collect_params().values())

    # -- metrics ----------------------------------------------------------------------------------------

    def _default_metrics(self) -> list:
        accuracy = [metrics.Accuracy()] if isinstance(self.loss, SoftmaxCrossEntropyLoss) else []
        return [*accuracy, metrics.Loss(self.loss.name.rstrip("0123456789"))]

    def _name_metrics(self) -> None:
        """Handlers tell metrics of training from those of evaluation by their names."""
        for metric in self._train_metrics:
            metric.name = "training " + metric.name
        self._val_metrics = self._val_metrics or [copy.deepcopy(metric) for metric in self._train_metrics]
        for metric in self._val_metrics:
            if "training" in metric.name:
                metric.name = metric.name.replace("training", "validation")
            else:
                metric.name = "validation " + metric.name

    @property
    def train_metrics(self) -> list:
        """Metrics of training."""
        return self._train_metrics

    @property
    def val_metrics(self) -> list:
        """Metrics of evaluation."""
        return self._val_metrics

    # -- loops ------------------------------------------------------------------------------------------

    def evaluate(self, val_data: Any, batch_axis: int = 0, event_handlers: Any = None) -> None:
        """Compute `val_metrics` over the batches of a DataLoader."""
        self._check_data("evaluate", val_data)
        for metric in self.val_metrics:
            metric.reset()
        handlers = self._prepare_default_validation_handlers(event_handlers)
        _, epoch_begin, batch_begin, batch_end, epoch_end, _ = self._categorize_handlers(handlers)
        for handler in epoch_begin:
            handler.epoch_begin(self)
        for batch in val_data:
            for handler in batch_begin:
                handler.batch_begin(self, batch=batch)
            _, label, pred, loss = self.batch_processor.evaluate_batch(self, batch, batch_axis)
            for handler in batch_end:
                handler.batch_end(self, batch=batch, pred=pred, label=label, loss=loss)
        for handler in epoch_end:
            handler.epoch_end(self)

    def fit(self, train_data: Any, val_data: Any = None, epochs: int | None = None,
            event_handlers: Any = None, batches: int | None = None, batch_axis: int = 0) -> None:  # fmt: skip
        """Train with the batches of a DataLoader for a number of epochs, or else of batches.

        Parameters
        ----------
        train_data, val_data : DataLoaders; `val_data` is evaluated after each epoch.
        epochs, batches : how many of the one or the other.
        event_handlers : called at the events after which their methods are named. Those that stop, update,
            compute metrics, evaluate and log are added, unless there is one of the same class.
        batch_axis : axis along which batches are split over the devices.
        """
        self._check_data("fit", train_data)
        if (not epochs) == (not batches):
            text = "only one type of iteration is possible: give either epochs or batches"
            raise ArgumentError(problem("fit", "epochs", text))
        self.max_epoch, self.max_batch, self.batch_axis = epochs, batches, batch_axis
        handlers = self._prepare_default_handlers(val_data, event_handlers)
        train_begin, epoch_begin, batch_begin, batch_end, epoch_end, train_end = self._categorize_handlers(
            handlers
        )
        for handler in train_begin:
            handler.train_begin(self)
        stopped = False
        while not stopped:
            for handler in epoch_begin:
                handler.epoch_begin(self)
            for batch in train_data:
                for handler in batch_begin:
                    handler.batch_begin(self, batch=batch)
                _, label, pred, loss = self.batch_processor.fit_batch(self, batch, batch_axis)
                wishes = [handler.batch_end(self, batch=batch, pred=pred, label=label, loss=loss)
                          for handler in batch_end]  # fmt: skip
                if any(wishes):
                    break
            ends = [handler.epoch_end(self) for handler in epoch_end]
            stopped = any(ends)
        for handler in train_end:
            handler.train_end(self)

    def _check_data(self, call: str, data: Any) -> None:
        if not isinstance(data, DataLoader):
            name = "train_data" if call == "fit" else "val_data"
            hint = "put arrays into a gluon.data.ArrayDataset and that into a DataLoader"
            raise ArgumentError(message(call, name, "a gluon.data.DataLoader", type(data).__name__, hint))

    # -- handlers ---------------------------------------------------------------------------------------

    def _prepare_default_handlers(self, val_data: Any, event_handlers: Any) -> list[EventHandler]:
        given = handlers_of(event_handlers)

        def lacks(kind: type) -> bool:
            return not any(isinstance(handler, kind) for handler in given)

        added: list[EventHandler] = [StoppingHandler(self.max_epoch, self.max_batch)]
        if lacks(GradientUpdateHandler):
            added.append(GradientUpdateHandler())
        if lacks(MetricHandler):
            added.append(MetricHandler(metrics=self.train_metrics))
        if val_data and lacks(ValidationHandler):
            added.append(ValidationHandler(val_data=val_data, eval_fn=self.evaluate))
        if lacks(LoggingHandler):
            added.append(LoggingHandler(metrics=self.train_metrics))
        self._check_metrics_known(given, self.train_metrics + self.val_metrics)
        return in_order(given + added)

    def _prepare_default_validation_handlers(self, event_handlers: Any) -> list[EventHandler]:
        given = handlers_of(event_handlers)
        added: list[EventHandler] = []
        if not any(isinstance(handler, MetricHandler) for handler in given):
            added.append(MetricHandler(metrics=self.val_metrics))
        if not any(isinstance(handler, LoggingHandler) for handler in given):
            added.append(LoggingHandler(metrics=self.val_metrics))
        if added:
            self._check_metrics_known(given, self.val_metrics)
        return in_order(given + added)

    def _check_metrics_known(self, handlers: list[EventHandler], metrics: list) -> None:
        """Handlers that look at other metrics than those computed would show nothing."""
        known = {id(metric) for metric in metrics}
        for handler in handlers:
            for name, value in vars(handler).items():
                found = value if isinstance(value, list) else [value]
                if "metric" not in name or not value:
                    continue
                for metric in found:
                    if id(metric) not in known:
                        text = f"it refers to {metric}, which is not a metric of the estimator"
                        hint = "use metrics of estimator.train_metrics and estimator.val_metrics"
                        raise ArgumentError(problem(type(handler).__name__, name, text, hint))

    def _categorize_handlers(self, event_handlers: list) -> tuple[list, ...]:
        """Handlers by event: train begin, epoch begin, batch begin, batch end, epoch end, train end."""
        return tuple([handler for handler in event_handlers if isinstance(handler, event)]
                     for event in EVENTS)  # fmt: skip


def in_order(handlers: list[EventHandler]) -> list[EventHandler]:
    """Handlers with a low priority number come first."""
    return sorted(handlers, key=lambda handler: getattr(handler, "priority", 0))
