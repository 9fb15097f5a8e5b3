"""The inner loops behind Python's operators on plain arrays.

Small operations run in the calling thread (`_invoke`). Larger ones, and those whose operands are pending,
are pushed from here as a program of one step: no Python function is called, so a push takes a microsecond,
and few cache lines of code after a pause.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from ._array cimport (
    DTYPE_COUNT, FORM_COUNT, MAX_FACES, MAX_NDIM, NUMBER_LEFT, NUMBER_RIGHT, SLOT_COUNT, TWO_ARRAYS,
    Array, FastLoop, faces, lent, new_like,
)
from ._engine cimport CVar, OP_FUSES, OP_OVERWRITES, Op, push, runtime, wait
from ._loops cimport Loop
from ._pointwise cimport (
    CProgram, Cell, Numbers, PointwiseOp, Space, append_strides, is_aligned, may_overlap, new_pointwise,
    same_view, static_name,
)

from contextvars import Context

import numpy as np

from ._array import SLOTS, set_fast_loop
from ._loops import resolve
from .dtypes import DTYPES
from .errors import DTypeError

__all__ = ["install_fast_loops", "may_raise"]

cdef extern from "spare.hpp" namespace "mxcy" nogil:
    void fetch_to_write(const void* p, size_t nbytes)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, UINT64
    const uint8_t* ITEMSIZE

# Slots whose function is another one by MXNet's rules: results have the dtype of the operands.
_ND_FUNCTIONS = {
    "remainder": "modulo", "equal": "equal", "not_equal": "not_equal", "less": "less",
    "less_equal": "less_equal", "greater": "greater", "greater_equal": "greater_equal",
}  # fmt: skip


# NumPy's errstate, and the one of a thread that has never set it.
cdef object extobj = np._core.umath._extobj_contextvar
cdef object usual_state = Context().run(extobj.get)

cdef CProgram* fast_programs[MAX_FACES][SLOT_COUNT][DTYPE_COUNT][FORM_COUNT]


cdef CProgram* fast_program(int face, int slot, int code, int form) except NULL:
    cdef FastLoop* loop = &faces[face].loops[slot][code]
    cdef CProgram** place = &fast_programs[face][slot][code][form]
    if place[0] != NULL and place[0].steps[0].loop == <Loop>loop.function:
        return place[0]
    if place[0] != NULL:
        place[0].release()
    cdef CProgram* c = new CProgram()
    place[0] = c
    c.n_inputs = 2 if form == TWO_ARRAYS else 1
    c.n_outputs = 1
    c.n_scalars = form == NUMBER_LEFT or form == NUMBER_RIGHT
    c.cost_ns = loop.cost_ns + 0.1
    c.last_read.assign(c.n_inputs, 0)
    c.first_written.push_back(0)
    c.add_step(<Loop>loop.function, loop.data, NULL, False, loop.clears)
    if form == NUMBER_LEFT:
        c.add_argument(2)
    c.add_argument(0)
    if form == TWO_ARRAYS:
        c.add_argument(1)
    elif form == NUMBER_RIGHT:
        c.add_argument(2)
    c.add_argument(c.n_inputs)
    return c


cdef PyObject* push_loop(PyObject* left, PyObject* right, PyObject* into, int slot, int form,
                         const char* scalar) except? NULL:
    """Push a fast loop over arrays of one dtype, which broadcast; return a new reference to the result.

    `left` is the array if there is only one. `into` is the left one, or NULL for a fresh result. NULL where
    the operands want more care, or do not fit.
    """
    cdef Array x = <Array>left, y = <Array>right, out
    cdef bint two = form == TWO_ARRAYS
    cdef CVar* reads[2]
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t* extents = shape
    cdef Cell cell
    cdef int ndim = x.ndim_
    fetch_to_write(x.var, sizeof(CVar))  # the last core that wrote it may be a worker's
    if two:
        fetch_to_write(y.var, sizeof(CVar))
        ndim = common_shape(x, y, extents)
    else:
        extents = x.dims
    if faces[x.face].scalars and ndim > 1 and not (x.c_contiguous and (not two or y.c_contiguous)):
        return NULL  # NumPy keeps the order of the axes of its operands
    if ndim < 0 or not is_aligned(x) or two and not is_aligned(y):
        return NULL
    if into != NULL and (x.read_only or not x.c_contiguous or two and not covers(x, y)):
        return NULL
    cdef uint8_t code = faces[x.face].loops[slot][x.dtype_code].out
    out = x if into != NULL else new_like(x, ndim, extents, code)
    cdef CProgram* program = fast_program(x.face, slot, x.dtype_code, form)
    cdef PointwiseOp* op = new_pointwise()
    op.program = program
    program.retain()
    op.runtime = runtime()
    op.name = _slot_names[slot]
    op.add(x.var, x.offset, x.dtype_code)
    if two:
        op.add(y.var, y.offset, y.dtype_code)
    op.add(out.var, out.offset, code)
    place(op, x, y, out, two)
    if form == NUMBER_LEFT or form == NUMBER_RIGHT:
        memcpy(cell.bytes, scalar, 16)
        op.scalars.push_back(cell)
    op.cost_ns = program.serial_ns(out.size, ITEMSIZE[code])
    op.bytes = out.size * ITEMSIZE[code]
    op.flags |= OP_FUSES if into != NULL else OP_FUSES | OP_OVERWRITES
    reads[0], reads[1] = x.var, y.var
    if into != NULL and faces[x.face].scalars and may_raise():
        push_and_wait(<Op*>op, reads, 1 + two, out)
    else:
        push(<Op*>op, reads, 1 + two, &out.var, 1)
    Py_INCREF(out)
    return <PyObject*>out


def may_raise():
    """Return whether this thread's errstate makes errors of what floating-point operations tell."""
    return extobj.get() is not usual_state and "raise" in np.geterr().values()


cdef int push_and_wait(Op* op, CVar** reads, int n_reads, Array out) except -1:
    """Pushes an operation in place whose error comes at the call. What it has written stays, as in NumPy."""
    try:
        push(op, reads, n_reads, &out.var, 1)
        wait(out.var, False)
    except FloatingPointError:
        out.var_handle()._clear()
        raise
    return 0


cdef int common_shape(Array x, Array y, int64_t* shape) noexcept:
    """Fills in the shape that two arrays broadcast to; returns its axes, or -1 if there is none."""
    cdef int ndim = max(x.ndim_, y.ndim_), i
    cdef int64_t a, b
    for i in range(ndim):
        a = x.dims[i - ndim + x.ndim_] if i >= ndim - x.ndim_ else 1
        b = y.dims[i - ndim + y.ndim_] if i >= ndim - y.ndim_ else 1
        if a != b and a != 1 and b != 1:
            return -1
        shape[i] = b if a == 1 else a
    return ndim


cdef bint covers(Array x, Array y) noexcept:
    """Whether x may be overwritten by what both give: y has its shape, and is x or apart from it."""
    cdef int i
    if y.ndim_ != x.ndim_ or not (same_view(x, y) or not may_overlap(x, y)):
        return False
    for i in range(x.ndim_):
        if x.dims[i] != y.dims[i]:
            return False
    return True


cdef int place(PointwiseOp* op, Array x, Array y, Array out, bint two) except -1:
    """Gives the operation its space: one axis if every operand lies in one run."""
    cdef int64_t items[3]
    cdef Numbers strides
    if x.c_contiguous and x.size == out.size and (not two or y.c_contiguous and y.size == out.size):
        items[0] = items[1] = items[2] = ITEMSIZE[x.dtype_code]
        items[1 + two] = ITEMSIZE[out.dtype_code]
        op.space = Space(1, 2 + two, &out.size, items)
        op.space.drop_unit_axes()
        return 0
    append_strides(&strides, x, out.ndim_, out.dims)
    if two:
        append_strides(&strides, y, out.ndim_, out.dims)
    append_strides(&strides, out, out.ndim_, out.dims)
    op.space = Space(out.ndim_, 2 + two, out.dims, strides.data())
    op.space.normalise(1 + two)
    return 0


cdef const char* _slot_names[SLOT_COUNT]
for _number, _name in enumerate(SLOTS):
    _slot_names[<int>_number] = static_name(_name)
lent.push_loop = push_loop


def install_fast_loops(face, rules="nd"):
    """Give a face the inner loops that its small operations run in the calling thread.

    `rules` is "np" (results as in NumPy) or "nd" (results in the operands' dtype, as in MXNet). Loops that
    can fail, need the GIL or need a cast are left to the face's operators.
    """
    for slot in SLOTS:
        for code in range(len(DTYPES)):
            found = _fast_loop(slot, code, rules)
            if found is not None:
                result = found.declared[found.n_inputs]
                set_fast_loop(face, slot, code, found.address, found.data_address, result,
                              cost_ns=found.cost_ns, clears=found.clears)


def _fast_loop(slot, code, rules):
    function = getattr(np, slot, None)
    if rules == "nd":
        if code == BOOL:  # numbers by MXNet's rules
            return None
        function = _ND_FUNCTIONS.get(slot, function)
        if slot == "divide" and code <= UINT64:
            function = "truncate_divide"
        if slot == "power" and code <= UINT64:
            function = "truncate_power"
    if slot in ("matmul", "divmod") or function is None:
        return None
    count = 1 if slot in ("negative", "positive", "absolute", "invert") else 2
    try:
        found = resolve(function, (code,) * count)
    except DTypeError:
        return None
    operands = found.declared[:count]
    if found.may_fail or found.python or found.declared != found.stored or set(operands) != {code}:
        return None
    if rules == "nd" and found.declared[count] != code:
        return None
    return found
