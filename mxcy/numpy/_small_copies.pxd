# Copies of small arrays, and their memory read as another dtype: see `_small_copies.pyx`.
from libc.stdint cimport int64_t

from .._array cimport Array

cdef Array flattened(Array x)
cdef bytes bytes_of(Array x)
cdef Array with_bytes_swapped(Array x)
cdef Array repeated(Array x, repeats, axis)
cdef tuple places_of(Array x)
cdef Array viewed_as(Array x, int code)
cdef Array field_of(Array x, int code, offset)
cdef Array diagonal_of(Array x, offset, axis1, axis2)
# The number at a position of those in C order, or at a multiple one; None for what is not for here.
cdef object number_at(Array x, tuple position)
# The code of a dtype, -1 for None, UNKNOWN if that takes a closer look; whether values may be cast to it.
cdef enum:
    UNKNOWN = -2
cdef int known_code(dtype) except -3
cdef bint may_cast(int source, int target, casting) except -1
