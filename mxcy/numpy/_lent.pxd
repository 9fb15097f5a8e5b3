# NumPy arrays that show our memory for the time of one call: see `_lent.pyx`.
from cpython.object cimport PyObject

from .._array cimport Array

# A new reference to a NumPy array over the memory of an array on the CPU; `take_back` ends it.
cdef PyObject* lend(Array x, bint writable) except NULL
# Before anybody looks at what such an array is a base of: makes it an export, if others hold it.
cdef int settle(PyObject* view, Array x, bint writable) except -1
cdef int take_back(PyObject* view, Array x, bint writable) except -1
# An array of ours over a view that NumPy has made of a lent array of `x`, or NULL if that takes more care.
cdef PyObject* part_of(object view, Array x) except? NULL
# What a NumPy array shows, NULL for memory of its own.
cdef PyObject* base_of(object view) noexcept
