# cython: cdivision=True
"""NumPy arrays that show our memory for the time of one call.

A function of NumPy that is done with its arguments when it returns needs no array that anybody may keep. So the
objects are used again, which is cheaper than new ones; only those that somebody holds when the call is
over (a view that is its result, a closure) become exports like all others.
"""

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdint cimport int8_t, int64_t, uint64_t
from libc.string cimport memcpy

from .._array cimport DTYPE_COUNT, Array, adopt_var, decref, incref
from .._export cimport begin_export, end_export

from .._export import hold
from ..dtypes import DTYPES

cdef extern from "numpy/arrayobject.h":
    ctypedef struct NumpyType "PyTypeObject":
        pass
    ctypedef struct Descr "PyArray_Descr":
        pass
    ctypedef struct Fields "PyArrayObject_fields":
        char* data
        int nd
        int64_t* dimensions
        int64_t* strides
        PyObject* base
        Descr* descr
        int flags
        PyObject* weakreflist
        void* _buffer_info
    NumpyType PyArray_Type
    # Takes over the reference to the dtype.
    PyObject* PyArray_NewFromDescr(NumpyType*, Descr*, int, const int64_t*, const int64_t*, char*, int, PyObject*)
    void update_flags "PyArray_UpdateFlags"(Fields*, int)

cdef extern from "Python.h":
    Py_ssize_t references "Py_REFCNT"(PyObject*)

cdef enum:
    AXES = 5    # arrays of fewer axes are kept
    KEPT = 16   # of each
    LAYOUT = cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED

cnp.import_array()

cdef PyObject* free_ones[AXES][KEPT]
cdef int free_count[AXES]
cdef PyObject* descrs[DTYPE_COUNT]
cdef int8_t code_by_number[32]
code_by_number[:] = [-1] * 32
for _code, _dtype in enumerate(DTYPES):
    descrs[<int>_code] = <PyObject*>_dtype
    if _dtype.isbuiltin == 1:
        code_by_number[<int>_dtype.num] = _code


cdef PyObject* lend(Array x, bint writable) except NULL:
    cdef int n = x.ndim_
    cdef PyObject* made
    cdef Fields* f
    cdef Descr* descr = <Descr*>descrs[x.dtype_code]
    cdef char* data
    begin_export(x.var, writable)
    data = x.var.data.load() + x.offset
    if n < AXES and free_count[n] > 0:
        free_count[n] -= 1
        made = free_ones[n][free_count[n]]
        f = <Fields*>made
        f.data = data
        memcpy(f.dimensions, x.dims, n * sizeof(int64_t))
        memcpy(f.strides, x.dims + n, n * sizeof(int64_t))
        if f.descr is not descr:
            decref(<PyObject*>f.descr)
            incref(<PyObject*>descr)
            f.descr = descr
    else:
        incref(<PyObject*>descr)
        try:
            made = PyArray_NewFromDescr(&PyArray_Type, descr, n, x.dims, x.dims + n, data, 0, NULL)
            if made is NULL:
                raise MemoryError
        except BaseException:
            end_export(x.var, writable)
            raise
        f = <Fields*>made
    f.flags = 0 if x.read_only else cnp.NPY_ARRAY_WRITEABLE
    if n < 2 and x.c_contiguous and (<uint64_t>data & 15) == 0:
        f.flags |= LAYOUT
    else:
        update_flags(f, LAYOUT)
    return made


cdef int settle(PyObject* view, Array x, bint writable) except -1:
    if references(view) > 1 and (<Fields*>view).base is NULL:
        hold(<object>view, x, writable)
    return 0


cdef int take_back(PyObject* view, Array x, bint writable) except -1:
    cdef Fields* f = <Fields*>view
    cdef int n = f.nd
    settle(view, x, writable)
    if f.base is not NULL:  # an export, which ends with the array
        decref(view)
        return 0
    end_export(x.var, writable)
    if n < AXES and free_count[n] < KEPT and f.weakreflist is NULL and f._buffer_info is NULL:
        free_ones[n][free_count[n]] = view
        free_count[n] += 1
    else:
        decref(view)
    return 0


cdef PyObject* part_of(object view, Array x) except? NULL:
    cdef Fields* f = <Fields*><PyObject*>view
    cdef int number = cnp.PyArray_TYPE(view)
    cdef int code = code_by_number[number] if 0 <= number < 32 else -1
    if code < 0 or not cnp.PyArray_ISBEHAVED_RO(view):
        return NULL
    x.var.refs.fetch_add(1)
    made = adopt_var(x.var, x.face, f.data - x.var.data.load(), f.nd, f.dimensions, f.strides, code,
                     not f.flags & cnp.NPY_ARRAY_WRITEABLE)
    incref(<PyObject*>made)
    return <PyObject*>made


cdef PyObject* base_of(object view) noexcept:
    return (<Fields*><PyObject*>view).base
