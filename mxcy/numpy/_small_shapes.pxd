# Views, fills and choices of arrays that autograd does not follow: see `_small_shapes.pyx`.
from libc.stdint cimport int64_t

from .._array cimport Array

cdef Array squeezed(Array x, axis)
cdef Array swapped(Array x, axis1, axis2)
cdef Array raveled(Array x)
cdef Array viewed(Array x)
cdef Array limited(Array x, low, high)
cdef Array filled_with(int ndim, const long long* shape, int code, value, Array like)
# A new array filled with a number, None for what is not for here; whether new arrays are made in main memory.
cpdef Array filled(object shape, object dtype, object value)
cpdef bint on_cpu() except -1
# Reads a shape of at most four small extents into `dims`; returns how many, -1 for what is not for here.
cdef int read_extents(shape, int64_t* dims) except -2
cdef Array counted(start, stop, step, dtype)
