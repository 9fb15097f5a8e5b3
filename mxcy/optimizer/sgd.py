"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register

__all__ = ["SGD"]


@register
class SGD(Optimizer):
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
        self.aggregate_num = 4

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """See `Optimizer.create_state`."""
        if self.momentum == 0.0:
            return None
        return nd.zeros(weight.shape, ctx=weight.context, dtype=weight.dtype)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """See `Optimizer.update`."""
        if not isinstance(index, (list, tuple)):
            index, weight, grad, state = [index], [weight], [grad], [state]
        self._update_count(index)
        rates = zip(self._get_lrs(index), self._get_wds(index), strict=True)
        clip = -1.0 if self.clip_gradient is None else self.clip_gradient
        shared = {"rescale_grad": self.rescale_grad, "clip_gradient": clip}
        for w, g, mom, (lr, wd) in zip(weight, grad, state, rates, strict=True):
            if mom is None:
                nd.sgd_update(w, g, out=w, lr=lr, wd=wd, **shared)
            else:
                nd.sgd_mom_update(w, g, mom, out=w, lr=lr, wd=wd, momentum=self.momentum, **shared)
