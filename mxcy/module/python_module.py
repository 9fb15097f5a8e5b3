"""Modules written in Python: `PythonModule` without parameters, and `PythonLossModule`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from .. import ndarray as nd
from ..errors import AssertedArgumentError, message, problem
from ..initializer import Initializer
from ..io import DataBatch
from ..ndarray import NDArray
from .base_module import DEFAULT_INITIALIZER, BaseModule

__all__ = ["PythonLossModule", "PythonModule"]


class PythonModule(BaseModule):
    """Base of modules in Python that have no parameters.

    A subclass defines `_compute_output_shapes`, `forward`, `backward`, `get_outputs` and `get_input_grads`.
    """

    def __init__(self, data_names: Sequence[str], label_names: Sequence[str] | None,
                 output_names: Sequence[str], logger: Any = logging):  # fmt: skip
        super().__init__(logger)
        self._data_names = list(data_names)
        self._label_names = None if label_names is None else list(label_names)
        self._output_names = list(output_names)
        self._data_shapes: Any = None
        self._label_shapes: Any = None
        self._output_shapes: Any = None
        self.params_initialized = True

    @property
    def data_names(self) -> list[str]:  # type: ignore[override]
        """Names of the data."""
        return self._data_names

    @property
    def output_names(self) -> list[str]:  # type: ignore[override]
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> list:  # type: ignore[override]
        """Descriptions of the data, None before bind."""
        return self._data_shapes

    @property
    def label_shapes(self) -> list | None:  # type: ignore[override]
        """Descriptions of the labels, None without any."""
        return self._label_shapes

    @property
    def output_shapes(self) -> list:  # type: ignore[override]
        """Names and shapes of the outputs, None before bind."""
        return self._output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return no parameters."""
        return {}, {}

    def init_params(self, initializer: Initializer | None = DEFAULT_INITIALIZER,
                    arg_params: dict | None = None, aux_params: dict | None = None,
                    allow_missing: bool = False, force_init: bool = False,
                    allow_extra: bool = False) -> None:  # fmt: skip
        """Do nothing: there are no parameters."""

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """Do nothing: there are no parameters."""
        self.optimizer_initialized = True

    def update(self) -> None:
        """Do nothing: there are no parameters."""

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs to a metric, if there are labels."""
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise AssertedArgumentError(problem("update_metric", "pre_sliced", "not for modules in Python"))
        eval_metric.update(labels, self.get_outputs())

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """Take note of the shapes."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if grad_req != "write":
            raise AssertedArgumentError(message("bind", "grad_req", "'write'", repr(grad_req)))
        for kind, names, shapes in (("data", self._data_names, data_shapes),
                                    ("label", self._label_names, label_shapes)):  # fmt: skip
            if shapes is not None and [given[0] for given in shapes] != names:
                found = [given[0] for given in shapes]
                raise AssertedArgumentError(message("bind", f"{kind}_shapes", f"those of {names}", found))
        self._data_shapes = data_shapes
        self._label_shapes = label_shapes
        self._output_shapes = self._compute_output_shapes()
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.binded = True

    def _compute_output_shapes(self) -> list:
        """Return (name, shape) of every output."""
        raise NotImplementedError(f"{type(self).__name__} must define _compute_output_shapes")

    def install_monitor(self, mon: Any) -> None:
        """Do nothing: there is no executor to look at."""


class PythonLossModule(PythonModule):
    """A loss whose output is its input, and whose gradient is a function in Python.

    Parameters
    ----------
    name : the output is `<name>_output`.
    data_names, label_names : one name each.
    grad_func : function of scores and labels that returns the gradient of the scores; a subclass may define
        `_backward_impl` instead, which sets `_scores_grad`.
    """

    def __init__(self, name: str = "pyloss", data_names: Sequence[str] = ("data",),
                 label_names: Sequence[str] = ("softmax_label",), logger: Any = logging,
                 grad_func: Callable | None = None):  # fmt: skip
        super().__init__(data_names, label_names, [f"{name}_output"], logger)
        for argument, names in (("data_names", data_names), ("label_names", label_names)):
            if len(names) != 1:
                raise AssertedArgumentError(message("PythonLossModule", argument, "one name", len(names)))
        if grad_func is not None and not callable(grad_func):
            got = type(grad_func).__name__
            raise AssertedArgumentError(message("PythonLossModule", "grad_func", "a function", got))
        self._name = name
        self._grad_func = grad_func
        self._scores: Any = None
        self._labels: Any = None
        self._scores_grad: Any = None

    def _compute_output_shapes(self) -> list:
        return [(f"{self._name}_output", tuple(self._data_shapes[0][1]))]

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Keep scores and, in training, labels."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]  # type: ignore[index]

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the scores."""
        return [self._scores]

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradient of the scores."""
        self._require("backward", "for_training")
        if out_grads is not None:
            raise AssertedArgumentError(problem("backward", "out_grads", "a loss takes no gradients"))
        self._backward_impl()

    def _backward_impl(self) -> None:
        if self._grad_func is None:
            raise NotImplementedError(
                f"{type(self).__name__} must define _backward_impl, or have a grad_func"
            )
        found = self._grad_func(self._scores, self._labels)
        self._scores_grad = found if isinstance(found, NDArray) else nd.array(found)

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradient of the scores."""
        return [self._scores_grad]
