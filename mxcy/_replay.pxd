# Calls that repeat: see _replay.pyx.
from cpython.object cimport PyObject
from libc.stdint cimport int16_t, int64_t, uint8_t
from libcpp.vector cimport vector

from ._engine cimport CVar, Failure, Op

cdef extern from "replay.hpp" namespace "mxcy" nogil:
    cdef cppclass CReplay "mxcy::Replay":
        CReplay()
        bint keep(const vector[Op*]& ops, const vector[CVar*]& vars, size_t first_result)
        float cost_ns()
        int run(CVar** vars, const int64_t* offsets, Failure& failure, const char*& name)


cdef struct Shape:
    uint8_t face
    uint8_t dtype_code
    uint8_t read_only
    int ndim
    int64_t size
    int64_t dims[8]  # extents, then strides in bytes


cdef class Replay:
    cdef CReplay* c
    cdef object held               # handles of the variables that stay the same
    cdef int n_inputs
    cdef int16_t context
    cdef bint is_list              # whether the call returns a list
    cdef vector[Shape] shapes      # of inputs, then of results
    cdef vector[CVar*] vars
    cdef vector[int64_t] offsets

    cdef object compute(self, tuple inputs, PyObject** single, int n_results, object returned)
    # Whether these arrays are like those of the call that was kept.
    cdef bint fits(self, tuple inputs) noexcept
    # What the call returns for arrays that fit, computed at once; None if that cannot be now.
    cdef object run(self, tuple inputs)


# What a call of an operator does, or None if it is no fixed sequence of operations.
cdef Replay replay_of(object op, tuple inputs, object attrs)
