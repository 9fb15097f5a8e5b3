"""`Module`: a symbol with its parameters, its data and its optimizer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from .. import context as contexts
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
from ..symbol import Symbol
from .base_module import DEFAULT_INITIALIZER, BaseModule
from .executor_group import ExecutorGroup
from .inputs import check_names, descriptions

__all__ = ["Module"]

KVSTORES = ("local", "local_update_cpu", "local_allreduce_cpu", "device", "local_allreduce_device")


class Module(BaseModule):
    """A symbol that can be trained.

    Parameters
    ----------
    symbol : the network; its outputs are usually losses.
    data_names, label_names : arguments that batches fill. All others are parameters.
    logger : where `fit` writes.
    context : device, or a list with one.
    work_load_list, compression_params : how several devices and machines share the work; with one device
        they do nothing, as in MXNet.
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
        self._context = one_context(context)
        self._data_names = list(data_names or ())
        self._label_names = list(label_names or ())
        self._state_names = list(state_names or ())
        self._group2ctx = one_group(group2ctxs)
        self._fixed_param_names = list(fixed_param_names or ())
        check_names(symbol, self._data_names, "data", True)
        check_names(symbol, self._label_names, "label", False)
        check_names(symbol, self._state_names, "state", True)
        check_names(symbol, self._fixed_param_names, "fixed_param", True)
        inputs = {*self._data_names, *self._label_names, *self._state_names}
        self._param_names = [name for name in symbol.list_arguments() if name not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._arg_params: dict[str, NDArray] = {}  # of a checkpoint, until the module is bound
        self._aux_params: dict[str, NDArray] = {}
        self._preload_opt_states: str | None = None
        self._optimizer: optimizers.Optimizer | None = None
        self._updater: optimizers.Updater | None = None
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
        with replacing(fname) as stream:
            stream.write(self._updater.get_states())  # type: ignore[union-attr]

    def load_optimizer_states(self, fname: str) -> None:
        """Take over the states that `save_optimizer_states` wrote."""
        self._require("load_optimizer_states", "optimizer_initialized")
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

    @property
    def _data_shapes(self) -> list[DataDesc] | None:
        """`data_shapes`, None before bind; MXNet's examples read it."""
        return self.data_shapes if self.binded else None

    @property
    def _label_shapes(self) -> list[DataDesc] | None:
        """`label_shapes`, None before bind; MXNet's examples read it."""
        return self.label_shapes if self.binded else None

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
        self._exec_group = ExecutorGroup(self._symbol, self._context, data, label, self._param_names,
                                         requests, self._group2ctx, shared)  # fmt: skip
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.binded = True
        if shared is not None:
            self.params_initialized = True
        elif self.params_initialized:
            self._copy_in(self._arg_params, self._aux_params)
        self._arg_params, self._aux_params = {}, {}
        if shared_module is not None and shared_module.optimizer_initialized:
            self.borrow_optimizer(shared_module)

    def _requests(self, grad_req: Any, for_training: bool, inputs_need_grad: bool) -> dict[str, str]:
        """What becomes of the gradient of each argument."""
        if not for_training:
            return dict.fromkeys(self._symbol.list_arguments(), "null")
        if isinstance(grad_req, str):
            given = dict.fromkeys(self._param_names, grad_req)
        elif isinstance(grad_req, (list, tuple)):
            arguments = self._symbol.list_arguments()
            if len(grad_req) != len(arguments):
                expected = f"{len(arguments)}, one for each argument"
                raise ArgumentError(message("bind", "grad_req", expected, len(grad_req)))
            given = dict(zip(arguments, grad_req, strict=True))
        else:
            given = dict(grad_req)
        requests = {name: given.get(name, "write") for name in self._param_names}
        requests |= dict.fromkeys(self._fixed_param_names, "null")
        requests |= {n: given.get(n, "write") if inputs_need_grad else "null" for n in self._data_names}
        return requests

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
        return {n: x.copy() for n, x in args.items()}, {n: x.copy() for n, x in auxs.items()}

    def _own_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        arguments = self._exec_group.arguments
        return {name: arguments[name] for name in self._param_names}, self._exec_group.executor.aux_dict

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
        self.params_initialized = True

    def set_params(self, arg_params: dict, aux_params: dict | None, allow_missing: bool = False,
                   force_init: bool = True, allow_extra: bool = False) -> None:  # fmt: skip
        """Set parameters and auxiliary states to given values.

        Parameters
        ----------
        arg_params, aux_params : values by name.
        allow_missing : whether those without a value may stay as they are.
        force_init : False does nothing if they are set already.
        allow_extra : whether there may be values that the network has no array for.

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
            for name in [] if allow_extra else sorted(given.keys() - own.keys()):
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

    # -- optimizer --------------------------------------------------------------------------------------

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """Get ready to update.

        Parameters
        ----------
        kvstore : None, "local" or "device": with one device each is the plain update.
        optimizer : name, or an optimizer.
        optimizer_params : dict (or pairs) of its arguments, if it is a name. `rescale_grad` is
            1 / batch size unless given.
        force_init : whether to do it again if it is done.
        """
        self._require("init_optimizer", "binded", "params_initialized")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        check_kvstore(kvstore)
        names = dict(enumerate(self._param_names))
        rescale_grad = 1.0 / self._batch_size()
        if isinstance(optimizer, str):
            params = {"rescale_grad": rescale_grad} | dict(optimizer_params)
            optimizer = optimizers.create(optimizer, sym=self._symbol, param_idx2name=names, **params)
        elif not isinstance(optimizer, optimizers.Optimizer):
            expected = "a name or an Optimizer"
            got = type(optimizer).__name__
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
        self._updater = optimizers.get_updater(optimizer)
        self.optimizer_initialized = True
        if self._preload_opt_states is not None:
            self.load_optimizer_states(self._preload_opt_states)
            self._preload_opt_states = None

    def _batch_size(self) -> int:
        first = self._exec_group.data_shapes[0]
        return first.shape[max(0, DataDesc.get_batch_axis(first.layout))]

    def borrow_optimizer(self, shared_module: Module) -> None:
        """Use the optimizer of another module, with its states."""
        shared_module._require("borrow_optimizer", "optimizer_initialized")
        self._optimizer = shared_module._optimizer
        self._updater = shared_module._updater
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
        self._exec_group.executor.backward(out_grads)

    def update(self) -> None:
        """Change the parameters by their gradients."""
        self._require("update", "binded", "params_initialized", "optimizer_initialized")
        self._updater(*self._exec_group.trained())  # type: ignore[misc]

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the outputs of the last forward, which the next one overwrites.

        Without `merge_multi_context`: for each output the list of its parts on each device.
        """
        self._require("get_outputs", "binded", "params_initialized")
        return parts(self._exec_group.executor.outputs, merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data of the last backward."""
        self._require("get_input_grads", "binded", "params_initialized", "inputs_need_grad")
        return parts(self._exec_group.input_grads(), merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs of the last forward to a metric."""
        if pre_sliced:
            (labels,) = labels
        outputs = dict(zip(self.output_names, self._exec_group.executor.outputs, strict=True))
        names = self._exec_group.label_names or self._label_names  # in the order of the batches
        eval_metric.update_dict(dict(zip(names, labels, strict=False)), outputs)

    def get_states(self, merge_multi_context: bool = True) -> list:
        """Return the arrays of `state_names`."""
        self._require("get_states", "binded", "params_initialized")
        return parts([self._exec_group.arguments[n] for n in self._state_names], merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the arrays of `state_names`, to a list of arrays or all to one number."""
        self._require("set_states", "binded", "params_initialized")
        if (states is None) == (value is None):
            raise AssertedArgumentError(problem("set_states", None, "expected either states or value"))
        given = [value] * len(self._state_names) if states is None else states
        for name, new in zip(self._state_names, given, strict=True):
            self._exec_group.arguments[name][:] = new[0] if isinstance(new, (list, tuple)) else new

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor look at all results."""
        self._require("install_monitor", "binded")
        self._exec_group.install_monitor(mon)


def states_path(prefix: str, epoch: int) -> str:
    return f"{prefix}-{epoch:04d}.states"


def parts(arrays: list, merged: bool) -> list:
    return list(arrays) if merged else [[array] for array in arrays]


def one_context(given: Any) -> contexts.Context:
    given = contexts.current_context() if given is None else given
    found = given if isinstance(given, (list, tuple)) else [given]
    if len(found) != 1:
        raise ArgumentError(message("Module", "context", "one context", len(found)))
    return contexts.Context(found[0])


def one_group(given: Any) -> dict[str, contexts.Context] | None:
    """The devices of the groups of nodes, where a list with one entry stands for the entry."""
    given = given[0] if isinstance(given, (list, tuple)) and given else given
    return {group: one_context(ctx) for group, ctx in given.items()} if given else None


def check_kvstore(kvstore: Any) -> None:
    """Raise unless a store means the plain update on one device."""
    if kvstore is None or kvstore in KVSTORES:
        return
    expected = "None, 'local' or 'device'"
    if not isinstance(kvstore, str):
        raise ArgumentTypeError(message("init_optimizer", "kvstore", expected, type(kvstore).__name__))
    hint = "this process trains on one machine" if kvstore.startswith("dist") else None
    raise ArgumentError(message("init_optimizer", "kvstore", expected, repr(kvstore), hint))
