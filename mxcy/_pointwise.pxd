# Compiled pointwise programs, for the modules that fuse one into their own loops.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libcpp.vector cimport vector

from ._array cimport Array
from ._engine cimport CVar, Op, Runtime
from ._loops cimport FailureTest, Loop

cdef extern from "program.hpp" namespace "mxcy" nogil:
    cdef cppclass Cell:
        char bytes[16]
    cdef cppclass CStep "mxcy::Step":
        Loop loop
        void* data
        FailureTest failed
        uint8_t n_args
        bint python
    cdef cppclass CProgram "mxcy::Program":
        int n_inputs, n_outputs, n_scalars, n_constants, n_temporaries
        vector[CStep] steps
        vector[uint8_t] dtypes
        vector[Cell] constants
        vector[int] slots
        vector[uint8_t] temporary_itemsizes
        int n_slots, slot_itemsize
        vector[int32_t] last_read
        vector[int32_t] first_written
        float cost_ns
        float serial_ns(int64_t size, int itemsize)
        bint python, flushes
        void add_step(Loop loop, void* data, FailureTest failed, bint python, bint clears)
        void mark_cast()
        void add_argument(int r)
        void retain()
        void release()

cdef extern from "small_vector.hpp" namespace "mxcy" nogil:
    cdef cppclass Numbers "mxcy::SmallVector<int64_t, 16>":
        void push_back(int64_t)
        int64_t* data()
        size_t size()
        int64_t& operator[](size_t)
    cdef cppclass Extents "mxcy::SmallVector<int64_t, 4>":
        int64_t& operator[](size_t)
    cdef cppclass Variables "mxcy::SmallVector<mxcy::Var*, 8>":
        void push_back(CVar*)
        CVar** data()
        size_t size()

cdef extern from "space.hpp" namespace "mxcy" nogil:
    cdef cppclass Space:
        Space()
        Space(int ndim, int n, const int64_t* shape, const int64_t* strides)
        void normalise(int leading)
        void drop_unit_axes()
        void merge_axes()
        int64_t* row(int axis)
        int64_t inner_stride(int k)
        Extents shape
        int ndim
        int64_t size

cdef extern from "fused.hpp" namespace "mxcy" nogil:
    cdef cppclass PointwiseOp(Op):
        const Runtime* runtime
        CProgram* program
        Space space
        vector[Cell] scalars
        uint64_t lines
        void add(CVar* var, int64_t offset, uint8_t dtype)
    PointwiseOp* new_pointwise "new mxcy::PointwiseOp"()

cdef extern from "block_op.hpp" namespace "mxcy" nogil:
    cdef cppclass BlockOp(Op):
        const Runtime* runtime
        void add(CVar* var, int64_t offset, uint8_t dtype)


cdef class Program:
    cdef CProgram* c
    cdef readonly tuple in_types    # dtype codes; int, float, complex or bool for scalars of the call
    cdef readonly tuple out_dtypes  # dtype codes
    cdef readonly float cost_ns     # of one element
    cdef readonly str name
    cdef const char* c_name
    cdef int flags                  # of its operations
    cdef vector[int] kinds          # in_types, -1 for scalars of the call
    cdef readonly tuple source      # arguments of compile_program, to compile again for other types
    cdef tuple scalars              # (input, declared, stored) of each run-time scalar
    cdef public object device_body  # what kernels/cuda/pointwise keeps about it
    cdef tuple comparison_only      # of each input: an integer that only comparisons read

# A C string that lives as long as the process.
cdef const char* static_name(str name) except NULL
# Checks and converts inputs; fills `scalars`; arrays come back aligned. A number where the program wants an
# array becomes one.
cdef list prepare_inputs(Program program, inputs, vector[Cell]* scalars)
cdef list only_arrays(list operands)
# The common shape of arrays; raises ShapeError.
cdef int broadcast(str name, list arrays, int64_t* shape) except -1
# Adds x, broadcast to `ndim` axes, to the strides given to a Space.
cdef int append_strides(Numbers* strides, Array x, int ndim, const int64_t* shape) except -1
# Raises ShapeError, DTypeError or ArgumentError for an `out` that does not fit.
cdef int check_out(str name, Array out, int code, int ndim, const int64_t* shape) except -1
# A Python or NumPy scalar in the declared dtype, converted to the stored one, into 16 bytes.
cdef int write_scalar(value, int declared, int stored, char* cell) except -1
cdef int copy_into(Array x, Array out) except -1
# A copy in C order, or of another dtype.
cdef Array copy_of(Array x, uint8_t code)
cdef Array aligned(Array x)
cdef bint is_aligned(Array x) noexcept
cdef bint may_overlap(Array a, Array b) noexcept
cdef bint same_view(Array a, Array b) noexcept
# Pushes an operation over arrays: reads and writes are their variables.
cdef int push_over(Op* op, list reads, list writes, int flags=*) except -1
# What runs a program whose operands are on a GPU; lent by kernels/cuda/pointwise.
ctypedef int (*DevicePush)(Program program, list inputs, list arrays, list outs, const vector[Cell]& scalars,
                           int ndim, const int64_t* shape) except -1
cdef void lend_device_push(DevicePush push) noexcept
cpdef list invoke(Program program, inputs, outs=*)
