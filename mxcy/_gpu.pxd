# GPUs: launching kernels over arrays and moving bytes.  See native/device.hpp for what orders them.
from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t
from ._array cimport Array
from ._engine cimport CVar, DeviceHooks, Failure, Op

cdef extern from "device.hpp" namespace "mxcy::device" nogil:
    cdef cppclass Slot:
        char bytes[16]
    cdef cppclass Launch:
        void* function
        uint32_t grid[3]
        uint32_t block[3]
        int32_t first, count
    cdef cppclass Pointer:
        int32_t slot
        CVar* var
        int64_t offset
    cdef cppclass Slots "mxcy::SmallVector<mxcy::device::Slot, 12>":
        Slot* data()
        size_t size()
    cdef cppclass Pointers "mxcy::SmallVector<mxcy::device::Pointer, 6>":
        Pointer* data()
        size_t size()
        void push_back(Pointer)
    cdef cppclass Launches "mxcy::SmallVector<mxcy::device::Launch, 2>":
        Launch* data()
        size_t size()
    cdef cppclass Integers "mxcy::SmallVector<int64_t, 16>":
        void push_back(int64_t)
    cdef cppclass DeviceOp(Op):
        int device
        size_t scratch_bytes
        Slots slots
        Pointers pointers
        Launches launches
        void add_pointer(CVar* var, int64_t offset)
        void add_bytes(const void* value, size_t nbytes)
        void begin_launch(void* function, const uint32_t* grid, const uint32_t* block)
        void end_launch()
    cdef cppclass TransferOp(Op):
        CVar* target
        CVar* source
        int64_t target_offset, source_offset
        size_t nbytes
    cdef cppclass LibraryOp(Op):
        int device
        Pointers pointers
        Integers integers
        int (*function)(void* stream, char** addresses, const int64_t* integers, Failure& failure) noexcept

# Made here: only this module is linked with what they do.
cdef DeviceOp* new_device_op() except NULL
cdef LibraryOp* new_library_op() except NULL

# A compiled kernel; `signature` has a letter (a dtype) for each parameter, after a P for an address.
cdef class DeviceKernel:
    cdef void* function
    cdef readonly str name
    cdef readonly str signature
    cdef readonly object simulated   # the Python function, in the simulator
    cdef list parameters             # (is an address, dtype code)

cdef const char* static_name(str name) except NULL
# Raises ArgumentError unless all arrays are on one GPU; returns its number.
cdef int one_device(str name, list reads, list writes) except -1
# Hands an operation to the engine, which owns it from here on.
cdef int push_op(Op* op, list reads, list writes, bint updates) except -1
