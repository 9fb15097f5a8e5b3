# `x.flat`: see `_flat.pyx`.
from .._array cimport Array

cdef object flat_of(Array x)
