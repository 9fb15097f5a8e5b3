"""`Trainer`: an optimizer for the parameters of blocks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from .. import autograd
from .. import kvstore as stores
from .. import ndarray as nd
from .. import optimizer as optimizers
from .._files import replacing
from ..errors import ArgumentError, AssertedArgumentError, StateError, message, problem, wrap
from ..module.stores import is_distributed, reduce_gradients, store_for
from ..ndarray._creation import blank
from ..ndarray._tape import written_on_purpose
from .parameter import Parameter, ParameterDict

__all__ = ["Trainer"]


class Trainer:
    """Applies an optimizer to parameters.

        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
        ...
        loss.backward()
        trainer.step(batch_size)

    Parameters
    ----------
    params : `ParameterDict`, dict or list of parameters.
    optimizer, optimizer_params : name and arguments, or an optimizer.
    kvstore : a name, a store or None: it adds up the gradients of several devices, and with "dist_sync" or
        "dist_async" those of several processes.
    compression_params : see `KVStore.set_gradient_compression`.
    update_on_kvstore : whether the store runs the optimizer; by default where it can.
    """

    def __init__(self, params: Any, optimizer: Any, optimizer_params: dict | None = None,
                 kvstore: Any = "device", compression_params: dict | None = None,
                 update_on_kvstore: bool | None = None):  # fmt: skip
        if isinstance(params, (dict, ParameterDict)):
            params = [params[key] for key in sorted(params.keys())]
        if not isinstance(params, (list, tuple)) or not all(isinstance(p, Parameter) for p in params):
            got = type(params).__name__
            if isinstance(params, (list, tuple)):
                got = "a list with " + next(type(p).__name__ for p in params if not isinstance(p, Parameter))
            raise ArgumentError(message("Trainer", "params", "a list or dict of Parameters", got))
        self._params: list[Parameter] = list(params)
        self._compression_params = compression_params
        self._contexts = self._devices()
        self._init_optimizer(optimizer, optimizer_params or {})
        self._scale = self._optimizer.rescale_grad
        self._amp_loss_scaler: Any = None  # set by amp.init_trainer
        # Under MXNet's name: programs that scale losses by themselves ask it.
        self._kvstore_params = {"kvstore": kvstore, "update_on_kvstore": update_on_kvstore}
        self._forget_store()
        for parameter in self._params:
            parameter._set_trainer(self)

    def _devices(self) -> list:
        found = None
        for parameter in self._params:
            devices = parameter.list_ctx()
            if found is not None and devices != found:
                expected = f"all parameters on {found}"
                got = f"{parameter.name} on {devices}"
                raise AssertedArgumentError(message("Trainer", "params", expected, got))
            found = devices
        return list(found or ())

    def _init_optimizer(self, optimizer: Any, optimizer_params: dict) -> None:
        """Begin again with an optimizer, which programs also call by themselves."""
        self._optimizer = self._made(optimizer, optimizer_params)
        self._updaters = [optimizers.get_updater(self._optimizer) for _ in self._contexts]

    def _made(self, optimizer: Any, params: dict) -> optimizers.Optimizer:
        by_index = dict(enumerate(self._params))
        if isinstance(optimizer, optimizers.Optimizer):
            if params:
                text = "must be None if optimizer is an Optimizer"
                raise AssertedArgumentError(problem("Trainer", "optimizer_params", text))
            optimizer.param_dict = by_index
            return optimizer
        return optimizers.create(optimizer, param_dict=by_index, **params)

    # -- the store --------------------------------------------------------------------------------------

    def _forget_store(self) -> None:
        self._kvstore: stores.KVStoreBase | None = None
        self._update_on_kvstore: bool | None = None  # None without a store
        self._kv_initialized = False
        self._params_to_init: list[tuple[int, Parameter]] = []  # parameters that the store does not have yet

    def _values_changed(self, parameter: Parameter) -> None:
        """Values were set by hand: the store must have them before it updates again."""
        if self._kv_initialized and self._update_on_kvstore:
            if is_distributed(self._kvstore):
                raise StateError(problem("Trainer", parameter.name, "Cannot reset distributed KVStore."))
            self._forget_store()

    def _init_kvstore(self) -> None:
        wanted, on_store = self._kvstore_params["kvstore"], self._kvstore_params["update_on_kvstore"]
        rows = any(p._stype != "default" for p in self._params)
        # Rows are pulled in a first forward pass, when parameters of later layers may be deferred.
        sized = [] if rows else self._params
        params = {p.name: p._check_and_get(p._data, self._contexts[0]) for p in sized}
        if rows and on_store is False:
            text = "parameters in sparse storage are updated on the store"
            raise ArgumentError(problem("Trainer", "update_on_kvstore", text, "leave it out"))
        store, able = store_for(wanted, len(self._contexts), params, needed=rows)
        if is_distributed(store) and "async" in store.type and on_store is False:
            text = "Please set update_on_kvstore=True when training in async mode."
            raise ArgumentError(problem("Trainer", "update_on_kvstore", text))
        self._kvstore = store
        if store is not None:
            sparse = any(p._grad_stype != "default" for p in self._params)
            if sparse and not rows and not is_distributed(store):
                able = False  # gradients are added up, and weights stay on the devices
            if sparse and on_store is False and is_distributed(store):
                text = "Cannot set update_on_kvstore=False on dist kvstore when sparse gradients are present."
                raise ArgumentError(problem("Trainer", "update_on_kvstore", text))
            if on_store and not store.is_capable(stores.KVStoreBase.OPTIMIZER):
                text = f"Please set update_on_kvstore=False when training with {type(store).__name__}"
                raise ArgumentError(problem("Trainer", "update_on_kvstore", text))
            if sparse and not isinstance(store, stores.KVStore):
                text = f"{type(store).__name__} cannot add up sparse gradients"
                raise ArgumentError(problem("Trainer", "kvstore", text, "use 'local' or 'device'"))
            self._update_on_kvstore = able if on_store is None else bool(on_store)
            if self._compression_params:
                store.set_gradient_compression(self._compression_params)
            if self._update_on_kvstore:
                store.set_optimizer(self._optimizer)
            self._params_to_init = list(enumerate(self._params))
        self._kv_initialized = True

    def _ready(self) -> None:
        if not self._kv_initialized:
            self._init_kvstore()
        self._init_params()

    def _init_params(self) -> None:
        """Give the store the parameters that it does not have yet, apart from deferred ones."""
        waiting, self._params_to_init = self._params_to_init, []
        for i, parameter in waiting:
            if parameter._deferred_init:
                self._params_to_init.append((i, parameter))
            else:
                copies = parameter._check_and_get(parameter._data, list)
                if parameter._stype == "default":
                    with ExitStack() as writes:  # of the same values; a forward pass may be recorded
                        for array in copies:
                            writes.enter_context(written_on_purpose(array))
                        self._kvstore.broadcast(i, copies[0], copies)  # type: ignore[union-attr]
                else:
                    self._kvstore.init(i, copies[0])  # type: ignore[union-attr]

    def _row_sparse_pull(self, parameter: Parameter, out: Any, row_id: Any) -> None:
        """Copy rows of a parameter from the store; networks do so while they are recorded."""
        with autograd.pause(), ExitStack() as writes:
            for array in out if isinstance(out, list) else [out]:
                writes.enter_context(written_on_purpose(array))
            self._ready()
            self._kvstore.row_sparse_pull(self._number(parameter), out=out, row_ids=row_id)  # type: ignore

    def _whole(self, parameter: Parameter) -> Any:
        """A sparse parameter with all its rows, from the store."""
        self._ready()
        found = blank(parameter.shape, dtype=parameter.dtype, stype=parameter._stype)
        every = nd.arange(0, parameter.shape[0], dtype="int64")  # type: ignore[index]
        self._kvstore.row_sparse_pull(self._number(parameter), out=found, row_ids=every)  # type: ignore
        return found

    def _number(self, parameter: Parameter) -> int:
        return next(i for i, own in enumerate(self._params) if own is parameter)

    # -- learning rate ----------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The learning rate now."""
        return self._optimizer.learning_rate

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimizer."""
        return self._optimizer

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate; raises UserWarning if a scheduler decides it."""
        self._optimizer.set_learning_rate(lr)

    # -- steps ------------------------------------------------------------------------------------------

    def step(self, batch_size: float, ignore_stale_grad: bool = False) -> None:
        """Add up the gradients of all devices and update the parameters.

        Parameters
        ----------
        batch_size : gradients are divided by it.
        ignore_stale_grad : whether parameters without a new gradient are left as they are; otherwise they
            are an error (a UserWarning, as in MXNet).
        """
        self._rescale(batch_size)
        self._ready()
        self._allreduce_grads()
        self._update(ignore_stale_grad)

    def _rescale(self, batch_size: float) -> None:
        scale = float(self._scale / batch_size)  # an array of one number, too
        if self._kv_initialized and self._update_on_kvstore and is_distributed(self._kvstore):
            if self._optimizer.rescale_grad != scale:  # the servers have the optimizer of the first step
                raise UserWarning(
                    "Possible change in the `batch_size` from previous `step` detected. Optimizer gradient "
                    "normalizing factor will not change w.r.t new batch_size when update_on_kvstore=True and "
                    "when distributed kvstore is used."
                )
        self._optimizer.rescale_grad = scale

    def allreduce_grads(self) -> None:
        """Add up the gradients of all devices; `update` then follows, perhaps after they were clipped."""
        self._ready()
        self._refuse_on_store("allreduce_grads")
        self._allreduce_grads()

    def update(self, batch_size: float, ignore_stale_grad: bool = False) -> None:
        """Update the parameters, after `allreduce_grads`."""
        self._ready()
        self._refuse_on_store("update")
        self._rescale(batch_size)
        self._update(ignore_stale_grad)

    def _refuse_on_store(self, call: str) -> None:
        if self._kvstore is not None and self._update_on_kvstore:
            text = "is not supported when parameters are updated on the store"
            hint = "create the Trainer with update_on_kvstore=False"
            raise AssertedArgumentError(problem(call, None, text, hint))

    def _allreduce_grads(self) -> None:
        if self._kvstore is None:
            return
        for i, parameter in enumerate(self._params):
            if parameter.grad_req == "null":
                continue
            gradients = parameter._check_and_get(parameter._gradients(), list)
            if parameter._stype == "default":
                out = parameter._check_and_get(parameter._data, list) if self._update_on_kvstore else None
                reduce_gradients(self._kvstore, i, gradients, -i, out)
            else:  # its rows are pulled when they are read
                self._kvstore.push(i, gradients, priority=-i)  # type: ignore[attr-defined]

    def _update(self, ignore_stale_grad: bool) -> None:
        if self._amp_loss_scaler is not None and self._amp_loss_scaler.has_overflow(self._params):
            return
        updates: list[list] = [[] for _ in self._updaters]
        on_store = self._kvstore is not None and self._update_on_kvstore
        for i, parameter in enumerate(self._params):
            if parameter.grad_req == "null":
                continue
            arrays = parameter._check_and_get(parameter._data, list)
            if not ignore_stale_grad:
                self._refuse_stale(parameter, arrays)
            if on_store:
                continue
            gradients = parameter._check_and_get(parameter._gradients(), list)
            for update, array, gradient in zip(updates, arrays, gradients, strict=True):
                if array._fresh_grad or not ignore_stale_grad:
                    update.append((i, gradient, array))
                    array._fresh_grad = False
        for updater, update in zip(self._updaters, updates, strict=True):
            if update:
                updater(*map(list, zip(*update, strict=True)))

    def _refuse_stale(self, parameter: Parameter, arrays: list) -> None:
        for array in arrays:
            if not array._fresh_grad:
                raise UserWarning(
                    f"Gradient of Parameter `{parameter.name}` on context {array.context} has not been "
                    "updated by backward since last `step`. This could mean a bug in your model that made it "
                    "only use a subset of the Parameters (Blocks) for this iteration. If you are "
                    "intentionally only using a subset, call step with ignore_stale_grad=True to suppress "
                    "this warning and skip updating of Parameters with stale gradient"
                )

    # -- files ------------------------------------------------------------------------------------------

    def save_states(self, fname: str) -> None:
        """Write the optimizer and its states to a file."""
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            self._kvstore.save_optimizer_states(fname, dump_optimizer=True)
            return
        content = self._updaters[0].get_states(dump_optimizer=True)
        with replacing(fname) as stream:
            stream.write(content)

    def load_states(self, fname: str) -> None:
        """Take over the optimizer and its states from a file of `save_states`, here or of MXNet."""
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            self._kvstore.load_optimizer_states(fname)
            self._optimizer = self._kvstore._updater.optimizer  # type: ignore[attr-defined]
        else:
            try:
                with open(fname, "rb") as stream:
                    content = stream.read()
            except OSError as error:
                raise wrap(error) from None
            for updater in self._updaters:
                updater.set_states(content)
                updater.optimizer = self._updaters[0].optimizer
            self._optimizer = self._updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))
