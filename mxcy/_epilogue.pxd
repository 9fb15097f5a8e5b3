# Epilogues, for the modules whose operations take one.
from libc.stdint cimport int64_t

from ._array cimport Array
from ._engine cimport Kernel, Op
from ._pointwise cimport PointwiseOp

cdef extern from "finisher.hpp" namespace "mxcy" nogil:
    cdef cppclass Finisher:
        pass

cdef extern from "epilogue.hpp" namespace "mxcy" nogil:
    cdef cppclass Reach "mxcy::Epilogue::Reach":
        int64_t row, column, period
    cdef cppclass CEpilogue "mxcy::Epilogue":
        void add(PointwiseOp* op, const Reach* reach, int place)
        Finisher* finisher()


cdef class Epilogue:
    cdef object program
    cdef list inputs, outs  # arrays
    cdef tuple shape        # of the result that it follows
    cdef int inner          # how many of its axes are columns
    cdef int addend         # the input that is all that the program adds to the result; -1 if it does more
    cdef bint rectifies     # the sum
    # Makes sure that writing the result does not change what is added to it later.
    cdef int keep_addend(self, Array result) except -1


# The native form of epilogues that follow each other on one result, which is in C order; NULL where that cannot
# be: then `apart` does their work afterwards. Whoever calls owns it.
cdef CEpilogue* joined(list epilogues, Array result, int64_t least) except? NULL
# Does the work of epilogues after the result has been pushed.
cdef int apart(list epilogues) except -1
# Pushes an operation that writes `result`, with an epilogue; takes both over.
cdef int push_finished(Op* op, CEpilogue* epilogue, list epilogues, list reads, Array result) except -1
# Pushes a kernel with one output, likewise.
cdef int launch_finished(Kernel kernel, const char* name, Array result, list inputs, const void* params,
                         size_t nparams, float cost_ns, CEpilogue* epilogue, list epilogues) except -1
# Pushes a kernel with one output, and one more input, which may be the same memory.
cdef int launch_over(Kernel kernel, const char* name, Array result, list inputs, const void* params,
                     size_t nparams, float cost_ns, Array last) except -1
