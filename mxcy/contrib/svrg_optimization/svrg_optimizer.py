"""What a store updates for `SVRGModule`: parameters by an optimizer, mean gradients by assignment."""

from __future__ import annotations

from typing import Any

from ...ndarray import NDArray
from ...optimizer import Optimizer, create, register

__all__ = ["_AssignmentOptimizer", "_SVRGOptimizer"]

FULL = "_full"  # ends the key of the mean gradient of a parameter
SHARED = ("rescale_grad", "param_idx2name", "wd", "clip_gradient", "learning_rate", "lr_scheduler", "sym",
          "begin_num_update", "multi_precision", "param_dict")  # fmt: skip


@register
class _AssignmentOptimizer(Optimizer):
    """weight = grad: a store that has it gives back the sum of what was pushed."""

    def create_state(self, index: Any, weight: NDArray) -> None:
        """See `Optimizer.create_state`."""
        return

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        weight[:] = grad


@register
class _SVRGOptimizer(Optimizer):
    """The optimizer of a program for parameters, and assignment for keys that end in `_full`.

    Parameters
    ----------
    default_optimizer : name, or an optimizer; other arguments are its, if it is a name.
    """

    def __init__(self, default_optimizer: Any, **kwargs: Any):
        super().__init__(**{key: kwargs[key] for key in SHARED if key in kwargs})
        made = isinstance(default_optimizer, str)
        self.default_opt = create(default_optimizer, **kwargs) if made else default_optimizer
        self.aux_opt = create(_AssignmentOptimizer.__name__)

    def _optimizer_of(self, index: Any) -> Optimizer:
        name = self.idx2name.get(index, index)
        return self.aux_opt if str(name).endswith(FULL) else self.default_opt

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """See `Optimizer.create_state`."""
        return self._optimizer_of(index).create_state(index, weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        self._optimizer_of(index).update(index, weight, grad, state)
