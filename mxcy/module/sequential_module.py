"""`SequentialModule`: modules in a row, each of which gets the outputs of the one before."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Any

from ..errors import AssertedArgumentError, message, problem
from ..initializer import Initializer
from ..io import DataBatch
from ..ndarray import NDArray
from .base_module import DEFAULT_INITIALIZER, BaseModule

__all__ = ["SequentialModule"]


class SequentialModule(BaseModule):
    """Modules in a row: `SequentialModule().add(first).add(last, take_labels=True, auto_wiring=True)`."""

    META_TAKE_LABELS = "take_labels"
    META_AUTO_WIRING = "auto_wiring"

    def __init__(self, logger: Any = logging):
        super().__init__(logger)
        self._modules: list[BaseModule] = []
        self._metas: list[dict[str, Any]] = []
        self._labels: Any = None

    def add(self, module: BaseModule, **kwargs: Any) -> SequentialModule:
        """Add a module and return self.

        `take_labels`: it gets the labels. `auto_wiring`: its data are the outputs of the module before,
        whatever their names.
        """
        for key in kwargs:
            if key not in (self.META_TAKE_LABELS, self.META_AUTO_WIRING):
                text = message("add", key, "take_labels or auto_wiring", repr(key))
                raise AssertedArgumentError(text)
        self._modules.append(module)
        self._metas.append(kwargs)
        self.binded = self.params_initialized = self.optimizer_initialized = False
        return self

    # -- names and shapes -------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:  # type: ignore[override]
        """Names of the data of the first module."""
        return self._modules[0].data_names if self._modules else []

    @property
    def output_names(self) -> list[str]:  # type: ignore[override]
        """Names of the outputs of the last module."""
        return self._modules[-1].output_names if self._modules else []

    @property
    def data_shapes(self) -> list:  # type: ignore[override]
        """Descriptions of the data of the first module."""
        self._require("data_shapes", "binded")
        return self._modules[0].data_shapes

    @property
    def label_shapes(self) -> list | None:  # type: ignore[override]
        """Descriptions of the labels, None if no module takes them."""
        self._require("label_shapes", "binded")
        return self._labels

    @property
    def output_shapes(self) -> list:  # type: ignore[override]
        """Names and shapes of the outputs of the last module."""
        self._require("output_shapes", "binded")
        return self._modules[-1].output_shapes

    # -- binding and parameters -------------------------------------------------------------------------

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """Bind all modules; see `Module.bind`."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            text = "gradients of the inputs need for_training=True"
            raise AssertedArgumentError(problem("bind", "inputs_need_grad", text))
        if shared_module is not None or not self._modules:
            argument, text = "shared_module", "a shared module is not supported"
            if not self._modules:
                argument, text = None, "there is no module; call add first"  # type: ignore[assignment]
            raise AssertedArgumentError(problem("bind", argument, text))
        shapes: Sequence = data_shapes
        for i, (module, meta) in enumerate(zip(self._modules, self._metas, strict=True)):
            if meta.get(self.META_AUTO_WIRING):
                if len(module.data_names) != len(shapes):
                    expected = f"{len(module.data_names)} arrays for module {i}"
                    raise AssertedArgumentError(message("bind", "data_shapes", expected, len(shapes)))
                shapes = [(name, given[1]) for name, given in zip(module.data_names, shapes, strict=True)]
            labels = label_shapes if meta.get(self.META_TAKE_LABELS) else None
            module.bind(shapes, labels, for_training, inputs_need_grad or (for_training and i > 0),
                        force_rebind, grad_req=grad_req)  # fmt: skip
            shapes = module.output_shapes
        taken = any(meta.get(self.META_TAKE_LABELS) for meta in self._metas)
        self._labels = label_shapes if taken else None
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.binded = True

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return (parameters, auxiliary states) of all modules by name."""
        self._require("get_params", "binded", "params_initialized")
        found: tuple[dict, dict] = ({}, {})
        for module in self._modules:
            for all_of_kind, of_module in zip(found, module.get_params(), strict=True):
                all_of_kind.update(of_module)
        return found

    def init_params(self, initializer: Initializer | None = DEFAULT_INITIALIZER,
                    arg_params: dict | None = None, aux_params: dict | None = None,
                    allow_missing: bool = False, force_init: bool = False,
                    allow_extra: bool = False) -> None:  # fmt: skip
        """See `Module.init_params`. Raises ArgumentError if two modules have a parameter of one name."""
        if self.params_initialized and not force_init:
            return
        self._require("init_params", "binded")
        owners: dict[str, int] = {}
        for i, module in enumerate(self._modules):
            module.init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra)
            for name in [name for params in module.get_params() for name in params]:
                if owners.setdefault(name, i) != i:
                    text = f"duplicated parameter name {name!r} in modules {owners[name]} and {i}"
                    raise AssertedArgumentError(problem("init_params", None, text))
        self.params_initialized = True

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """See `Module.init_optimizer`; each module has an optimizer of its own."""
        self._require("init_optimizer", "binded", "params_initialized")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        for module in self._modules:
            module.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        self.optimizer_initialized = True

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs of all modules, one after the other."""
        self._require("forward", "binded", "params_initialized")
        batch = copy.copy(data_batch)
        for i, module in enumerate(self._modules):
            module.forward(batch, is_train=is_train)
            if i + 1 < len(self._modules):
                batch.data = module.get_outputs()
                names = self._modules[i + 1].data_names
                if getattr(batch, "provide_data", None):
                    batch.provide_data = [(n, x.shape) for n, x in zip(names, batch.data, strict=True)]

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients of all modules, the last one first."""
        self._require("backward", "binded", "params_initialized")
        for i, module in reversed(list(enumerate(self._modules))):
            module.backward(out_grads)
            if i:
                out_grads = module.get_input_grads()

    def update(self) -> None:
        """Change the parameters of all modules."""
        self._require("update", "binded", "params_initialized", "optimizer_initialized")
        for module in self._modules:
            module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list:
        """Return the outputs of the last module."""
        self._require("get_outputs", "binded", "params_initialized")
        return self._modules[-1].get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data of the first module."""
        self._require("get_input_grads", "binded", "params_initialized", "inputs_need_grad")
        return self._modules[0].get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Add the outputs of the modules that take labels to a metric."""
        self._require("update_metric", "binded", "params_initialized")
        for module, meta in zip(self._modules, self._metas, strict=True):
            if meta.get(self.META_TAKE_LABELS):
                module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor look at all modules."""
        self._require("install_monitor", "binded")
        for module in self._modules:
            module.install_monitor(mon)
