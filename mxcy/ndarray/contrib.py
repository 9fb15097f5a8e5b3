"""`mx.nd.contrib`: operators that MXNet keeps apart, and control flow."""

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
from .control_flow import cond, foreach, while_loop

__all__ = [
    "arange_like",
    "isfinite",
    "isinf",
    "isnan",
    "cond",
    "foreach",
    "while_loop",
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]
