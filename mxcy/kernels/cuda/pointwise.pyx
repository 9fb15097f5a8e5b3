"""Pointwise programs on a GPU: finds the kernel for the operands' layout and enqueues it.

The checks, broadcasting, results and overlap are those of `_pointwise`, which hands over here what it would
push. This is the path of every small operation, so that it makes no Python object but the key of the layout.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.string cimport memset
from libcpp.vector cimport vector

from ..._array cimport Array
from ..._engine cimport Op
from ..._gpu cimport DeviceKernel, DeviceOp, new_device_op, one_device, push_op
from ..._pointwise cimport (
    Cell, Numbers, Program, Space, append_strides, lend_device_push, only_arrays, prepare_inputs, static_name,
    write_scalar,
)

from ... import _gpu
from ..._compile import Layout
from ...errors import ArgumentError, message
from ._compiler import get_kernel
from ._generate import generate_pointwise

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        COMPLEX64
    const unsigned char* ITEMSIZE

cdef enum:
    MAX_NDIM = 32
    MAX_OPERANDS = 60

# Threads of a block, and the most blocks. Every thread takes one group as long as that many blocks will do:
# on an H100 this is 5 % faster than as many blocks as it can hold that go on to the next groups.
cdef uint32_t THREADS = 32 if _gpu.SIMULATED else 256
cdef int64_t MOST_BLOCKS = 2 if _gpu.SIMULATED else 2**31 - 1


# What is known of the operands of one launch.
cdef struct Place:
    int ndim, width, n
    bint wide
    int64_t inner              # groups along the innermost axis
    char key[3 + MAX_OPERANDS]  # width, axes, wide, then a letter for each operand


cdef int place(Place* at, Space* space, const int64_t* offsets, const unsigned char* codes) noexcept:
    """Chooses the width and the letters."""
    cdef int k, d, item, largest = 1
    cdef int64_t stride, reach, step
    cdef bint dense = True, in_groups
    cdef int n = at.n, last = space.ndim - 1
    at.ndim = space.ndim if space.ndim > 0 else 1
    at.wide = space.size >= (<int64_t>1 << 31)
    for k in range(n):
        item = ITEMSIZE[codes[k]]
        stride = space.inner_stride(k)
        at.key[3 + k] = b"0" if stride == 0 or space.ndim == 0 else b"v" if stride == item else b"s"
        dense = dense and at.key[3 + k] != b"s" and codes[k] < COMPLEX64
        if item > largest:
            largest = item
    at.width = 1
    if dense and space.ndim > 0:
        at.width = 16 // largest if largest > 1 else 8
        for k in range(n):
            item = ITEMSIZE[codes[k]]
            if at.key[3 + k] != b"v":
                continue
            in_groups = offsets[k] % (at.width * item) == 0
            for d in range(last):
                in_groups = in_groups and space.row(d)[k] % (at.width * item) == 0
            if not in_groups:
                at.width = 1
        if last > 0 and space.shape[last] % at.width != 0:
            at.width = 1
    at.inner = space.shape[last] // at.width if space.ndim > 0 else 1
    at.key[0], at.key[1], at.key[2] = at.width, at.ndim, at.wide
    return 0


cdef class Body:
    """What a kernel over elements computes, and its kernels for the layouts met so far."""

    cdef readonly str name
    cdef const char* c_name
    cdef object layout          # Layout or Custom, or None until a kernel is made
    cdef Program program
    cdef tuple is_array         # of each input
    cdef dict kernels
    cdef vector[int] scalar_codes

    def __init__(self, str name, layout, is_array=None):
        self.name, self.c_name, self.layout = name, static_name(name), layout
        self.is_array = (True,) * len(layout.in_types) if is_array is None else is_array
        self.kernels = {}
        for _, _, stored in layout.scalars:
            self.scalar_codes.push_back(stored)

    cdef DeviceKernel find(self, Place* at, int device):
        key = PyBytes_FromStringAndSize(at.key, 3 + at.n) if device == 0 else (
            PyBytes_FromStringAndSize(at.key, 3 + at.n), device)
        found = self.kernels.get(key)
        if found is None:
            modes = at.key[3:3 + at.n].decode()
            arguments = (self.layout, at.width, at.ndim, at.wide, modes, self.is_array)
            found = self.kernels[key] = get_kernel(self.name, *generate_pointwise(*arguments), device)
        return found

    def run(self, list inputs, list outs, scalars=()):
        """Compute arrays of one shape from arrays that broadcast to it and numbers."""
        cdef Array first = outs[0]
        cdef vector[Cell] cells
        cdef Cell cell
        for value, code in zip(scalars, self.scalar_codes, strict=True):
            memset(cell.bytes, 0, 16)
            write_scalar(value, code, code, cell.bytes)
            cells.push_back(cell)
        push_body(self, inputs, outs, cells, first.ndim_, first.dims)


cdef Body body_of(Program program, list inputs):
    """The body of a program. Which inputs are arrays follows from the types that it was compiled for."""
    if program.device_body is None:
        is_array = tuple([isinstance(x, Array) for x in inputs])
        program.device_body = Body(program.name, Layout(*program.source), is_array)
    return program.device_body


def run_program(Program program not None, list inputs, list outs):
    """Run a program whose inputs are numbers, or arrays that broadcast to its results."""
    cdef vector[Cell] cells
    cdef Array first = outs[0]
    cdef list found = prepare_inputs(program, inputs, &cells)
    push_body(body_of(program, found), only_arrays(found), outs, cells, first.ndim_, first.dims)


cdef int push_pointwise(Program program, list inputs, list arrays, list outs, const vector[Cell]& scalars,
                        int ndim, const int64_t* shape) except -1:
    return push_body(body_of(program, inputs), arrays, outs, scalars, ndim, shape)


cdef int push_body(Body body, list arrays, list outs, const vector[Cell]& scalars, int ndim,
                   const int64_t* shape) except -1:
    cdef Numbers strides
    cdef Array x
    cdef Place at
    cdef int64_t offsets[MAX_OPERANDS]
    cdef unsigned char codes[MAX_OPERANDS]
    cdef int device = one_device(body.name, arrays, outs)
    cdef int k = 0
    if len(arrays) + len(outs) > MAX_OPERANDS:
        found = len(arrays) + len(outs)
        raise ArgumentError(message(body.name, None, f"at most {MAX_OPERANDS} arrays", found))
    for operands in (arrays, outs):
        for x in <list>operands:
            append_strides(&strides, x, ndim, shape)
            offsets[k] = x.offset + (<uintptr_t>x.var.data.load() & 15)  # foreign memory may lie anywhere
            codes[k] = x.dtype_code
            k += 1
    cdef Space space = Space(ndim, k, shape, strides.data())
    space.normalise(len(arrays))
    if space.size == 0:
        return 0
    at.n = k
    place(&at, &space, offsets, codes)
    cdef DeviceKernel kernel = body.find(&at, device)
    cdef DeviceOp* op = new_device_op()
    op.name = body.c_name
    op.device = device
    try:
        fill(op, kernel, &at, &space, codes)
        for operands in (arrays, outs):
            for x in <list>operands:
                op.add_pointer(x.var, x.offset)
        add_scalars(op, body, scalars)
        op.end_launch()
    except BaseException:
        del op
        raise
    return push_op(<Op*>op, arrays, outs, False)


cdef int add_scalars(DeviceOp* op, Body body, const vector[Cell]& scalars) except -1:
    cdef size_t k
    cdef int half
    for k in range(scalars.size()):
        if body.scalar_codes[k] < COMPLEX64:
            op.add_bytes(scalars[k].bytes, 16)
            continue
        half = 4 if body.scalar_codes[k] == COMPLEX64 else 8  # a complex number is two parameters
        op.add_bytes(scalars[k].bytes, half)
        op.add_bytes(scalars[k].bytes + half, half)
    return 0


cdef int fill(DeviceOp* op, DeviceKernel kernel, Place* at, Space* space, const unsigned char* codes) except -1:
    """The launch and its parameters before the addresses."""
    cdef uint32_t grid[3]
    cdef uint32_t block[3]
    cdef int64_t groups = space.size // at.width, blocks, number
    cdef int k, d
    blocks = (max(groups, 1) + THREADS - 1) // THREADS
    grid[0], grid[1], grid[2] = min(blocks, MOST_BLOCKS), 1, 1
    block[0], block[1], block[2] = THREADS, 1, 1
    op.begin_launch(kernel.function, grid, block)
    op.add_bytes(&groups, 8)
    op.add_bytes(&space.size, 8)
    for d in range(1, at.ndim):
        number = at.inner if d == at.ndim - 1 else space.shape[d]
        op.add_bytes(&number, 8)
    for k in range(at.n):
        for d in range(at.ndim):
            if d < at.ndim - 1 or at.key[3 + k] == b"s":
                number = space.row(d)[k] // ITEMSIZE[codes[k]]
                op.add_bytes(&number, 8)
    return 0


lend_device_push(push_pointwise)
