"""Metrics of classes and of numbers that are computed by the engine, without waiting for a batch."""

from __future__ import annotations

import math
from typing import Any

from .. import ndarray as nd
from ..errors import ArgumentError, AssertedArgumentError, ShapeError, message, problem
from ..ndarray import NDArray
from .metric import EvalMetric, alias, check_label_shapes, numbers, register

__all__ = [
    "Accuracy",
    "CrossEntropy",
    "MAE",
    "MSE",
    "NegativeLogLikelihood",
    "Perplexity",
    "RMSE",
    "TopKAccuracy",
]


@register
@alias("acc")
class Accuracy(EvalMetric):
    """Part of the labels that are predicted.

    Predictions are numbers of classes if they have the shape of the labels; otherwise the class is the
    position of the largest value along `axis`.
    """

    def __init__(self, axis: int = 1, name: str = "accuracy", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names, axis=axis)
        self.axis = axis

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            if pred.shape != label.shape:
                pred = nd.argmax(pred, axis=self.axis)
            if pred.size != label.size:
                text = f"shape of labels {label.size} does not match shape of predictions {pred.size}"
                raise ShapeError(problem("Accuracy", None, text))
            correct = as_classes(pred) == as_classes(label)
            self.accumulate(nd.sum(correct), label.size)


def as_classes(values: NDArray) -> NDArray:
    """Numbers of classes in one dimension, fractions cut off."""
    return values.reshape((-1,)).astype("int32", copy=False)


@register
@alias("top_k_accuracy", "top_k_acc")
class TopKAccuracy(EvalMetric):
    """Part of the labels that are among the `top_k` classes with the largest values of (rows, classes)."""

    def __init__(self, top_k: int = 1, name: str = "top_k_accuracy", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names, top_k=top_k)
        if top_k < 2:
            hint = "use Accuracy if top_k is no more than 1"
            raise AssertedArgumentError(message("TopKAccuracy", "top_k", "2 or more", top_k, hint))
        self.top_k = top_k
        self.name += f"_{top_k}"

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            if pred.ndim > 2:
                expected = "at most 2 dimensions"
                raise AssertedArgumentError(message("TopKAccuracy", "preds", expected, pred.shape))
            if pred.ndim == 2 and self.top_k > pred.shape[1]:
                expected = f"at most the number of classes, {pred.shape[1]}"
                raise ArgumentError(message("TopKAccuracy", "top_k", expected, self.top_k))
            best = pred
            if pred.ndim == 2:
                best = nd.topk(pred, k=self.top_k, axis=1, dtype="int32")
            check_label_shapes(best, label)
            classes = as_classes(label).reshape((-1, 1))
            hits = best.reshape((len(label), -1)).astype("int32", copy=False) == classes
            self.accumulate(nd.sum(hits), len(label))


class Regression(EvalMetric):
    """Base of the metrics that compare numbers: each batch is one instance."""

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            pred, label = as_matrix(pred), as_matrix(label.astype(pred.dtype, copy=False))
            self.accumulate(self.measure(label - pred), 1)

    def measure(self, error: NDArray) -> NDArray:
        """Return one number for the errors of a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define measure")


def as_matrix(values: NDArray) -> NDArray:
    return values.reshape((-1, 1)) if values.ndim == 1 else values


@register
class MAE(Regression):
    """Mean absolute error, averaged over batches."""

    def __init__(self, name: str = "mae", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)

    def measure(self, error: NDArray) -> NDArray:
        """See `Regression.measure`."""
        return nd.mean(nd.abs(error))


@register
class MSE(Regression):
    """Mean squared error, averaged over batches."""

    def __init__(self, name: str = "mse", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)

    def measure(self, error: NDArray) -> NDArray:
        """See `Regression.measure`."""
        return nd.mean(nd.square(error))


@register
class RMSE(Regression):
    """Root of the mean squared error, averaged over batches."""

    def __init__(self, name: str = "rmse", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)

    def measure(self, error: NDArray) -> NDArray:
        """See `Regression.measure`."""
        return nd.sqrt(nd.mean(nd.square(error)))


@register
@alias("ce")
class CrossEntropy(EvalMetric):
    """Mean of -log(probability of the right class + eps), for probabilities of shape (rows, classes)."""

    def __init__(self, eps: float = 1e-12, name: str = "cross-entropy", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names, eps=eps)
        self.eps = eps

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`. A label outside the classes raises an IndexError, here or in `get`."""
        for label, pred in numbers(labels, preds):
            if label.size != pred.shape[0]:
                expected = f"{pred.shape[0]}, one for each row of predictions"
                raise AssertedArgumentError(message(type(self).__name__, "labels", expected, label.size))
            rows = nd.arange(pred.shape[0], dtype="int32")
            probability = pred[rows, as_classes(label)]
            self.accumulate(nd.sum(-nd.log(probability + self.eps)), pred.shape[0])


@register
@alias("nll_loss")
class NegativeLogLikelihood(CrossEntropy):
    """The same as CrossEntropy, under another name."""

    def __init__(self, eps: float = 1e-12, name: str = "nll-loss", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(eps, name, output_names, label_names)


@register
class Perplexity(EvalMetric):
    """exp of the mean of -log(probability of the right class), over labels other than `ignore_label`.

    Probabilities have the classes along `axis`.
    """

    def __init__(self, ignore_label: int | None, axis: int = -1, name: str = "perplexity",
                 output_names: list[str] | None = None, label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names, ignore_label=ignore_label, axis=axis)
        self.ignore_label = ignore_label
        self.axis = axis

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            if label.size != pred.size // pred.shape[-1]:
                text = f"shape mismatch: {label.shape} vs. {pred.shape}"
                raise AssertedArgumentError(problem("Perplexity", "labels", text))
            classes = as_classes(label)
            probability = nd.pick(pred, classes.reshape(pred.shape[:-1]), axis=self.axis).reshape((-1,))
            loss = -nd.log(nd.maximum(probability, 1e-10))
            count: Any = label.size
            if self.ignore_label is not None:
                counted = nd.not_equal(classes, self.ignore_label).astype(pred.dtype)
                loss, count = loss * counted, nd.sum(counted)
            self.accumulate(nd.sum(loss), count)

    def finish(self, total: Any, count: Any) -> float:
        """See `EvalMetric.finish`."""
        return math.exp(total / count)
