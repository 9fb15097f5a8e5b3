"""What MXNet keeps apart from its stable interface: the first autograd, a bridge from Gluon's loaders."""

from ..ndarray import contrib as ndarray
from ..symbol import contrib as symbol
from . import autograd, io

nd = ndarray
sym = symbol

__all__ = ["autograd", "io", "nd", "ndarray", "sym", "symbol"]
