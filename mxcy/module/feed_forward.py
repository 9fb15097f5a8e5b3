"""`FeedForward`: MXNet's oldest way to train a symbol, on top of `Module`."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import metric as metrics
from ..callback import LogValidationMetricsCallback
from ..errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, message, problem
from ..initializer import Uniform
from ..io import DataBatch, DataIter, NDArrayIter
from ..model import load_checkpoint, save_checkpoint
from ..ndarray import NDArray
from ..symbol import Symbol
from .base_module import run_callbacks
from .module import Module, context_list
from .older_loops import DataParallelExecutorManager, _multiple_callbacks

__all__ = ["FeedForward"]

LOG_VALIDATION = LogValidationMetricsCallback()


class FeedForward:
    """A symbol with its parameters; deprecated in MXNet: use `Module`.

    Parameters
    ----------
    symbol : the network, or a function of a bucket's key that returns it.
    ctx : device or devices.
    num_epoch, begin_epoch : number of the epoch after the last, and of the first.
    epoch_size : batches of an epoch; all by default.
    optimizer : name or optimizer; **kwargs are its arguments.
    initializer : of parameters that are not given.
    numpy_batch_size : rows of a batch of data that are arrays.
    arg_params, aux_params : parameters and auxiliary states.
    allow_extra_params : whether there may be parameters that the network does not have.
    """

    def __init__(self, symbol: Any, ctx: Any = None, num_epoch: int | None = None,
                 epoch_size: int | None = None, optimizer: Any = "sgd", initializer: Any = None,
                 numpy_batch_size: int = 128, arg_params: dict | None = None,
                 aux_params: dict | None = None, allow_extra_params: bool = False, begin_epoch: int = 0,
                 **kwargs: Any):  # fmt: skip
        text = "mxcy.model.FeedForward has been deprecated. Please use mxcy.mod.Module instead."
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        self.sym_gen = None
        self.symbol = symbol
        if not isinstance(symbol, Symbol):
            if not callable(symbol):
                expected = "a Symbol, or a function that returns one"
                got = type(symbol).__name__
                raise AssertedArgumentError(message("FeedForward", "symbol", expected, got))
            self.sym_gen, self.symbol = symbol, None
        self.ctx = context_list(ctx)
        self.num_epoch = num_epoch
        self.epoch_size = epoch_size
        self.kwargs = dict(kwargs)
        self.optimizer = optimizer
        self.initializer = initializer or Uniform(0.01)
        self.numpy_batch_size = numpy_batch_size
        self.arg_params = arg_params
        self.aux_params = aux_params
        self.allow_extra_params = allow_extra_params
        self.begin_epoch = begin_epoch

    # -- data -------------------------------------------------------------------------------------------

    def _iterator(self, data: Any, label: Any, is_train: bool) -> DataIter:
        """An iterator over arrays, or the one that was given."""
        if not isinstance(data, (np.ndarray, NDArray)):
            if not isinstance(data, DataIter):
                expected = "a DataIter, an NDArray or a numpy.ndarray"
                raise ArgumentTypeError(message("FeedForward", "X", expected, type(data).__name__))
            return data
        if label is None:
            if is_train:
                raise ArgumentError(problem("FeedForward", "y", "y must be specified when X is an array"))
            label = np.zeros(data.shape[0], np.float32)
        if not isinstance(label, (np.ndarray, NDArray)):
            raise ArgumentTypeError(message("FeedForward", "y", "an array", type(label).__name__))
        if data.shape[0] != label.shape[0]:
            raise ArgumentError(message("FeedForward", "y", f"{data.shape[0]} labels", label.shape[0]))
        if label.ndim == 2 and label.shape[1] == 1:
            label = label.reshape((-1,))
        if label.ndim != 1:
            raise ArgumentError(message("FeedForward", "y", "one dimension", label.shape))
        size = min(data.shape[0], self.numpy_batch_size)
        handle = "roll_over" if is_train else "pad"
        return NDArrayIter(data, label, size, shuffle=is_train, last_batch_handle=handle)

    def _eval_iterator(self, given: Any) -> DataIter | None:
        """An iterator over (data, label), or the one that was given."""
        if isinstance(given, (tuple, list)) and len(given) == 2:
            data, label = given
            if data is None:
                raise ArgumentError(message("FeedForward", "eval_data", "data", "None"))
            if label is None and isinstance(data, DataIter):
                return data
            lists = [np.array(x) if isinstance(x, list) else x for x in (data, label)]
            return self._iterator(lists[0], lists[1], True)
        if given is not None and not isinstance(given, DataIter):
            expected = "a DataIter or a pair of arrays"
            raise ArgumentTypeError(message("FeedForward", "eval_data", expected, type(given).__name__))
        return given

    # -- training ---------------------------------------------------------------------------------------

    def _module(self, data: DataIter, with_labels: bool = True) -> Module:
        arguments = self.symbol.list_arguments()
        names = [desc[0] for desc in data.provide_data]
        labels = [desc[0] for desc in data.provide_label if desc[0] in arguments] if with_labels else []
        if not with_labels:
            labels = [n for n in arguments if n.endswith("label")]
        return Module(self.symbol, names, labels, context=self.ctx)

    def _known_params(self) -> dict[str, dict | None]:
        """The parameters that the network has."""
        found: dict[str, dict | None] = {"arg_params": self.arg_params, "aux_params": self.aux_params}
        if self.allow_extra_params:
            names = {"arg_params": self.symbol.list_arguments(),
                     "aux_params": self.symbol.list_auxiliary_states()}  # fmt: skip
            found = {k: v and {n: x for n, x in v.items() if n in names[k]} for k, v in found.items()}
        return found

    def fit(self, X: Any, y: Any = None, eval_data: Any = None,
            eval_metric: Any = "acc", epoch_end_callback: Any = None, batch_end_callback: Any = None,
            kvstore: Any = "local", logger: Any = None, work_load_list: Any = None, monitor: Any = None,
            eval_end_callback: Any = LOG_VALIDATION,
            eval_batch_end_callback: Any = None) -> None:  # fmt: skip
        """Train with an iterator, or with arrays of data and labels.

        Batches are counted from 1 for callbacks, and the metric is read at the end of an epoch by callbacks
        only; the rest is as with `Module.fit`.
        """
        data = self._iterator(X, y, True)
        evaluated = self._eval_iterator(eval_data)
        if self.sym_gen is not None:
            self.symbol = self.sym_gen(data.default_bucket_key)  # type: ignore[attr-defined]
        logger = logger or logging
        manager = DataParallelExecutorManager(self.symbol, self.ctx, data, work_load_list=work_load_list,
                                              logger=logger, sym_gen=self.sym_gen)  # fmt: skip
        module = manager.module
        if monitor is not None:
            module.install_monitor(monitor)
        module.init_params(self.initializer, allow_missing=True, **self._known_params())  # type: ignore[arg-type]
        module.init_optimizer(kvstore, self.optimizer, self.kwargs or (("learning_rate", 0.01),))
        measure = metrics.create(eval_metric)
        data.reset()
        for epoch in range(self.begin_epoch, self.num_epoch):  # type: ignore[arg-type]
            tic = time.time()
            measure.reset()
            for nbatch, data_batch in self._batches(data, epoch, logger):
                manager.load_data_batch(data_batch)
                if monitor is not None:
                    monitor.tic()
                module.forward_backward(data_batch)
                module.update()
                if monitor is not None:
                    monitor.toc_print()
                module.update_metric(measure, data_batch.label)
                run_callbacks(batch_end_callback, epoch, nbatch, measure, locals())
            logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - tic)
            self.arg_params, self.aux_params = module.get_params()
            _multiple_callbacks(epoch_end_callback, epoch, self.symbol, self.arg_params, self.aux_params)
            if evaluated is not None:
                self._evaluate(manager, evaluated, measure, epoch, eval_batch_end_callback, eval_end_callback)

    def _batches(self, data: DataIter, epoch: int, logger: Any) -> Iterator[tuple[int, DataBatch]]:
        """The (number, batch) of one epoch.

        An epoch ends with the data, or after `epoch_size` batches: then the next one goes on from there.
        """
        count = 0
        while True:
            before = count
            for batch in data:
                count += 1
                yield count, batch
                if count == self.epoch_size:
                    return
            logger.info("Epoch[%d] Resetting Data Iterator", epoch)
            data.reset()
            if self.epoch_size is None:
                return
            if count == before > 0:
                raise ArgumentError(message("fit", "X", "data that start again after reset", "none"))

    def _evaluate(self, manager: DataParallelExecutorManager, data: DataIter, measure: metrics.EvalMetric,
                  epoch: int, batch_end_callback: Any, end_callback: Any) -> None:  # fmt: skip
        """Measure the predictions for other data after an epoch."""
        measure.reset()
        data.reset()
        count = 0
        for count, batch in enumerate(data, 1):
            manager.load_data_batch(batch)
            manager.forward(is_train=False)
            manager.update_metric(measure, batch.label)
            run_callbacks(batch_end_callback, epoch, count - 1, measure, locals())
        run_callbacks(end_callback, epoch, count, measure, locals())
        data.reset()

    def _bound(self, data: DataIter, reset: bool) -> Module:
        """A module for prediction."""
        if reset:
            data.reset()
        module = self._module(data, with_labels=False)
        module.bind(data.provide_data, None, for_training=False)
        known = self._known_params()
        module.set_params(known["arg_params"] or {}, known["aux_params"] or {}, allow_extra=True)
        return module

    def predict(self, X: Any, num_batch: int | None = None, return_data: bool = False,
                reset: bool = True) -> Any:  # fmt: skip
        """Return the outputs as arrays of NumPy; with `return_data` (outputs, data, labels)."""
        data = self._iterator(X, None, False)
        module = self._bound(data, reset)
        outputs: list[list] = []
        inputs: list[list] = []
        labels: list[list] = []
        for i, batch in enumerate(data):
            if i == num_batch:
                break
            module.forward(DataBatch(batch.data), is_train=False)
            rows = batch.data[0].shape[0] - (batch.pad or 0)
            for found, arrays in ((outputs, module.get_outputs()), (inputs, batch.data),
                                  (labels, batch.label or [])):  # fmt: skip
                found.append([x[:rows].asnumpy() for x in arrays])
        joined = [joined_of(found) for found in (outputs, inputs, labels)]
        return tuple(joined) if return_data else joined[0]

    def score(self, X: Any, eval_metric: Any = "acc", num_batch: int | None = None,
              batch_end_callback: Any = None, reset: bool = True) -> Any:  # fmt: skip
        """Return the value of a metric of the predictions for an iterator."""
        data = self._iterator(X, None, False)
        measure = metrics.create(eval_metric)
        module = self._module(data)
        module.bind(data.provide_data, data.provide_label, for_training=False)
        known = self._known_params()
        module.set_params(known["arg_params"] or {}, known["aux_params"] or {}, allow_extra=True)
        module.score(data, measure, num_batch, batch_end_callback, reset=reset)
        return measure.get()[1]

    # -- files ------------------------------------------------------------------------------------------

    def save(self, prefix: str, epoch: int | None = None, remove_amp_cast: bool = True) -> None:
        """Write a checkpoint."""
        epoch = self.num_epoch if epoch is None else epoch
        if epoch is None:
            raise AssertedArgumentError(message("save", "epoch", "a number", "None"))
        save_checkpoint(prefix, epoch, self.symbol, self.arg_params or {}, self.aux_params or {},
                        remove_amp_cast)  # fmt: skip

    @staticmethod
    def load(prefix: str, epoch: int, ctx: Any = None, **kwargs: Any) -> FeedForward:
        """Return a model from a checkpoint."""
        symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
        return FeedForward(symbol, ctx, arg_params=arg_params, aux_params=aux_params, begin_epoch=epoch,
                           **kwargs)  # fmt: skip

    @staticmethod
    def create(symbol: Any, X: Any, y: Any = None, ctx: Any = None,
               num_epoch: int | None = None, epoch_size: int | None = None, optimizer: Any = "sgd",
               initializer: Any = None, eval_data: Any = None, eval_metric: Any = "acc",
               epoch_end_callback: Any = None, batch_end_callback: Any = None, kvstore: Any = "local",
               logger: Any = None, work_load_list: Any = None, eval_end_callback: Any = LOG_VALIDATION,
               eval_batch_end_callback: Any = None, **kwargs: Any) -> FeedForward:  # fmt: skip
        """Return a model that was trained with `fit`."""
        model = FeedForward(symbol, ctx, num_epoch, epoch_size, optimizer, initializer, **kwargs)
        model.fit(X, y, eval_data, eval_metric, epoch_end_callback, batch_end_callback, kvstore, logger,
                  work_load_list, None, eval_end_callback, eval_batch_end_callback)  # fmt: skip
        return model


def joined_of(found: list[list]) -> Any:
    """The arrays of all batches put together; one array without a list around it."""
    joined = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return joined[0] if len(joined) == 1 else joined
