"""Gradient descent, plain, with momentum, by signs, and with noise."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import random
from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray
from .optimizer import MixedPrecision, Optimizer, register, zeros_of
from .repeated import repeat

__all__ = ["DCASGD", "NAG", "SGD", "SGLD", "Signum", "ccSGD"]


def aggregation(most: int) -> int:
    """How many parameters an optimizer takes at once."""
    return int(os.environ.get("MXNET_OPTIMIZER_AGGREGATION_SIZE", most))


@register
class SGD(MixedPrecision):
    """weight -= lr * g, or with momentum: mom = momentum * mom - lr * g, weight += mom.

    Here g = clip(rescale_grad * grad) + wd * weight. The state is `mom`, None without momentum.

    Parameters
    ----------
    momentum : part of the last step that is made again.
    lazy_update : accepted for MXNet's programs; gradients are dense here, and all rows are updated.
    **kwargs : arguments of `Optimizer`.
    """

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lazy_update = lazy_update
        self.aggregate_num = aggregation(4)

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight)

    def _update(self, index: Any, weight: Any, grad: Any, state: Any, copied: bool) -> None:
        if not isinstance(index, (list, tuple)):
            index, weight, grad, state = [index], [weight], [grad], [state]
        self._update_count(index)
        rates = tuple(zip(self._get_lrs(index), self._get_wds(index), strict=True))
        scaling = self._scaling()

        def push() -> None:
            for w, g, found, (lr, wd) in zip(weight, grad, state, rates, strict=True):
                descend(w, g, found, copied, self.momentum, lr=lr, wd=wd, **scaling)

        states = [x for found in state for x in (found if copied else (found,)) if x is not None]
        repeat(self, push, [*weight, *grad, *states], (rates, self.momentum, *scaling.values()))


def descend(weight: NDArray, grad: NDArray, state: Any, copied: bool, momentum: float, **rates: Any) -> None:
    """One step of gradient descent; with `copied` the state holds momentum and a float32 copy."""
    if not copied:
        if state is None:
            nd.sgd_update(weight, grad, out=weight, **rates)
        else:
            nd.sgd_mom_update(weight, grad, state, out=weight, momentum=momentum, **rates)
    elif state[0] is None:
        nd.mp_sgd_update(weight, grad, state[1], out=weight, **rates)
    else:
        nd.mp_sgd_mom_update(weight, grad, *state, out=weight, momentum=momentum, **rates)


@register
class ccSGD(SGD):
    """`SGD` under the name that it had when it was written in C++."""


@register
class NAG(MixedPrecision):
    """Nesterov's accelerated gradient: the step is momentum * mom - lr * g, with mom updated before.

    Parameters: those of `SGD` and `Optimizer`.
    """

    def __init__(self, momentum: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight)

    def _update(self, index: Any, weight: Any, grad: Any, state: Any, copied: bool) -> None:
        rates = self._rates(index) | self._scaling()
        if (state[0] if copied else state) is None:
            descend(weight, grad, state, copied, 0.0, **rates)
        elif copied:
            nd.mp_nag_mom_update(weight, grad, *state, out=weight, momentum=self.momentum, **rates)
        else:
            nd.nag_mom_update(weight, grad, state, out=weight, momentum=self.momentum, **rates)


@register
class Signum(Optimizer):
    """Steps of one size in the direction of the sign of the momentum, or of the gradient without it.

    Bernstein et al. 2018. `wd_lh` is weight decay apart from the gradient (Loshchilov and Hutter 2017).
    """

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum
        self.wd_lh = wd_lh

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        return None if self.momentum == 0.0 else zeros_of(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        rates = self._rates(index) | self._scaling()
        if state is None:
            nd.signsgd_update(weight, grad, out=weight, **rates)
        else:
            nd.signum_update(weight, grad, state, out=weight, momentum=self.momentum, wd_lh=self.wd_lh,
                             **rates)  # fmt: skip


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
        return None if self.momentum == 0.0 else zeros_of(weight), weight.copy()

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
