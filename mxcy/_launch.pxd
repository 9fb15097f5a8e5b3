# From Python-callable kernels to engine operations.
from libc.stdint cimport int64_t, uint8_t
from ._array cimport Array
from ._engine cimport Kernel

# How a kernel uses its outputs.
cdef enum:
    LAUNCH_ELEMENTWISE = 1  # an output may be the same view as an input
    LAUNCH_UPDATES = 2      # outputs are read as well: a stored error must stay

# Pushes `kernel` as one operation.  outputs and inputs: lists of Array, as many as the kernel takes;
# the parameters are copied.  An input that shares memory with an output is copied first.
# name: static storage duration.  cost_ns: estimated serial run time.
cdef int launch(Kernel kernel, const char* name, list outputs, list inputs, const void* params,
                size_t nparams, float cost_ns, int flags=*) except -1

# `out` after checking its shape and dtype, or a new array with the face of `like`.
cdef Array result(str op, Array like, object out, int ndim, const int64_t* shape, uint8_t dtype)
cdef Array checked_out(str op, object out, int ndim, const int64_t* shape, uint8_t dtype)

# x if it is an array; ArgumentTypeError if not.
cdef Array operand(str op, str argument, object x)
# x, or a copy of it in C order.
cdef Array contiguous(Array x)
# x, or a copy of it with this dtype.
cdef Array converted(Array x, uint8_t dtype)
# The shape that arrays broadcast to, in `shape` (room for 32); returns its length, or -2 if there is none.
cdef int broadcast_shape(list arrays, int64_t* shape) except -1
# A number as an element: its bytes in `to` (room for 16); returns the dtype that they have.
cdef int number_bytes(str op, str argument, object number, char* to) except -1
# An axis in [0, ndim); AxisError if there is none.
cdef int normal_axis(str op, object axis, int ndim) except -1

# The kernel that copies with conversion and broadcasting, for operands that overlap.
cdef void lend_copy(Kernel kernel) noexcept
