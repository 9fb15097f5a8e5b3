"""GPUs: discovery, launches, transfers, memory. See native/device.hpp for how they are ordered.

Nothing here needs CUDA to be built or imported: the driver is found when the first GPU is asked for. With
NUMBA_ENABLE_CUDASIM=1 two GPUs are simulated in main memory.
"""

import os

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy
from libcpp.vector cimport vector

from ._array cimport Array, new_like
from ._engine cimport (
    CVar, Failure, FAIL_PYTHON, LANE_IO, OP_NEEDS_GIL, OP_OVERWRITES, Op, push, runtime, var_ensure_data, wait,
)

from cpython.exc cimport PyErr_SetObject

from . import _failures
from .context import Context
from .dtypes import DTYPES
from .errors import ArgumentError, message, problem

__all__ = ["DeviceKernel", "Scratch", "attribute", "count", "launch", "load_kernel", "require", "synchronise"]

cdef extern from "device.hpp" namespace "mxcy::device" nogil:
    ctypedef int (*Simulate)(const DeviceOp& op, int number, char* scratch, Failure& failure) noexcept
    int c_initialise "mxcy::device::initialise" (bint simulated, Simulate simulate, char* reason, size_t size)
    DeviceHooks c_hooks "mxcy::device::hooks" ()
    int c_open "mxcy::device::open" (int device, Failure& failure)
    void* c_load "mxcy::device::load" (int device, const char* image, const char* entry, Failure& failure)
    int c_synchronise "mxcy::device::synchronise" (int device, Failure& failure)
    int c_read "mxcy::device::read" (int device, char* target, const char* source, size_t n, Failure& failure)
    int c_attribute "mxcy::device::attribute" (int device, int number)
    void c_name_of "mxcy::device::name_of" (int device, char* text, int size)
    int c_driver_version "mxcy::device::driver_version" ()
    int c_trim "mxcy::device::trim" (int device, Failure& failure)
    cppclass Usage:
        size_t held
        size_t cached
    Usage c_usage "mxcy::device::usage" (int device)
    void* c_compute_stream "mxcy::device::compute_stream" (int device)
    int c_wait_for "mxcy::device::wait_for" (int device, void* stream, Failure& failure)
    int c_device_of "mxcy::device::device_of" (const char* data)
    char* c_trap "mxcy::device::trap" (int device)
    int c_trap_number "mxcy::device::trap_number" (const char* name)
    void* c_timer_begin "mxcy::device::timer_begin" (int device, Failure& failure)
    int c_timer_end "mxcy::device::timer_end" (int device, void* timer, float* milliseconds, Failure& failure)
    DeviceOp* make_device_op "new mxcy::device::DeviceOp"()
    LibraryOp* make_library_op "new mxcy::device::LibraryOp"()
    TransferOp* new_transfer "new mxcy::device::TransferOp"()

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint byte_bounds(int, const int64_t*, const int64_t*, int64_t, int64_t*, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"
LETTERS = "?bBhHiIqQeEfdFD"  # of the dtype codes, in a kernel's signature
cdef enum:
    MAX_PARAMETERS = 128
    INLINE_BYTES = 65536  # a copy to a GPU up to here is made by the thread that asks for it

cdef int n_devices = -1
cdef str absent = ""
cdef dict static_names = {}
cdef object run_simulated = None
_opened = set()


cdef const char* static_name(str name) except NULL:
    cdef bytes found = static_names.get(name)
    if found is None:
        found = static_names[name] = name.encode()
    return found


cdef DeviceOp* new_device_op() except NULL:
    return make_device_op()


cdef LibraryOp* new_library_op() except NULL:
    return make_library_op()


cdef int check(int status, Failure& failure) except -1:
    if status != 0:
        raise _failures.exception(failure.kind, failure.text.decode("utf-8", "replace"))
    return 0


# --- devices ------------------------------------------------------------------------------------------

def count():
    """Return how many GPUs there are: 0 without a driver."""
    global n_devices, absent
    cdef char reason[256]
    reason[0] = 0
    if n_devices < 0:
        n_devices = c_initialise(SIMULATED, simulate, reason, sizeof(reason))
        absent = reason.decode("utf-8", "replace")
        runtime().device[0] = c_hooks()
    return n_devices


def require(int device):
    """Make a GPU ready for use; raise ArgumentError if there is none of this number."""
    cdef Failure failure
    cdef int status
    if device in _opened:
        return
    found = count()
    if not 0 <= device < found:
        expected = f"a GPU that exists: a number below {found}" if found else "a machine with a GPU"
        got = f"gpu({device})" + ("" if found else f": {absent}")
        raise ArgumentError(message("gpu", "device_id", expected, got, "use mx.cpu()"))
    with nogil:
        status = c_open(device, failure)
    check(status, failure)
    _opened.add(device)


def attribute(int device, int number):
    """Return an attribute of a GPU by its number in the CUDA driver's list."""
    return c_attribute(device, number)


def name_of(int device):
    """Return the name that the driver gives a GPU."""
    cdef char text[128]
    c_name_of(device, text, sizeof(text))
    return text.decode()


def driver_version():
    """Return the CUDA version of the driver, such as 13000."""
    return c_driver_version()


def synchronise(int device):
    """Wait for all work enqueued on a GPU; raise what went wrong."""
    cdef Failure failure
    cdef int status
    with nogil:
        status = c_synchronise(device, failure)
    check(status, failure)


def stream_of(int device):
    """Return the handle of a GPU's compute stream; 1, the default stream, in the simulator."""
    return <uintptr_t>c_compute_stream(device) or 1


def wait_for(int device, uintptr_t stream=0):
    """Wait for what is enqueued on a stream of another library (0: on our own)."""
    cdef Failure failure
    cdef int status
    with nogil:
        status = c_wait_for(device, <void*>stream, failure)
    check(status, failure)


def device_of(uintptr_t address):
    """Return the number of the GPU whose memory an address is in, -1 if there is none."""
    return c_device_of(<const char*>address) if count() else -1


def pool(int device, bint trim=False):
    """Bytes of a GPU's memory that arrays hold, and that are kept for reuse (`trim` returns those)."""
    cdef Failure failure
    if trim:
        check(c_trim(device, failure), failure)
    cdef Usage usage = c_usage(device)
    return {"held": usage.held, "cached": usage.cached}


def trap(int device, str name):
    """Return (address, number): a kernel writes the number there when an index is out of range."""
    return <uintptr_t>c_trap(device), c_trap_number(static_name(name))


cdef class Timer:
    """Milliseconds of device time of what is enqueued between making it and `elapsed()`."""

    cdef int device
    cdef void* event

    def __init__(self, int device=0):
        cdef Failure failure
        self.device = device
        self.event = c_timer_begin(device, failure)
        if self.event is NULL:
            check(-1, failure)

    def elapsed(self):
        cdef Failure failure
        cdef float milliseconds = 0
        check(c_timer_end(self.device, self.event, &milliseconds, failure), failure)
        return milliseconds


# --- kernels ------------------------------------------------------------------------------------------

cdef class DeviceKernel:
    """A kernel that can be launched: a function of a loaded module, or a Python function (simulator)."""

    def __init__(self, str name, str signature, simulated=None):
        self.name, self.signature, self.simulated = name, signature, simulated
        self.parameters = []
        address = False
        for letter in signature:
            if letter == "P":
                address = True
                continue
            self.parameters.append((address, LETTERS.index(letter)))
            address = False
        if len(self.parameters) > MAX_PARAMETERS:
            expected = f"at most {MAX_PARAMETERS} parameters"
            raise ArgumentError(message(name, None, expected, len(self.parameters), "use fewer operands"))
        if simulated is not None:
            self.function = <void*>self


def load_kernel(int device, str name, str signature, bytes image, str entry):
    """Return the kernel `entry` of a module (PTX or machine code) on a GPU."""
    cdef Failure failure
    cdef DeviceKernel kernel = DeviceKernel(name, signature)
    cdef bytes symbol = entry.encode()
    cdef const char* c_image = image
    cdef const char* c_symbol = symbol
    with nogil:
        kernel.function = c_load(device, c_image, c_symbol, failure)
    if kernel.function is NULL:
        check(-1, failure)
    return kernel


def set_simulator(run):
    """Set what runs a simulated kernel: run(function, grid, block, arguments)."""
    global run_simulated
    run_simulated = run


cdef int simulate(const DeviceOp& op, int number, char* scratch, Failure& failure) noexcept with gil:
    try:
        run_launch(<DeviceOp*>&op, number, scratch)
    except BaseException as error:
        PyErr_SetObject(type(error), error)
        failure.kind = FAIL_PYTHON
        return -1
    return 0


cdef int run_launch(DeviceOp* op, int number, char* scratch) except -1:
    """Run one launch of an operation in the simulator, with addresses as (address, lowest, end, code)."""
    cdef Launch* l = op.launches.data() + number
    cdef DeviceKernel kernel = <DeviceKernel>l.function
    cdef Slot* slot
    cdef Pointer* p
    cdef uintptr_t address, low
    cdef size_t k, extent
    bounds = {}
    for k in range(op.pointers.size()):
        p = op.pointers.data() + k
        low = <uintptr_t>(p.var.data.load() if p.var is not NULL else scratch)
        extent = p.var.nbytes if p.var is not NULL else op.scratch_bytes
        bounds[p.slot] = (low, low + extent)
    arguments = []
    for k, (is_address, code) in enumerate(kernel.parameters):
        slot = op.slots.data() + l.first + k
        if is_address:
            address = (<uintptr_t*>slot.bytes)[0]
            arguments.append((address, *bounds.get(l.first + <int>k, (address, address + 64)), code))
        else:
            raw = slot.bytes[:ITEMSIZE[<int>code]]
            dtype = np.uint16 if LETTERS[code] in "eE" else DTYPES[code]
            arguments.append(np.frombuffer(raw, dtype)[0])
    grid = (l.grid[0], l.grid[1], l.grid[2])
    run_simulated(kernel.simulated, grid, (l.block[0], l.block[1], l.block[2]), arguments)
    return 0


class Scratch:
    """An argument of a launch: an offset in bytes into the scratch memory of the operation."""

    __slots__ = ("offset",)

    def __init__(self, offset=0):
        self.offset = offset


cdef int add_argument(DeviceOp* op, bint address, int code, object value) except -1:
    cdef int64_t integer
    cdef double real
    cdef float single
    cdef Array x
    if isinstance(value, Array):
        x = value
        op.add_pointer(x.var, x.offset)
    elif isinstance(value, Scratch):
        op.add_pointer(NULL, value.offset)
    elif code == 12:
        real = value
        op.add_bytes(&real, 8)
    elif code == 11:
        single = value
        op.add_bytes(&single, 4)
    else:  # addresses and integers; little-endian, so that the low bytes come first
        integer = value if value < 2**63 else value - 2**64
        op.add_bytes(&integer, 8)
    return 0


cdef int set_extents(uint32_t* to, object given) except -1:
    to[0] = to[1] = to[2] = 1
    if isinstance(given, tuple):
        for i, extent in enumerate(given):
            to[<int>i] = extent
    else:
        to[0] = given
    return 0


def launch(str name, list writes, list reads, list steps, size_t scratch=0, bint updates=False):
    """Enqueue kernels on the GPU that holds all of the arrays, as one operation of the engine.

    steps: (kernel, grid, block, arguments) each, in order; an argument is an array (its first element's
    address), a `Scratch`, or a number. `updates`: what is written is read as well.
    """
    cdef DeviceKernel kernel
    cdef uint32_t grid[3]
    cdef uint32_t block[3]
    cdef int device = one_device(name, reads, writes)
    cdef DeviceOp* op = new_device_op()
    try:
        op.name, op.device, op.scratch_bytes = static_name(name), device, scratch
        for kernel, grid_of, block_of, arguments in steps:
            set_extents(grid, grid_of)
            set_extents(block, block_of)
            op.begin_launch(kernel.function, grid, block)
            if len(arguments) != len(kernel.parameters):
                raise ArgumentError(message(name, None, f"{len(kernel.parameters)} parameters", len(arguments)))
            for (address, code), value in zip(kernel.parameters, arguments):
                add_argument(op, address, code, value)
            op.end_launch()
    except BaseException:
        del op
        raise
    push_op(<Op*>op, reads, writes, updates)


cdef int one_device(str name, list reads, list writes) except -1:
    cdef Array x
    cdef int context = -1
    cdef bint same = True
    for arrays in (writes, reads):
        for x in <list>arrays:
            if context < 0:
                context = x.var.context
            same = same and context == x.var.context
    if not same:
        found = {x.var.context: None for x in [*writes, *reads]}
        places = " and ".join([f"{Context.devtype2str.get(c >> 8, 'cpu')}({c & 0xFF})" for c in found])
        hint = "bring them together with as_in_context"
        raise ArgumentError(message(name, None, "arrays on one device", places, hint))
    return context & 0xFF


cdef int push_op(Op* op, list reads, list writes, bint updates) except -1:
    cdef vector[CVar*] read_vars, write_vars
    cdef Array x
    cdef bint covers = not updates
    for x in reads:
        read_vars.push_back(x.var)
    for x in writes:
        write_vars.push_back(x.var)
        covers = covers and x.whole
        for read in reads:
            covers = covers and (<Array>read).var != x.var
    op.cost_ns = 0  # enqueuing is all that it costs here
    if SIMULATED:
        op.flags |= OP_NEEDS_GIL
    if covers:
        op.flags |= OP_OVERWRITES
    push(op, read_vars.data(), <int>read_vars.size(), write_vars.data(), <int>write_vars.size())
    return settle(reads, writes)


cdef int settle(list reads, list writes) except -1:
    """Wait for the device where others have access to the memory: their streams know nothing of ours."""
    cdef Array x
    for arrays in (writes, reads):
        for x in <list>arrays:
            shared = x.var.exports_write.load() or arrays is writes and x.var.exports_read.load()
            if shared and x.var.on_gpu():
                synchronise(x.var.context & 0xFF)
                return 0
    return 0


# --- transfers ------------------------------------------------------------------------------------------

def transfer(Array target not None, Array source not None):
    """Copy all of an array to one of the same shape and dtype elsewhere; both in C order."""
    if not (target.c_contiguous and source.c_contiguous):
        raise ArgumentError(problem("copyto", None, "a transfer needs arrays in C order"))
    if target.size == 0:
        return
    cdef TransferOp* op = new_transfer()
    op.name = "copyto"
    op.target, op.source = target.var, source.var
    op.target_offset, op.source_offset = target.offset, source.offset
    op.nbytes = target.size * ITEMSIZE[target.dtype_code]
    cdef size_t nbytes = op.nbytes
    try:
        for x in (target, source):
            if not (<Array>x).var.on_gpu():
                var_ensure_data((<Array>x).var)
    except BaseException:
        del op
        raise
    op.bytes = nbytes
    op.lane = LANE_IO
    cdef CVar* reads = source.var
    cdef CVar* writes = target.var
    if target.whole:
        op.flags |= OP_OVERWRITES
    op.cost_ns = 0 if target.var.on_gpu() and nbytes <= INLINE_BYTES else 1e6
    push(<Op*>op, &reads, 1, &writes, 1)
    settle([source], [target])


def to_numpy(Array x not None):
    """Return a new NumPy array with the values of an array on a GPU, when they are there."""
    cdef int64_t low, high
    cdef char* data
    cdef char* target
    cdef int status = 0, device = x.var.context & 0xFF
    cdef Failure failure
    result = np.empty(x.shape, DTYPES[x.dtype_code])
    wait(x.var, False)
    if x.size == 0:
        return result
    data = var_ensure_data(x.var) + x.offset
    byte_bounds(x.ndim_, x.dims, x.dims + x.ndim_, ITEMSIZE[x.dtype_code], &low, &high)
    flat = result if x.c_contiguous else np.empty(high - low, np.uint8)
    target = <char*><uintptr_t>flat.ctypes.data
    with nogil:
        status = c_read(device, target, data + low, high - low, failure)
    check(status, failure)
    if not x.c_contiguous:
        result[...] = np.ndarray(x.shape, DTYPES[x.dtype_code], flat, -low, x.strides)
    return result
