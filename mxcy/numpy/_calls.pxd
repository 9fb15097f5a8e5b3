# How arguments of NumPy's functions are our memory, and what they return becomes arrays.
from .._array cimport Array

cdef int face() noexcept
cdef bint has_place(object values) except -1
cdef bint is_recording() except -1
# What the tape does with a call: see `set_hooks`.
cdef object record_call(object function, tuple args, dict kwargs)
cdef int wrote(Array x) except -1
# A NumPy array over an array (of the face), NumPy's scalar for a result without axes, or a container with
# such; notes the pair in `seen`.
cdef object taken(object x, list seen)
cdef object number_of(Array x)
cdef object taken_to_write(object x, list seen)
cdef object given(object result, list seen)
cpdef object given_numbers(object result)
# Parts of `given`: an array that is of another class or of a rare dtype, and a scalar.
cdef object given_array(object result)
cdef object given_scalar(object result)
# NumPy's number of float64: up to it all types are ours.
cdef enum:
    LAST_PLAIN = 12
