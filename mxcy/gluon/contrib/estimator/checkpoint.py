"""Checkpoints of an estimator: parameters and the states of its trainer."""

from __future__ import annotations

import math
import os
import re
import warnings
from typing import Any

from ....errors import ArgumentError, AssertedArgumentError, message, problem
from ....metric import EvalMetric
from .events import BatchEnd, EpochEnd, TrainBegin, better_of, worst_for

__all__ = ["CheckpointHandler"]


class CheckpointHandler(TrainBegin, BatchEnd, EpochEnd):
    """Saves `prefix-epoch0batch100.params` and `.states` now and then, and once `prefix-symbol.json`.

    Parameters
    ----------
    model_dir, model_prefix : folder, made if it is not there, and beginning of the names of files.
    monitor, save_best, mode : whether `prefix-best.params` is kept of when a metric was best; `mode` is
        "min", "max" or "auto".
    verbose : whether to log what is saved.
    epoch_period, batch_period : after how many epochs or batches to save; None for not.
    max_checkpoints : how many are kept, besides the best one.
    resume_from_checkpoint : whether `fit` goes on from the last checkpoint in the folder, and only trains
        what is left of its epochs or batches. The period must be of the same kind as `fit`'s.
    """

    def __init__(self, model_dir: str, model_prefix: str = "model", monitor: Any = None, verbose: int = 0,
                 save_best: bool = False, mode: str = "auto", epoch_period: int | None = 1,
                 batch_period: int | None = None, max_checkpoints: int = 5,
                 resume_from_checkpoint: bool = False):  # fmt: skip
        os.makedirs(model_dir, exist_ok=True)
        if save_best and not isinstance(monitor, EvalMetric):
            expected = "a metric of estimator.train_metrics or val_metrics, for save_best"
            raise ArgumentError(message("CheckpointHandler", "monitor", expected, repr(monitor)))
        self.monitor = monitor
        self.verbose = verbose
        self.model_dir = model_dir
        self.model_prefix = model_prefix
        self.save_best = save_best
        self.epoch_period = epoch_period
        self.batch_period = batch_period
        self.current_batch = 0
        self.current_epoch = 0
        self.max_checkpoints = max_checkpoints
        self.resume_from_checkpoint = resume_from_checkpoint
        self.saved_checkpoints: list[str] = []
        self.trained_epoch = -1
        self.trained_batch = -1
        if save_best:
            self.monitor_op = better_of("CheckpointHandler", monitor, mode)
            self.best = worst_for(self.monitor_op)

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Count from 0, or go on from the last checkpoint."""
        self.current_epoch = self.current_batch = 0
        if self.save_best:
            self.best = worst_for(self.monitor_op)
        if self.resume_from_checkpoint:
            self._check_periods(estimator)
            self._resume(estimator)

    def _check_periods(self, estimator: Any) -> None:
        periods = (self.batch_period, self.epoch_period)
        for count, (wanted, other) in ((estimator.max_batch, periods), (estimator.max_epoch, periods[::-1])):
            if count and (not wanted or other):
                text = "to resume, checkpoints must be saved by the same kind of period as is trained: only "
                text += "batch_period for fit(batches=...), only epoch_period for fit(epochs=...)"
                raise AssertedArgumentError(problem("CheckpointHandler", "epoch_period", text))

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Save, if it is time to."""
        if self.current_batch == 0:
            self._save_symbol(estimator)
        if self.batch_period and (self.current_batch + 1) % self.batch_period == 0:
            self._save_checkpoint(estimator)
        self.current_batch += 1

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Save, if it is time to."""
        if self.epoch_period and (self.current_epoch + 1) % self.epoch_period == 0:
            self._save_checkpoint(estimator)
        self.current_epoch += 1

    # -- saving -----------------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return os.path.join(self.model_dir, name)

    def _log(self, estimator: Any, text: str, *values: Any) -> None:
        if self.verbose > 0:
            estimator.logger.info(f"[Epoch %d] CheckpointHandler: {text}", self.current_epoch, *values)

    def _save_symbol(self, estimator: Any) -> None:
        path = self._path(f"{self.model_prefix}-symbol.json")
        graph = getattr(estimator.net, "_cached_graph", None)
        if graph:
            graph[1].save(path)
        else:
            text = ("Model architecture(symbol file) is not saved, please use HybridBlock to construct your "
                    "model, and call net.hybridize() before passing to Estimator in order to save model "
                    "architecture as %s.")  # fmt: skip
            estimator.logger.info(text, path)

    def _save_checkpoint(self, estimator: Any) -> None:
        epoch, batch = self.current_epoch, self.current_batch
        if self.resume_from_checkpoint:
            # Epochs and batches go on from those of the checkpoint; at the end of an epoch its last batch
            # is counted already.
            epoch += self.trained_epoch + 1
            batch += self.trained_batch + (0 if estimator.max_epoch else 1)
        name = f"{self.model_prefix}-epoch{epoch}batch{batch}"
        self._save_params_and_trainer(estimator, name)
        self.saved_checkpoints.append(name)
        while len(self.saved_checkpoints) > self.max_checkpoints:
            self._remove(self.saved_checkpoints.pop(0))
        self._log(estimator, "trained total %d batches, saving model at %s with prefix: %s",
                  self.current_batch + 1, self.model_dir, name)  # fmt: skip
        if self.save_best:
            self._save_if_best(estimator)

    def _save_params_and_trainer(self, estimator: Any, name: str) -> None:
        estimator.trainer.save_states(self._path(f"{name}.states"))
        estimator.net.save_parameters(self._path(f"{name}.params"))  # last: `_resume` looks for it

    def _remove(self, name: str) -> None:
        for suffix in (".params", ".states"):
            if os.path.exists(self._path(name + suffix)):
                os.remove(self._path(name + suffix))

    def _save_if_best(self, estimator: Any) -> None:
        name, value = self.monitor.get()
        if math.isnan(value):
            warnings.warn(f"Skipping save best because {name} is not updated, make sure you pass one of the "
                          "metric objects of estimator.train_metrics and estimator.val_metrics as monitor",
                          RuntimeWarning, stacklevel=4)  # fmt: skip
        elif self.monitor_op(value, self.best):
            best = f"{self.model_prefix}-best"
            self._save_params_and_trainer(estimator, best)
            text = "%s improved from %0.5f to %0.5f, updating best model at %s with prefix: %s"
            self._log(estimator, text, name, self.best, value, self.model_dir, best)
            self.best = value
        else:
            text = "%s did not improve from %0.5f, skipping updating best model"
            self._log(estimator, text, name, self.best)

    # -- going on ---------------------------------------------------------------------------------------

    def _checkpoints(self) -> list[tuple[int, int]]:
        """(epoch, batch) of the checkpoints in the folder, in order."""
        pattern = re.compile(re.escape(self.model_prefix) + r"-epoch(\d+)batch(\d+)\.params")
        matches = [pattern.fullmatch(name) for name in os.listdir(self.model_dir)]
        return sorted((int(found[1]), int(found[2])) for found in matches if found)

    def _resume(self, estimator: Any) -> None:
        saved = self._checkpoints()
        if not saved:
            self.trained_epoch = self.trained_batch = -1
            count, what = self._wanted(estimator)
            text = "CheckpointHandler: No checkpoint found, training from scratch for %d %s"
            estimator.logger.info(text, count, what)
            return
        names = [f"{self.model_prefix}-epoch{epoch}batch{batch}" for epoch, batch in saved]
        self.saved_checkpoints = names[:]
        self.trained_epoch, self.trained_batch = saved[-1]
        count, what = self._wanted(estimator)
        trained = self.trained_batch if what == "batches" else self.trained_epoch
        if trained >= count - 1:
            text = f"the last checkpoint is of {trained + 1} {what}, and no more than {count} are to be"
            text += " trained"
            hint = "specify resume_from_checkpoint=False to train from scratch"
            raise ArgumentError(problem("CheckpointHandler", "resume_from_checkpoint", text, hint))
        left = count - trained - 1
        setattr(estimator, "max_batch" if what == "batches" else "max_epoch", left)
        if not os.path.exists(self._path(f"{names[-1]}.states")):
            text = f"Failed to load checkpoint, {self._path(names[-1])}.states does not exist"
            raise AssertedArgumentError(problem("CheckpointHandler", "resume_from_checkpoint", text))
        estimator.net.load_parameters(self._path(f"{names[-1]}.params"), ctx=estimator.context)
        estimator.trainer.load_states(self._path(f"{names[-1]}.states"))
        text = "CheckpointHandler: Checkpoint resumed from epoch %d batch %d, continue to train for %d %s"
        estimator.logger.warning(text, self.trained_epoch, self.trained_batch, left, what)

    def _wanted(self, estimator: Any) -> tuple[int, str]:
        if estimator.max_batch:
            return estimator.max_batch, "batches"
        return estimator.max_epoch, "epochs"
