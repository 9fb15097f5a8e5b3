"""The events of an estimator, and what handlers of them share."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

from .... import metric as metrics
from ....errors import ArgumentError, message

__all__ = [
    "BatchBegin",
    "BatchEnd",
    "EpochBegin",
    "EpochEnd",
    "EventHandler",
    "TrainBegin",
    "TrainEnd",
    "better_of",
    "handlers_of",
    "metrics_of",
    "worst_for",
]


class EventHandler:
    """Base class of handlers."""


class TrainBegin(EventHandler):
    """Called before training."""

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called before training."""


class TrainEnd(EventHandler):
    """Called after training."""

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called after training."""


class EpochBegin(EventHandler):
    """Called before each epoch."""

    def epoch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called before each epoch."""


class EpochEnd(EventHandler):
    """Called after each epoch."""

    def epoch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool | None:
        """Called after each epoch; a true result ends the training."""
        return False


class BatchBegin(EventHandler):
    """Called before each batch."""

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Called before each batch, with `batch`."""


class BatchEnd(EventHandler):
    """Called after each batch."""

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> bool | None:
        """Called after each batch, with `batch`, `pred`, `label`, `loss`; a true result ends the epoch."""
        return False


def handlers_of(handlers: Any) -> list[EventHandler]:
    """One handler, a list of them or None as a new list."""
    found = [handlers] if isinstance(handlers, EventHandler) else handlers or []
    for handler in found:
        if not isinstance(handler, EventHandler):
            expected = "an EventHandler or a list of them"
            raise ArgumentError(message("Estimator", "event_handlers", expected, type(handler).__name__))
    return list(found)


def metrics_of(given: Any) -> list:
    """A metric, a composite one, a list of metrics or None as a list of metrics that are not composite."""
    if isinstance(given, metrics.CompositeEvalMetric):
        return [metric for part in given.metrics for metric in metrics_of(part)]
    if isinstance(given, metrics.EvalMetric):
        return [given]
    found = given or []
    if isinstance(found, str) or not all(isinstance(metric, metrics.EvalMetric) for metric in found):
        raise ArgumentError(message("Estimator", "metrics", "an EvalMetric or a list of them", repr(given)))
    return found


def better_of(handler: str, monitor: Any, mode: str) -> Callable[[float, float], bool]:
    """The comparison that says whether a value of a metric is better than another.

    `mode` is "min", "max" or "auto": accuracies and F1 scores are to be large, everything else small.
    """
    if mode not in ("auto", "min", "max"):
        text = f"{handler} mode {mode} is unknown, fallback to auto mode"
        warnings.warn(text, RuntimeWarning, stacklevel=4)
        mode = "auto"
    if mode == "auto":
        name = monitor.get()[0]
        mode = "max" if any(word in str(name).lower() for word in ("acc", "f1")) else "min"
        kind, other = ("greater", "less") if mode == "max" else ("less", "greater")
        otherwise = "min" if mode == "max" else "max"
        warnings.warn(f"`{kind}` operator will be used to determine if {name} has improved. Please specify "
                      f"`mode='{otherwise}'` to use the `{other}` operator. Specify `mode='{mode}'` to "
                      "disable this warning.", stacklevel=4)  # fmt: skip
    return operator.gt if mode == "max" else operator.lt


def worst_for(better: Callable) -> float:
    """A value than which all others are better."""
    return -math.inf if better is operator.gt else math.inf
