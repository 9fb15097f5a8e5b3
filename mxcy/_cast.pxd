# Conversions between element types (native/cast.hpp).
from libc.stdint cimport intptr_t

cdef extern from "cast.hpp" namespace "mxcy" nogil:
    ctypedef void (*CastLoop)(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data)

# The loop for a pair of codes; it never fails and never needs the GIL.
cdef CastLoop cast_loop(int source, int target) noexcept nogil
