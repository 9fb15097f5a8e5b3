"""`Optimizer`: learning rates, weight decay and counts of updates, which all optimizers share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .. import ndarray as nd
from .._paths import also, names_from
from ..errors import ArgumentError, AssertedArgumentError, StateError, closest, message, problem
from ..lr_scheduler import LRScheduler
from ..ndarray import NDArray
from ..ndarray._creation import blank
from ..switches import is_np_array

__all__ = [
    "Optimizer", "create", "is_half", "register", "zeros_of",
    *also("AdaDelta AdaGrad Adam Adamax DCASGD FTML Ftrl LAMB LARS LBSGD NAG Nadam RMSProp SGD SGLD Signum "
          "Test Updater ccSGD get_updater"),
]  # fmt: skip
__getattr__ = names_from(__name__, "mxcy.optimizer", "mxcy.ndarray")


class Optimizer:
    """Base class. A subclass defines `create_state` and `update`.

    Parameters
    ----------
    rescale_grad : factor of every gradient, usually 1 / batch size.
    param_idx2name : names of parameters by index. Of those whose name ends neither in `_weight` nor in
        `_gamma` the weight decay is 0, unless set otherwise.
    wd : weight decay: this part of the weight is added to the gradient.
    clip_gradient : gradients are cut to this absolute value, after rescaling.
    learning_rate : 0.01 if neither this nor a scheduler is given.
    lr_scheduler : learning rate by the number of updates; `learning_rate` replaces its `base_lr`.
    sym : symbol whose variables' `lr_mult` and `wd_mult` count.
    begin_num_update : number of updates at the start.
    multi_precision : whether weights of float16 and bfloat16 have a float32 copy that is updated.
    param_dict : objects with `lr_mult` and `wd_mult`, by index.
    """

    opt_registry: ClassVar[dict[str, type[Optimizer]]] = {}

    def __init__(self, rescale_grad: float = 1.0, param_idx2name: dict[Any, str] | None = None,
                 wd: float = 0.0, clip_gradient: float | None = None, learning_rate: float | None = None,
                 lr_scheduler: LRScheduler | None = None, sym: Any = None, begin_num_update: int = 0,
                 multi_precision: bool = False, param_dict: dict | None = None):  # fmt: skip
        if param_idx2name is not None and not isinstance(param_idx2name, dict):
            expected = "a dict of names by index"
            got = type(param_idx2name).__name__
            raise AssertedArgumentError(message("Optimizer", "param_idx2name", expected, got))
        self.rescale_grad = rescale_grad
        self.lr_scheduler = lr_scheduler
        if lr_scheduler is None and learning_rate is None:
            learning_rate = 0.01
        self.lr: Any = learning_rate  # None if a scheduler decides it
        # A function or any object to call decides alone; only a rate beside it asks for its `base_lr`.
        if (lr_scheduler is not None and learning_rate is not None
                and lr_scheduler.base_lr != learning_rate):  # fmt: skip
            logging.warning("learning rate from ``lr_scheduler`` has been overwritten by ``learning_rate`` "
                            "in optimizer.")  # fmt: skip
            lr_scheduler.base_lr = learning_rate  # type: ignore[assignment]
        self.wd = wd
        self.begin_num_update = begin_num_update
        self.num_update = begin_num_update
        # Each device counts by itself: with a Trainer on several, all update the parameters of one index.
        self._all_index_update_counts: dict[int, dict[Any, int]] = {0: {}}
        self._index_update_count = self._all_index_update_counts[0]
        self.clip_gradient = clip_gradient
        self.multi_precision = multi_precision
        self.allow_np_array = is_np_array()  # MXNet's programs ask for it; arrays of both kinds are taken
        self.aggregate_num = 0  # how many parameters `update` takes at once; 0: one, not in a list
        self.idx2name = dict(param_idx2name or {})
        self.sym_info = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.param_dict = param_dict or {}
        self.set_lr_mult({})
        self.set_wd_mult({})

    @staticmethod
    def register(klass: type[Optimizer]) -> type[Optimizer]:
        """Enter a subclass, under its name in lower case, among those that `create` makes."""
        name = klass.__name__.lower()
        old = Optimizer.opt_registry.get(name)
        if old is not None:
            new, known = f"{klass.__module__}.{klass.__name__}", f"{old.__module__}.{old.__name__}"
            text = f"WARNING: New optimizer {new} is overriding existing optimizer {known}"
            warnings.warn(text, UserWarning, stacklevel=2)
        Optimizer.opt_registry[name] = klass
        return klass

    @staticmethod
    def create_optimizer(name: str, **kwargs: Any) -> Optimizer:
        """Return an optimizer by name in any case; the keywords are its arguments.

        >>> Optimizer.create_optimizer("sgd", momentum=0.9).momentum
        0.9
        """
        if not isinstance(name, str):
            raise AssertedArgumentError(message("create", "name", "a name", type(name).__name__))
        try:
            klass = Optimizer.opt_registry[name.lower()]
        except KeyError:
            near = closest(name.lower(), Optimizer.opt_registry)
            hint = f"did you mean {' or '.join(near)}?" if near else None
            raise ArgumentError(problem("create", "name", f"cannot find optimizer {name!r}", hint)) from None
        return klass(**kwargs)

    # -- what subclasses define -------------------------------------------------------------------------

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return what the optimizer keeps for a parameter: None, an NDArray or a tuple of them."""
        return None

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Change a weight, and its state, by its gradient. With lists, change each."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    # -- multi-precision --------------------------------------------------------------------------------

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """As `create_state`; for half-precision weights with `multi_precision`, (float32 copy, state)."""
        if self._has_copy(weight):
            copy = weight.astype(np.float32)
            return copy, self.create_state(index, copy)
        if is_half(weight):
            warnings.warn(
                f"Accumulating with {np.dtype(weight.dtype)} in optimizer can lead to poor accuracy or "
                "slow convergence. Consider using multi_precision=True option of the "
                f"{type(self).__name__} optimizer",
                UserWarning, stacklevel=2,
            )  # fmt: skip
        return self.create_state(index, weight)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """As `update`; half-precision weights with `multi_precision` are updated through their copy."""
        if isinstance(index, (list, tuple)):
            for arguments in zip(index, weight, grad, state, strict=True):
                self.update_multi_precision(*arguments)
        elif self._has_copy(weight):
            copy, inner = state
            self.update(index, copy, grad.astype(np.float32), inner)
            copy.copyto(weight)
        else:
            self.update(index, weight, grad, state)

    def _has_copy(self, weight: NDArray) -> bool:
        return self.multi_precision and is_half(weight)

    # -- learning rate and weight decay -----------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The learning rate now, without factors of single parameters."""
        return self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate; raises UserWarning, as MXNet does, if a scheduler decides it."""
        if self.lr_scheduler is not None:
            raise UserWarning(
                "LRScheduler of the optimizer has already been defined. Note that set_learning_rate can "
                "mutate the value of the learning rate of the optimizer only when the LRScheduler of the "
                "optimizer is undefined."
            )
        self.lr = lr

    def set_lr_scale(self, args_lrscale: dict[Any, float]) -> None:
        """Raise DeprecationWarning, as MXNet does: `set_lr_mult` took its place."""
        raise DeprecationWarning("set_lr_scale: use set_lr_mult")

    def set_lr_mult(self, args_lr_mult: dict[Any, float]) -> None:
        """Set factors of the learning rate by name or index, besides those of the symbol's variables."""
        self.lr_mult = self._of_variables("__lr_mult__") | args_lr_mult

    def set_wd_mult(self, args_wd_mult: dict[Any, float]) -> None:
        """Set factors of the weight decay by name or index, besides those of the symbol's variables.

        Parameters whose names end neither in `_weight` nor in `_gamma` have 0 without one.
        """
        undecayed = {n: 0.0 for n in self.idx2name.values() if not n.endswith(("_weight", "_gamma"))}
        self.wd_mult = undecayed | self._of_variables("__wd_mult__") | args_wd_mult

    def _of_variables(self, attribute: str) -> dict[Any, float]:
        if not self.sym_info:
            return {}
        attributes, arguments = self.sym_info
        found = {name: attributes.get(name, {}).get(attribute) for name in arguments}
        return {name: float(value) for name, value in found.items() if value is not None}

    def _factor(self, index: Any, which: str) -> float:
        if index in self.param_dict:
            return getattr(self.param_dict[index], which)
        factors = getattr(self, which)
        if index in factors:
            return factors[index]
        return factors.get(self.idx2name[index], 1.0) if index in self.idx2name else 1.0

    def _factors(self, indices: Sequence, which: str) -> list[float]:
        if not self.param_dict and not getattr(self, which):
            return [1.0] * len(indices)
        return [self._factor(index, which) for index in indices]

    def _get_lrs(self, indices: Sequence) -> list[float]:
        rate = self.learning_rate
        return [rate * factor for factor in self._factors(indices, "lr_mult")]

    def _get_lr(self, index: Any) -> float:
        return self._get_lrs([index])[0]

    def _get_wds(self, indices: Sequence) -> list[float]:
        wd = self.wd
        return [wd * factor for factor in self._factors(indices, "wd_mult")]

    def _get_wd(self, index: Any) -> float:
        return self._get_wds([index])[0]

    def _rates_of(self, indices: Sequence) -> tuple[list[float], list[float]]:
        """(learning rates, weight decays). A class that defines these for one parameter is asked for each."""
        kind = type(self)
        alike = kind._get_lr is Optimizer._get_lr
        lrs = self._get_lrs(indices) if alike else [self._get_lr(index) for index in indices]
        alike = kind._get_wd is Optimizer._get_wd
        wds = self._get_wds(indices) if alike else [self._get_wd(index) for index in indices]
        return lrs, wds

    def _rates(self, index: Any) -> dict[str, float]:
        """Count an update of a parameter and return its learning rate and weight decay."""
        self._update_count(index)
        return {"lr": self._get_lr(index), "wd": self._get_wd(index)}

    def _scaling(self) -> dict[str, float]:
        """What every update operator is told of gradients; a bound of 0 is none, as in MXNet."""
        return {"rescale_grad": self.rescale_grad, "clip_gradient": self.clip_gradient or -1.0}

    def _scaled(self, grad: Any, decay: Any = None) -> Any:
        """The gradient, rescaled, with the decay added if there is one, clipped."""
        grad = grad * self.rescale_grad
        if decay is not None:
            grad = grad + decay
        if self.clip_gradient is not None:
            grad = nd.clip(grad, -self.clip_gradient, self.clip_gradient)
        return grad

    def _set_current_context(self, device_id: int) -> None:
        """Count updates of a device from now on."""
        self._index_update_count = self._all_index_update_counts.setdefault(device_id, {})

    def _update_count(self, index: Any) -> None:
        """Count an update of these parameters; `num_update` is the largest count."""
        counts, most = self._index_update_count, self.num_update
        for one in index if isinstance(index, (list, tuple)) else [index]:
            counts[one] = count = counts.get(one, self.begin_num_update) + 1
            most = max(most, count)
        self.num_update = most

    def __setstate__(self, state: dict) -> None:
        if not isinstance(state, dict):
            raise StateError(message("Optimizer", "state", "a dict", type(state).__name__))
        self.__dict__.update(state)


def zeros_of(weight: NDArray, lazy: bool = True) -> NDArray:
    """Zeros like a weight: a state at the start; dense if all of its rows change in every step."""
    stype = weight.stype if lazy else "default"
    return blank(weight.shape, ctx=weight.context, dtype=weight.dtype, stype=stype)


def is_half(weight: NDArray) -> bool:
    """Whether a weight is of float16 or bfloat16."""
    return np.dtype(weight.dtype).itemsize == 2 and np.dtype(weight.dtype).kind not in "iub"


register = Optimizer.register
create = Optimizer.create_optimizer
