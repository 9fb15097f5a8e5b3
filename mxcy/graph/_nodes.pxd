cdef class Node:
    cdef readonly object op  # an operator; None: a variable
    cdef public str name
    cdef readonly object attrs
    cdef readonly tuple inputs
    cdef readonly dict labels
    cdef public object site  # the line that made it, if a program did (`this_site`)
    cdef Py_ssize_t count  # of outputs; 0: not asked yet
    cdef object __weakref__

    cdef Py_ssize_t outputs(self) except -1


cdef class Entry:
    cdef readonly Node node
    cdef readonly Py_ssize_t index


cdef Entry entry_of(Node node, Py_ssize_t index)
