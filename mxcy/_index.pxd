# Entries of arrays: see `_index.pyx`.
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from ._array cimport Array

# The element at an offset of bytes in the buffer, as a result without axes that later writes do not change.
cdef PyObject* new_constant(Array x, int64_t offset) except NULL
# An iterator over the entries of an array, which has axes, along the first of them.
cdef object entries(Array x, bint backwards)
