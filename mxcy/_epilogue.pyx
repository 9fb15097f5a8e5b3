"""What follows a product or a layer element by element, on parts of the result while they are in the cache
(native/epilogue.hpp).
"""

from libc.stdint cimport int64_t, uint8_t
from libcpp.vector cimport vector

from ._array cimport Array
from ._device cimport on_gpu
from ._engine cimport CVar, Kernel, Op, Runtime, runtime
from ._pointwise cimport (
    Numbers, PointwiseOp, Program, Space, append_strides, copy_of, is_aligned, may_overlap, new_pointwise,
    push_over,
)

from functools import lru_cache
from math import prod

from ._pointwise import invoke

__all__ = ["Epilogue", "may_overwrite", "reach"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const unsigned char* ITEMSIZE

cdef extern from "launch.hpp" namespace "mxcy" nogil:
    cdef cppclass LaunchOp(Op):
        @staticmethod
        LaunchOp* make(const Runtime* runtime, Kernel kernel, int n_outputs, int n_inputs, int64_t dims,
                       const void* params, size_t nparams)
        void set(int i, CVar* var, int64_t offset, int64_t size, int ndim, uint8_t dtype, const int64_t* dims)

cdef extern from "epilogue.hpp" namespace "mxcy" nogil:
    CEpilogue* new_epilogue "new mxcy::Epilogue"(int64_t rows, int64_t columns, int64_t least)
    Op* new_finished "new mxcy::FinishedOp"(Op*, CEpilogue*)


cdef class Epilogue:
    """A pointwise program over a result of this shape and other arrays; the last `inner` axes are columns.

    The result itself is among `inputs`, and may be among `outs`. `addend` is the number of the other input if
    all that the program does is to add it to the result and, if it `rectifies`, to make what is below zero zero;
    it may be in the same memory as the result that is to be made.
    """

    def __init__(self, program, list inputs, list outs, tuple shape, int inner, addend=None, bint rectifies=False):
        self.program, self.inputs, self.outs = program, inputs, outs
        self.shape, self.inner = shape, inner
        self.addend = -1 if addend is None else addend
        self.rectifies = rectifies

    cdef int keep_addend(self, Array result) except -1:
        cdef Array x
        if self.addend >= 0:
            x = <Array>self.inputs[self.addend]
            if may_overlap(x, result):
                self.inputs = list(self.inputs)
                self.inputs[self.addend] = copy_of(x, x.dtype_code)
        return 0

    def run(self):
        """Push the program by itself."""
        invoke(self.program, self.inputs, self.outs)


@lru_cache(2000)
def reach(tuple shape, tuple other, int inner):
    """How an operand repeats over a result whose last `inner` axes are columns.

    Returns its elements from one row to the next and from one column to the next, and the rows after which
    it begins again; None if that does not describe it.
    """
    missing = len(shape) - len(other)
    if missing < 0:
        return None
    padded = (*[1] * missing, *other)
    cut = len(shape) - inner
    own = prod(padded[cut:])
    if padded[cut:] == shape[cut:]:
        column = 1
    elif own == 1:
        column = 0
    else:
        return None
    period, repeats = 1, False
    for extent, full in zip(reversed(padded[:cut]), reversed(shape[:cut])):
        if extent == full:
            if repeats and full != 1:
                return None
            period *= full
        elif extent == 1:
            repeats = True
        else:
            return None
    return own if period > 1 else 0, column, period


def may_overwrite(Program program not None, int i, int k):
    """Whether output k of a program is first written when input i has been read."""
    return program.c.last_read[i] <= program.c.first_written[k]


cdef CEpilogue* joined(list epilogues, Array result, int64_t least) except? NULL:
    cdef Epilogue first
    cdef CEpilogue* made
    cdef PointwiseOp* op
    cdef vector[Reach] reaches
    if not epilogues or not result.c_contiguous or not is_aligned(result):
        return NULL
    for first in epilogues:
        if not _separate(first, result):
            return NULL
    first = <Epilogue>epilogues[0]
    cut = len(first.shape) - first.inner
    made = new_epilogue(prod(first.shape[:cut]), prod(first.shape[cut:]), least)
    try:
        for first in epilogues:
            reaches.clear()
            op = _operation(first, reaches)
            made.add(op, reaches.data(), _place(first, result))
    except BaseException:
        del made
        raise
    return made


cdef bint _separate(Epilogue epilogue, Array result) except -1:
    """Prepare the operands; false if one of them does not fit."""
    cdef Array x, out
    cdef int i, k
    cdef list arrays = epilogue.inputs
    if on_gpu(arrays, epilogue.outs):
        return False
    for out in epilogue.outs:
        if not out.c_contiguous or not is_aligned(out) or out.shape != epilogue.shape:
            return False
        if may_overlap(out, result) and not _is_same(out, result):
            return False
    for i in range(len(arrays)):
        x = <Array>arrays[i]
        if _is_same(x, result):
            for k in range(len(epilogue.outs)):
                if _is_same(<Array>epilogue.outs[k], result) and not may_overwrite(epilogue.program, i, k):
                    return False
            continue
        if reach(epilogue.shape, x.shape, epilogue.inner) is None:
            return False
        overlaps = may_overlap(x, result)
        for out in epilogue.outs:
            overlaps = overlaps or may_overlap(x, out)
        if overlaps or not x.c_contiguous or not is_aligned(x):
            arrays[i] = copy_of(x, x.dtype_code)
    return True


cdef bint _is_same(Array a, Array b) noexcept:
    """Whether both are all of one piece of memory, in C order."""
    return (a.var == b.var and a.offset == b.offset and a.size == b.size and a.dtype_code == b.dtype_code
            and a.c_contiguous and b.c_contiguous)


cdef int _place(Epilogue epilogue, Array result) except -2:
    """Which of the inputs is the result, -1 if none is."""
    for i, x in enumerate(epilogue.inputs):
        if _is_same(<Array>x, result):
            return i
    return -1


cdef PointwiseOp* _operation(Epilogue epilogue, vector[Reach]& reaches) except NULL:
    cdef Program program = epilogue.program
    cdef Numbers strides
    cdef Reach found
    cdef Array x
    cdef int64_t shape[32]
    cdef int ndim = len(epilogue.shape), i
    cdef PointwiseOp* op
    for i in range(ndim):
        shape[i] = epilogue.shape[i]
    op = new_pointwise()
    op.program = program.c
    program.c.retain()
    op.runtime = runtime()
    op.name = program.c_name
    for x in (*epilogue.inputs, *epilogue.outs):
        op.add(x.var, x.offset, x.dtype_code)
        append_strides(&strides, x, ndim, shape)
        found.row, found.column, found.period = reach(epilogue.shape, x.shape, epilogue.inner)
        found.row *= ITEMSIZE[x.dtype_code]
        found.column *= ITEMSIZE[x.dtype_code]
        reaches.push_back(found)
    op.space = Space(ndim, len(epilogue.inputs) + len(epilogue.outs), shape, strides.data())
    op.space.normalise(len(epilogue.inputs))
    op.cost_ns = 60 + program.c.cost_ns * op.space.size
    return op


cdef int apart(list epilogues) except -1:
    cdef Epilogue epilogue
    for epilogue in epilogues:
        epilogue.run()
    return 0


cdef int push_finished(Op* op, CEpilogue* epilogue, list epilogues, list reads, Array result) except -1:
    cdef Epilogue one
    cdef Array x
    cdef list writes = [result]
    reads = list(reads)
    for one in epilogues:
        reads += [x for x in one.inputs if not _is_same(<Array>x, result)]
        writes += [x for x in one.outs if not _is_same(<Array>x, result)]
    return push_over(new_finished(op, epilogue), reads, writes)


cdef Array _beside(Array x, Array result):
    return copy_of(x, x.dtype_code) if may_overlap(x, result) else x


cdef LaunchOp* _operation_of(Kernel kernel, const char* name, list arrays, const void* params, size_t nparams,
                             float cost_ns) except NULL:
    """A kernel's operation on its result and its inputs."""
    cdef int64_t dims = 0
    cdef int i
    cdef Array x
    for x in arrays:
        dims += x.ndim_
    cdef LaunchOp* op = LaunchOp.make(runtime(), kernel, 1, len(arrays) - 1, dims, params, nparams)
    if op == NULL:
        raise MemoryError
    for i, x in enumerate(arrays):
        op.set(i, x.var, x.offset, x.size, x.ndim_, x.dtype_code, x.dims)
    op.name, op.cost_ns = name, cost_ns
    return op


cdef int launch_over(Kernel kernel, const char* name, Array result, list inputs, const void* params,
                     size_t nparams, float cost_ns, Array last) except -1:
    cdef list operands = [*[_beside(<Array>x, result) for x in inputs], last]
    cdef LaunchOp* op = _operation_of(kernel, name, [result, *operands], params, nparams, cost_ns)
    return push_over(<Op*>op, operands, [result])


cdef int launch_finished(Kernel kernel, const char* name, Array result, list inputs, const void* params,
                         size_t nparams, float cost_ns, CEpilogue* epilogue, list epilogues) except -1:
    cdef list operands = [_beside(<Array>x, result) for x in inputs]
    cdef LaunchOp* op = _operation_of(kernel, name, [result, *operands], params, nparams, cost_ns)
    return push_finished(<Op*>op, epilogue, epilogues, operands, result)
