"""Gradient descent, plain, with momentum, by signs, and with noise."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from .. import random
from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_of
from .steps import Step, Stepping, step_of

__all__ = ["DCASGD", "NAG", "SGD", "SGLD", "Signum", "ccSGD"]


def aggregation(most: int) -> int:
    """How many parameters an optimizer takes at once."""
    return int(os.environ.get("MXNET_OPTIMIZER_AGGREGATION_SIZE", most))


@register
class SGD(Stepping):
    """weight -= lr * g, or with momentum: mom = momentum * mom - lr * g, weight += mom.

    Here g = clip(rescale_grad * grad) + wd * weight. The state is `mom`, None without momentum.

    Parameters
    ----------
    momentum : part of the last step that is made again.
    lazy_update : whether only those rows change, of the weight and of the momentum, that a gradient in
        row-sparse storage has.
    **kwargs : arguments of `Optimizer`.
    """

    copies = True
    settings = ("momentum", "lazy_update")

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lazy_update = lazy_update
        self.aggregate_num = aggregation(4)

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight, self.lazy_update)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "wd": wd, "lazy_update": self.lazy_update, **self._scaling()}
        return descent(weight, grad, state, copied, self.momentum, options)


def descent(weight: NDArray, grad: NDArray, state: Any, copied: bool, momentum: float,
            options: dict[str, Any]) -> Step:  # fmt: skip
    """A step of gradient descent; with `copied` the state holds momentum and a float32 copy."""
    moving, rest = (state[0], state[1:]) if copied else (state, ())
    prefix = "mp_" if copied else ""
    if moving is None:
        return step_of(f"{prefix}sgd_update", (weight, grad, *rest), options)
    options["momentum"] = momentum
    return step_of(f"{prefix}sgd_mom_update", (weight, grad, moving, *rest), options)


@register
class ccSGD(SGD):
    """`SGD` under the name that it had when it was written in C++."""


@register
class NAG(Stepping):
    """Nesterov's accelerated gradient: the step is momentum * mom - lr * g, with mom updated before.

    Parameters: those of `SGD` and `Optimizer`.
    """

    copies = True
    settings = ("momentum",)

    def __init__(self, momentum: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight, lazy=False)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "wd": wd, **self._scaling()}
        if (state[0] if copied else state) is None:
            return descent(weight, grad, state, copied, 0.0, options | {"lazy_update": True})
        options["momentum"] = self.momentum
        if copied:
            return step_of("mp_nag_mom_update", (weight, grad, *state), options)
        return step_of("nag_mom_update", (weight, grad, state), options)


@register
class Signum(Stepping):
    """Steps of one size in the direction of the sign of the momentum, or of the gradient without it.

    Bernstein et al. 2018. `wd_lh` is weight decay apart from the gradient (Loshchilov and Hutter 2017).
    """

    settings = ("momentum", "wd_lh")

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum
        self.wd_lh = wd_lh

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "wd": wd, **self._scaling()}
        if state is None:
            return step_of("signsgd_update", (weight, grad), options)
        options |= {"momentum": self.momentum, "wd_lh": self.wd_lh}
        return step_of("signum_update", (weight, grad, state), options)


@register
class SGLD(Optimizer):
    """Stochastic gradient Langevin dynamics: half a step, then noise of variance lr (Welling, Teh 2011)."""

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        rates = self._rates(index)
        lr, wd = rates["lr"], rates["wd"]
        weight[:] += -lr / 2 * (self._scaled(grad) + wd * weight)
        weight[:] += random.normal(0, math.sqrt(lr), shape=weight.shape, dtype=np.dtype(weight.dtype).name,
                                   ctx=weight.context)  # fmt: skip


@register
class DCASGD(Optimizer):
    """Gradient descent that corrects for the delay of gradients of other machines (Zheng et al. 2016).

    Parameters
    ----------
    momentum : as in `SGD`.
    lamda : strength of the correction lamda * g * g * (weight - weight before the last step).
    """

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.weight_previous: dict[Any, NDArray] = {}
        self.lamda = lamda

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight, lazy=False), weight.copy()

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        rates = self._rates(index)
        lr, wd = rates["lr"], rates["wd"]
        grad = self._scaled(grad)
        mom, previous = state
        if mom is None and self.momentum != 0.0:
            raise AssertedArgumentError(message("DCASGD", "state", "a momentum", "None"))
        step = -lr * (grad + wd * weight + self.lamda * grad * grad * (weight - previous))
        if mom is not None:
            mom[:] *= self.momentum
            mom[:] += step
            step = mom
        previous[:] = weight
        weight[:] += step
