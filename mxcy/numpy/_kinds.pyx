"""What else NumPy computes over our memory: methods of arrays, constructors, generators of random numbers.

Each takes the short way of `_functions.over_memory`, and a function in Python where that is none.
"""

import types

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

import numpy as np

from .._array cimport CONSTANT, Array, incref, new_array, steal
from ._calls cimport face
from ._functions cimport Through, called_plainly, over_memory
from ._small_shapes cimport on_cpu
from ._vectorcall cimport count_of, name_of, names_count, takes_vectorcall, vectorcall

__all__ = ["Drawn", "Made", "Method", "method"]

cnp.import_array()

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BFLOAT16, INT64, FLOAT64

cdef extern from "Python.h":
    bint PyLong_CheckExact(PyObject*)
    bint PyFloat_CheckExact(PyObject*)
    object PyVectorcall_Call(object callable, object args, object kwargs)

cdef extern from *:
    """
    #define mxcy_is_method_descriptor(type) (((PyTypeObject*)(type))->tp_flags |= Py_TPFLAGS_METHOD_DESCRIPTOR)
    """
    # Python calls objects of the type that it finds in a class with the instance first, without binding them.
    void is_method_descriptor "mxcy_is_method_descriptor"(object type)


# --- methods ------------------------------------------------------------------------------------------
cdef class Method(Through):
    """A method of arrays that is one of NumPy's, for arrays of at most `most` elements; else a function."""

    cdef object usual
    cdef int64_t most

    def __init__(self, function, usual, most, writes=()):
        Through.__init__(self, function, writes)
        self.vectorcall = <void*>called_method
        self.usual, self.most = usual, most
        self.__doc__, self.__qualname__ = usual.__doc__, usual.__qualname__
        self.__wrapped__ = usual

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)


def method(function, most=2**62, writes=()):
    """Make a function a method that NumPy computes for arrays of at most `most` elements (decorator).

    The function under it is called for arrays on the tape, without axes or on a GPU.
    """
    return lambda usual: Method(function, usual, most, writes)


cdef PyObject* called_method(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    cdef Method self = <Method><object>callable
    cdef Py_ssize_t n = count_of(count)
    cdef PyObject* found
    if n > 0 and isinstance(<object>args[0], Array) and is_usual(<Array>args[0], self.most):
        found = over_memory(self, args, n, names)
        if found is not NULL:
            return found
    return vectorcall(<PyObject*>self.usual, args, n, names)


cdef bint is_usual(Array x, int64_t most) noexcept:
    return x.size <= most and x.ndim_ > 0 and x.dtype_code != BFLOAT16


# --- constructors -------------------------------------------------------------------------------------
cdef class Made(Through):
    """A function of NumPy that makes arrays from other things; `placed` does it where they are elsewhere."""

    cdef object placed

    def __init__(self, function, placed):
        Through.__init__(self, function)
        self.vectorcall = <void*>called_made
        self.placed = placed


cdef PyObject* called_made(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    cdef Made self = <Made><object>callable
    cdef Py_ssize_t n = count_of(count), i
    cdef PyObject* found
    for i in range(names_count(names)):
        name = <object>name_of(names, i)
        if name == "device" or name == "ctx" or name == "like":
            return vectorcall(<PyObject*>self.placed, args, n, names)
    if on_cpu():
        found = over_memory(self, args, n, names)
        if found is not NULL:
            return found
    return vectorcall(<PyObject*>self.placed, args, n, names)


# --- random numbers -----------------------------------------------------------------------------------
cdef class Drawn(Through):
    """A function of a generator. Its numbers are drawn at once; `usual` knows MXNet's keywords.

    Single numbers are Python's, as NumPy has them, or (`arrays`) results without axes, as MXNet has them.
    """

    cdef object usual
    cdef bint arrays

    def __init__(self, function, usual, writes=(), arrays=True):
        Through.__init__(self, function, writes)
        self.vectorcall = <void*>called_drawn
        self.usual, self.arrays = usual, arrays

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        found = Through.compute(self, args, kwargs)
        return number(found) if self.arrays else found


cdef PyObject* called_drawn(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    cdef Drawn self = <Drawn><object>callable
    cdef Py_ssize_t n = count_of(count), i
    cdef PyObject* found
    for i in range(names_count(names)):
        name = <object>name_of(names, i)
        if name == "ctx" or name == "device" or name == "dtype":
            result = self.usual(self, *[<object>args[k] for k in range(n)],
                                **{<object>name_of(names, k): <object>args[n + k] for k in range(names_count(names))})
            incref(<PyObject*>result)
            return <PyObject*>result
    found = over_memory(self, args, n, names)
    if found is NULL:
        return called_plainly(callable, args, count, names)
    if self.arrays and (PyFloat_CheckExact(found) or PyLong_CheckExact(found)):
        result = number(steal(found))
        incref(<PyObject*>result)
        return <PyObject*>result
    return found


cdef object number(found):
    """A number that was drawn, as a result without axes."""
    cdef Array made
    if PyFloat_CheckExact(<PyObject*>found):
        made = new_array(face(), 0, NULL, FLOAT64)
        (<double*>made.var.data.load())[0] = found
    elif PyLong_CheckExact(<PyObject*>found) and -2**63 <= found < 2**63:
        made = new_array(face(), 0, NULL, INT64)
        (<int64_t*>made.var.data.load())[0] = found
    else:
        return found
    made.var.version += 1
    made.read_only = CONSTANT
    return made


def _take_vectorcall():
    cdef Through one = Through(np.add)
    for cls in (Method, Made, Drawn):
        takes_vectorcall(cls, <char*>&one.vectorcall - <char*><PyObject*>one)
    is_method_descriptor(Method)


_take_vectorcall()
