"""Optimizers for large batches, whose learning rate is scaled for each parameter by its norm."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_of
from .sgd import SGD, aggregation, descent
from .steps import Step, Stepping, step_of

__all__ = ["LAMB", "LARS", "LBSGD"]

UNSCALED = ("gamma", "beta", "bias")


@register
class LARS(SGD):
    """`SGD` with the rate lr * eta * |weight| / (|grad| + wd * |weight| + eps) (You et al. 2017).

    Parameters whose name ends in gamma, beta or bias keep lr. With `momentum_correction` the momentum is
    scaled by the change of the learning rate since the last call.
    """

    one_dtype = True

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, eta: float = 0.001, eps: float = 0,
                 momentum_correction: bool = True, **kwargs: Any):  # fmt: skip
        super().__init__(momentum=momentum, lazy_update=lazy_update, **kwargs)
        self.momentum_correction = momentum_correction
        self.eta = eta
        self.eps = eps
        self.skip = 0
        self.last_lr: float | None = None
        self.cur_lr: float | None = None

    def _get_lrs(self, indices: Sequence) -> list[float]:
        lr = self.learning_rate
        self.last_lr = lr if self.cur_lr is None else self.cur_lr
        self.cur_lr = lr
        return super()._get_lrs(indices)

    def set_wd_mult(self, args_wd_mult: dict[Any, float]) -> None:
        """As `Optimizer.set_wd_mult`, but only parameters that end in `_weight` have weight decay."""
        undecayed = {n: 0.0 for n in self.idx2name.values() if not n.endswith("_weight")}
        self.wd_mult = undecayed | self._of_variables("__wd_mult__") | args_wd_mult

    def _take(self, index: Sequence, weight: Sequence, grad: Sequence, state: Sequence, copied: bool) -> None:
        self._update_count(index)
        lrs, wds = self._rates_of(index)
        momentum = self.momentum
        if self.momentum_correction and self.last_lr:
            momentum *= self.cur_lr / self.last_lr  # type: ignore[operator]
        scaled = [i for i, key in enumerate(index) if not self._name(key).endswith(UNSCALED)]
        plain = [i for i in range(len(index)) if i not in scaled]
        order = scaled + plain
        rates = nd.array([lrs[i] for i in order], ctx=weight[0].context, dtype="float32")
        decays = nd.array([wds[i] for i in order], ctx=weight[0].context, dtype="float32")
        if scaled:
            count = len(scaled)
            squares = [nd.multi_sum_sq(*[x[i] for i in scaled], num_arrays=count) for x in (weight, grad)]
            first = rates[:count]
            nd.multi_lars(first, *squares, decays[:count], eta=self.eta, eps=self.eps,
                          rescale_grad=self.rescale_grad, out=first)  # fmt: skip
        arrays = [self._arrays(weight[i], grad[i], state[i], copied) for i in order]
        self._run(arrays, [weight[i] for i in order], rates, decays, momentum, copied)

    def _name(self, index: Any) -> str:
        return self.idx2name.get(index, str(index))

    def _arrays(self, weight: NDArray, grad: NDArray, state: Any, copied: bool) -> list[NDArray]:
        states = state if copied else (state,)
        return [weight, grad, *[x for x in states if x is not None]]

    def _run(self, arrays: list, weights: list, rates: NDArray, decays: NDArray, momentum: float,
             copied: bool) -> None:  # fmt: skip
        options = self._scaling() | {"num_weights": len(weights), "out": weights}
        flat = [x for group in arrays for x in group]
        if self.momentum == 0.0:
            run = nd.preloaded_multi_mp_sgd_update if copied else nd.preloaded_multi_sgd_update
        else:
            run = nd.preloaded_multi_mp_sgd_mom_update if copied else nd.preloaded_multi_sgd_mom_update
            options["momentum"] = momentum
        run(*flat, rates, decays, **options)


@register
class LBSGD(Optimizer):
    """`SGD` for large batches: gradients add up over `batch_scale` calls, the rate warms up.

    Parameters
    ----------
    warmup_strategy : how the factor of the learning rate grows to `batch_scale`: "linear", "power2",
        "sqrt", or "lars": the square root of |weight|^2 / (|grad|^2 + wd |weight|^2).
    warmup_epochs, updates_per_epoch : how long that takes.
    begin_epoch, num_epochs : number of the first epoch and of the one after the last.
    """

    def __init__(self, momentum: float = 0.0, multi_precision: bool = False, warmup_strategy: str = "linear",
                 warmup_epochs: int = 5, batch_scale: float = 1, updates_per_epoch: int = 32,
                 begin_epoch: int = 0, num_epochs: int = 60, **kwargs: Any):  # fmt: skip
        super().__init__(multi_precision=multi_precision, **kwargs)
        logging.info("Running Large-Batch SGD Algorithm")
        logging.info("(Batch_scale=%f, warmup_epochs=%d, warmup_strategy=%s, updates_per_epoch=%d)",
                     batch_scale, warmup_epochs, warmup_strategy, updates_per_epoch)  # fmt: skip
        self.momentum = momentum
        self.warmup_strategy = warmup_strategy
        self.warmup_epochs = warmup_epochs
        self.batch_scale = batch_scale
        self.updates_per_epoch = updates_per_epoch
        self.init_updates = begin_epoch * updates_per_epoch
        self.num_epochs = num_epochs
        self.cumgrads: dict[Any, dict[str, Any]] = {}

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """See `Optimizer.create_state`; for half-precision weights (momentum, float32 copy)."""
        if self._has_copy(weight):
            copy = weight.astype(np.float32)
            return None if self.momentum == 0.0 else zeros_of(copy), copy
        return None if self.momentum == 0.0 else zeros_of(weight)

    def _warmup(self, count: int) -> float:
        length = self.warmup_epochs * self.updates_per_epoch
        most = float(self.batch_scale)
        if count >= length:
            return most
        done = count / length if length > 1 else 0.0
        shape = {"linear": done, "power2": done * done, "sqrt": math.sqrt(done)}
        return 1.0 + (most - 1) * shape.get(self.warmup_strategy, 0.0)

    def _lars(self, weight: NDArray, grad: NDArray, wd: float) -> float:
        squares = [float((x.asnumpy() ** 2).sum()) for x in (weight, grad)]
        factor = math.sqrt(squares[0] / (squares[1] + wd * squares[0] + 1e-18))
        return min(max(factor, 0.01), 100)

    def _accumulate(self, grad: NDArray, index: Any) -> tuple[NDArray, int]:
        """The sum of the gradients since the last step, and the number of the call."""
        found = self.cumgrads.get(index)
        total, count = grad.copy(), self.init_updates + 1
        if found is not None and found["num_cums"] > 0:
            total, count = found["cum_grad"] + grad, found["num_cums"] + 1
        self.cumgrads[index] = {"cum_grad": total, "num_cums": count}
        return total, count

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        lr, wd = self._get_lr(index), self._get_wd(index)
        self._update_count(index)
        total, count = self._accumulate(grad, index)
        if count % self.batch_scale != 0:
            return
        grad = total / self.batch_scale  # type: ignore[assignment]
        factor = self._lars(weight, grad, wd) if self.warmup_strategy == "lars" else self._warmup(count)
        copied = isinstance(state, (list, tuple))
        options = {"lr": lr * factor, "wd": wd, "lazy_update": True, **self._scaling()}
        descent(weight, grad, state, copied, self.momentum, options).run(None)
        self.cumgrads[index]["cum_grad"] = 0


@register
class LAMB(Stepping):
    """Adam whose step has the norm of the weight: lr * |weight| / |step| (You et al. 2019).

    Parameters
    ----------
    lower_bound, upper_bound : bounds of the norm of the weight.
    bias_correction : whether the averages are corrected for their start.
    """

    copies = copy_first = True

    def __init__(self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999,
                 epsilon: float = 1e-6, lower_bound: float | None = None, upper_bound: float | None = None,
                 bias_correction: bool = True, **kwargs: Any):  # fmt: skip
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.bias_correction = bias_correction
        self.aggregate_num = max(1, min(45, aggregation(45)))

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return zeros_of(weight), zeros_of(weight)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon, "wd": wd}
        options |= {"t": self._index_update_count[index], "bias_correction": self.bias_correction}
        options |= {"lower_bound": self.lower_bound or -1.0, "upper_bound": self.upper_bound or -1.0}
        options |= self._scaling()
        if copied:
            copy, averages = state
            return step_of("_mp_lamb_update", (weight, grad, *averages, copy), options)
        return step_of("_lamb_update", (weight, grad, *state), options)
