# What is done with small arrays at once: see `_small.pyx`. None, or false, is for the usual way.
from cpython.object cimport PyObject

from .._array cimport Array

cdef enum Reduction:
    SUM, PROD, MAX, MIN, ANY, ALL, REDUCTIONS

# Whether this is an array of `mxcy.numpy` that is not on the tape.
cdef bint is_ours(object x) noexcept
# The reduction over all elements, their mean, the position of the first extreme one.
# (`initial`: a number that they begin with).
cdef Array reduced(Array x, int kind, PyObject* initial=*)
cdef Array reduced_along(Array x, int kind, int axis, PyObject* initial=*)
cdef Array averaged(Array x)
cdef Array position(Array x, bint largest, bint keep=*)
# A copy, perhaps in another dtype that holds all values.
cdef Array copied(Array x)
cdef Array cast(Array x, int code)
# Whether the elements are in main memory and nobody writes them.
cdef bint is_here(Array x) noexcept
# Assignment in place.
cdef bint assign_array(Array view, Array value) noexcept
cdef bint assign_number(Array view, PyObject* value) except -1
