# `x.flags`: see `_flags.pyx`.
from .._array cimport Array

cdef object flags_of(Array x)
