"""The block machine: pointwise programs over NumPy's inner loops (native/pointwise.hpp, native/fused.hpp).

`compile_program` lays a program out (`_compile.py`) and copies the layout into the C++ structure that
workers read; `invoke` checks operands, allocates results, sees to overlap and alignment, and pushes one
operation to the engine. A `Program` never changes, so callers keep it for each combination of operand
types.
"""

from cpython.complex cimport PyComplex_ImagAsDouble, PyComplex_RealAsDouble
from cpython.float cimport PyFloat_AsDouble
from libc.stdint cimport int64_t, intptr_t, uint8_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset
from libcpp.vector cimport vector

from . cimport _array
from ._array cimport Array, new_array, new_like, require_writable
from ._cast cimport cast_loop
from ._engine cimport CVar, OP_FUSES, OP_NEEDS_GIL, OP_OVERWRITES, Op, Runtime, push, report_fp_flags, runtime
from ._device cimport load_kernels, on_gpu, refuse_gpu
from ._loops cimport ResolvedLoop

import numpy as np

from ._array import from_numpy
from ._compile import Const, Layout, fits
from ._loops import resolve
from .dtypes import DTYPES, numpy_dtype
from .errors import ArgumentError, DTypeError, ShapeError, message, problem

__all__ = ["Const", "Program", "compile_program", "invoke"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, UINT64, FLOAT64, COMPLEX128, COMPLEX64
    const uint8_t* ITEMSIZE

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint views_may_overlap(int64_t, int, const int64_t*, const int64_t*, int64_t,
                           int64_t, int, const int64_t*, const int64_t*, int64_t)

cdef extern from "fp_status.hpp" namespace "mxcy" nogil:
    int take_fp_flags()

cdef enum:
    MAX_NDIM = 32

cdef dict _names = {}
cdef dict _copies = {}


cdef const char* static_name(str name) except NULL:
    cdef bytes found = _names.get(name)
    if found is None:
        found = _names[name] = name.encode()
    return found


# --- programs ---------------------------------------------------------------------------------------
cdef class Program:
    """A compiled list of loops over registers; immutable, made by `compile_program`."""

    def __dealloc__(self):
        if self.c != NULL:
            self.c.release()

    def __reduce__(self):
        return _rebuild, (self.source, self.name, self.c.flushes)

    def __repr__(self):
        def spell(t):
            return t.__name__ if isinstance(t, type) else numpy_dtype(t).name

        inputs, outputs = ", ".join(map(spell, self.in_types)), ", ".join(map(spell, self.out_dtypes))
        return f"<Program {self.name}: ({inputs}) -> ({outputs}), {self.c.steps.size()} steps>"


def compile_program(n_inputs, steps, outputs, in_dtypes, out_dtypes=None, name=None, flushes=False):
    """Compile a pointwise program.

    `steps` is a list of (function, operands): a function is a `numpy.ufunc`, the name of one of our own
    loops, `("cast", dtype code)`, or `("call", ufunc)` to call a ufunc with the GIL; an operand is the
    number of a value (inputs first, then results of the steps in order; a ufunc with several outputs gives
    consecutive numbers) or a `Const`. `outputs` lists the values to return. `in_dtypes` holds dtype codes, or `int`, `float`, `complex`, `bool` for
    Python scalars given at the call. Results are cast to `out_dtypes` where given. With
    `flushes` subnormal numbers are read and written as zero. Raises `DTypeError` where a function does not take its operands.
    """
    steps = tuple((function, tuple(operands)) for function, operands in steps)
    out_dtypes = None if out_dtypes is None else tuple(out_dtypes)
    source = (n_inputs, steps, tuple(outputs), tuple(in_dtypes), out_dtypes)
    if name is None:
        first = steps[0][0] if len(steps) == 1 else "pointwise"
        first = first[1] if isinstance(first, tuple) and first[0] == "call" else first
        name = first if isinstance(first, str) else first[0] if isinstance(first, tuple) else first.__name__
    return _rebuild(source, name, flushes)


def _rebuild(source, name, flushes):
    layout = Layout(*source, contracts=True)
    cdef Program program = Program.__new__(Program)
    program.source, program.name = source, name
    program.c_name = static_name(name)
    program.in_types, program.out_dtypes = layout.in_types, layout.out_codes
    for kind in layout.in_types:
        program.kinds.push_back(kind if isinstance(kind, int) else -1)
    program.scalars = tuple(layout.scalars)
    program.comparison_only = tuple(layout.comparison_only)
    program.cost_ns = layout.cost_ns
    program.c = new CProgram()
    fill(program.c, layout)
    program.c.flushes = flushes
    may_fail = any(loop.may_fail for loop, _ in layout.steps)
    program.flags = OP_NEEDS_GIL if program.c.python else 0 if may_fail or flushes else OP_FUSES
    return program


cdef fill(CProgram* c, layout):
    cdef ResolvedLoop loop
    cdef Cell cell
    c.n_inputs, c.n_outputs = len(layout.in_types), len(layout.out_codes)
    c.n_scalars, c.n_constants = len(layout.scalars), len(layout.constants)
    c.n_temporaries = len(layout.temporaries)
    c.n_slots, c.slot_itemsize = layout.n_slots, layout.slot_itemsize
    c.cost_ns = layout.cost_ns
    for code in layout.temporaries:
        c.temporary_itemsizes.push_back(ITEMSIZE[<int>code])
    for slot in layout.slots:
        c.slots.push_back(slot)
    for value, declared, stored in layout.constants:
        write_scalar(value, declared, stored, cell.bytes)
        c.constants.push_back(cell)
    for number in layout.last_reads:
        c.last_read.push_back(number)
    for number in layout.first_writes:
        c.first_written.push_back(number)
    for loop, registers in layout.steps:
        if len(registers) > 12:
            expected = "at most 12 operands a step"
            raise ArgumentError(message("compile_program", "steps", expected, len(registers)))
        c.add_step(loop.loop, loop.data, loop.failed, loop.python, loop.clears)
        if isinstance(loop.function, tuple) and loop.function[0] == "cast" and registers[1][0] == "temporary":
            c.mark_cast()
        for register in registers:
            c.add_argument(layout.order(register))


cdef int write_scalar(value, int declared, int stored, char* cell) except -1:
    """Convert a Python or NumPy scalar as NumPy does: to the declared dtype, then to the stored one."""
    cdef char buffer[16]
    cdef int source
    if type(value) is float:
        (<double*>buffer)[0] = <double>value
        source = FLOAT64
    elif isinstance(value, np.generic):
        held = np.asarray(value, numpy_dtype(declared)).tobytes()
        memcpy(buffer, <char*>held, len(held))
        source = declared
    elif isinstance(value, bool):
        buffer[0] = value
        source = BOOL
    elif isinstance(value, int) and declared <= UINT64:
        source = write_integer(value, declared, buffer)
    elif isinstance(value, complex):
        (<double*>buffer)[0] = PyComplex_RealAsDouble(value)
        (<double*>buffer)[1] = PyComplex_ImagAsDouble(value)
        source = COMPLEX128
    else:
        (<double*>buffer)[0] = PyFloat_AsDouble(value)
        source = FLOAT64
    take_fp_flags()
    convert(buffer, source, cell, declared)
    if declared != stored:
        memcpy(buffer, cell, 16)
        convert(buffer, declared, cell, stored)
    cdef int flags = take_fp_flags()
    if flags and value == value:  # of a NaN nothing is lost, but narrowing one raises flags
        report_fp_flags("cast", flags)
    return 0


cdef int write_integer(value, int declared, char* buffer) except -1:
    if declared == BOOL:
        buffer[0] = value != 0
        return BOOL
    if not fits(value, declared):
        raise OverflowError(f"Python integer {value} out of bounds for {numpy_dtype(declared).name}")
    if value < 0:
        (<int64_t*>buffer)[0] = value
        return INT64
    (<unsigned long long*>buffer)[0] = value
    return UINT64


cdef void convert(char* source, int source_code, char* target, int target_code) noexcept:
    cdef char* args[2]
    cdef intptr_t length = 1
    cdef intptr_t strides[2]
    args[0], args[1] = source, target
    strides[0] = strides[1] = 0
    cast_loop(source_code, target_code)(args, &length, strides, NULL)


# --- operands ---------------------------------------------------------------------------------------
cdef list prepare_inputs(Program program, inputs, vector[Cell]* scalars):
    cdef list found = []
    cdef Array x
    cdef Cell cell
    cdef int i, kind
    cdef int n = <int>program.kinds.size()
    if len(inputs) != n:
        raise ArgumentError(message(program.name, None, f"{n} operands", len(inputs)))
    for i in range(n):
        given = inputs[i]
        kind = program.kinds[i]
        if isinstance(given, Array):
            x = <Array>given
            if x.dtype_code != kind:
                expected = _spell(program.in_types[i])
                raise DTypeError(message(program.name, None, expected, numpy_dtype(x.dtype_code).name))
            found.append(x if is_aligned(x) else copy_of(x, kind))
        elif kind < 0:
            found.append(given)
        else:
            found.append(from_numpy(np.asarray(given, numpy_dtype(kind))))
    for i, declared, stored in program.scalars:
        memset(cell.bytes, 0, 16)
        write_scalar(found[i], declared, stored, cell.bytes)
        scalars.push_back(cell)
    return found


def _spell(kind):
    return f"a Python {kind.__name__}" if isinstance(kind, type) else f"dtype {numpy_dtype(kind).name}"


cdef list only_arrays(list operands):
    """The operands that are arrays; the list itself if all are."""
    for x in operands:
        if not isinstance(x, Array):
            return [x for x in operands if isinstance(x, Array)]
    return operands


cdef int broadcast(str name, list arrays, int64_t* shape) except -1:
    cdef int ndim = 0, i, at
    cdef Array x
    for x in arrays:
        if x.ndim_ > ndim:
            ndim = x.ndim_
    for i in range(ndim):
        shape[i] = 1
    for x in arrays:
        for i in range(x.ndim_):
            at = ndim - x.ndim_ + i
            if shape[at] == 1:
                shape[at] = x.dims[i]
            elif x.dims[i] != 1 and x.dims[i] != shape[at]:
                shapes = [_shape(a) for a in arrays]
                listed = " and ".join(map(str, shapes))
                raise ShapeError(problem(name, None, f"shapes {listed} do not broadcast"))
    return ndim


cdef tuple _shape(Array x):
    return tuple([x.dims[i] for i in range(x.ndim_)])


cdef int append_strides(Numbers* strides, Array x, int ndim, const int64_t* shape) except -1:
    cdef int i
    cdef int missing = ndim - x.ndim_
    if missing < 0:  # a face without 0-d arrays made shape (1,) of ()
        return 0
    for i in range(ndim):
        if i < missing or x.dims[i - missing] == 1 and shape[i] != 1:
            strides.push_back(0)
        else:
            strides.push_back(x.dims[x.ndim_ + i - missing])
    return 0


cdef bint same_view(Array a, Array b) noexcept:
    cdef int i
    if a.ndim_ != b.ndim_ or a.dtype_code != b.dtype_code:
        return False
    if a.var != b.var or a.offset != b.offset:
        return False
    for i in range(2 * a.ndim_):
        if a.dims[i] != b.dims[i]:
            return False
    return True


cdef bint may_overlap(Array a, Array b) noexcept:
    cdef char* first
    cdef char* second
    cdef int64_t apart = 0
    if a.var != b.var:  # two imports of one piece of memory have two variables
        first, second = a.var.data.load(), b.var.data.load()
        if first == NULL or second == NULL:
            return False
        if first + a.var.nbytes <= second or second + b.var.nbytes <= first:
            return False
        apart = second - first
    return views_may_overlap(a.offset, a.ndim_, a.dims, a.dims + a.ndim_, ITEMSIZE[a.dtype_code],
                             b.offset + apart, b.ndim_, b.dims, b.dims + b.ndim_, ITEMSIZE[b.dtype_code])


cdef bint is_aligned(Array x) noexcept:
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    cdef int64_t mask = (4 if x.dtype_code == COMPLEX64 else 8 if item > 8 else item) - 1
    cdef uintptr_t all_bits = <uintptr_t>x.var.data.load() | <uintptr_t>x.offset
    cdef int i
    if x.c_contiguous or x.size == 0:
        return not all_bits & mask
    for i in range(x.ndim_):
        if x.dims[i] > 1:
            all_bits |= <uintptr_t>x.dims[x.ndim_ + i]
    return not all_bits & mask


cdef Array aligned(Array x):
    return x if is_aligned(x) else copy_of(x, x.dtype_code)


cdef Program copy_program(int source, int target):
    """The program that converts; its loop takes unaligned operands."""
    found = _copies.get((source, target))
    if found is None:
        found = compile_program(1, [(("cast", target), (0,))], [1], [source], name="copy")
        _copies[source, target] = found
    return found


cdef Array copy_of(Array x, uint8_t code):
    cdef Array out = new_like(x, x.ndim_, x.dims, code)
    copy_into(x, out)
    return out


cdef int copy_into(Array x, Array out) except -1:
    cdef vector[Cell] none
    push_program(copy_program(x.dtype_code, out.dtype_code), [x], [x], [out], none, x.ndim_, x.dims)
    return 0


# --- running ----------------------------------------------------------------------------------------
cpdef list invoke(Program program, inputs, outs=None):
    """Run a program over arrays and scalars; return its results.

    Arrays broadcast. An entry of `outs` is an array of exactly the result's shape and dtype, with any
    strides and overlapping the inputs in any way, or None for a fresh array of the first input's face.
    Raises `ShapeError`, `DTypeError`, `ArgumentError`, or `OverflowError` for an integer that the dtype
    of an operation does not hold.
    """
    cdef vector[Cell] scalars
    cdef int64_t shape[MAX_NDIM]
    cdef Array x
    cdef uint8_t code
    if program.scalars:
        program, inputs = _within_range(program, inputs)
    cdef list found = prepare_inputs(program, inputs, &scalars)
    cdef list arrays = only_arrays(found)
    cdef int ndim = broadcast(program.name, arrays, shape)
    cdef list results
    if outs is None and arrays:
        results = [new_like(<Array>arrays[0], ndim, shape, code) for code in program.out_dtypes]
        push_program(program, found, arrays, results, scalars, ndim, shape)
        return results
    results = _results(program, inputs, outs, ndim, shape)
    cdef list targets = [x if is_aligned(x) else new_like(x, x.ndim_, x.dims, x.dtype_code) for x in results]
    _separate(program, found, targets)
    push_program(program, found, only_arrays(found), targets, scalars, ndim, shape)
    for result, target in zip(results, targets):
        if result is not target:
            copy_into(target, result)
    return results


cdef tuple _within_range(Program program, inputs):
    """Program and inputs, with infinities for integers that only comparisons read and that are too large."""
    cdef int i
    cdef list types = None, found = None
    for i, declared, _ in program.scalars:
        if program.comparison_only[i] and declared <= UINT64 and not fits(inputs[i], declared):
            if types is None:
                types, found = list(program.in_types), list(inputs)
            types[i] = FLOAT64
            found[i] = float("inf") if inputs[i] > 0 else float("-inf")
    if types is None:
        return program, inputs
    n_inputs, steps, outputs, _, out_dtypes = program.source
    return compile_program(n_inputs, steps, outputs, types, out_dtypes, program.name, program.c.flushes), found


cdef list _results(Program program, inputs, outs, int ndim, const int64_t* shape):
    cdef Array first = None, out
    cdef list results = []
    cdef int i
    for x in (*inputs, *(outs or ())):
        if isinstance(x, Array):
            first = <Array>x
            break
    if first is None:
        raise ArgumentError(message(program.name, None, "at least one array", "only scalars"))
    if outs is not None and len(outs) != len(program.out_dtypes):
        raise ArgumentError(message(program.name, "outs", f"{len(program.out_dtypes)} arrays", len(outs)))
    for i, code in enumerate(program.out_dtypes):
        if outs is None or outs[i] is None:
            results.append(new_like(first, ndim, shape, code))
            continue
        out = outs[i]
        check_out(program.name, out, code, ndim, shape)
        results.append(out)
    return results


cdef int check_out(str name, Array out, int code, int ndim, const int64_t* shape) except -1:
    cdef int i
    cdef bint fits_shape = out.ndim_ == ndim or ndim == 0 and out.size == 1
    for i in range(ndim if out.ndim_ == ndim else 0):
        fits_shape = fits_shape and out.dims[i] == shape[i]
    if not fits_shape:
        expected = tuple([shape[i] for i in range(ndim)])
        raise ShapeError(message(name, "out", f"shape {expected}", _shape(out)))
    if out.dtype_code != code:
        found = numpy_dtype(out.dtype_code).name
        raise DTypeError(message(name, "out", f"dtype {numpy_dtype(code).name}", found))
    require_writable(out, name)
    return 0


cdef int _separate(Program program, list inputs, list outs) except -1:
    """Copy the inputs that writing a result could change before the program has read them."""
    cdef Array out
    cdef int i, k
    for i, x in enumerate(inputs):
        if not isinstance(x, Array):
            continue
        for k, out in enumerate(outs):
            if not may_overlap(<Array>x, out):
                continue
            if same_view(<Array>x, out) and program.c.last_read[i] <= program.c.first_written[k]:
                continue
            inputs[i] = copy_of(<Array>x, (<Array>x).dtype_code)
            break
    return 0


cdef DevicePush device_push = NULL

cdef void lend_device_push(DevicePush push) noexcept:
    global device_push
    device_push = push


cdef int push_program(Program program, list inputs, list arrays, list outs, vector[Cell]& scalars,
                      int ndim, const int64_t* shape) except -1:
    cdef Numbers strides
    cdef Array x
    cdef int i
    if on_gpu(arrays, outs):
        if device_push is NULL:
            load_kernels()
        return device_push(program, inputs, arrays, outs, scalars, ndim, shape)
    cdef PointwiseOp* op = new_pointwise()
    op.program = program.c
    program.c.retain()
    op.runtime = runtime()
    op.name = program.c_name
    for k, given in enumerate(inputs):
        if isinstance(given, Array):
            x = <Array>given
            op.add(x.var, x.offset, x.dtype_code)
            append_strides(&strides, x, ndim, shape)
            if ndim == 1 and shape[0] == 1 and x.ndim_ == 1 and k < 64:
                op.lines |= <uint64_t>1 << k
        else:  # nothing reads this register: its uses are scalars
            x = <Array>outs[0]
            op.add(x.var, x.offset, x.dtype_code)
            for i in range(ndim):
                strides.push_back(0)
    for x in outs:
        op.add(x.var, x.offset, x.dtype_code)
        append_strides(&strides, x, ndim, shape)
    op.space = Space(ndim, len(inputs) + len(outs), shape, strides.data())
    op.space.normalise(len(inputs))
    op.scalars = scalars
    op.cost_ns = program.c.serial_ns(op.space.size, ITEMSIZE[(<Array>outs[0]).dtype_code])
    return push_over(<Op*>op, arrays, outs, program.flags)


cdef int push_over(Op* op, list reads, list writes, int flags=0) except -1:
    cdef Variables read_vars, write_vars
    cdef Array x
    cdef bint covers = True
    if on_gpu(reads, writes):
        name = op.name.decode()
        del op
        refuse_gpu(name)
    for x in reads:
        read_vars.push_back(x.var)
    for x in writes:
        write_vars.push_back(x.var)
        op.bytes += x.size * ITEMSIZE[x.dtype_code]
        covers = covers and x.whole
        for read in reads:
            covers = covers and (<Array>read).var != x.var
    op.flags |= flags
    if covers:
        op.flags |= OP_OVERWRITES
    return push(op, read_vars.data(), read_vars.size(), write_vars.data(), write_vars.size())
