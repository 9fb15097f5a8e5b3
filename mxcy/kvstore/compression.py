"""Compression of gradients: of each element only whether it is above a threshold, below, or between.

What is cut off stays in a residual of the device and is added next time (Seide et al. 2014).
"""

from __future__ import annotations

from typing import Any

from .. import ndarray as nd
from ..errors import ArgumentError, AssertedArgumentError, message
from ..ndarray import NDArray

__all__ = ["Compression", "params_of", "size_of"]


def params_of(given: Any) -> dict[str, Any]:
    """The type and the threshold that `set_gradient_compression` was given; other names change nothing."""
    if not isinstance(given, dict):
        expected, got = "a dict", type(given).__name__
        raise AssertedArgumentError(message("set_gradient_compression", "compression_params", expected, got))
    if "type" not in given:
        expected = "a dict with 'type'"
        raise ArgumentError(message("set_gradient_compression", "compression_params", expected, given))
    return {name: given[name] for name in ("type", "threshold") if name in given}


def size_of(threshold: Any) -> float:
    """A threshold as a number; ArgumentError unless it is more than 0."""
    try:
        size = float(threshold)
    except (TypeError, ValueError):
        size = 0.0
    if not size > 0:
        raise ArgumentError(message("set_gradient_compression", "threshold", "more than 0", repr(threshold)))
    return size


class Compression:
    """Gradients in two bits an element.

    Parameters
    ----------
    type : "2bit", or "none".
    threshold : the size of what is sent; greater than 0.
    """

    def __init__(self, type: str = "2bit", threshold: float = 0.5):
        if type not in ("2bit", "none"):
            raise ArgumentError(message("set_gradient_compression", "type", "'2bit' or 'none'", repr(type)))
        self.type = type
        self.threshold = size_of(threshold)
        self._residuals: dict[tuple[Any, int], NDArray] = {}

    def __call__(self, key: Any, device: int, grad: NDArray) -> NDArray:
        """Return what arrives of a gradient."""
        if self.type == "none":
            return grad
        residual = self._residuals.get((key, device))
        if residual is None:
            residual = self._residuals[key, device] = nd.zeros_like(grad)
        residual += grad
        sent = ((residual >= self.threshold) - (residual <= -self.threshold)) * self.threshold
        residual -= sent
        return sent
