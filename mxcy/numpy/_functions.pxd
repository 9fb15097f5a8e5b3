# Functions of NumPy over our memory: see `_functions.pyx`.
from cpython.object cimport PyObject


cdef class Through:
    cdef dict __dict__
    cdef void* vectorcall
    cdef readonly object function
    cdef object direct
    cdef frozenset writes
    cdef Py_ssize_t out
    cdef public object rule

    cdef object call(self, tuple args, dict kwargs)
    cpdef compute(self, tuple args, dict kwargs)

# The result of NumPy's function over the memory of the arguments; NULL for what is not for here.
cdef PyObject* over_memory(Through self, PyObject** args, Py_ssize_t n, PyObject* names) except? NULL
cdef PyObject* called_plainly(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL
