# cython: cdivision=True
"""DLPack 1.x and `__cuda_array_interface__` in both directions.

Out: a capsule with the memory of the array itself, an export as long as the consumer keeps it (see
`_export`). In: an array over the producer's memory, which stays in the exported state. Fields of foreign
tensors are checked before anything is computed from them; a capsule that is refused is left to its owner.

On GPUs a producer is told our stream, so that its work is done before ours. Operations on shared memory are
complete on the device when their calls return, and its owner gets it back after our work on it.
"""

cimport cython
from cpython.pycapsule cimport (
    PyCapsule_CheckExact, PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New,
    PyCapsule_SetName,
)
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from ._array cimport MAX_NDIM, Array
from ._engine cimport CVar, var_release
from ._export cimport begin_export, copied_array, end_export, import_memory, tell

import numpy as np

from . import _gpu
from .dtypes import DTYPES, code_of
from .errors import (
    ArgumentError, ArgumentTypeError, DTypeError, OutOfMemory, ShapeError, message, problem,
)

cdef extern from "dlpack.hpp" namespace "mxcy" nogil:
    enum: DL_CPU, DL_CUDA, DL_INT, DL_UINT, DL_FLOAT, DL_BFLOAT, DL_COMPLEX, DL_BOOL
    const uint64_t DL_READ_ONLY, DL_IS_COPIED
    struct DLDevice:
        int32_t type
        int32_t id
    struct DLDataType:
        uint8_t code
        uint8_t bits
        uint16_t lanes
    struct DLTensor:
        void* data
        DLDevice device
        int32_t ndim
        DLDataType dtype
        int64_t* shape
        int64_t* strides
        uint64_t byte_offset
    struct DLManagedTensor:
        DLTensor tensor
        void* context
        void (*deleter)(DLManagedTensor*) noexcept
    struct DLManagedTensorVersioned:
        uint32_t major
        uint32_t minor
        void* context
        void (*deleter)(DLManagedTensorVersioned*) noexcept
        uint64_t flags
        DLTensor tensor

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    int64_t checked_bytes(int, const int64_t*, int64_t)
    void c_strides(int, const int64_t*, int64_t, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define mxcy_finalizing() Py_IsFinalizing()
    #else
    #define mxcy_finalizing() _Py_IsFinalizing()
    #endif
    static inline bool mxcy_scale(int64_t stride, int64_t item, int64_t* bytes) {
      return !__builtin_mul_overflow(stride, item, bytes);
    }
    """
    bint finalizing "mxcy_finalizing"() nogil
    bint Py_IsInitialized() nogil
    ctypedef struct GilState "PyGILState_STATE":
        pass
    GilState PyGILState_Ensure() nogil
    void PyGILState_Release(GilState) nogil
    void* PyMem_RawMalloc(size_t) nogil
    void PyMem_RawFree(void*) nogil
    bint scale "mxcy_scale"(int64_t, int64_t, int64_t*) nogil

cdef const char* LEGACY = b"dltensor"
cdef const char* VERSIONED = b"dltensor_versioned"

# (kind, bits) of each of our dtypes.
cdef tuple TYPES = (
    (DL_BOOL, 8), (DL_INT, 8), (DL_UINT, 8), (DL_INT, 16), (DL_UINT, 16), (DL_INT, 32), (DL_UINT, 32),
    (DL_INT, 64), (DL_UINT, 64), (DL_FLOAT, 16), (DL_BFLOAT, 16), (DL_FLOAT, 32), (DL_FLOAT, 64),
    (DL_COMPLEX, 64), (DL_COMPLEX, 128),
)


# --- out ----------------------------------------------------------------------------------------

cdef struct Lease:
    # What a consumer holds; freed by its deleter. Both managed structures exist, one is handed out.
    DLManagedTensor legacy
    DLManagedTensorVersioned versioned
    CVar* var
    bint writable
    int64_t dims[2 * MAX_NDIM]


cdef void end_lease(Lease* lease) noexcept nogil:
    """Consumers call this from any thread, with or without the GIL, even while Python goes down.

    In that case the buffer is left to the operating system: a variable may be released with the GIL only.
    """
    cdef GilState state
    if Py_IsInitialized() and not finalizing():
        state = PyGILState_Ensure()
        with gil:
            end_export(lease.var, lease.writable)
            var_release(lease.var)
        PyGILState_Release(state)
    PyMem_RawFree(lease)


cdef void delete_legacy(DLManagedTensor* managed) noexcept nogil:
    end_lease(<Lease*>managed.context)


cdef void delete_versioned(DLManagedTensorVersioned* managed) noexcept nogil:
    end_lease(<Lease*>managed.context)


cdef void forget_capsule(object capsule) noexcept:
    """Destructor of a capsule: nobody has taken the tensor if it still has its first name."""
    if PyCapsule_IsValid(capsule, LEGACY):
        managed = <DLManagedTensor*>PyCapsule_GetPointer(capsule, LEGACY)
        managed.deleter(managed)
    elif PyCapsule_IsValid(capsule, VERSIONED):
        versioned = <DLManagedTensorVersioned*>PyCapsule_GetPointer(capsule, VERSIONED)
        versioned.deleter(versioned)


cdef Lease* make_lease(Array x) except NULL:
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    cdef int i
    cdef Lease* lease
    for i in range(x.ndim_):
        if x.dims[x.ndim_ + i] % item != 0:
            text = f"strides {x.strides} are no multiples of {item}"
            raise BufferError(problem("__dlpack__", None, text, "copy the array first"))
    begin_export(x.var, not x.read_only)
    if not x.read_only:
        tell(x, 1)
    lease = <Lease*>PyMem_RawMalloc(sizeof(Lease))
    if lease is NULL:
        end_export(x.var, not x.read_only)
        raise OutOfMemory(problem("__dlpack__", None, "no memory for a tensor's description"))
    x.var.refs.fetch_add(1)
    lease.var = x.var
    lease.writable = not x.read_only
    memcpy(lease.dims, x.dims, x.ndim_ * sizeof(int64_t))
    for i in range(x.ndim_):
        lease.dims[x.ndim_ + i] = x.dims[x.ndim_ + i] // item
    return lease


cdef int describe(DLTensor* tensor, Lease* lease, Array x) except -1:
    tensor.data = lease.var.data.load() + x.offset
    tensor.device.type, tensor.device.id = dlpack_device(x)
    tensor.ndim = x.ndim_
    tensor.dtype.code, tensor.dtype.bits = TYPES[x.dtype_code]
    tensor.dtype.lanes = 1
    tensor.shape = lease.dims
    tensor.strides = lease.dims + x.ndim_
    tensor.byte_offset = 0
    return 0


def to_dlpack(Array x, stream, max_version, dl_device, copy):
    """`__dlpack__`: a capsule with a tensor of version 1 if the consumer knows it, else of version 0."""
    cdef bint modern = max_version is not None and max_version[0] >= 1
    cdef Lease* lease
    if x.var.on_gpu():  # all work on it is done before the consumer sees it, whatever its stream
        if copy:
            x = copied_array(x)
    elif stream is not None:
        raise ArgumentError(message("__dlpack__", "stream", "None for memory of the CPU", stream))
    if dl_device is not None and tuple(dl_device) != dlpack_device(x):
        expected = f"{dlpack_device(x)}, where the array is"
        raise BufferError(message("__dlpack__", "dl_device", expected, tuple(dl_device)))
    if copy and not x.var.on_gpu():
        x = copied_array(x)
    if x.read_only and not modern:
        expected = "a consumer that knows version 1 of DLPack, as the array is a read-only view"
        raise BufferError(message("__dlpack__", "max_version", expected, max_version, "copy the array first"))
    lease = make_lease(x)
    if not modern:
        describe(&lease.legacy.tensor, lease, x)
        lease.legacy.context = lease
        lease.legacy.deleter = <void (*)(DLManagedTensor*) noexcept>delete_legacy
        return PyCapsule_New(&lease.legacy, LEGACY, forget_capsule)
    describe(&lease.versioned.tensor, lease, x)
    lease.versioned.major, lease.versioned.minor = 1, 0
    lease.versioned.context = lease
    lease.versioned.deleter = <void (*)(DLManagedTensorVersioned*) noexcept>delete_versioned
    lease.versioned.flags = (DL_READ_ONLY if x.read_only else 0) | (DL_IS_COPIED if copy else 0)
    return PyCapsule_New(&lease.versioned, VERSIONED, forget_capsule)


def dlpack_device(Array x):
    """`__dlpack_device__`: (device type, number)."""
    return (DL_CUDA, x.var.context & 0xFF) if x.var.on_gpu() else (DL_CPU, 0)


# --- in -----------------------------------------------------------------------------------------

@cython.final
@cython.internal
cdef class Borrowed:
    """Owner of a foreign tensor: its end tells the producer."""

    cdef DLManagedTensor* legacy
    cdef DLManagedTensorVersioned* versioned
    cdef object kept  # the owner of memory without a tensor
    cdef int device   # of a GPU plus 1; 0: memory of the CPU

    def __dealloc__(self):
        if self.device:
            try:
                _gpu.wait_for(self.device - 1)
            except Exception:
                pass  # a device that fails says so to whoever uses it
        if self.legacy is not NULL and self.legacy.deleter is not NULL:
            self.legacy.deleter(self.legacy)
        if self.versioned is not NULL and self.versioned.deleter is not NULL:
            self.versioned.deleter(self.versioned)


cdef object refusal(what):
    return ArgumentError(problem("from_dlpack", None, what))


cdef int check_place(int device, int number) except -1:
    """Refuses what is neither in main memory nor on a GPU that there is; makes a GPU ready for use."""
    if device == DL_CUDA and 0 <= number < _gpu.count():
        _gpu.require(number)
    elif device != DL_CPU:
        expected = f"memory of the CPU ({DL_CPU}) or of a GPU ({DL_CUDA}) of this machine"
        raise BufferError(message("from_dlpack", None, expected, f"device {device}, {number}"))
    return 0


cdef int read_tensor(const DLTensor* tensor, int64_t* shape, int64_t* strides) except -1:
    """Checks every field of a foreign tensor; returns the dtype's code, fills in strides in bytes."""
    cdef int i, code
    check_place(tensor.device.type, tensor.device.id)
    if tensor.dtype.lanes != 1:
        raise DTypeError(message("from_dlpack", None, "a dtype of one lane", f"{tensor.dtype.lanes} lanes"))
    if (tensor.dtype.code, tensor.dtype.bits) not in TYPES:
        names = ", ".join([d.name for d in DTYPES])
        found = f"code {tensor.dtype.code} of {tensor.dtype.bits} bits"
        raise DTypeError(message("from_dlpack", None, f"one of {names}", found))
    code = TYPES.index((tensor.dtype.code, tensor.dtype.bits))
    if not 0 <= tensor.ndim <= MAX_NDIM:
        raise ShapeError(message("from_dlpack", None, f"0 to {MAX_NDIM} dimensions", tensor.ndim))
    if tensor.ndim > 0 and tensor.shape is NULL:
        raise refusal("the tensor has dimensions but no shape")
    for i in range(tensor.ndim):
        shape[i] = tensor.shape[i]
    cdef int64_t nbytes = checked_bytes(tensor.ndim, shape, ITEMSIZE[code])
    if nbytes < 0:
        found = tuple([shape[i] for i in range(tensor.ndim)])
        raise ShapeError(problem("from_dlpack", None, f"{found} is no shape of an array in memory"))
    if tensor.data is NULL and nbytes > 0:
        raise refusal("the tensor has elements but no data")
    if tensor.strides is NULL:
        c_strides(tensor.ndim, shape, ITEMSIZE[code], strides)
        return code
    for i in range(tensor.ndim):
        if not scale(tensor.strides[i], ITEMSIZE[code], &strides[i]):
            raise ShapeError(problem("from_dlpack", None, f"stride {tensor.strides[i]} is too large"))
    return code


cdef Array read_capsule(object capsule, int face):
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t strides[MAX_NDIM]
    cdef Borrowed owner = Borrowed.__new__(Borrowed)
    cdef DLManagedTensorVersioned* versioned = NULL
    cdef DLManagedTensor* legacy = NULL
    cdef const DLTensor* tensor
    cdef bint read_only = False
    if PyCapsule_IsValid(capsule, VERSIONED):
        versioned = <DLManagedTensorVersioned*>PyCapsule_GetPointer(capsule, VERSIONED)
        if versioned.major != 1:
            found = f"version {versioned.major}"
            raise BufferError(message("from_dlpack", None, "version 1 of DLPack", found))
        read_only = versioned.flags & DL_READ_ONLY
        tensor = &versioned.tensor
    elif PyCapsule_IsValid(capsule, LEGACY):
        legacy = <DLManagedTensor*>PyCapsule_GetPointer(capsule, LEGACY)
        tensor = &legacy.tensor
    else:
        raise refusal("the capsule holds no tensor, or one that somebody has taken already")
    code = read_tensor(tensor, shape, strides)
    cdef char* data = <char*>tensor.data + tensor.byte_offset
    if <uintptr_t>data % min(ITEMSIZE[code], 8) != 0:
        raise refusal(f"the data are not aligned to {DTYPES[code]}")
    cdef int context = 0x100
    if tensor.device.type == DL_CUDA:
        context = 0x200 | tensor.device.id
        owner.device = tensor.device.id + 1
    x = import_memory(data, owner, face, tensor.ndim, shape, strides, code, read_only, True, context)
    # Nothing can fail from here on: the tensor is ours.
    PyCapsule_SetName(capsule, b"used_dltensor" if versioned is NULL else b"used_dltensor_versioned")
    owner.legacy = legacy
    owner.versioned = versioned
    return x


cdef object ask(x, copy):
    """The capsule of an object, by the newest protocol that it knows."""
    if not hasattr(x, "__dlpack__"):
        raise ArgumentTypeError(message("from_dlpack", "x", "an object with __dlpack__", type(x).__name__))
    device, number = x.__dlpack_device__()
    check_place(device, number)
    options = {"stream": _gpu.stream_of(number)} if device == DL_CUDA else {}
    try:
        return x.__dlpack__(max_version=(1, 0), copy=copy, **options)
    except TypeError:
        return x.__dlpack__(**options)


def from_dlpack(x, int face, copy):
    """Return an array over the memory of any object with `__dlpack__`, or of a capsule.

    `copy=True` copies; `copy=False` fails if the producer would have to.
    """
    array = read_capsule(x if PyCapsule_CheckExact(x) else ask(x, None if copy else copy), face)
    if copy:
        return copied_array(array)
    return array


# --- __cuda_array_interface__ -------------------------------------------------------------------

def cuda_interface(Array x):
    """`__cuda_array_interface__` of an array on a GPU; AttributeError for others and for bfloat16."""
    dtype = DTYPES[x.dtype_code]
    if not x.var.on_gpu() or dtype.name == "bfloat16":
        text = f"an array of {dtype.name} on {'a GPU' if x.var.on_gpu() else 'the CPU'} has none"
        raise AttributeError(problem("__cuda_array_interface__", None, text))
    begin_export(x.var, not x.read_only)
    end_export(x.var, not x.read_only)
    address = <uintptr_t>(x.var.data.load() + x.offset) if x.size else 0
    return {
        "shape": x.shape,
        "typestr": dtype.str,
        "data": (address, bool(x.read_only)),
        "strides": None if x.c_contiguous else x.strides,
        "stream": None,
        "version": 3,
    }


def from_cuda(source, int face):
    """Return an array over the memory that an object's `__cuda_array_interface__` names."""
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t strides[MAX_NDIM]
    cdef Borrowed owner = Borrowed.__new__(Borrowed)
    cdef int i, ndim, device, code
    found = source.__cuda_array_interface__
    dims, steps, (address, read_only) = found["shape"], found.get("strides"), found["data"]
    ndim, code = len(dims), code_of(np.dtype(found["typestr"]))
    if ndim > MAX_NDIM or steps is not None and len(steps) != ndim:
        expected = f"at most {MAX_NDIM} dimensions, each with a stride"
        raise ShapeError(message("array", "source_array", expected, ndim))
    if found.get("mask") is not None:
        raise ArgumentError(problem("array", "source_array", "masked arrays of GPUs are not supported"))
    for i in range(ndim):
        shape[i] = dims[i]
        strides[i] = 0 if steps is None else steps[i]
    if checked_bytes(ndim, shape, ITEMSIZE[code]) < 0:
        raise ShapeError(problem("array", "source_array", f"{dims} is no shape of an array in memory"))
    if steps is None:
        c_strides(ndim, shape, ITEMSIZE[code], strides)
    device = 0 if 0 in dims else _gpu.device_of(address)
    if device < 0 or address % min(ITEMSIZE[code], 8):
        expected = f"the address of elements of {DTYPES[code]} on a GPU"
        raise ArgumentError(message("array", "source_array", expected, address))
    _gpu.require(device)
    if found.get("stream") is not None:
        _gpu.wait_for(device, found["stream"])
    owner.kept, owner.device = source, device + 1
    return import_memory(<char*><uintptr_t>address, owner, face, ndim, shape, strides, code, read_only, True,
                         0x200 | device)
