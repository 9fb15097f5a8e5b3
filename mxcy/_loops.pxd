# Which inner loop computes a function for given operand types.
from libc.stdint cimport int64_t, intptr_t

cdef extern from "program.hpp" namespace "mxcy" nogil:
    ctypedef void (*Loop)(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data)
    ctypedef const char* (*FailureTest)()


cdef extern from "products.hpp" namespace "mxcy" nogil:
    ctypedef struct PackedLoops:
        pass
    ctypedef struct ThinProduct:
        pass
    ctypedef void (*ThinPlan)(ThinProduct&)


cdef class ResolvedLoop:
    cdef Loop loop
    cdef void* data
    cdef FailureTest failed      # NULL: the loop cannot fail
    cdef readonly bint python    # may set the Python error indicator: must run with the GIL
    cdef readonly bint clears    # may clear the floating-point status
    cdef readonly tuple declared # codes of inputs and outputs, as NumPy resolves them
    cdef readonly tuple stored   # codes that the loop takes: float32 where declared is a half type
    cdef readonly int n_inputs
    cdef readonly float cost_ns  # of one element
    cdef readonly object function # what it computes, as given to resolve()
    cdef object keeps            # what `data` points into


cdef ResolvedLoop find_cast(int source, int target)
# The loop of `resolve_product`, or a better one for these sizes.
cdef ResolvedLoop small_product_of(ResolvedLoop blas)
cdef const PackedLoops* packed_product_of(ResolvedLoop blas) noexcept
cdef ThinPlan thin_product_of(ResolvedLoop blas) noexcept
