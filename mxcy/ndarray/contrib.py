"""`mx.nd.contrib`: operators that MXNet keeps apart."""

from ..ops import (
    arange_like,
    isfinite,
    isinf,
    isnan,
)
from ._updates import (
    adamw_update,
    mp_adamw_update,
    multi_adamw_update,
    multi_lamb_update,
    multi_mp_adamw_update,
    multi_mp_lamb_update,
)

__all__ = [
    "arange_like",
    "isfinite",
    "isinf",
    "isnan",
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]
