"""What training loops of programs import from `mx.model`: how a store or an updater changes parameters.

Arrays come as lists with one entry for each parameter: a list of its copies, or gradients, on all devices.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import AssertedArgumentError, message
from ..io import DataBatch, DataIter
from ..ndarray import NDArray
from ..symbol import Symbol
from .base_module import BaseModule, as_list
from .bucketing_module import BucketingModule
from .module import Module
from .stores import reduce_gradients, store_for

__all__ = [
    "DataParallelExecutorManager",
    "_create_kvstore",
    "_initialize_kvstore",
    "_multiple_callbacks",
    "_update_params",
    "_update_params_on_kvstore",
]


def _create_kvstore(kvstore: Any, num_device: int, arg_params: dict[str, NDArray]) -> tuple[Any, bool]:
    """Return (store or None, whether it runs the optimizer) for None, a name or a store."""
    return store_for(kvstore, num_device, arg_params)


def _initialize_kvstore(kvstore: Any, param_arrays: Sequence, arg_params: dict[str, NDArray],
                        param_names: Sequence[str], update_on_kvstore: bool) -> None:  # fmt: skip
    """Give parameters to a store; one that updates them copies them to all devices."""
    for name, copies in zip(param_names, param_arrays, strict=True):
        value = arg_params[name]
        if update_on_kvstore and value.stype == "default":
            kvstore.broadcast(name, value, out=copies)
        else:
            kvstore.init(name, value)


def _multiple_callbacks(callbacks: Any, *args: Any, **kwargs: Any) -> None:
    """Call a function, or each of a list, or none."""
    for callback in [] if callbacks is None else as_list(callbacks):
        callback(*args, **kwargs)


def _update_params_on_kvstore(param_arrays: Sequence, grad_arrays: Sequence, kvstore: Any,
                              param_names: Sequence[str]) -> None:  # fmt: skip
    """Push gradients to a store that updates parameters, and pull these."""
    for i, (copies, gradients) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if gradients[0] is not None:
            reduce_gradients(kvstore, param_names[i], gradients, -i, copies)


def _update_params(param_arrays: Sequence, grad_arrays: Sequence, updater: Callable, num_device: int,
                   kvstore: Any = None, param_names: Sequence[str] = ()) -> None:  # fmt: skip
    """Update the copies of each device, by the sums of the gradients if there is a store.

    The updater sees parameter i on device k as i * num_device + k, so that each copy has a state.
    """
    updates: list[list] = [[] for _ in range(num_device)]
    for i, (copies, gradients) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if gradients[0] is None:
            continue
        if kvstore is not None:
            reduce_gradients(kvstore, param_names[i], gradients, -i)
        for k, (weight, gradient) in enumerate(zip(copies, gradients, strict=True)):
            updates[k].append((i * num_device + k, gradient, weight))
    for of_device in updates:
        if of_device:
            updater(*map(list, zip(*of_device, strict=True)))


def names_of(descs: Sequence, symbol: Symbol) -> list[str]:
    """The names of described data or labels that the symbol has arguments for."""
    arguments = set(symbol.list_arguments())
    return [desc[0] for desc in descs or () if desc[0] in arguments]


class Buckets:
    """`sym_gen` of a `BucketingModule`, of a function that returns the symbol alone.

    Which of its arguments are data and labels is read from the batch that the symbol is made for.
    """

    def __init__(self, sym_gen: Callable[[Any], Symbol], data: DataIter):
        self._sym_gen = sym_gen
        self.batch: Any = data

    def __call__(self, key: Any) -> tuple[Symbol, list[str], list[str]]:
        symbol = self._sym_gen(key)
        labels = names_of(self.batch.provide_label, symbol)
        return symbol, names_of(self.batch.provide_data, symbol), labels


class DataParallelExecutorManager:
    """A network on several devices for a training loop that is written out; `Module` does its work.

    Parameters
    ----------
    symbol : the network.
    ctx : device, or list of devices.
    train_data : iterator that says names and shapes of data and labels.
    arg_names, aux_names : of the arguments and auxiliary states, as the symbol lists them.
    param_names : arguments that get gradients.
    work_load_list : the share of each device.
    logger : where it writes.
    sym_gen : function of a bucket's key that returns a network, for iterators with buckets.

    Call `set_params`, then for each batch `load_data_batch`, `forward`, `backward`.
    """

    def __init__(self, symbol: Symbol, ctx: Any, train_data: DataIter, arg_names: Sequence[str] | None = None,
                 param_names: Sequence[str] | None = None, aux_names: Sequence[str] | None = None,
                 work_load_list: Sequence | None = None, logger: Any = None,
                 sym_gen: Callable | None = None):  # fmt: skip
        logger = logger or logging
        logger.info("Start training with %s", ctx)
        if work_load_list is not None and not isinstance(work_load_list, list):
            got = type(work_load_list).__name__
            call = "DataParallelExecutorManager"
            raise AssertedArgumentError(message(call, "work_load_list", "a list", got))
        data = names_of(train_data.provide_data, symbol)
        label = names_of(train_data.provide_label, symbol)
        known = set(symbol.list_arguments() if param_names is None else param_names)
        fixed = [n for n in symbol.list_arguments() if n not in {*data, *label, *known}]
        self._buckets = Buckets(sym_gen, train_data) if sym_gen is not None else None
        self._module: BaseModule
        options: dict[str, Any] = {"logger": logger, "context": ctx, "work_load_list": work_load_list,
                                   "fixed_param_names": fixed}  # fmt: skip
        if self._buckets is not None:
            self._module = BucketingModule(self._buckets, train_data.default_bucket_key, **options)  # type: ignore[attr-defined]
        else:
            self._module = Module(symbol, data, label, **options)
        self._module.bind(train_data.provide_data, train_data.provide_label)
        self._batch: DataBatch | None = None

    @property
    def module(self) -> BaseModule:
        """The module that does the work."""
        return self._module

    @property
    def _group(self) -> Any:
        module: Any = self._module
        return (module if self._buckets is None else module._curr_module)._exec_group

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """The copies of every parameter, one for each device."""
        return self._group.param_arrays

    @property
    def grad_arrays(self) -> list[list[NDArray | None]]:
        """The gradients of every parameter, one for each device."""
        return self._group.grad_arrays

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """The copies of every auxiliary state, one for each device."""
        return self._group.aux_arrays

    def install_monitor(self, monitor: Any) -> None:
        """Let a monitor look at all results."""
        self._module.install_monitor(monitor)

    def set_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Set parameters and auxiliary states on all devices; those that are not given stay."""
        self._module.set_params(arg_params, aux_params, allow_missing=True, allow_extra=True)

    def copy_to(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Write parameters and auxiliary states, the means over all devices, into given arrays."""
        for found, targets in zip(self._module.get_params(), (arg_params, aux_params), strict=True):
            for name, value in found.items():
                value.astype(targets[name].dtype).copyto(targets[name])

    def load_data_batch(self, data_batch: DataBatch) -> None:
        """Take a batch for the next `forward`."""
        self._batch = data_batch
        if self._buckets is not None:
            self._buckets.batch = data_batch

    def forward(self, is_train: bool = False) -> None:
        """Compute the outputs for the batch of `load_data_batch`."""
        if self._batch is None:
            raise AssertedArgumentError(message("forward", "load_data_batch", "a batch before", "none"))
        self._module.forward(self._batch, is_train)

    def backward(self) -> None:
        """Compute the gradients."""
        self._module.backward()

    def update_metric(self, metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs of the last forward to a metric."""
        self._module.update_metric(metric, labels, pre_sliced)
