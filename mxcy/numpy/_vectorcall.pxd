# Calls of objects of ours without a tuple of arguments (PEP 590).
from cpython.dict cimport PyDict_SetItem
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM

cdef extern from *:
    """
    #define mxcy_takes_vectorcall(type, offset) (                    \
        ((PyTypeObject*)(type))->tp_vectorcall_offset = (offset),    \
        ((PyTypeObject*)(type))->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL)
    #define mxcy_name_of(names, i) PyTuple_GET_ITEM(names, i)
    """
    # Objects of a type keep the function that calls them at `offset`: see `Called`.
    void takes_vectorcall "mxcy_takes_vectorcall"(object type, Py_ssize_t offset)
    # The number of arguments without a keyword; those with one follow them.
    Py_ssize_t count_of "PyVectorcall_NARGS"(size_t)
    PyObject* name_of "mxcy_name_of"(PyObject* names, Py_ssize_t i)
    PyObject* vectorcall "PyObject_Vectorcall"(PyObject*, PyObject**, size_t, PyObject*) except NULL
    size_t MAY_USE_PLACE_BEFORE "PY_VECTORCALL_ARGUMENTS_OFFSET"

ctypedef PyObject* (*Called)(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL


cdef inline Py_ssize_t names_count(PyObject* names) noexcept:
    return 0 if names is NULL else PyTuple_GET_SIZE(<object>names)


cdef inline tuple tuple_of(PyObject** args, Py_ssize_t n):
    """The arguments without a keyword."""
    cdef tuple made = PyTuple_New(n)
    cdef Py_ssize_t i
    for i in range(n):
        x = <object>args[i]
        Py_INCREF(x)
        PyTuple_SET_ITEM(made, i, x)
    return made


cdef inline dict dict_of(PyObject** args, PyObject* names):
    """Those with one: `args` is the first of them."""
    cdef dict made = {}
    cdef Py_ssize_t i
    for i in range(names_count(names)):
        PyDict_SetItem(made, <object>name_of(names, i), <object>args[i])
    return made
