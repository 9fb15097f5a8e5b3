# The C interface of recordings.
from libcpp.vector cimport vector

from ._engine cimport CVar, Op

cdef extern from "segment.hpp" namespace "mxcy" nogil:
    cdef cppclass CSegment "mxcy::Segment":
        CSegment()
        void release()
        void add(Op* op, CVar** reads, int n_reads, CVar** writes, int n_writes, const char* note)
        void forget(CVar* var)
        void finish()
        vector[Op*] take()
        const vector[CVar*]& inputs()
        const vector[CVar*]& outputs()
        float cost_ns()
        size_t size()


cdef class Recording:
    cdef CSegment* c
    cdef dict held

    cdef int take(self, bint keep, bytes note) except -1
    cdef int hold(self, CVar* var, bint keep) except -1
    # Gives the operations away in the order of their pushes; returns handles of their variables.
    cdef list take_ops(self, vector[Op*]& ops)
