"""Optimizers whose steps follow from averages of gradients and of their squares."""

from __future__ import annotations

import math
from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from ..ndarray._creation import blank
from .optimizer import Optimizer, register, zeros_of
from .steps import Step, Stepping, changes, step_of

__all__ = ["FTML", "AdaDelta", "AdaGrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSProp", "Test"]


def single_zeros(weight: NDArray, lazy: bool = True) -> NDArray:
    """Zeros in float32, whatever the dtype of the weight."""
    return blank(weight.shape, ctx=weight.context, stype=weight.stype if lazy else "default")


@register
class Adam(Stepping):
    """weight -= lr * mean / (sqrt(var) + epsilon), with lr corrected for the start of the averages.

    Kingma and Ba 2014. The state is (mean, var): moving averages of g and of its square.
    With `lazy_update` only those rows change that a gradient in row-sparse storage has.
    """

    def __init__(self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999,
                 epsilon: float = 1e-8, lazy_update: bool = True, **kwargs: Any):  # fmt: skip
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lazy_update = lazy_update

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return zeros_of(weight, self.lazy_update), zeros_of(weight, self.lazy_update)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        t = self._index_update_count[index]
        lr *= math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
        options = {"lr": lr, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon, "wd": wd}
        options |= {"lazy_update": self.lazy_update, **self._scaling()}
        return step_of("adam_update", (weight, grad, *state), options)


@register
class AdaGrad(Stepping):
    """weight -= lr * (g / sqrt(sum of g * g + eps) + wd * weight) (Duchi et al. 2011).

    Of a gradient in row-sparse storage only its rows change, and there is no weight decay.
    """

    settings = ("float_stable_eps",)

    def __init__(self, eps: float = 1e-7, **kwargs: Any):
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """See `Optimizer.create_state`."""
        return single_zeros(weight)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        if grad.stype == "row_sparse":
            options = {"lr": lr, "wd": wd, "epsilon": self.float_stable_eps, **self._scaling()}
            return step_of("_sparse_adagrad_update", (weight, grad, state), options)

        def change(lr: Any, wd: Any) -> None:
            scaled = self._scaled(grad)
            state[:] += nd.square(scaled)
            step = scaled / nd.sqrt(state + self.float_stable_eps)
            weight[:] += (step + weight * wd) * -lr

        rest = self._fixed(self.float_stable_eps)
        return changes(change, (weight, grad, state), {"lr": lr, "wd": wd}, rest)


@register
class AdaDelta(Stepping):
    """Steps in proportion to the root mean square of earlier steps; has no learning rate (Zeiler 2012)."""

    settings = ("rho", "epsilon")

    def __init__(self, rho: float = 0.90, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return single_zeros(weight, lazy=False), single_zeros(weight, lazy=False)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        squares, steps = state

        def change(wd: Any) -> None:
            scaled = self._scaled(grad)
            squares[:] *= self.rho
            squares[:] += (1.0 - self.rho) * scaled * scaled
            step = nd.sqrt(steps + self.epsilon) / nd.sqrt(squares + self.epsilon) * scaled
            steps[:] *= self.rho
            steps[:] += (1.0 - self.rho) * step * step
            weight[:] -= step + wd * weight

        rest = self._fixed(self.rho, self.epsilon)
        return changes(change, (weight, grad, squares, steps), {"wd": wd}, rest)


@register
class RMSProp(Stepping):
    """weight -= lr * g / sqrt(n + epsilon), with n the moving average of squares (Tieleman, Hinton 2012).

    `centered` divides by the moving variance instead and has momentum `gamma2` (Graves 2013);
    `clip_weights` cuts weights to this absolute value.
    """

    settings = ("gamma1", "gamma2", "centered", "epsilon", "clip_weights")

    def __init__(self, learning_rate: float = 0.001, gamma1: float = 0.9, gamma2: float = 0.9,
                 epsilon: float = 1e-8, centered: bool = False, clip_weights: float | None = None,
                 **kwargs: Any):  # fmt: skip
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.centered = centered
        self.epsilon = epsilon
        self.clip_weights = clip_weights

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return tuple([single_zeros(weight) for _ in range(3 if self.centered else 1)])

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "gamma1": self.gamma1, "epsilon": self.epsilon, "wd": wd, **self._scaling()}
        options["clip_weights"] = self.clip_weights or -1.0
        if not self.centered:
            return step_of("rmsprop_update", (weight, grad, *state), options)
        return step_of("rmspropalex_update", (weight, grad, *state), options | {"gamma2": self.gamma2})


@register
class Ftrl(Stepping):
    """Follow the regularized leader, for sparse models: small weights become 0 (McMahan et al. 2013).

    Parameters
    ----------
    lamda1 : L1 penalty; the L2 penalty is `wd`.
    learning_rate, beta : the rate of a weight is learning_rate / (beta + root of its sum of squares).
    """

    settings = ("lamda1", "beta")

    def __init__(self, lamda1: float = 0.01, learning_rate: float = 0.1, beta: float = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.lamda1 = lamda1
        self.beta = beta
        self.lr = learning_rate

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return single_zeros(weight), single_zeros(weight)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "lamda1": self.lamda1, "beta": self.beta, "wd": wd, **self._scaling()}
        return step_of("ftrl_update", (weight, grad, *state), options)


@register
class FTML(Stepping):
    """Follow the moving leader (Zheng, Kwok 2017). The state is (d, v, z)."""

    def __init__(self, beta1: float = 0.6, beta2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any):
        super().__init__(**kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return tuple([zeros_of(weight, lazy=False) for _ in range(3)])

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        options = {"lr": lr, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon, "wd": wd}
        options |= {"t": self._index_update_count[index], "rescale_grad": self.rescale_grad}
        options["clip_grad"] = self.clip_gradient or -1.0
        return step_of("ftml_update", (weight, grad, *state), options)


@register
class Adamax(Stepping):
    """Adam with the largest gradient, which decays, in place of the root of squares (Kingma, Ba 2014)."""

    def __init__(self, learning_rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, **kwargs: Any):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return zeros_of(weight, lazy=False), zeros_of(weight, lazy=False)

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        lr /= 1.0 - self.beta1 ** self._index_update_count[index]
        mean, largest = state

        def change(lr: Any, wd: Any) -> None:
            scaled = self._scaled(grad, wd * weight)
            mean[:] *= self.beta1
            mean[:] += (1.0 - self.beta1) * scaled
            largest[:] = nd.maximum(self.beta2 * largest, nd.abs(scaled))
            weight[:] -= lr * mean / largest

        rest = self._fixed(self.beta1, self.beta2)
        return changes(change, (weight, grad, mean, largest), {"lr": lr, "wd": wd}, rest)


@register
class Nadam(Stepping):
    """Adam with Nesterov's momentum, on a schedule that grows to beta1 (Dozat 2016)."""

    def __init__(self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999,
                 epsilon: float = 1e-8, schedule_decay: float = 0.004, **kwargs: Any):  # fmt: skip
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        self.m_schedule = 1.0

    def create_state(self, index: Any, weight: NDArray) -> tuple:
        """See `Optimizer.create_state`."""
        return zeros_of(weight, lazy=False), zeros_of(weight, lazy=False)

    def _momentum(self, t: int) -> float:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.schedule_decay))

    def _step(self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float,
              wd: float) -> Step:  # fmt: skip
        # As in MXNet the schedule moves on with every parameter.
        t = self._index_update_count[index]
        now, following = self._momentum(t), self._momentum(t + 1)
        self.m_schedule *= now
        mean, var = state
        numbers = {"lr": lr, "wd": wd, "part": 1.0 - now, "following": following, "sum2": 1.0 - self.beta2**t}
        numbers |= {"sum1": 1.0 - self.m_schedule, "sum3": 1.0 - self.m_schedule * following}

        def change(lr: Any, wd: Any, part: Any, following: Any, sum1: Any, sum2: Any, sum3: Any) -> None:
            scaled = self._scaled(grad, wd * weight)
            mean[:] *= self.beta1
            mean[:] += (1.0 - self.beta1) * scaled
            var[:] *= self.beta2
            var[:] += (1.0 - self.beta2) * scaled * scaled
            direction = part * (scaled / sum1)
            direction = direction + following * (mean / sum3)
            size = nd.sqrt(var / sum2) + self.epsilon
            weight[:] -= lr * direction / size

        rest = self._fixed(self.beta1, self.beta2, self.epsilon)
        return changes(change, (weight, grad, mean, var), numbers, rest)


@register
class Test(Optimizer):
    """weight += rescale_grad * grad, and the state is the weight: for tests of what calls optimizers."""

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """See `Optimizer.create_state`."""
        return single_zeros(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """See `Optimizer.update`."""
        weight[:] += grad * self.rescale_grad
        state[:] = weight
