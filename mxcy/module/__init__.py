"""Training of symbols: `Module(net).fit(train_data, ...)`."""

from .base_module import BaseModule
from .module import Module

__all__ = ["BaseModule", "Module"]
