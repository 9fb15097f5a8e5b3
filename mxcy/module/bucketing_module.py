"""`BucketingModule`: a network for each length of sequences, all on the same parameters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import symbol as sym
from ..errors import ArgumentTypeError, AssertedArgumentError, message, problem
from ..initializer import Initializer
from ..io import DataBatch
from ..model import load_params, params_path
from ..name import NameManager
from ..ndarray import NDArray
from .base_module import DEFAULT_INITIALIZER, BaseModule
from .inputs import check_names
from .module import Module

__all__ = ["BucketingModule"]


class BucketingModule(BaseModule):
    """A module that has a network for each bucket, and chooses one by the `bucket_key` of a batch.

    Parameters
    ----------
    sym_gen : function of a key that returns (symbol, names of data, names of labels).
    default_bucket_key : the key of the largest network, whose arrays the others use.
    logger, context, work_load_list, fixed_param_names, state_names, group2ctxs, compression_params : see
        `Module`.
    """

    def __init__(self, sym_gen: Callable, default_bucket_key: Any = None, logger: Any = logging,
                 context: Any = None, work_load_list: Sequence | None = None,
                 fixed_param_names: Sequence[str] | None = None, state_names: Sequence[str] | None = None,
                 group2ctxs: Any = None, compression_params: Any = None):  # fmt: skip
        super().__init__(logger)
        if default_bucket_key is None:
            expected = "a key of a bucket"
            raise AssertedArgumentError(message("BucketingModule", "default_bucket_key", expected, "None"))
        if not callable(sym_gen):
            got = type(sym_gen).__name__
            raise ArgumentTypeError(message("BucketingModule", "sym_gen", "a function of a key", got))
        self._sym_gen = sym_gen
        self._default_bucket_key = default_bucket_key
        self._options = {
            "logger": logger,
            "context": context,
            "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names,
            "state_names": state_names,
            "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }
        symbol, data_names, label_names = self._generate(default_bucket_key)
        check_names(symbol, list(data_names or ()), "data", True)
        check_names(symbol, list(label_names or ()), "label", False)
        check_names(symbol, list(state_names or ()), "state", True)
        check_names(symbol, list(fixed_param_names or ()), "fixed_param", True)
        self._buckets: dict[Any, Module] = {}
        self._curr_module: Any = None
        self._curr_bucket_key: Any = None
        self._monitor: Any = None
        self._grad_req: Any = "write"

    def _generate(self, key: Any) -> tuple:
        """What `sym_gen` makes, with names of its own: nodes of all buckets are called alike."""
        with NameManager():
            return self._sym_gen(key)

    def _module(self, key: Any) -> Module:
        symbol, data_names, label_names = self._generate(key)
        return Module(symbol, data_names, label_names, **self._options)

    # -- names and shapes -------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:  # type: ignore[override]
        """Names of the data of the current bucket."""
        return self._curr_module.data_names if self.binded else self._generate(self._default_bucket_key)[1]

    @property
    def output_names(self) -> list[str]:  # type: ignore[override]
        """Names of the outputs of the current bucket."""
        if self.binded:
            return self._curr_module.output_names
        return self._generate(self._default_bucket_key)[0].list_outputs()

    @property
    def data_shapes(self) -> list:  # type: ignore[override]
        """Descriptions of the data of the current bucket."""
        self._require("data_shapes", "binded")
        return self._curr_module.data_shapes

    @property
    def label_shapes(self) -> list | None:  # type: ignore[override]
        """Descriptions of the labels of the current bucket."""
        self._require("label_shapes", "binded")
        return self._curr_module.label_shapes

    @property
    def output_shapes(self) -> list:  # type: ignore[override]
        """Names and shapes of the outputs of the current bucket."""
        self._require("output_shapes", "binded")
        return self._curr_module.output_shapes

    @property
    def symbol(self) -> Any:
        """The network of the current bucket."""
        self._require("symbol", "binded")
        return self._curr_module.symbol

    # -- binding ----------------------------------------------------------------------------------------

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """Allocate arrays for the default bucket; see `Module.bind`. Others follow when they are needed."""
        params = self.get_params() if self.params_initialized else None
        if force_rebind:
            self.binded = False
            self._buckets = {}
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if shared_module is not None:
            text = "a shared module is not supported with buckets"
            raise AssertedArgumentError(problem("bind", "shared_module", text))
        key = self._default_bucket_key
        module = self._buckets.get(key) or self._module(key)
        module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, grad_req=grad_req)
        self._grad_req = grad_req
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.binded = True
        self._buckets[key] = self._curr_module = module
        self._curr_bucket_key = key
        if self._monitor is not None:
            module.install_monitor(self._monitor)
        if params is not None:
            self.set_params(*params)

    def switch_bucket(self, bucket_key: Any, data_shapes: Sequence | None,
                      label_shapes: Sequence | None = None) -> None:  # fmt: skip
        """Go on with the network of a key; it is bound to these shapes if it is new."""
        self._require("switch_bucket", "binded")
        module = self._buckets.get(bucket_key)
        if module is None:
            module = self._buckets[bucket_key] = self._module(bucket_key)
        if not module.binded:
            shared = self._buckets[self._default_bucket_key]
            module.bind(data_shapes or (), label_shapes, self.for_training, self.inputs_need_grad,
                        shared_module=shared, grad_req=self._grad_req)  # fmt: skip
            if self.optimizer_initialized and not module.optimizer_initialized:
                module.borrow_optimizer(self._curr_module)
            if self._monitor is not None:
                module.install_monitor(self._monitor)
        self._curr_module = module
        self._curr_bucket_key = bucket_key

    # -- parameters -------------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """See `Module.get_params`."""
        self._require("get_params", "params_initialized")
        return self._curr_module.get_params()

    def init_params(self, initializer: Initializer | None = DEFAULT_INITIALIZER,
                    arg_params: dict | None = None, aux_params: dict | None = None,
                    allow_missing: bool = False, force_init: bool = False,
                    allow_extra: bool = False) -> None:  # fmt: skip
        """See `Module.init_params`."""
        if self.params_initialized and not force_init:
            return
        self._require("init_params", "binded")
        self._curr_module.init_params(initializer, arg_params, aux_params, allow_missing, force_init,
                                      allow_extra)  # fmt: skip
        self.params_initialized = True

    def set_params(self, arg_params: dict, aux_params: dict | None, allow_missing: bool = False,
                   force_init: bool = True, allow_extra: bool = False) -> None:  # fmt: skip
        """See `Module.set_params`."""
        self._require("set_params", "binded")
        self._curr_module.set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> list:
        """See `Module.get_states`."""
        self._require("get_states", "binded", "params_initialized")
        return self._curr_module.get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """See `Module.set_states`."""
        self._require("set_states", "binded", "params_initialized")
        self._curr_module.set_states(states, value)

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """See `Module.init_optimizer`; all buckets share the optimizer."""
        self._require("init_optimizer", "binded", "params_initialized")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        self._curr_module.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        for module in self._buckets.values():
            if module is not self._curr_module:
                module.borrow_optimizer(self._curr_module)
        self.optimizer_initialized = True

    # -- running ----------------------------------------------------------------------------------------

    def prepare(self, data_batch: DataBatch, sparse_row_id_fn: Callable | None = None) -> None:
        """Bind the network of the batch after this one, while the engine works."""
        self._require("prepare", "binded", "params_initialized")
        current = self._curr_bucket_key
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._curr_module.prepare(data_batch, sparse_row_id_fn=sparse_row_id_fn)
        self.switch_bucket(current, None)

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs of the network of the batch's bucket."""
        self._require("forward", "binded", "params_initialized")
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._curr_module.forward(data_batch, is_train=is_train)

    def backward(self, out_grads: Any = None) -> None:
        """See `Module.backward`."""
        self._require("backward", "binded", "params_initialized")
        self._curr_module.backward(out_grads)

    def update(self) -> None:
        """See `Module.update`."""
        self._require("update", "binded", "params_initialized", "optimizer_initialized")
        self._curr_module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """See `Module.get_outputs`."""
        self._require("get_outputs", "binded", "params_initialized")
        return self._curr_module.get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """See `Module.get_input_grads`."""
        self._require("get_input_grads", "binded", "params_initialized", "inputs_need_grad")
        return self._curr_module.get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """See `Module.update_metric`."""
        self._require("update_metric", "binded", "params_initialized")
        self._curr_module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor look at the networks of all buckets."""
        self._require("install_monitor", "binded")
        self._monitor = mon
        for module in self._buckets.values():
            module.install_monitor(mon)

    # -- checkpoints ------------------------------------------------------------------------------------

    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Write the parameters, and the network and the key of every bucket."""
        if not self._buckets:
            raise AssertedArgumentError(
                problem("save_checkpoint", None, "there is no bucket; call bind first")
            )
        self.save_params(params_path(prefix, epoch))
        for key in self._buckets:
            symbol, _, _ = self._sym_gen(key)
            symbol.save(f"{prefix}-{key}-symbol.json", remove_amp_cast=remove_amp_cast)
        nd.save(f"{prefix}.buckets", nd.array(list(self._buckets), dtype=np.int32))

    @staticmethod
    def load(prefix: str, epoch: int, sym_gen: Callable | None = None, default_bucket_key: Any = None,
             **kwargs: Any) -> BucketingModule:  # fmt: skip
        """Return a module from the files of `save_checkpoint`; the keywords are those of the class."""
        keys: Any
        (keys,) = nd.load(f"{prefix}.buckets")
        symbols = {key: sym.load(f"{prefix}-{key}-symbol.json") for key in keys.asnumpy().tolist()}
        params = load_params(prefix, epoch)
        return BucketingModule.load_dict(symbols, sym_gen, default_bucket_key, *params, **kwargs)

    @staticmethod
    def load_dict(sym_dict: dict | None = None, sym_gen: Callable | None = None,
                  default_bucket_key: Any = None, arg_params: dict | None = None,
                  aux_params: dict | None = None, **kwargs: Any) -> BucketingModule:  # fmt: skip
        """Return a module with these networks by key, and parameters."""
        given = {"sym_dict": sym_dict, "sym_gen": sym_gen, "default_bucket_key": default_bucket_key,
                 "arg_params": arg_params, "aux_params": aux_params}  # fmt: skip
        for name, value in given.items():
            if value is None:
                raise AssertedArgumentError(message("BucketingModule.load", name, "a value", "None"))
        made = BucketingModule(sym_gen, default_bucket_key, **kwargs)  # type: ignore[arg-type]
        for key, symbol in sym_dict.items():  # type: ignore[union-attr]
            _, data_names, label_names = made._generate(key)
            made._buckets[key] = Module(symbol, data_names, label_names, **made._options)
        if default_bucket_key not in made._buckets:
            expected = "a network of the default bucket"
            raise AssertedArgumentError(message("BucketingModule.load", "sym_dict", expected, "none"))
        made._curr_module = made._buckets[default_bucket_key]
        made._curr_module._arg_params = arg_params
        made._curr_module._aux_params = aux_params
        made._curr_module.params_initialized = True
        made.params_initialized = True
        return made
