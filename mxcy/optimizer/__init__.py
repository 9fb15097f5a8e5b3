"""Optimizers: how parameters change from gradients. `create("sgd", learning_rate=0.1, momentum=0.9)`."""

from .optimizer import Optimizer, create, register
from .sgd import SGD
from .updater import Updater, get_updater

__all__ = ["SGD", "Optimizer", "Updater", "create", "get_updater", "register"]
