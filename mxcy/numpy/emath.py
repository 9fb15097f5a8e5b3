"""`mxcy.numpy.emath`: functions that give complex numbers where real ones have no result, by NumPy."""

import numpy as _np

from ._functions import Through

arccos = Through(_np.emath.arccos)
arcsin = Through(_np.emath.arcsin)
arctanh = Through(_np.emath.arctanh)
log = Through(_np.emath.log)
log10 = Through(_np.emath.log10)
log2 = Through(_np.emath.log2)
logn = Through(_np.emath.logn)
power = Through(_np.emath.power)
sqrt = Through(_np.emath.sqrt)

__all__ = ["arccos", "arcsin", "arctanh", "log", "log10", "log2", "logn", "power", "sqrt"]
