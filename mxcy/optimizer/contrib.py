"""Optimizers that MXNet keeps apart."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from .. import ndarray as nd
from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_of
from .steps import Step, Stepping, step_of

__all__ = ["AdamW", "GroupAdaGrad"]


@register
class GroupAdaGrad(Optimizer):
    """`AdaGrad` with one rate for each row of a matrix: its history is the mean of the squares of the row.

    Of a gradient in row-sparse storage only its rows change.
    """

    def __init__(self, eps: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """See `Optimizer.create_state`."""
        if len(weight.shape) != 2:
            raise AssertedArgumentError(message("GroupAdaGrad", "weight", "2 dimensions", weight.shape))
        return nd.zeros((weight.shape[0], 1), ctx=weight.context, stype=weight.stype)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        rates = self._rates(index)
        if rates["wd"] != 0:
            text = message("GroupAdaGrad", "wd", "0, for it has no weight decay", rates["wd"])
            raise AssertedArgumentError(text)
        if grad.stype == "row_sparse":
            nd.contrib.group_adagrad_update(weight, grad, state, out=weight, lr=rates["lr"],
                                            epsilon=self.float_stable_eps, **self._scaling())  # fmt: skip
            return
        grad = self._scaled(grad)
        state[:] += nd.mean(nd.square(grad), axis=1, keepdims=True)
        weight[:] -= rates["lr"] * grad / nd.sqrt(state + self.float_stable_eps)


@register
class AdamW(Stepping):
    """`Adam` whose weight decay is apart from the gradient (Loshchilov and Hutter 2017).

    weight -= lr * (mean / (sqrt(var) + epsilon) * correction + wd * weight).

    `correct_bias` says whether the averages are corrected for their start.
    """

    copies = copy_first = True

    def __init__(self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999,
                 epsilon: float = 1e-6, correct_bias: bool = True, **kwargs: Any):  # fmt: skip
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.correct_bias = correct_bias

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return zeros_of(weight), zeros_of(weight)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        step = 1.0
        if self.correct_bias:
            t = self._index_update_count[index]
            step = math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
        options = {"lr": step, "eta": lr, "wd": wd, "clip_gradient": self.clip_gradient or -1.0}
        options |= {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}
        scale = scale_of(self.rescale_grad, weight.context)
        if copied:
            copy, averages = state
            return step_of("_mp_adamw_update", (weight, grad, *averages, copy, scale), options)
        return step_of("_adamw_update", (weight, grad, *state, scale), options)


@lru_cache(64)
def scale_of(scale: float, context: Any) -> NDArray:
    """A scale of gradients as an array of one float32, the same one each time."""
    return nd.full((1,), scale, ctx=context)
