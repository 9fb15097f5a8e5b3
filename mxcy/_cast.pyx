"""The table of casts between element types, shared by the compiled modules through `_cast.pxd`."""

cdef extern from "cast.hpp" namespace "mxcy" nogil:
    CastLoop find_cast_loop(int source, int target)


cdef CastLoop cast_loop(int source, int target) noexcept nogil:
    return find_cast_loop(source, target)
