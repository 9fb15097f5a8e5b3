"""`BaseModule`: training, evaluation and prediction, on top of the steps that a kind of module defines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import metric as metrics
from .. import ndarray as nd
from .._paths import names_from
from ..errors import ArgumentError, AssertedArgumentError, StateError, message, problem
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataIter
from ..model import BatchEndParam, split_params
from ..ndarray import NDArray

__all__ = ["DEFAULT_INITIALIZER", "BaseModule"]

__getattr__ = names_from(__name__, "mxcy.module.inputs", "mxcy.base")  # MXNet's names

DEFAULT_INITIALIZER = Uniform(0.01)

# State that a call needs -> what to do to reach it.
STEPS = {
    "binded": "call bind first",
    "params_initialized": "call init_params or set_params first",
    "optimizer_initialized": "call init_optimizer first",
    "for_training": "re-bind with for_training=True to run backward",
    "inputs_need_grad": "re-bind with inputs_need_grad=True",
}


class BaseModule:
    """What can be trained: it has parameters, runs forward and backward, and updates.

    A subclass defines `bind`, `init_params`, `init_optimizer`, `get_params`, `forward`, `backward`,
    `update`, `get_outputs`, `get_input_grads`, `update_metric`, `install_monitor`, and the properties
    `data_names`, `output_names`, `data_shapes`, `label_shapes`, `output_shapes`.

    Attributes
    ----------
    binded, for_training, inputs_need_grad, params_initialized, optimizer_initialized : how far it is.
    symbol : the network, if it is one symbol.
    logger : where `fit` writes; the module `logging` by default.
    """

    _total_exec_bytes = 0  # what MXNet's executors hold; here buckets share what there is

    def __init__(self, logger: Any = logging):
        self.logger = logger
        self.binded = False
        self.for_training = False
        self.inputs_need_grad = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self._symbol: Any = None

    @property
    def symbol(self) -> Any:
        """The network."""
        return self._symbol

    def _require(self, call: str, *states: str) -> None:
        """Raise StateError if a call comes too early."""
        for state in states:
            if not getattr(self, state):
                raise StateError(problem(call, None, f"the module is not {state}", STEPS[state]))

    # -- one batch --------------------------------------------------------------------------------------

    def forward_backward(self, data_batch: DataBatch) -> None:
        """Compute outputs and gradients of a batch, as in training."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def prepare(self, data_batch: DataBatch, sparse_row_id_fn: Callable | None = None) -> None:
        """Get ready for the batch after this one. Nothing to do with dense parameters on one device."""

    # -- evaluation and prediction ----------------------------------------------------------------------

    def score(self, eval_data: DataIter, eval_metric: Any, num_batch: int | None = None,
              batch_end_callback: Any = None, score_end_callback: Any = None, reset: bool = True,
              epoch: int = 0,
              sparse_row_id_fn: Callable | None = None) -> list[tuple[str, float]]:  # fmt: skip
        """Return the metrics of the predictions for a data iterator, as a list of (name, value).

        Rows that only fill the last batch count, as in MXNet. Parameters are those of `fit`;
        `num_batch` stops after so many batches.
        """
        self._require("score", "binded", "params_initialized")
        if reset:
            eval_data.reset()
        eval_metric = metrics.create(eval_metric)
        eval_metric.reset()
        actual_num_batch = 0
        for nbatch, eval_batch in enumerate(eval_data):
            if nbatch == num_batch:
                break
            self.prepare(eval_batch, sparse_row_id_fn=sparse_row_id_fn)
            self.forward(eval_batch, is_train=False)
            self.update_metric(eval_metric, eval_batch.label or [])
            run_callbacks(batch_end_callback, epoch, nbatch, eval_metric, locals())
            actual_num_batch += 1
        run_callbacks(score_end_callback, epoch, actual_num_batch, eval_metric, locals())
        return eval_metric.get_name_value()

    def iter_predict(self, eval_data: DataIter, num_batch: int | None = None, reset: bool = True,
                     sparse_row_id_fn: Callable | None = None,
                     ) -> Iterator[tuple[list, int, DataBatch]]:  # fmt: skip
        """Yield (outputs, number, batch) for each batch, without the rows that only fill it."""
        self._require("iter_predict", "binded", "params_initialized")
        if reset:
            eval_data.reset()
        for nbatch, eval_batch in enumerate(eval_data):
            if nbatch == num_batch:
                break
            self.prepare(eval_batch, sparse_row_id_fn=sparse_row_id_fn)
            self.forward(eval_batch, is_train=False)
            pad = eval_batch.pad or 0
            yield [out[: out.shape[0] - pad].copy() for out in self.get_outputs()], nbatch, eval_batch

    def predict(self, eval_data: Any, num_batch: int | None = None, merge_batches: bool = True,
                reset: bool = True, always_output_list: bool = False,
                sparse_row_id_fn: Callable | None = None) -> Any:  # fmt: skip
        """Return the outputs for a data iterator, or for an array that is one batch.

        Outputs of all batches are joined into one array for each output, and a single output comes
        without a list around it (unless `always_output_list`). `merge_batches=False` gives a list of
        lists: outputs of each batch.
        """
        self._require("predict", "binded", "params_initialized")
        if isinstance(eval_data, (NDArray, np.ndarray)):
            values = eval_data if isinstance(eval_data, NDArray) else nd.array(eval_data)
            self.forward(DataBatch([values]), is_train=False)
            return self.get_outputs()[0].copy()
        if not isinstance(eval_data, DataIter) and not hasattr(eval_data, "reset"):
            expected = "an NDArray or a DataIter"
            raise ArgumentError(message("predict", "eval_data", expected, type(eval_data).__name__))
        batches = self.iter_predict(eval_data, num_batch, reset, sparse_row_id_fn)
        found = [outputs for outputs, _, _ in batches]
        if not found or not merge_batches:
            return found
        if len({len(outputs) for outputs in found}) > 1:
            text = "batches differ in their number of outputs, as with bucketing"
            raise AssertedArgumentError(problem("predict", "merge_batches", text, "pass merge_batches=False"))
        merged = [nd.concat(*parts, dim=0) for parts in zip(*found, strict=True)]
        return merged[0] if len(merged) == 1 and not always_output_list else merged

    # -- training ---------------------------------------------------------------------------------------

    def fit(self, train_data: DataIter, eval_data: DataIter | None = None, eval_metric: Any = "acc",
            epoch_end_callback: Any = None, batch_end_callback: Any = None, kvstore: Any = "local",
            optimizer: Any = "sgd", optimizer_params: Any = (("learning_rate", 0.01),),
            eval_end_callback: Any = None, eval_batch_end_callback: Any = None,
            initializer: Initializer | None = DEFAULT_INITIALIZER, arg_params: dict | None = None,
            aux_params: dict | None = None, allow_missing: bool = False, force_rebind: bool = False,
            force_init: bool = False, begin_epoch: int = 0, num_epoch: int | None = None,
            validation_metric: Any = None, monitor: Any = None,
            sparse_row_id_fn: Callable | None = None) -> None:  # fmt: skip
        """Train: bind, initialize what is not yet, and run over the data again and again.

        Parameters
        ----------
        train_data, eval_data : iterators to train with and (after each epoch) to evaluate.
        eval_metric, validation_metric : what to measure, see `mx.metric.create`; the latter for
            `eval_data`, by default the same.
        epoch_end_callback : function or list of functions (epoch, symbol, arg_params, aux_params).
        batch_end_callback, eval_batch_end_callback, eval_end_callback : functions or lists of functions
            of a `BatchEndParam`.
        kvstore : None, "local" or "device".
        optimizer, optimizer_params : see `init_optimizer`.
        initializer, arg_params, aux_params, allow_missing, force_init : see `init_params`.
        force_rebind : whether to bind again, if the module is bound.
        begin_epoch, num_epoch : number of the first epoch, and of the one after the last.
        monitor : looks at the arrays of each batch.
        """
        if num_epoch is None:
            raise AssertedArgumentError(problem("fit", "num_epoch", "please specify number of epochs"))
        self.bind(data_shapes=train_data.provide_data, label_shapes=train_data.provide_label,
                  for_training=True, force_rebind=force_rebind)  # fmt: skip
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(initializer=initializer, arg_params=arg_params, aux_params=aux_params,
                         allow_missing=allow_missing, force_init=force_init)  # fmt: skip
        self.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=optimizer_params)
        validation_metric = eval_metric if validation_metric is None else validation_metric
        eval_metric = metrics.create(eval_metric)
        for epoch in range(begin_epoch, num_epoch):
            tic = time.time()
            found = self._fit_epoch(epoch, train_data, eval_metric, batch_end_callback, monitor,
                                    sparse_row_id_fn)  # fmt: skip
            for name, value in found:
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - tic)
            if epoch_end_callback is not None:
                params = self.get_params()
                for callback in as_list(epoch_end_callback):
                    callback(epoch, self.symbol, *params)
            if eval_data is not None:
                found = self.score(eval_data, validation_metric, score_end_callback=eval_end_callback,
                                   batch_end_callback=eval_batch_end_callback, epoch=epoch)  # fmt: skip
                for name, value in found:
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def _fit_epoch(self, epoch: int, train_data: DataIter, eval_metric: metrics.EvalMetric,
                   batch_end_callback: Any, monitor: Any,
                   sparse_row_id_fn: Callable | None) -> list[tuple[str, Any]]:  # fmt: skip
        """Train with all batches. The next batch is fetched while the engine works on this one.

        Returns the metric as it is before the last batch's callbacks, which may reset it: metrics of programs
        often have no totals of their own for the whole epoch.
        """
        eval_metric.reset()
        batches = iter(train_data)
        next_data_batch = next(batches, None)
        if next_data_batch is None:
            hint = "reset the iterator"
            raise ArgumentError(message("fit", "train_data", "at least one batch", "none", hint))
        nbatch = 0
        while next_data_batch is not None:
            data_batch = next_data_batch
            if monitor is not None:
                monitor.tic()
            self.forward_backward(data_batch)
            self.update()
            self.update_metric(eval_metric, data_batch.label or [])
            next_data_batch = next(batches, None)
            if next_data_batch is not None:
                self.prepare(next_data_batch, sparse_row_id_fn=sparse_row_id_fn)
            if monitor is not None:
                monitor.toc_print()
            if next_data_batch is None:
                values = eval_metric.get_global_name_value()
            run_callbacks(batch_end_callback, epoch, nbatch, eval_metric, locals())
            nbatch += 1
        return values

    # -- parameters -------------------------------------------------------------------------------------

    def set_params(self, arg_params: dict, aux_params: dict | None, allow_missing: bool = False,
                   force_init: bool = True, allow_extra: bool = False) -> None:  # fmt: skip
        """Set parameters and auxiliary states, as `init_params` without an initializer."""
        self.init_params(initializer=None, arg_params=arg_params, aux_params=aux_params,
                         allow_missing=allow_missing, force_init=force_init,
                         allow_extra=allow_extra)  # fmt: skip

    def save_params(self, fname: str) -> None:
        """Write parameters and auxiliary states to a file that `nd.load` reads."""
        arg_params, aux_params = self.get_params()
        named = {f"arg:{name}": value for name, value in arg_params.items()}
        nd.save(fname, named | {f"aux:{name}": value for name, value in aux_params.items()})

    def load_params(self, fname: str) -> None:
        """Set parameters and auxiliary states from a file of `save_params` or of a checkpoint."""
        self.set_params(*split_params(nd.load(fname), fname))

    # -- what subclasses define -------------------------------------------------------------------------

    data_names: list[str]
    output_names: list[str]
    data_shapes: list
    label_shapes: list | None
    output_shapes: list

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """Allocate everything for these shapes."""
        raise not_defined(self, "bind")

    def init_params(self, initializer: Initializer | None = DEFAULT_INITIALIZER,
                    arg_params: dict | None = None, aux_params: dict | None = None,
                    allow_missing: bool = False, force_init: bool = False,
                    allow_extra: bool = False) -> None:  # fmt: skip
        """Initialize parameters and auxiliary states."""
        raise not_defined(self, "init_params")

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """Get ready to update."""
        raise not_defined(self, "init_optimizer")

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return (parameters, auxiliary states) by name."""
        raise not_defined(self, "get_params")

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs for a batch."""
        raise not_defined(self, "forward")

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients."""
        raise not_defined(self, "backward")

    def update(self) -> None:
        """Change the parameters by their gradients."""
        raise not_defined(self, "update")

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the outputs of the last forward."""
        raise not_defined(self, "get_outputs")

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data of the last backward."""
        raise not_defined(self, "get_input_grads")

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs of the last forward to a metric."""
        raise not_defined(self, "update_metric")

    def get_states(self, merge_multi_context: bool = True) -> list:
        """Return the arrays of the states that go from batch to batch; there are none by default."""
        self._require("get_states", "binded", "params_initialized")
        return []

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states that go from batch to batch, to arrays or to one number."""
        self._require("set_states", "binded", "params_initialized")

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor look at all results."""
        raise not_defined(self, "install_monitor")


def not_defined(module: Any, name: str) -> NotImplementedError:
    return NotImplementedError(f"{type(module).__name__} must define {name}")


def as_list(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def run_callbacks(callbacks: Any, epoch: int, nbatch: int, eval_metric: Any, variables: dict) -> None:
    if callbacks is not None:
        param = BatchEndParam(epoch=epoch, nbatch=nbatch, eval_metric=eval_metric, locals=variables)
        for callback in as_list(callbacks):
            callback(param)
