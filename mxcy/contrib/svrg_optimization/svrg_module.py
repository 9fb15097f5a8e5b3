"""`SVRGModule`: stochastic gradients with less variance (Johnson, Zhang 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError, message
from ...io import DataBatch, DataIter
from ...module import Module
from ...ndarray import NDArray
from ...ndarray._creation import blank
from ...optimizer import Optimizer
from .svrg_optimizer import _SVRGOptimizer

__all__ = ["SVRGModule"]


class SVRGModule(Module):
    """A module whose gradients are those of the batch, less what it gave to old parameters, plus the mean.

    Every `update_freq` epochs the parameters are kept, and the gradients of all data by them computed. An
    update takes g(w) - g(w_old) + mean of g(w_old), whose mean is that of g(w), and whose variance vanishes
    as the parameters settle.

    Parameters
    ----------
    update_freq : epochs from one computation of the gradients of all data to the next.

    The others: see `Module`.
    """

    def __init__(self, *args: Any, update_freq: int | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if isinstance(update_freq, bool) or not isinstance(update_freq, int):
            expected = "an int, the number of epochs"
            raise ArgumentTypeError(message("SVRGModule", "update_freq", expected, repr(update_freq)))
        if update_freq <= 0:
            raise ArgumentError(message("SVRGModule", "update_freq", "a positive int", update_freq))
        self.update_freq = update_freq
        self._mod_aux = Module(*args, **kwargs)  # has the old parameters
        self._param_dict: list[dict[str, NDArray]] = []  # mean gradients by them, for each device

    def bind(self, data_shapes: Sequence, label_shapes: Sequence | None = None, for_training: bool = True,
             inputs_need_grad: bool = False, force_rebind: bool = False, shared_module: Any = None,
             grad_req: Any = "write") -> None:  # fmt: skip
        """See `Module.bind`."""
        given = (
            data_shapes,
            label_shapes,
            for_training,
            inputs_need_grad,
            force_rebind,
            shared_module,
            grad_req,
        )
        super().bind(*given)
        if for_training:
            self._mod_aux.bind(*given)

    def reshape(self, data_shapes: Sequence, label_shapes: Sequence | None = None) -> None:
        """See `Module.reshape`."""
        super().reshape(data_shapes, label_shapes)
        self._mod_aux.reshape(data_shapes, label_shapes)

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd",
                       optimizer_params: Any = (("learning_rate", 0.01),),
                       force_init: bool = False) -> None:  # fmt: skip
        """See `Module.init_optimizer`."""
        self._param_dict = [
            {name: blank(copies[i].shape, ctx=device, dtype=copies[i].dtype)
             for name in self._param_names if (copies := self._exec_group.gradients(name))}
            for i, device in enumerate(self._context)
        ]  # fmt: skip
        if isinstance(optimizer, Optimizer):
            names, scale = optimizer.idx2name, optimizer.rescale_grad
            optimizer = _SVRGOptimizer(optimizer, param_idx2name=names, rescale_grad=scale)
        super().init_optimizer(kvstore, optimizer, optimizer_params, force_init)

    def _made_optimizer(self, name: str, **arguments: Any) -> Optimizer:
        return _SVRGOptimizer(name, **arguments)

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Compute the outputs, in training also those of the old parameters."""
        super().forward(data_batch, is_train)
        if is_train and self._mod_aux.params_initialized:
            self._mod_aux.forward(data_batch, is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients by the parameters and by the old ones."""
        super().backward(out_grads)
        if self._mod_aux.params_initialized:
            self._mod_aux.backward(out_grads)

    def update(self) -> None:
        """Change the parameters by the gradients of less variance."""
        self._update_svrg_gradients()
        super().update()

    def update_full_grads(self, train_data: DataIter) -> None:
        """Keep the parameters, and compute the mean gradients of all data by them."""
        old = self._mod_aux
        old.set_params(*self.get_params())
        for sums in self._param_dict:
            for total in sums.values():
                total[:] = 0
        train_data.reset()
        count, padding = 0, 0
        for batch in train_data:
            old.forward(batch, is_train=True)
            old.backward()
            for name in self._param_dict[0]:
                for sums, gradient in zip(self._param_dict, old._exec_group.gradients(name), strict=True):
                    sums[name] += gradient
            count += 1
            padding = batch.pad or 0
        if not count:
            raise ArgumentError(message("update_full_grads", "train_data", "at least one batch", "none"))
        batches = count - padding / train_data.batch_size
        for sums in self._param_dict:
            for total in sums.values():
                total[:] = total / batches
        train_data.reset()

    def _svrg_grads_update_rule(self, current: list, special: list, full: list) -> list:
        """Change gradients of the batch, by those by old parameters and the mean of these."""
        for gradient, old, mean in zip(current, special, full, strict=True):
            gradient -= old
            gradient += mean
        return current

    def _update_svrg_gradients(self) -> None:
        if self._mod_aux.params_initialized:
            for name in self._param_dict[0]:
                self._svrg_grads_update_rule(self._exec_group.gradients(name),
                                             self._mod_aux._exec_group.gradients(name),
                                             [sums[name] for sums in self._param_dict])  # fmt: skip

    def _fit_epoch(self, epoch: int, train_data: DataIter, *args: Any) -> list:
        if epoch % self.update_freq == 0:
            self.update_full_grads(train_data)
        return super()._fit_epoch(epoch, train_data, *args)
