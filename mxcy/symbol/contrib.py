"""`mx.sym.contrib`: operators that MXNet keeps apart, and control flow."""

from .control_flow import cond, foreach, while_loop
from .op import arange_like, isfinite, isinf, isnan

__all__ = ["arange_like", "cond", "foreach", "isfinite", "isinf", "isnan", "while_loop"]
