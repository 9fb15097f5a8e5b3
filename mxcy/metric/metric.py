"""Measures of how good predictions are, summed up over batches.

An update pushes its computation to the engine and keeps the result as an array; nothing waits until
somebody asks for the value. So a training loop that shows its accuracy every fifty batches stops every
fifty batches, not after each.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy

from .. import ndarray as nd
from .. import registry
from .._array import Array
from ..errors import ArgumentError, ShapeError, message, problem
from ..ndarray import NDArray

__all__ = [
    "CompositeEvalMetric",
    "CustomMetric",
    "EvalMetric",
    "Loss",
    "alias",
    "check_label_shapes",
    "create",
    "np",
    "numbers",
    "register",
]

PENDING = 64  # batches whose results may be unread; the oldest is read when there are more


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Raise ShapeError unless labels and predictions are equally many (with `shape`: of equal shapes).

    With `wrap`, single arrays come back as lists of one.
    """
    label, pred = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if label != pred:
        text = f"shape of labels {label} does not match shape of predictions {pred}"
        raise ShapeError(problem("metric", None, text))
    if wrap:
        labels = [labels] if isinstance(labels, Array) else labels
        preds = [preds] if isinstance(preds, Array) else preds
    return labels, preds


class Totals:
    """A sum of values and the number of instances that they are of, some still on their way."""

    __slots__ = ("_count", "_pending", "_total")

    def __init__(self):
        self.set(0.0, 0)

    def set(self, total: Any, count: Any) -> None:
        """Forget what was added, and start from these."""
        self._pending: deque = deque()
        self._total = total
        self._count = count

    def add(self, total: Any, count: Any) -> None:
        """Add numbers, or arrays of one element that hold them when they are computed."""
        self._pending.append((total, count))
        if len(self._pending) > PENDING:
            self._read_oldest()

    def read(self) -> tuple[Any, Any]:
        """Return (sum, number of instances), waiting for them."""
        while self._pending:
            self._read_oldest()
        return self._total, self._count

    def _read_oldest(self) -> None:
        total, count = [as_number(value) for value in self._pending.popleft()]
        self._total += total
        self._count += count


def as_number(value: Any) -> Any:
    # Python's numbers, so that many values of float32 are not summed in float32.
    return value.item() if isinstance(value, (NDArray, numpy.generic)) else value


class EvalMetric:
    """Base class of metrics.

    A subclass defines `update`, which calls `self.accumulate(sum, number of instances)`; the value is the
    ratio of the totals. `get` is since the last `reset_local`, `get_global` since the last `reset`.

    Parameters
    ----------
    name : what the value is called in logs.
    output_names, label_names : which outputs and labels `update_dict` takes; all by default.
    **kwargs : arguments of the subclass, for `get_config`.
    """

    def __init__(self, name: str, output_names: list[str] | None = None, label_names: list[str] | None = None,
                 **kwargs: Any):  # fmt: skip
        # Metrics of users that only keep `sum_metric` and `num_inst` have no totals of their own.
        self._has_global_stats = bool(kwargs.pop("has_global_stats", False))
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._kwargs = kwargs
        self._local = Totals()
        self._global = Totals()
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `create` makes an equal metric, as a dict."""
        names = {"output_names": self.output_names, "label_names": self.label_names}
        return {**self._kwargs, "metric": type(self).__name__, "name": self.name, **names}

    # -- updates ----------------------------------------------------------------------------------------

    def update(self, labels: Any, preds: Any) -> None:
        """Add the predictions of a batch: lists of NDArray, or one NDArray each."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def update_dict(self, label: dict[str, NDArray], pred: dict[str, NDArray]) -> None:
        """Add a batch given by names of labels and outputs."""
        preds = list(pred.values()) if self.output_names is None else [pred[n] for n in self.output_names]
        labels = list(label.values()) if self.label_names is None else [label[n] for n in self.label_names]
        self.update(labels, preds)

    def accumulate(self, total: Any, count: Any) -> None:
        """Add a sum over some instances and their number: numbers, or arrays with one element."""
        self._has_global_stats = True
        self._local.add(total, count)
        self._global.add(total, count)

    def reset(self) -> None:
        """Forget everything."""
        self._local.set(0.0, 0)
        self._global.set(0.0, 0)

    def reset_local(self) -> None:
        """Forget what `get` returns; `get_global` goes on."""
        self._local.set(0.0, 0)

    # Subclasses of users add to these directly.
    sum_metric = property(
        lambda self: self._local.read()[0],
        lambda self, value: self._local.set(value, self._local.read()[1]),
        doc="Sum since the last `reset_local`.",
    )
    num_inst = property(
        lambda self: self._local.read()[1],
        lambda self, value: self._local.set(self._local.read()[0], value),
        doc="Number of instances since the last `reset_local`.",
    )
    global_sum_metric = property(
        lambda self: self._global.read()[0],
        lambda self, value: self._global.set(value, self._global.read()[1]),
        doc="Sum since the last `reset`.",
    )
    global_num_inst = property(
        lambda self: self._global.read()[1],
        lambda self, value: self._global.set(self._global.read()[0], value),
        doc="Number of instances since the last `reset`.",
    )

    # -- values -----------------------------------------------------------------------------------------

    def finish(self, total: Any, count: Any) -> Any:
        """Return the value for these totals."""
        return total / count

    def get(self) -> tuple[Any, Any]:
        """Return (name, value), nan before the first update."""
        total, count = self._local.read()
        return self.name, self.finish(total, count) if count else math.nan

    def get_global(self) -> tuple[Any, Any]:
        """Return (name, value) over everything since the last `reset`."""
        if not self._has_global_stats:
            return self.get()
        total, count = self._global.read()
        return self.name, self.finish(total, count) if count else math.nan

    def get_name_value(self) -> list[tuple[str, Any]]:
        """Return a list of (name, value)."""
        return pairs(*self.get())

    def get_global_name_value(self) -> list[tuple[str, Any]]:
        """Return a list of (name, value) since the last `reset`."""
        return pairs(*self.get_global()) if self._has_global_stats else self.get_name_value()


def pairs(name: Any, value: Any) -> list[tuple[str, Any]]:
    names = name if isinstance(name, list) else [name]
    values = value if isinstance(value, list) else [value]
    return list(zip(names, values, strict=True))


register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
_create = registry.get_create_func(EvalMetric, "metric")


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """Return a metric from a name, a function `(label, pred) -> value`, a metric, or a list of these.

    >>> create("acc").get()
    ('accuracy', nan)
    """
    if isinstance(metric, list):
        composite = CompositeEvalMetric()
        for child in metric:
            composite.add(create(child, *args, **kwargs))
        return composite
    if callable(metric):
        return CustomMetric(metric, *args, **kwargs)
    return _create(metric, *args, **kwargs)


def numbers(labels: Any, preds: Any) -> Iterable[tuple[NDArray, NDArray]]:
    """Pairs of label and prediction of one update; raise ShapeError if they are not equally many."""
    labels, preds = check_label_shapes(labels, preds, True)
    for label, pred in zip(labels, preds, strict=True):
        pred = pred.as_nd_ndarray() if isinstance(pred, Array) else nd.array(pred)
        label = label.as_nd_ndarray() if isinstance(label, Array) else nd.array(label)
        yield label.as_in_context(pred.context), pred  # outputs of a GPU are compared there


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics of the same predictions."""

    def __init__(self, metrics: Sequence | None = None, name: str = "composite",
                 output_names: list[str] | None = None, label_names: list[str] | None = None):  # fmt: skip
        self.metrics = [create(metric) for metric in metrics or []]
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def add(self, metric: Any) -> None:
        """Add a metric, or what `create` makes one of."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """Return a metric by its number."""
        try:
            return self.metrics[index]
        except IndexError:
            expected = f"a number below {len(self.metrics)}"
            raise ArgumentError(message("CompositeEvalMetric", "index", expected, index)) from None

    def update_dict(self, labels: dict[str, NDArray], preds: dict[str, NDArray]) -> None:  # type: ignore[override]
        """See `EvalMetric.update_dict`."""
        if self.label_names is not None:
            labels = {name: value for name, value in labels.items() if name in self.label_names}
        if self.output_names is not None:
            preds = {name: value for name, value in preds.items() if name in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        """See `EvalMetric.reset`."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """See `EvalMetric.reset_local`."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list, list]:
        """Return lists of the names and of the values."""
        return joined(metric.get() for metric in self.metrics)

    def get_global(self) -> tuple[list, list]:
        """Return lists of the names and of the values since the last `reset`."""
        return joined(metric.get_global() for metric in self.metrics)

    def get_config(self) -> dict[str, Any]:
        """See `EvalMetric.get_config`."""
        return super().get_config() | {"metrics": [metric.get_config() for metric in self.metrics]}


def joined(found: Iterable[Any]) -> tuple[list, list]:
    """Names and values of several metrics, of which each has one or a sequence."""
    names: list = []
    values: list = []
    for name, value in found:
        names += [name] if isinstance(name, str) else name
        values += value if isinstance(value, (list, tuple)) else [value]
    return names, values


@register
class Loss(EvalMetric):
    """Mean of all elements of the outputs; labels are not looked at."""

    def __init__(self, name: str = "loss", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)

    def update(self, _: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        for pred in [preds] if isinstance(preds, Array) else preds:
            self.accumulate(nd.sum(pred.as_nd_ndarray()), pred.size)


@register
class CustomMetric(EvalMetric):
    """A metric made of a function of two arrays of NumPy.

    Parameters
    ----------
    feval : function (label, pred) that returns the value of a batch, or (sum, number of instances).
    name : by default the name of the function.
    allow_extra_outputs : whether there may be more predictions than labels.
    """

    def __init__(self, feval: Callable, name: str | None = None, allow_extra_outputs: bool = False,
                 output_names: list[str] | None = None, label_names: list[str] | None = None):  # fmt: skip
        if name is None:
            name = feval.__name__
            name = f"custom({name})" if "<" in name else name
        arguments = {"feval": feval, "allow_extra_outputs": allow_extra_outputs}
        super().__init__(name, output_names, label_names, **arguments)
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs

    def update(self, labels: Any, preds: Any) -> None:
        """See `EvalMetric.update`."""
        if self._allow_extra_outputs:
            preds = preds[: len(labels)]
        for label, pred in numbers(labels, preds):
            value = self._feval(label.asnumpy(), pred.asnumpy())
            self.accumulate(*(value if isinstance(value, tuple) else (value, 1)))

    def get_config(self) -> dict[str, Any]:
        """A function cannot be written down: raises NotImplementedError."""
        raise NotImplementedError("CustomMetric cannot be serialized: it holds a function")


def np(numpy_feval: Callable, name: str | None = None, allow_extra_outputs: bool = False) -> CustomMetric:
    """Return a metric made of a function of two arrays of NumPy. See `CustomMetric`."""
    return CustomMetric(numpy_feval, name, allow_extra_outputs)


@register
class Torch(Loss):
    """`Loss` of criterions of Torch."""

    def __init__(self, name: str = "torch", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)


@register
class Caffe(Loss):
    """`Loss` of criterions of Caffe."""

    def __init__(self, name: str = "caffe", output_names: list[str] | None = None,
                 label_names: list[str] | None = None):  # fmt: skip
        super().__init__(name, output_names, label_names)
