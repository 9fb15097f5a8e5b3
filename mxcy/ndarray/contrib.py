"""`mx.nd.contrib`: operators that MXNet keeps apart."""

from ..ops import (
    arange_like,
    isfinite,
    isinf,
    isnan,
)

__all__ = ["arange_like", "isfinite", "isinf", "isnan"]
