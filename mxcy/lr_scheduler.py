"""Learning rates that change with the number of updates."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from itertools import pairwise

from .errors import ArgumentError, AssertedArgumentError, message

__all__ = ["CosineScheduler", "FactorScheduler", "LRScheduler", "MultiFactorScheduler", "PolyScheduler"]


class LRScheduler:
    """Base class: a call with the number of updates made returns the learning rate for the next one.

    Parameters
    ----------
    base_lr : learning rate after warm-up; the current one of schedulers that step down.
    warmup_steps : number of updates at the start over which the rate rises to `base_lr`.
    warmup_begin_lr : where it rises from.
    warmup_mode : "linear", or "constant" for `warmup_begin_lr` until the end of the warm-up.
    """

    def __init__(self, base_lr: float = 0.01, warmup_steps: int = 0, warmup_begin_lr: float = 0,
                 warmup_mode: str = "linear"):  # fmt: skip
        if not isinstance(warmup_steps, int):
            raise AssertedArgumentError(message("LRScheduler", "warmup_steps", "an int", repr(warmup_steps)))
        if warmup_begin_lr > base_lr:
            expected = f"at most base_lr, {base_lr}"
            raise ArgumentError(message("LRScheduler", "warmup_begin_lr", expected, warmup_begin_lr))
        if warmup_steps < 0:
            raise ArgumentError(message("LRScheduler", "warmup_steps", "0 or more", warmup_steps))
        if warmup_mode not in ("linear", "constant"):
            expected = "'linear' or 'constant'"
            raise ArgumentError(message("LRScheduler", "warmup_mode", expected, repr(warmup_mode)))
        self.base_lr = base_lr
        self.warmup_steps = warmup_steps
        self.warmup_final_lr = base_lr
        self.warmup_begin_lr = warmup_begin_lr
        self.warmup_mode = warmup_mode

    def get_warmup_lr(self, num_update: int) -> float:
        """Return the rate at an update of the warm-up."""
        if self.warmup_mode == "constant":
            return self.warmup_begin_lr
        rise = (self.warmup_final_lr - self.warmup_begin_lr) * num_update / self.warmup_steps
        return self.warmup_begin_lr + rise

    def __call__(self, num_update: int) -> float:
        """Return the learning rate after this number of updates."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


def check_factor(op: str, factor: float) -> None:
    if factor > 1.0:
        raise ArgumentError(message(op, "factor", "no more than 1, to make the rate fall", factor))


def check_max_update(op: str, max_update: int) -> None:
    if not isinstance(max_update, int):
        raise AssertedArgumentError(message(op, "max_update", "an int", repr(max_update)))
    if max_update < 1:
        raise ArgumentError(message(op, "max_update", "1 or more", max_update))


class FactorScheduler(LRScheduler):
    """Multiply the rate by `factor` every `step` updates, not below `stop_factor_lr`."""

    def __init__(self, step: int, factor: float = 1, stop_factor_lr: float = 1e-8, base_lr: float = 0.01,
                 warmup_steps: int = 0, warmup_begin_lr: float = 0, warmup_mode: str = "linear"):  # fmt: skip
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if step < 1:
            raise ArgumentError(message("FactorScheduler", "step", "1 or more", step))
        check_factor("FactorScheduler", factor)
        self.step = step
        self.factor = factor
        self.stop_factor_lr = stop_factor_lr
        self.count = 0

    def __call__(self, num_update: int) -> float:
        """See `LRScheduler`."""
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while num_update > self.count + self.step:
            self.count += self.step
            self.base_lr *= self.factor
            if self.base_lr < self.stop_factor_lr:
                self.base_lr = self.stop_factor_lr
                logging.info("Update[%d]: now learning rate arrived at %0.5e, will not change in the future",
                             num_update, self.base_lr)  # fmt: skip
            else:
                logging.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class MultiFactorScheduler(LRScheduler):
    """Multiply the rate by `factor` after each number of updates in the list `step`."""

    def __init__(self, step: Sequence[int], factor: float = 1, base_lr: float = 0.01, warmup_steps: int = 0,
                 warmup_begin_lr: float = 0, warmup_mode: str = "linear"):  # fmt: skip
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if not isinstance(step, list) or not step:
            raise AssertedArgumentError(message("MultiFactorScheduler", "step", "a list of ints", repr(step)))
        if any(number < 1 for number in step):
            raise ArgumentError(message("MultiFactorScheduler", "step", "numbers from 1", step))
        if any(a >= b for a, b in pairwise(step)):
            raise ArgumentError(message("MultiFactorScheduler", "step", "an increasing list", step))
        check_factor("MultiFactorScheduler", factor)
        self.step = step
        self.cur_step_ind = 0
        self.factor = factor
        self.count = 0

    def __call__(self, num_update: int) -> float:
        """See `LRScheduler`."""
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while self.cur_step_ind < len(self.step) and num_update > self.step[self.cur_step_ind]:
            self.count = self.step[self.cur_step_ind]
            self.cur_step_ind += 1
            self.base_lr *= self.factor
            logging.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class PolyScheduler(LRScheduler):
    """Fall from `base_lr` to `final_lr` over `max_update` updates, as (1 - part done) ** pwr."""

    def __init__(self, max_update: int, base_lr: float = 0.01, pwr: float = 2, final_lr: float = 0,
                 warmup_steps: int = 0, warmup_begin_lr: float = 0, warmup_mode: str = "linear"):  # fmt: skip
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        check_max_update("PolyScheduler", max_update)
        self.power = pwr
        self.base_lr_orig = base_lr
        self.max_update = max_update
        self.final_lr = final_lr
        self.max_steps = max_update - warmup_steps

    def __call__(self, num_update: int) -> float:
        """See `LRScheduler`."""
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        if num_update <= self.max_update and self.max_steps > 0:
            left = 1 - (num_update - self.warmup_steps) / self.max_steps
            self.base_lr = self.final_lr + (self.base_lr_orig - self.final_lr) * left**self.power
        return self.base_lr


class CosineScheduler(LRScheduler):
    """Fall from `base_lr` to `final_lr` over `max_update` updates, as half a wave of a cosine."""

    def __init__(self, max_update: int, base_lr: float = 0.01, final_lr: float = 0, warmup_steps: int = 0,
                 warmup_begin_lr: float = 0, warmup_mode: str = "linear"):  # fmt: skip
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        check_max_update("CosineScheduler", max_update)
        self.base_lr_orig = base_lr
        self.max_update = max_update
        self.final_lr = final_lr
        self.max_steps = max_update - warmup_steps

    def __call__(self, num_update: int) -> float:
        """See `LRScheduler`."""
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        if num_update <= self.max_update and self.max_steps > 0:
            part = (num_update - self.warmup_steps) / self.max_steps
            height = (1 + math.cos(math.pi * part)) / 2
            self.base_lr = self.final_lr + (self.base_lr_orig - self.final_lr) * height
        return self.base_lr
