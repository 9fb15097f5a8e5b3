"""Running symbols: arrays bound to the variables of a graph, forward and backward."""

from .binding import bind, simple_bind
from .executor import Executor

__all__ = ["Executor", "bind", "simple_bind"]
