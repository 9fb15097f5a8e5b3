"""Metrics that compare predictions and labels as a whole: F scores and correlations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError, problem
from .metric import EvalMetric, alias, check_label_shapes, numbers, register

__all__ = ["F1", "MCC", "PCC", "PearsonCorrelation"]


class Counts:
    """Numbers of true and false positives and negatives."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        """Count from 0."""
        self.true_positives = self.false_positives = self.true_negatives = self.false_negatives = 0

    def add(self, label: np.ndarray, predicted: np.ndarray) -> None:
        """Add what was predicted for these labels; class 1 is the positive one."""
        said, is_true = predicted == 1, label == 1
        self.true_positives += int((said & is_true).sum())
        self.false_positives += int((said & ~is_true).sum())
        self.false_negatives += int((~said & is_true).sum())
        self.true_negatives += int((~said & ~is_true).sum())

    @property
    def total(self) -> int:
        """How many predictions there were."""
        return self.true_positives + self.false_positives + self.true_negatives + self.false_negatives

    @property
    def fscore(self) -> float:
        """The harmonic mean of precision and recall; 0 if nothing was found."""
        found = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / found if self.true_positives else 0.0

    @property
    def matthews(self) -> float:
        """Matthews' correlation of predictions and labels; sums that are 0 count as 1."""
        tp, fp = self.true_positives, self.false_positives
        tn, fn = self.true_negatives, self.false_negatives
        terms = [term for term in (tp + fp, tp + fn, tn + fp, tn + fn) if term]
        return (tp * tn - fp * fn) / math.sqrt(math.prod(terms)) if self.total else 0.0


class BinaryMetric(EvalMetric):
    """Base of metrics of two classes, whose value follows from `Counts`.

    With `average="macro"` the value is the mean over updates, with "micro" that of all predictions.
    Predictions are probabilities of shape (rows, classes).
    """

    def __init__(
        self, name: str, output_names: list[str] | None, label_names: list[str] | None, average: str
    ):
        self.average = average
        self._counts, self._all_counts = Counts(), Counts()
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def measure(self, counts: Counts) -> float:
        """Return the value for these counts."""
        raise NotImplementedError(f"{type(self).__name__} must define measure")

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            classes = label.asnumpy().astype("int32")
            predicted = np.argmax(pred.asnumpy(), axis=1)
            check_label_shapes(classes, predicted)
            if len(np.unique(classes)) > 2:
                text = "currently only supports binary classification"
                raise ArgumentError(problem(type(self).__name__, "labels", text))
            for counts in (self._counts, self._all_counts):
                counts.add(classes.ravel(), predicted.ravel())
        if self.average == "macro":
            self.accumulate(self.measure(self._counts), 1)
            self._counts.reset()
            self._all_counts.reset()
            return
        for totals, counts in ((self._local, self._counts), (self._global, self._all_counts)):
            totals.set(self.measure(counts) * counts.total, counts.total)

    def reset(self) -> None:
        """See `EvalMetric.reset`."""
        super().reset()
        self._counts.reset()
        self._all_counts.reset()

    def reset_local(self) -> None:
        """See `EvalMetric.reset_local`."""
        super().reset_local()
        self._counts.reset()


@register
class F1(BinaryMetric):
    """F1 score of two classes: the harmonic mean of precision and recall."""

    def __init__(self, name: str = "f1", output_names: list[str] | None = None,
                 label_names: list[str] | None = None, average: str = "macro"):  # fmt: skip
        super().__init__(name, output_names, label_names, average)

    def measure(self, counts: Counts) -> float:
        """See `BinaryMetric.measure`."""
        return counts.fscore


@register
class MCC(BinaryMetric):
    """Matthews' correlation coefficient of two classes."""

    def __init__(self, name: str = "mcc", output_names: list[str] | None = None,
                 label_names: list[str] | None = None, average: str = "macro"):  # fmt: skip
        super().__init__(name, output_names, label_names, average)

    def measure(self, counts: Counts) -> float:
        """See `BinaryMetric.measure`."""
        return counts.matthews


class Moments:
    """Numbers, means and squared distances of labels and predictions, and their common part."""

    def __init__(self):
        self.count = 0
        self.mean = np.zeros(2)
        self.squares = np.zeros(2)
        self.common = 0.0

    def add(self, label: np.ndarray, pred: np.ndarray) -> None:
        """Add values (Welford 1962)."""
        both = np.stack([label, pred])
        self.count += both.shape[1]
        before = both - self.mean[:, None]
        self.mean = self.mean + before.sum(axis=1) / self.count
        after = both - self.mean[:, None]
        self.squares = self.squares + (before * after).sum(axis=1)
        self.common += float((after[0] * before[1]).sum())

    @property
    def correlation(self) -> float:
        """Pearson's correlation."""
        return float(self.common / np.sqrt(self.squares[0] * self.squares[1]))


@register
@alias("pearsonr")
class PearsonCorrelation(EvalMetric):
    """Pearson's correlation: the mean over updates ("macro"), or of all values ("micro")."""

    def __init__(self, name: str = "pearsonr", output_names: list[str] | None = None,
                 label_names: list[str] | None = None, average: str = "macro"):  # fmt: skip
        self.average = average
        self._moments = Moments()
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            check_label_shapes(label, pred, False, True)
            x, y = [value.asnumpy().ravel().astype(np.float64) for value in (label, pred)]
            if self.average == "macro":
                self.accumulate(np.corrcoef(y, x)[0, 1], 1)
            else:
                self._moments.add(x, y)
                self.accumulate(0.0, 1)

    def reset(self) -> None:
        """See `EvalMetric.reset`."""
        super().reset()
        self._moments = Moments()

    def finish(self, total: Any, count: Any) -> Any:
        """See `EvalMetric.finish`."""
        return total / count if self.average == "macro" else self._moments.correlation


@register
class PCC(EvalMetric):
    """Matthews' correlation for any number of classes (Gorodkin 2004), of all predictions."""

    def __init__(self, name: str = "pcc", output_names: list[str] | None = None,
                 label_names: list[str] | None = None, has_global_stats: bool = True):  # fmt: skip
        self._confusion = self._all_confusion = np.zeros((2, 2))
        super().__init__(name, output_names, label_names, has_global_stats=has_global_stats)

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for label, pred in numbers(labels, preds):
            classes = label.asnumpy().astype("int32").ravel()
            values = pred.asnumpy()
            predicted = values if values.shape == label.shape else values.argmax(axis=1)
            predicted = predicted.astype("int32").ravel()
            size = max(int(predicted.max()), int(classes.max())) + 1
            batch = np.zeros((size, size))
            np.add.at(batch, (predicted, classes), 1)
            self._confusion = added(self._confusion, batch)
            self._all_confusion = added(self._all_confusion, batch)
        self.accumulate(0.0, 1)

    def reset(self) -> None:
        """See `EvalMetric.reset`."""
        super().reset()
        self._confusion = self._all_confusion = np.zeros((2, 2))

    def reset_local(self) -> None:
        """See `EvalMetric.reset_local`."""
        super().reset_local()
        self._confusion = np.zeros((2, 2))

    def get(self) -> tuple[Any, Any]:
        """See `EvalMetric.get`."""
        return self.name, correlation(self._confusion) if self.num_inst else math.nan

    def get_global(self) -> tuple[Any, Any]:
        """See `EvalMetric.get_global`."""
        return self.name, correlation(self._all_confusion) if self.global_num_inst else math.nan


def added(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of two square matrices, the smaller one filled up with zeros."""
    size = max(len(a), len(b))
    return np.pad(a, (0, size - len(a))) + np.pad(b, (0, size - len(b)))


def correlation(confusion: np.ndarray) -> float:
    """The correlation of predictions (rows) and labels (columns); nan if one of them is constant."""
    count, said, is_true = confusion.sum(), confusion.sum(axis=1), confusion.sum(axis=0)
    variances = (said * (count - said)).sum() * (is_true * (count - is_true)).sum()
    if variances == 0:
        return math.nan
    return float((confusion.diagonal() * count - said * is_true).sum() / math.sqrt(variances))
