"""Functions that training calls after batches and epochs: logs, progress, checkpoints."""

from __future__ import annotations

import importlib
import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import NonFiniteError, problem
from .model import save_checkpoint

__all__ = [
    "History",
    "LogValidationMetricsCallback",
    "ProgressBar",
    "Speedometer",
    "StopOnNaN",
    "do_checkpoint",
    "log_train_metric",
    "module_checkpoint",
]


def module_checkpoint(mod: Any, prefix: str, period: int = 1,
                      save_optimizer_states: bool = False) -> Callable:  # fmt: skip
    """Return an epoch-end callback that saves a module every `period` epochs."""
    period = max(1, int(period))

    def save(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % period == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return save


def do_checkpoint(prefix: str, period: int = 1) -> Callable:
    """Return an epoch-end callback that saves symbol and parameters every `period` epochs."""
    period = max(1, int(period))

    def save(iter_no: int, sym: Any, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % period == 0:
            save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return save


def log_train_metric(period: int, auto_reset: bool = False) -> Callable:
    """Return a batch-end callback that logs the metric every `period` batches, and may then reset it."""

    def log(param: Any) -> None:
        if param.nbatch % period == 0 and param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value)
            if auto_reset:
                param.eval_metric.reset_local()

    return log


class Speedometer:
    """Batch-end callback that logs speed and metrics every `frequent` batches.

    Parameters
    ----------
    batch_size : rows in a batch.
    frequent : batches between two lines.
    auto_reset : whether each line is about the batches since the last one, or about the whole epoch.

    Reading a metric waits for the batches that it is about, so the speed is that of work that is done.
    """

    def __init__(self, batch_size: int, frequent: int = 50, auto_reset: bool = True):
        self.batch_size = batch_size
        self.frequent = frequent
        self.auto_reset = auto_reset
        self.init = False
        self.tic = 0.0
        self.last_count = 0

    def __call__(self, param: Any) -> None:
        """Log, if it is time to."""
        count = param.nbatch
        if self.last_count > count:  # a new epoch
            self.init = False
        self.last_count = count
        if not self.init:
            self.init = True
            self.tic = time.time()
        elif count % self.frequent == 0:
            self._log(param, count)
            self.tic = time.time()

    def _log(self, param: Any, count: int) -> None:
        metric = param.eval_metric
        named = metric.get_name_value() if metric is not None else []
        seconds = time.time() - self.tic
        speed = self.frequent * self.batch_size / seconds if seconds > 0 else math.inf
        if metric is None:
            logging.info("Iter[%d] Batch [%d]\tSpeed: %.2f samples/sec", param.epoch, count, speed)
            return
        if self.auto_reset:
            metric.reset_local()
        first = count - self.frequent if self.auto_reset else 0
        text = "Epoch[%d] Batch [%d-%d]\tSpeed: %.2f samples/sec" + "\t%s=%f" * len(named)
        logging.info(text, param.epoch, first, count, speed, *[part for pair in named for part in pair])


class ProgressBar:
    """Batch-end callback that shows a bar for the `total` batches of each epoch.

    In a terminal it is a bar of tqdm, if that is installed, with the metrics at its end when an epoch is
    over. Elsewhere each batch logs a bar of `length` characters.
    """

    def __init__(self, total: int, length: int = 80):
        self.bar_len = length
        self.total = total
        self._bar: Any = None

    def __call__(self, param: Any) -> None:
        """Show that another batch is done."""
        if sys.stderr.isatty():
            try:
                tqdm = importlib.import_module("tqdm").tqdm
            except ImportError:
                pass
            else:
                self._move(tqdm, param)
                return
        done = param.nbatch / float(self.total)
        filled = round(self.bar_len * done)
        bar = "=" * filled + "-" * (self.bar_len - filled)
        logging.info("[%s] %s%s\r", bar, math.ceil(100.0 * done), "%")

    def _move(self, tqdm: Any, param: Any) -> None:
        if param.nbatch == 0 or self._bar is None:
            self._close()
            self._bar = tqdm(total=self.total, desc=f"epoch {param.epoch}", unit="batch")
        self._bar.update(param.nbatch + 1 - self._bar.n)
        if self._bar.n >= self.total:
            if param.eval_metric is not None:
                self._bar.set_postfix(param.eval_metric.get_name_value())
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class History:
    """Keeps metrics for `mx.viz.plot_history`.

        history = mx.callback.History()
        module.fit(..., batch_end_callback=history.on_batch, eval_end_callback=history.on_evaluation)
        mx.viz.plot_history(history)

    `records` holds lists of (batches trained, value) by name: `train-accuracy`, `validation-accuracy`.
    Metrics are read every `period` batches, which waits for these batches.
    """

    def __init__(self, period: int = 50):
        self.period = max(1, int(period))
        self.batches = 0
        self.records: dict[str, list[tuple[int, float]]] = {}

    def on_batch(self, param: Any) -> None:
        """Batch-end callback: the metrics of the epoch so far."""
        self.batches += 1
        if self.batches % self.period == 0:
            self._keep("train", param.eval_metric)

    def on_evaluation(self, param: Any) -> None:
        """Callback at the end of an evaluation."""
        self._keep("validation", param.eval_metric)

    def _keep(self, kind: str, metric: Any) -> None:
        for name, value in metric.get_name_value() if metric is not None else ():
            self.records.setdefault(f"{kind}-{name}", []).append((self.batches, float(value)))


class StopOnNaN:
    """Batch-end callback that ends training when a metric or an output of the network is not finite.

    It looks every `period` batches and raises NonFiniteError (a FloatingPointError) that names the epoch,
    the batch and the first bad array of: data and labels, outputs, parameters. Outputs are those of before
    the update, so parameters that are bad alone come from bad gradients. `mx.mon.FiniteMonitor` names the
    operator, at a price.
    """

    def __init__(self, period: int = 1):
        self.period = max(1, int(period))

    def __call__(self, param: Any) -> None:
        """Look, if it is time to."""
        if param.nbatch % self.period:
            return
        variables = param.locals or {}
        for name, value in named_arrays(variables.get("self"), variables.get("data_batch")):
            if not finite(value):
                raise stopped(param, name)
        for name, value in param.eval_metric.get_name_value() if param.eval_metric is not None else ():
            if math.isinf(value):  # a metric of no rows is NaN
                raise stopped(param, f"the metric {name}")


def named_arrays(module: Any, batch: Any) -> list[tuple[str, Any]]:
    """What a step reads and makes, in the order of reasons."""
    if module is None:
        return []
    named = [(f"data {place}", array) for place, array in enumerate(batch.data if batch else ())]
    named += [(f"label {place}", array) for place, array in enumerate((batch and batch.label) or ())]
    named += zip(module.output_names, module.get_outputs(), strict=False)
    for arrays in module.get_params():
        named += arrays.items()
    return named


def finite(array: Any) -> bool:
    values = array.asnumpy()
    return values.dtype.kind in "iub" or bool(np.isfinite(values).all())


def stopped(param: Any, name: str) -> NonFiniteError:
    text = f"{name} is not finite in epoch {param.epoch}, batch {param.nbatch}"
    hint = "lower the learning rate, or look for the operator with fit(monitor=mx.mon.FiniteMonitor())"
    return NonFiniteError(problem("fit", None, text, hint))


class LogValidationMetricsCallback:
    """Callback at the end of an evaluation that logs its metrics."""

    def __call__(self, param: Any) -> None:
        """Log each metric."""
        if param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)
