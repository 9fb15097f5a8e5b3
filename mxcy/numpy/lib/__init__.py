"""`numpy.lib`: what of it works on arrays; what has to do with none is NumPy's."""

from numpy.lib import NumpyVersion, array_utils, mixins, npyio

from .. import emath as scimath
from . import stride_tricks

__all__ = ["NumpyVersion", "array_utils", "mixins", "npyio", "scimath", "stride_tricks"]
