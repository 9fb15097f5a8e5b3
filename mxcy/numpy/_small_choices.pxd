# Small arrays indexed by arrays: see `_small_choices.pyx`. None is for the usual way.
from .._array cimport Array

# x[key] for a vector of booleans or integers.
cdef Array chosen(Array x, Array key)
# x[keys] for arrays of integers of one shape.
cdef Array picked(Array x, tuple keys)
