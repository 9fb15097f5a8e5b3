"""`Module`: a symbol with its parameters, its data and its optimizer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from .. import context as contexts
from .. import ndarray as nd
from .. import optimizer as optimizers
from .._files import replacing
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    AssertedArgumentError,
    BindError,
    StateError,
    closest,
    message,
    problem,
    wrap,
)
from ..initializer import InitDesc, Initializer
from ..io import DataBatch, DataDesc
from ..model import load_checkpoint, params_path
from ..ndarray import NDArray
from ..ndarray._creation import blank
from ..symbol import Symbol
from .base_module import DEFAULT_INITIALIZER, BaseModule
from .inputs import check_names, descriptions, grad_requests
from .inside import ModuleInside
from .parallel_group import ParallelGroup, groups_of
from .stores import is_distributed, reduce_gradients, store_for

__all__ = ["Module"]


class Module(ModuleInside, BaseModule):
    """A symbol that can be trained.

    Parameters
    ----------
    symbol : the network; its outputs are usually losses.
    data_names, label_names : arguments that batches fill. All others are parameters.
    logger : where `fit` writes.
    context : device, or a list of them, each of which gets a part of every batch.
    work_load_list : the share of each device; equal ones by default.
    compression_params : see `KVStore.set_gradient_compression`.
    fixed_param_names : parameters that are not trained.
    state_names : arguments that keep their values from batch to batch, see `set_states`.
    group2ctxs : devices of the nodes with the attribute `ctx_group`.

    Raises ArgumentError for names that are no arguments of the symbol.
    """

    def __init__(self, symbol: Symbol, data_names: Sequence[str] | None = ("data",),
                 label_names: Sequence[str] | None = ("softmax_label",), logger: Any = logging,
                 context: Any = None, work_load_list: Sequence | None = None,
                 fixed_param_names: Sequence[str] | None = None, state_names: Sequence[str] | None = None,
                 group2ctxs: Any = None, compression_params: Any = None):  # fmt: skip
        super().__init__(logger)
        if not isinstance(symbol, Symbol):
            raise ArgumentTypeError(message("Module", "symbol", "a Symbol", type(symbol).__name__))
        self._symbol = symbol
        self._context = context_list(context)
        self._work_load_list = shares_of(work_load_list, len(self._context))
        self._data_names = list(data_names or ())
        self._label_names = list(label_names or ())
        self._state_names = list(state_names or ())
        self._group2ctxs = groups_of(group2ctxs, len(self._context))
        self._compression_params = compression_params
        self._fixed_param_names = list(fixed_param_names or ())
        check_names(symbol, self._data_names, "data", True)
        check_names(symbol, self._label_names, "label", False)
        check_names(symbol, self._state_names, "state", True)
        check_names(symbol, self._fixed_param_names, "fixed_param", True)
        inputs = {*self._data_names, *self._label_names, *self._state_names}
        self._param_names = [name for name in symbol.list_arguments() if name not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._arg_params: dict[str, NDArray] = {}  # of a checkpoint, then what is bound
        self._aux_params: dict[str, NDArray] = {}
        self._preload_opt_states: str | None = None
        self._optimizer: optimizers.Optimizer | None = None
        self._updater: optimizers.Updater | None = None
        self._kvstore: Any = None
        self._update_on_kvstore = False
        self._exec_group: Any = None

    # -- checkpoints ------------------------------------------------------------------------------------

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """Return a module from a checkpoint; the keywords are arguments of `Module`.

        With `load_optimizer_states` those of `prefix-0001.states` (for epoch 1) are taken over by
        `init_optimizer`.
        """
        symbol, args, auxs = load_checkpoint(prefix, epoch)
        module = Module(symbol=symbol, **kwargs)
        module._arg_params = args
        module._aux_params = auxs
        module.params_initialized = True
        if load_optimizer_states:
            module._preload_opt_states = states_path(prefix, epoch)
        return module

    def save_checkpoint(self, prefix: str, epoch: int, save_optimizer_states: bool = False,
                        remove_amp_cast: bool = True) -> None:  # fmt: skip
        """Write symbol, parameters and (if wanted) the optimizer's states, each file whole or not at all."""
        self._require("save_checkpoint", "binded", "params_initialized")
        self._symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
        path = params_path(prefix, epoch)
        self.save_params(path)
        logging.info('Saved checkpoint to "%s"', path)
        if save_optimizer_states:
            path = states_path(prefix, epoch)
            self.save_optimizer_states(path)
            logging.info('Saved optimizer state to "%s"', path)

    def save_optimizer_states(self, fname: str) -> None:
        """Write the states of the optimizer to a file. See `mxcy.optimizer.updater` for its format."""
        self._require("save_optimizer_states", "optimizer_initialized")
        if self._update_on_kvstore:
            self._kvstore.save_optimizer_states(fname)
            return
        with replacing(fname) as stream:
            stream.write(self._updater.get_states())  # type: ignore[union-attr]

    def load_optimizer_states(self, fname: str) -> None:
        """Take over the states that `save_optimizer_states` wrote."""
        self._require("load_optimizer_states", "optimizer_initialized")
        if self._update_on_kvstore:
            self._kvstore.load_optimizer_states(fname)
            return
        try:
            with open(fname, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise wrap(error) from None
        self._updater.set_states(content)  # type: ignore[union-attr]

    # -- names and shapes -------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:  # type: ignore[override]
        """Names of the arguments that data fills."""
        return self._data_names

    @property
    def label_names(self) -> list[str]:
        """Names of the arguments that labels fill."""
        return self._label_names

    @property
    def output_names(self) -> list[str]:  # type: ignore[override]
        """Names of the outputs."""
        return self._symbol.list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:  # type: ignore[override]
        """Descriptions of the data."""
        self._require("data_shapes", "binded")
        return self._exec_group.data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:  # type: ignore[override]
        """Descriptions of the labels, None without any."""
        self._require("label_shapes", "binded")
        return self._exec_group.label_shapes or None

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:  # type: ignore[override]
        """Names and shapes of the outputs."""
        self._require("output_shapes", "binded")
        return self._exec_group.output_shapes

    # -- binding ----------------------------------------------------------------------------------------

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """Allocate arrays for these shapes.

        Parameters
        ----------
        data_shapes, label_shapes : `DataDesc`s, or (name, shape) pairs. Without labels their shapes
            follow from the data.
        for_training : whether gradients are wanted.
        inputs_need_grad : whether those of the data are, too.
        force_rebind : whether to bind again if it is bound; parameters stay.
        shared_module : a bound module whose parameters this one is to use.
        grad_req : "write", "add" or "null", or a list or dict for the parameters.

        Raises BindError that says what does not fit.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            text = "gradients of the inputs need for_training=True"
            raise AssertedArgumentError(problem("bind", "inputs_need_grad", text))
        data = descriptions("data", self._data_names, data_shapes, True)
        label = descriptions("label", self._label_names, label_shapes or [], False)
        if self.binded and self.params_initialized:
            self._arg_params, self._aux_params = self.get_params()
        shared = None
        if shared_module is not None:
            shared_module._require("bind", "binded", "params_initialized")
            shared = shared_module._exec_group
        requests = self._requests(grad_req, for_training, inputs_need_grad)
        self._exec_group = ParallelGroup(self._symbol, self._context, self._work_load_list, data, label,
                                         self._param_names, requests, self._group2ctxs, shared)  # fmt: skip
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.binded = True
        if shared is not None:
            self.params_initialized = True
        elif self.params_initialized:
            self._copy_in(self._arg_params, self._aux_params)
        self._arg_params, self._aux_params = self._own_params()
        if shared_module is not None and shared_module.optimizer_initialized:
            self.borrow_optimizer(shared_module)

    def _requests(self, grad_req: Any, for_training: bool, inputs_need_grad: bool) -> dict[str, str]:
        """What becomes of the gradient of each argument."""
        return grad_requests(grad_req, self._symbol.list_arguments(), self._param_names, self._data_names,
                             self._fixed_param_names, for_training, inputs_need_grad)  # fmt: skip

    def reshape(self, data_shapes: Sequence, label_shapes: Sequence | None = None) -> None:
        """Go on with batches of other shapes; parameters stay. `forward` does this by itself."""
        self._require("reshape", "binded")
        data = descriptions("data", self._data_names, data_shapes, True)
        label = descriptions("label", self._label_names, label_shapes or [], False)
        self._exec_group.reshape(data, label)

    # -- parameters -------------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return copies of (parameters, auxiliary states) by name."""
        self._require("get_params", "params_initialized")
        if not self.binded:
            return dict(self._arg_params), dict(self._aux_params)
        args, auxs = self._own_params()
        return ({name: self._average(name, False) for name in args},
                {name: self._average(name, True) for name in auxs})  # fmt: skip

    def _average(self, name: str, auxiliary: bool) -> NDArray:
        """A copy of a parameter: the mean of those of all devices, as in MXNet."""
        copies = self._exec_group.copies(name, auxiliary)
        if self._update_on_kvstore and copies[0].stype == "row_sparse":
            found = blank(copies[0].shape, dtype=copies[0].dtype, stype="row_sparse")
            every = nd.arange(0, found.shape[0], dtype="int64")
            self._kvstore.row_sparse_pull(name, out=found, row_ids=every)
            return found
        if len(copies) == 1:
            return copies[0].copy()
        near = [x.as_in_context(contexts.cpu()) for x in copies]
        return (nd.add_n(*near) / len(near)).astype(near[0].dtype)

    def _own_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Parameters and auxiliary states on the first device."""
        first = self._exec_group.groups[0]
        return {name: first.arguments[name] for name in self._param_names}, first.executor.aux_dict

    def _spread(self) -> None:
        """Copy parameters and auxiliary states from the first device to the others."""
        if len(self._context) > 1:
            for auxiliary, own in enumerate(self._own_params()):
                for name in own:
                    first, *others = self._exec_group.copies(name, bool(auxiliary))
                    for other in others:
                        first.copyto(other)

    def init_params(self, initializer: Initializer | None = DEFAULT_INITIALIZER,
                    arg_params: dict | None = None, aux_params: dict | None = None,
                    allow_missing: bool = False, force_init: bool = False,
                    allow_extra: bool = False) -> None:  # fmt: skip
        """Set parameters and auxiliary states to given values, and the others by the initializer.

        Parameters
        ----------
        initializer : see `mx.init`; None leaves arrays without a value as they are.
        arg_params, aux_params : values by name; what the network does not have is ignored.
        allow_missing : whether the initializer may make up for values that are not among these.
        force_init : whether to do it again if it is done.
        allow_extra : for `set_params`.

        Raises BindError that names all values that are missing or have the wrong shape; then nothing
        is changed.
        """
        if self.params_initialized and not force_init:
            text = "Parameters already initialized and force_init=False. init_params call ignored."
            warnings.warn(text, stacklevel=2)
            return
        self._require_bound("init_params")
        self._check_values("init_params", arg_params, aux_params, allow_missing)
        attributes = self._symbol.attr_dict()
        for own, given in zip(self._own_params(), (arg_params, aux_params), strict=True):
            for name, array in sorted(own.items()):
                value = (given or {}).get(name)
                if value is not None:
                    array[:] = value
                elif initializer is not None:
                    initializer(InitDesc(name, attributes.get(name)), array)
        self._spread()
        self.params_initialized = True

    def set_params(self, arg_params: dict, aux_params: dict | None, allow_missing: bool = False,
                   force_init: bool = True, allow_extra: bool = False) -> None:  # fmt: skip
        """Set parameters and auxiliary states to given values.

        Parameters
        ----------
        arg_params, aux_params : values by name.
        allow_missing : whether those without a value may stay as they are.
        force_init : False does nothing if they are set already.
        allow_extra : with `allow_missing`, whether there may be values that the network has no array for;
            without it they are left out, as in MXNet.

        Raises BindError that names all values that are missing or surplus, or have the wrong shape; then
        nothing is changed.
        """
        if self.params_initialized and not force_init:
            text = "Parameters already initialized and force_init=False. set_params call ignored."
            warnings.warn(text, stacklevel=2)
            return
        self._require_bound("set_params")
        self._check_values("set_params", arg_params, aux_params, allow_missing, allow_extra)
        self._copy_in(arg_params, aux_params)
        self.params_initialized = True

    def _require_bound(self, call: str) -> None:
        if not self.binded:
            raise StateError(problem(call, None, "call bind before initializing the parameters"))

    def _check_values(self, call: str, arg_params: dict | None, aux_params: dict | None, allow_missing: bool,
                      allow_extra: bool = True) -> None:  # fmt: skip
        """Raise BindError that says all that is wrong with given values."""
        wrong = []
        for own, given in zip(self._own_params(), (arg_params, aux_params), strict=True):
            if given is None:
                continue
            missing = [name for name in own if name not in given]
            if missing and not allow_missing:
                wrong.append(f"{', '.join(missing)} is not presented")
            # With nothing missing, what is surplus is left out; otherwise it may be a misspelt name.
            silent = allow_extra or not (allow_missing or missing)
            for name in [] if silent else sorted(given.keys() - own.keys()):
                near = closest(name, own)
                hint = f" (did you mean {near[0]}?)" if near else ""
                wrong.append(f"{name!r} is not in the arguments{hint}")
            wrong += [
                f"{name!r} expected shape {array.shape}, got {given[name].shape}"
                for name, array in own.items()
                if name in given and given[name].shape != array.shape
            ]
        if wrong:
            raise BindError(problem(call, None, "; ".join(wrong)))

    def _copy_in(self, arg_params: dict | None, aux_params: dict | None) -> None:
        for own, given in zip(self._own_params(), (arg_params, aux_params), strict=True):
            for name, array in own.items():
                if given and name in given:
                    array[:] = given[name]
        self._spread()

    # -- optimizer --------------------------------------------------------------------------------------

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """Get ready to update.

        Parameters
        ----------
        kvstore : None, "local" or "device" for several devices, "dist_sync" or "dist_async" for several
            processes, or a store: it adds up the gradients.
        optimizer : name, or an optimizer.
        optimizer_params : dict (or pairs) of its arguments, if it is a name. `rescale_grad` is
            1 / batch size unless given; with "dist_sync" the batch is that of all workers.
        force_init : whether to do it again if it is done.
        """
        self._require("init_optimizer", "binded", "params_initialized")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        own = self._own_params()[0]
        rows = any(x.stype == "row_sparse" for x in own.values()) and kvstore is not None
        store, on_store = store_for(kvstore, len(self._context), own, rows and len(self._context) > 1)
        count = 1 if on_store else len(self._context)
        names = {i * count + k: n for i, n in enumerate(self._param_names) for k in range(count)}
        workers = store.num_workers if is_distributed(store) and "_sync" in store.type else 1
        rescale_grad = 1.0 / (self._exec_group.batch_size * workers)
        if isinstance(optimizer, str):
            params = {"rescale_grad": rescale_grad} | dict(optimizer_params)
            optimizer = self._made_optimizer(optimizer, sym=self._symbol, param_idx2name=names, **params)
        elif not isinstance(optimizer, optimizers.Optimizer):
            expected, got = "a name or an Optimizer", type(optimizer).__name__
            raise AssertedArgumentError(message("init_optimizer", "optimizer", expected, got))
        else:
            if optimizer.rescale_grad != rescale_grad:
                warnings.warn(
                    "Optimizer created manually outside Module but rescale_grad is not normalized to "
                    f"1.0/batch_size/num_workers ({optimizer.rescale_grad} vs. {rescale_grad}). "
                    "Is this intended?", stacklevel=2,
                )  # fmt: skip
            if not optimizer.idx2name:
                optimizer.idx2name = names
        self._optimizer = optimizer
        self._kvstore, self._update_on_kvstore = store, on_store
        self._updater = None if on_store else optimizers.get_updater(optimizer)
        if store is not None:
            self._fill_store()
        self.optimizer_initialized = True
        if self._preload_opt_states is not None:
            self.load_optimizer_states(self._preload_opt_states)
            self._preload_opt_states = None

    def _made_optimizer(self, name: str, **arguments: Any) -> optimizers.Optimizer:
        return optimizers.create(name, **arguments)

    def _fill_store(self) -> None:
        """Give the parameters to the store."""
        if self._compression_params:
            self._kvstore.set_gradient_compression(self._compression_params)
        if self._update_on_kvstore:
            self._kvstore.set_optimizer(self._optimizer)
        for name in self._param_names:
            copies = self._exec_group.copies(name)
            shared = self._update_on_kvstore or is_distributed(self._kvstore)  # workers begin alike
            if shared and copies[0].stype == "default":
                self._kvstore.broadcast(name, copies[0], out=copies)
            else:
                self._kvstore.init(name, copies[0])

    def prepare(self, data_batch: DataBatch, sparse_row_id_fn: Any = None) -> None:
        """Pull the rows of parameters in row-sparse storage that a batch needs from the store.

        `sparse_row_id_fn(data_batch)` returns a dict of name to row numbers.
        """
        self._require("prepare", "binded")
        if sparse_row_id_fn is None:
            return
        if self._kvstore is None or not self._update_on_kvstore:
            text = "Parameters are not updated in the KVStore. No need to call sparse_row_id_fn."
            warnings.warn(text, UserWarning, stacklevel=2)
            return
        for name, rows in sparse_row_id_fn(data_batch).items():
            copies = self._exec_group.copies(name)
            if copies[0].stype != "row_sparse":
                text = f"{name}.stype is not 'row_sparse'. No need to perform row_sparse_pull."
                warnings.warn(text, UserWarning, stacklevel=2)
            else:
                self._kvstore.row_sparse_pull(name, copies, row_ids=rows)

    def borrow_optimizer(self, shared_module: Module) -> None:
        """Use the optimizer of another module, with its states."""
        shared_module._require("borrow_optimizer", "optimizer_initialized")
        self._optimizer = shared_module._optimizer
        self._updater = shared_module._updater
        self._kvstore = shared_module._kvstore
        self._update_on_kvstore = shared_module._update_on_kvstore
        self.optimizer_initialized = True

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs for a batch; `is_train` is by default whether it is bound for training.

        A batch of another shape is fine, as long as the parameters keep theirs. Raises ArgumentError for
        the wrong number of arrays, and BindError for shapes that do not fit.
        """
        self._require("forward", "binded", "params_initialized")
        self._exec_group.forward(data_batch, self.for_training if is_train is None else is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients; `out_grads` are those of the outputs that are no losses."""
        self._require("backward", "binded", "params_initialized", "for_training")
        self._exec_group.backward(out_grads)

    def forward_backward(self, data_batch: DataBatch) -> None:
        """See `BaseModule.forward_backward`: on each device it is pushed together."""
        if type(self).forward is not Module.forward or type(self).backward is not Module.backward:
            super().forward_backward(data_batch)
            return
        self._require("backward", "binded", "params_initialized", "for_training")
        self._exec_group.forward(data_batch, True, backward=True)

    def update(self) -> None:
        """Change the parameters by their gradients."""
        self._require("update", "binded", "params_initialized", "optimizer_initialized")
        if self._update_on_kvstore:
            self._update_store()
            return
        count = len(self._context)
        updates: list[list] = [[] for _ in range(count)]
        for i, name in enumerate(self._param_names):
            gradients = self._exec_group.gradients(name)
            if not gradients:
                continue
            if self._kvstore is not None:
                reduce_gradients(self._kvstore, name, gradients, -i)
            weights = self._exec_group.copies(name)
            for k, (gradient, weight) in enumerate(zip(gradients, weights, strict=True)):
                updates[k].append((i * count + k, gradient, weight))
        for of_device in updates:
            if of_device:
                self._updater(*map(list, zip(*of_device, strict=True)))  # type: ignore[misc]

    def _update_store(self) -> None:
        """Let the store update the parameters, the first layers first."""
        for i, name in enumerate(self._param_names):
            gradients = self._exec_group.gradients(name)
            if gradients:
                self._kvstore.pushpull(name, gradients, out=self._exec_group.copies(name), priority=-i)

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the outputs of the last forward, which the next one overwrites.

        Without `merge_multi_context`: for each output the list of its parts on each device.
        """
        self._require("get_outputs", "binded", "params_initialized")
        return self._exec_group.outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data of the last backward."""
        self._require("get_input_grads", "binded", "params_initialized", "inputs_need_grad")
        return self._exec_group.input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs of the last forward to a metric."""
        names = self._exec_group.label_names or self._label_names  # in the order of the batches
        self._exec_group.update_metric(eval_metric, labels, pre_sliced, names)

    def get_states(self, merge_multi_context: bool = True) -> list:
        """Return the arrays of `state_names`."""
        self._require("get_states", "binded", "params_initialized")
        return self._exec_group.states(self._state_names, merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the arrays of `state_names`, to a list of arrays or all to one number."""
        self._require("set_states", "binded", "params_initialized")
        if (states is None) == (value is None):
            raise AssertedArgumentError(problem("set_states", None, "expected either states or value"))
        given = [value] * len(self._state_names) if states is None else states
        for name, new in zip(self._state_names, given, strict=True):
            copies = self._exec_group.copies(name)
            each = new if isinstance(new, (list, tuple)) else [new] * len(copies)
            for array, one in zip(copies, each, strict=True):
                array[:] = one

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor look at all results."""
        self._require("install_monitor", "binded")
        self._exec_group.install_monitor(mon)


def states_path(prefix: str, epoch: int) -> str:
    return f"{prefix}-{epoch:04d}.states"


def context_list(given: Any) -> list[contexts.Context]:
    given = contexts.current_context() if given is None else given
    found = list(given) if isinstance(given, (list, tuple)) else [given]
    if not found:
        raise ArgumentError(message("Module", "context", "at least one context", "none"))
    return [contexts.Context(one) for one in found]


def shares_of(given: Sequence | None, count: int) -> list[float]:
    """The shares of the devices."""
    shares = [1] * count if given is None else list(given)
    if len(shares) != count or min(shares) <= 0:
        expected = f"{count} numbers greater than 0, one for each device"
        raise AssertedArgumentError(message("Module", "work_load_list", expected, given))
    return shares
