# Arrays of Python's numbers, at once: see `_small_values.pyx`.
from .._array cimport Array

# An array of a number or of nested lists of such; None for what is not for here. Code -1: the dtype that NumPy finds.
cdef Array array_of(object values, int code)
