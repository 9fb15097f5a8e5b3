"""`Entry`: one output of a node; and the line of a program that makes a node. Every pass makes and looks up
several entries for each node of a graph, which is why this is compiled.
"""

cimport cython
from cpython.ref cimport PyObject

import os

__all__ = ["Entry", "line_of_site", "this_site"]

cdef extern from "site.hpp" namespace "mxcy":
    PyObject* outer_frame(const char* package, size_t length, int* lasti)
    int line_of(PyObject* code, int lasti)

cdef extern from "Python.h":
    void Py_DecRef(PyObject* o)

cdef bytes PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))).encode() + os.sep.encode()


def this_site():
    """The line outside this package that runs now, for `line_of_site`; None if there is none."""
    cdef int lasti = 0
    cdef PyObject* code = outer_frame(PACKAGE, len(PACKAGE), &lasti)
    if code == NULL:
        return None
    found = <object>code, lasti
    Py_DecRef(code)
    return found


def line_of_site(site):
    """(file, line, function) of a site."""
    code, lasti = site
    return code.co_filename, line_of(<PyObject*>code, lasti), code.co_qualname


# Graphs have no cycles, so that the collector has nothing to find here.
@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Entry:
    """One output of a node: equal to every other one with the same node and index; also a pair of these."""

    cdef readonly object node
    cdef readonly Py_ssize_t index

    def __cinit__(self, object node, Py_ssize_t index):
        self.node = node
        self.index = index

    def __eq__(self, other):
        if type(other) is not Entry:
            return NotImplemented
        return self.node is (<Entry>other).node and self.index == (<Entry>other).index

    def __hash__(self):
        return <Py_hash_t>((<size_t><void*>self.node >> 4) + 1000003 * <size_t>self.index) & 0x7FFFFFFFFFFFFFFF

    def __iter__(self):
        yield self.node
        yield self.index

    def __repr__(self):
        return f"Entry({self.node!r}, {self.index})"

    def __reduce__(self):
        return Entry, (self.node, self.index)

    @property
    def name(self):
        """The name of this output; hidden outputs have one as well."""
        names = self.node.output_names()
        return names[self.index] if self.index < len(names) else f"{self.node.name}_hidden{self.index}"
