# C interface of the dependency engine.  See native/var.hpp for the states of a variable.
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t
from libcpp cimport bool as cbool


cdef extern from "<atomic>" namespace "std" nogil:
    cdef cppclass atomic[T]:
        T load()
        void store(T)
        T fetch_add(T)
        T fetch_sub(T)


cdef extern from "var.hpp" namespace "mxcy" nogil:
    cdef cppclass CVar "mxcy::Var":
        atomic[uint64_t] state
        atomic[int32_t] refs
        int16_t context
        atomic[int32_t] exports_read
        atomic[int32_t] exports_write
        atomic[char*] data
        size_t nbytes
        uint64_t version
        bint readable()
        bint idle()
        bint on_gpu()


cdef extern from "op.hpp" namespace "mxcy" nogil:
    cdef enum FailureKind:
        FAIL_NONE, FAIL_VALUE, FAIL_TYPE, FAIL_INDEX, FAIL_MEMORY, FAIL_FLOATING_POINT, FAIL_RUNTIME
        FAIL_ZERO_DIVISION, FAIL_OVERFLOW, FAIL_PYTHON
    cdef cppclass Failure:
        int kind
        uint64_t fp_flags
        const char* text
        int fail(int kind, const char* format, ...)
    cdef enum:
        LANE_CPU, LANE_IO, LANE_PYTHON
        OP_NEEDS_GIL, OP_OVERWRITES, OP_SKIP_ERRORS, OP_FUSES, OP_HERE, OP_SHARED
    cdef cppclass Op:
        const char* name
        float cost_ns
        int32_t priority
        uint8_t lane
        uint8_t flags
        size_t bytes
    cdef cppclass Tensor:
        CVar* var
        int64_t offset
        int64_t size
        int64_t* shape
        int64_t* strides
        int32_t ndim
        uint8_t dtype
        char* data
    cdef cppclass DeviceHooks:
        char* (*allocate)(int16_t context, size_t nbytes) noexcept
        void (*release)(int16_t context, char* data, size_t nbytes) noexcept
        int (*wait)(const CVar* var, Failure& failure) noexcept
    cdef cppclass Runtime:
        DeviceHooks* device
    cdef cppclass KernelContext:
        pass
    ctypedef int (*Kernel)(KernelContext& context)


# --- variables and their buffers ------------------------------------------------------------
# All of these need the GIL unless they say nogil.
# A new variable with one reference and room for `nbytes`.  Up to SMALL_BYTES the buffer is part of
# the chunk and present at once; above, it is allocated when the first operation writes it.
cdef CVar* var_new(size_t nbytes, int16_t context) except NULL
# A variable over memory that `owner` keeps alive.
cdef CVar* var_import(char* data, size_t nbytes, object owner) except NULL
# Drops a reference held by a Python object (GIL held: uses the unlocked free lists).
cdef void var_release(CVar* var) noexcept
cdef char* var_ensure_data(CVar* var) except NULL nogil

# --- running ---------------------------------------------------------------------------------
# Hands `op` (made by C++ new; owned by the engine from here on, also when this fails) to the
# engine.  Runs it at once in this thread if everything is ready and op.cost_ns is small; otherwise
# queues it.  Raises the operation's error if it ran here, or if it must complete before the call
# returns (a live export, the serial engine).  Duplicates, and reads that are also writes, collapse.
# Blocks without the GIL while too many operations or bytes are in flight.
cdef int push(Op* op, CVar** reads, int n_reads, CVar** writes, int n_writes) except -1
# Waits until the writes (for_write: also the reads) pushed so far are complete; raises the stored
# error.  Interruptible by Ctrl-C.
cdef int wait(CVar* var, bint for_write) except -1
cdef int wait_all() except -1
# Delivers floating-point flags of an operation that ran inline (NumPy's errstate: warn, raise, ...).
cdef int report_fp_flags(const char* name, int flags) except -1
# Estimated time up to which a ready operation may run in the calling thread without the engine; below 0
# while a hook wants to see all of them, and with the serial engine.
cdef float inline_limit_ns() noexcept
cdef const Runtime* runtime() noexcept nogil

# --- recording -------------------------------------------------------------------------------
# While there is a recorder, `push` asks it first: it returns 1 if it has taken the operation, 0 if
# this thread is not recording.  `wait` calls it with op NULL, for it to raise: what is read now is no
# part of a record.
ctypedef int (*Recorder)(Op* op, CVar** reads, int n_reads, CVar** writes, int n_writes) except -1
cdef void set_recorder(Recorder function) noexcept


# Python's handle on a variable.
cdef class Var:
    cdef CVar* c


# A handle on a variable that somebody else holds; takes a reference of its own.
cdef Var var_handle(CVar* var)
