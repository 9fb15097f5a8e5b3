"""`LossScaler`: the factor of a loss, as large as gradients in half precision allow."""

from __future__ import annotations

import logging
from typing import Any

from ... import autograd
from ... import ndarray as nd

__all__ = ["LossScaler"]

LARGEST = 2.0**24
PATIENCE = 2000  # steps without an overflow after which the factor is doubled
ARRAYS = 200  # gradients in one call


class LossScaler:
    """Halves the factor when a gradient is not finite, and doubles it after many steps where all were.

    (Micikevicius et al. 2018.)
    """

    def __init__(self):
        self._loss_scale = 2.0**16
        self._next_loss_scale = self._loss_scale
        self._unskipped = 0

    @property
    def loss_scale(self) -> float:
        """The factor now."""
        return self._loss_scale

    def has_overflow(self, params: Any) -> bool:
        """Return whether a gradient of the parameters is not finite, and set the factor of the next step."""
        with autograd.pause():
            found = [p.list_grad()[0] for p in params if p.grad_req != "null"]
            answers = [nd.multi_all_finite(*part, num_arrays=len(part), init_output=True)
                       for part in (found[i : i + ARRAYS] for i in range(0, len(found), ARRAYS))]  # fmt: skip
            overflow = not all(answer.asscalar() for answer in answers)
        self._loss_scale = self._next_loss_scale
        if overflow:
            self._next_loss_scale = self._loss_scale / 2
            self._unskipped = 0
            logging.info("AMP: decreasing loss scale to %f", self._next_loss_scale)
        else:
            self._unskipped += 1
        if self._unskipped == PATIENCE:
            self._unskipped = 0
            self._next_loss_scale = min(LARGEST, self._loss_scale * 2)
            logging.info("AMP: increasing loss scale to %f", self._next_loss_scale)
        return overflow
