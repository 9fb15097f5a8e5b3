# cython: cdivision=True
"""Arrays of Python's numbers, and of nested lists and tuples of them, at once.

NumPy goes over the lists twice, for the shape and for the values, and asks each item what else it may be. Here
items are Python's numbers or single elements of 64 bits; everything else takes the usual way (None).
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

import numpy as np

from .._array cimport Array, new_array
from .._engine cimport var_ensure_data
from .._invoke cimport is_number, readable_data, store_scalar
from ._calls cimport face
from ._small cimport is_ours

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, FLOAT16, FLOAT32, FLOAT64
    const uint8_t* ITEMSIZE

cdef extern from "Python.h":
    bint PyFloat_CheckExact(PyObject*)
    bint PyLong_CheckExact(PyObject*)
    bint PyBool_Check(PyObject*)
    bint PyList_CheckExact(PyObject*)
    bint PyTuple_CheckExact(PyObject*)
    double PyFloat_AS_DOUBLE(PyObject*)
    long long PyLong_AsLongLongAndOverflow(PyObject*, int*) except? -1
    Py_ssize_t PySequence_Fast_GET_SIZE(PyObject*)
    PyObject** PySequence_Fast_ITEMS(PyObject*)

cdef enum:
    DEPTH = 4     # axes
    MOST = 2048   # elements
    NONE = -1     # of nothing

cdef object _float64 = np.float64
cdef object _zero = 0, _one = 1


cdef struct Found:
    int ndim
    int64_t shape[DEPTH]
    int64_t size    # so far
    int code        # of the dtype that holds all of them


cdef inline bint is_row(PyObject* p) noexcept:
    return PyList_CheckExact(p) or PyTuple_CheckExact(p)


cdef int element_code(PyObject* p) except -2:
    """The dtype of an item, NONE for what is no single element of 64 bits, or a truth value."""
    cdef int overflow = 0
    if PyFloat_CheckExact(p):
        return FLOAT64
    if PyLong_CheckExact(p):
        PyLong_AsLongLongAndOverflow(p, &overflow)
        return NONE if overflow else INT64
    if PyBool_Check(p):
        return BOOL
    if type(<object>p) is _float64:
        return FLOAT64
    if is_ours(<object>p) and (<Array>p).ndim_ == 0 and readable_data(p) is not NULL:
        if (<Array>p).dtype_code in (BOOL, INT64, FLOAT64):
            return (<Array>p).dtype_code
    return NONE


cdef bint look(PyObject* values, int depth, Found* found) except -1:
    """Finds the shape and the dtype; false for what is not for here."""
    cdef Py_ssize_t n = PySequence_Fast_GET_SIZE(values), i
    cdef PyObject** items = PySequence_Fast_ITEMS(values)
    cdef bint nested = n > 0 and is_row(items[0])
    cdef int code
    if depth == found.ndim:  # the first row of this depth
        found.shape[depth] = n
        found.ndim += 1
        if nested and found.ndim == DEPTH:
            return False
    elif found.shape[depth] != n:
        return False
    if not nested and depth != found.ndim - 1:
        return False
    found.size += n
    if found.size > MOST:
        return False
    for i in range(n):
        if nested:
            if not is_row(items[i]) or not look(items[i], depth + 1, found):
                return False
            continue
        code = element_code(items[i])
        if code == NONE:
            return False
        if code > found.code:
            found.code = code
    return True


cdef bint store(PyObject* item, int code, char* out) except -1:
    """Writes an item as an element; false if NumPy would do more than convert it."""
    cdef char* data
    cdef int overflow = 0, own
    if type(<object>item) is _float64:
        if code != FLOAT64:
            return False
        (<double*>out)[0] = PyFloat_AS_DOUBLE(item)
        return True
    if is_number(item):
        if code == FLOAT64:
            if PyFloat_CheckExact(item):
                (<double*>out)[0] = PyFloat_AS_DOUBLE(item)
            else:
                (<double*>out)[0] = <double>PyLong_AsLongLongAndOverflow(item, &overflow)
            return True
        if PyFloat_CheckExact(item) and code < FLOAT16 or code == BOOL:
            return False
        return store_scalar(item, code, out)
    if PyBool_Check(item):
        if code == BOOL:
            out[0] = <object>item is True
            return True
        return store_scalar(<PyObject*>_one if <object>item is True else <PyObject*>_zero, code, out)
    own, data = (<Array>item).dtype_code, readable_data(item)
    if own == code:
        if code == BOOL:
            out[0] = data[0]
        else:
            (<int64_t*>out)[0] = (<int64_t*>data)[0]
        return True
    if code == FLOAT64:
        (<double*>out)[0] = <double>(<int64_t*>data)[0] if own == INT64 else <double>data[0]
        return True
    if code == INT64 and own == BOOL:
        (<int64_t*>out)[0] = data[0]
        return True
    return False


cdef char* fill(PyObject* values, int code, char* to) except? NULL:
    """Writes the items one after the other; returns the place behind them, NULL for what is not for here."""
    cdef Py_ssize_t n = PySequence_Fast_GET_SIZE(values), i
    cdef PyObject** items = PySequence_Fast_ITEMS(values)
    for i in range(n):
        if is_row(items[i]):
            to = fill(items[i], code, to)
            if to is NULL:
                return NULL
            continue
        if not store(items[i], code, to):
            return NULL
        to += ITEMSIZE[code]
    return to


cdef Array array_of(object values, int code):
    cdef Found found
    cdef Array made
    cdef PyObject* p = <PyObject*>values
    found.ndim, found.size, found.code = 0, 0, NONE
    if is_row(p):
        if not look(p, 0, &found):
            return None
    else:
        found.code = element_code(p)
        if found.code == NONE or is_ours(values):
            return None
    if found.code == NONE:  # of no elements
        found.code = FLOAT64
    if code == NONE:
        code = found.code
    if code > FLOAT64:
        return None
    made = new_array(face(), found.ndim, found.shape, code)
    if found.ndim == 0:
        return made if written(made, store(p, code, var_ensure_data(made.var))) else None
    return made if written(made, fill(p, code, var_ensure_data(made.var)) is not NULL) else None


cdef bint written(Array made, bint done) noexcept:
    made.var.version += 1
    return done
