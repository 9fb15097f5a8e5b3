# What the fast path is made of, for other callers that run loops in the calling thread.
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t

cdef bint same_shape(PyObject* a, PyObject* b) noexcept
# The elements, if they can be read here and now in one run, and autograd need not know; else NULL.
cdef char* readable_data(PyObject* p) noexcept
# Writes a Python number (or a NumPy scalar of the dtype) as an element; false if NumPy would do more.
cdef bint store_scalar(PyObject* scalar, int code, char* out) except? False
cdef bint is_element(PyObject* p, int code) noexcept
# Writes the single element of an array without axes, in a dtype that holds both; false if NumPy chose another.
cdef bint element_as(PyObject* p, int code, char* out) noexcept
cdef bint is_number(PyObject* p) noexcept
# An array of the shape of `x` (C order) with its buffer present.
cdef PyObject* fresh_like(PyObject* x, int face, uint8_t code, char** data) except NULL
# Whether calls may run without the engine: nobody watches every operation.
cdef bint is_enabled() noexcept
# Whether autograd wants to see what is done in place.
cdef bint is_watched() noexcept
