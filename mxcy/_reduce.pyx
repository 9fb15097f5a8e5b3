"""Reductions, running results and arg-reductions over NumPy's inner loops (native/reduce.hpp, scan.hpp,
arg_reduce.hpp), and our own for plain floats (native/folds.hpp).

Types follow NumPy: sums and products of booleans and short integers use 64 bits, everything else keeps
its dtype; half types accumulate in float32 and are rounded once, at the end.
"""

from operator import index

from libc.stdint cimport int64_t
from libc.string cimport memset
from libcpp.vector cimport vector

from ._array cimport Array, new_like
from ._cast cimport cast_loop
from ._device cimport load_kernels, on_gpu
from ._engine cimport OP_NEEDS_GIL, Op, Runtime, runtime
from ._loops cimport FailureTest, Loop, ResolvedLoop
from ._pointwise cimport (
    BlockOp, CProgram, Cell, Numbers, Program, Space, aligned, append_strides, broadcast, check_out,
    copy_into, copy_of, is_aligned, may_overlap, only_arrays, prepare_inputs, push_over, static_name, write_scalar,
)

import numpy as np

from ._loops import resolve
from ._pointwise import compile_program
from .dtypes import code_of, numpy_dtype
from .errors import ArgumentError, ArgumentTypeError, AxisError, DTypeError, ShapeError, message, problem

__all__ = ["accumulate", "arg_reduce", "plan_reduction", "reduce", "reduce_planned"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, UINT64, FLOAT16
    const unsigned char* ITEMSIZE

cdef extern from "folds.hpp" namespace "mxcy" nogil:
    cdef cppclass Folds:
        pass
    const Folds* find_folds(int dtype)

cdef extern from "reduce.hpp" namespace "mxcy" nogil:
    cdef cppclass ReduceOp(BlockOp):
        void set_map(CProgram* program)
        void set_finisher(CProgram* program)
        Loop loop
        void* loop_data
        FailureTest loop_failed
        const Folds* sums
        int itemsize
        Cell identity, initial
        bint has_identity, has_initial, ordered
        float element_ns
        Space kept, reduced
        vector[Cell] scalars, finisher_scalars
    ReduceOp* new_reduce "new mxcy::ReduceOp"()

cdef extern from "scan.hpp" namespace "mxcy" nogil:
    cdef cppclass AccumulateOp(BlockOp):
        Loop loop
        void* loop_data
        FailureTest loop_failed
        Space lanes
        int64_t length, x_step, out_step
        float element_ns
    AccumulateOp* new_accumulate "new mxcy::AccumulateOp"()

cdef extern from "arg_reduce.hpp" namespace "mxcy" nogil:
    cdef cppclass ArgReduceOp(BlockOp):
        Space kept, reduced
        Loop store_loop, extreme
        void* extreme_data
        const Folds* folds
    ArgReduceOp* new_arg_reduce(int dtype, bint largest)

cdef enum:
    MAX_NDIM = 32

# Reductions whose result does not depend on the order (or, for floats, is as good in any order).
_REORDERABLE = frozenset({
    np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logical_and, np.logical_or,
    np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logaddexp, np.logaddexp2, np.gcd,
    np.lcm, np.hypot,
})  # fmt: skip
_LOGICAL = frozenset({np.logical_and, np.logical_or, np.logical_xor})
_WIDENED = frozenset({np.add, np.multiply})

cdef dict _plans = {}


cdef class _Plan:
    """What a reduction of given types is made of."""

    cdef Program map       # None: the only input is read as it is
    cdef Program finisher  # None: the accumulator is the result
    cdef ResolvedLoop loop
    cdef int stored        # dtype of the accumulator
    cdef int result        # dtype of the result
    cdef object identity   # NumPy scalar, or None
    cdef Cell identity_cell
    cdef bint ordered
    cdef const Folds* sums


def reduce(ufunc, x, axis=None, keepdims=False, dtype=None, pre=None, post=None, out=None, initial=None,
           name=None, post_scalars=()):
    """Reduce an array along axes with a binary ufunc.

    `x` is an array, or the list of inputs of `pre`, a program whose result is reduced instead. `axis` is
    None (all), an int or a tuple. `dtype` is that of accumulation and result; `post` is a program applied
    to the result (its first input; `post_scalars` are the others). `initial` starts the reduction.
    Raises `AxisError`, `DTypeError`, `ShapeError` (a ufunc without identity over no elements; `out` of
    another shape) and `ArgumentError`.
    """
    label = name or ufunc.__name__
    inputs = list(x) if isinstance(x, (list, tuple)) else [x]
    cdef _Plan plan = _plan(ufunc, tuple([_kind(i) for i in inputs]), dtype, pre, post)
    return _reduce(plan, inputs, axis, keepdims, out, initial, label, post_scalars)


def plan_reduction(ufunc, int code, Program pre=None, Program post=None):
    """Return what `reduce_planned` needs to reduce arrays of a dtype: see `reduce`."""
    return _plan(ufunc, (code,), code, pre, post)


def reduce_planned(_Plan plan not None, x, axis, bint keepdims, out, str name, tuple post_scalars=()):
    """Reduce an array by a plan of `plan_reduction`: `reduce` for those who keep plans."""
    return _reduce(plan, [x], axis, keepdims, out, None, name, post_scalars)


def _kind(x):
    return (<Array>x).dtype_code if isinstance(x, Array) else type(x)


def _plan(ufunc, kinds, dtype, Program pre, Program post):
    code = dtype if dtype is None or isinstance(dtype, int) else code_of(dtype)
    key = (ufunc, kinds, code, pre, post)
    found = _plans.get(key)
    if found is None:
        found = _plans[key] = _make_plan(ufunc, kinds, code, pre, post)
    return found


cdef _Plan _make_plan(ufunc, kinds, code, Program pre, Program post):
    cdef _Plan plan = _Plan.__new__(_Plan)
    source = kinds[0] if pre is None else pre.out_dtypes[0]
    if code is None:
        code = BOOL if ufunc in _LOGICAL else widened(ufunc, source)
    plan.loop = resolve(ufunc, (code, code))
    if code != plan.loop.declared[2]:  # hypot of integers gives floats, and so on
        code = plan.loop.declared[2]
        plan.loop = resolve(ufunc, (code, code))
    if plan.loop.declared != (code, code, code):
        raise DTypeError(problem(ufunc.__name__, "x", f"no reduction over {numpy_dtype(source).name}"))
    plan.stored = plan.loop.stored[0]
    plan.ordered = ufunc not in _REORDERABLE
    plan.sums = find_folds(plan.stored) if ufunc is np.add else NULL
    plan.identity = None
    if ufunc.identity is not None:
        plan.identity = np.asarray(ufunc.identity).astype(numpy_dtype(plan.stored))[()]
        write_scalar(plan.identity, plan.stored, plan.stored, plan.identity_cell.bytes)
    if pre is not None:
        n_inputs, steps, outputs, in_types, _ = pre.source
        plan.map = compile_program(n_inputs, steps, outputs, in_types, (plan.stored,), pre.name)
    elif source != plan.stored:
        plan.map = compile_program(1, [(("cast", plan.stored), (0,))], [1], kinds)
    plan.result = code
    if post is not None:
        n_inputs, steps, outputs, in_types, _ = post.source
        plan.result = post.out_dtypes[0]
        types = (plan.stored, *in_types[1:])
        plan.finisher = compile_program(n_inputs, steps, outputs, types, (plan.result,), post.name)
    elif code != plan.stored:
        plan.finisher = compile_program(1, [(("cast", code), (0,))], [1], [plan.stored])
    return plan


cdef int widened(ufunc, int code) except -1:
    """The dtype in which NumPy accumulates: 64 bits for sums and products of short integers."""
    dtype = numpy_dtype(code)
    if ufunc in _WIDENED and dtype.kind in "biu" and dtype.itemsize < 8:
        return UINT64 if dtype.kind == "u" else INT64
    return code


# --- axes ---------------------------------------------------------------------------------------------
cdef int whole(str name, axis) except? -1:
    try:
        return index(axis)
    except TypeError:
        expected = "None, an int or a tuple of ints"
        raise ArgumentTypeError(message(name, "axis", expected, repr(axis))) from None


cdef int read_axes(str name, axis, int ndim, char* is_reduced) except -1:
    """Marks the axes to reduce; returns how many there are."""
    cdef int i, at
    memset(is_reduced, axis is None, ndim)
    if axis is None:
        return ndim
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for given in axes:
        at = whole(name, given)
        if not -ndim <= at < ndim:
            expected = f"an axis of an array with {ndim} dimensions"
            raise AxisError(message(name, "axis", expected, given), at, ndim)
        at += ndim if at < 0 else 0
        if is_reduced[at]:
            raise ArgumentError(message(name, "axis", "each axis once", axis))
        is_reduced[at] = 1
    return len(axes)


cdef int result_shape(int ndim, const int64_t* shape, const char* is_reduced, bint keepdims,
                      int64_t* to) noexcept:
    cdef int i, n = 0
    for i in range(ndim):
        if not is_reduced[i]:
            to[n] = shape[i]
            n += 1
        elif keepdims:
            to[n] = 1
            n += 1
    return n


cdef int split_space(int ndim, const int64_t* shape, const char* is_reduced, bint keepdims,
                     Numbers& strides, int n_inputs, Array out, Space* kept,
                     Space* reduced) except -1:
    """Fills the two spaces of a reduction; `strides` holds those of the inputs over all axes."""
    cdef Numbers kept_shape, reduced_shape, kept_strides, reduced_strides
    cdef int k, d, at
    for d in range(ndim):
        if is_reduced[d]:
            reduced_shape.push_back(shape[d])
        else:
            kept_shape.push_back(shape[d])
    for k in range(n_inputs):
        for d in range(ndim):
            if is_reduced[d]:
                reduced_strides.push_back(strides[k * ndim + d])
            else:
                kept_strides.push_back(strides[k * ndim + d])
    at = 0
    for d in range(ndim):
        if not is_reduced[d]:
            kept_strides.push_back(out.dims[out.ndim_ + at])
        at += keepdims or not is_reduced[d]
    kept[0] = Space(<int>kept_shape.size(), n_inputs + 1, kept_shape.data(), kept_strides.data())
    reduced[0] = Space(<int>reduced_shape.size(), n_inputs, reduced_shape.data(), reduced_strides.data())
    return 0


cdef Array target_of(Array out, list inputs):
    """`out`, or a fresh array in its place if writing it while reading the inputs could go wrong."""
    cdef bint clear = is_aligned(out)
    for x in inputs:
        clear = clear and not may_overlap(<Array>x, out)
    return out if clear else new_like(out, out.ndim_, out.dims, out.dtype_code)


cdef Array result_of(str name, Array like, out, int code, int ndim, const int64_t* shape):
    if out is None:
        return new_like(like, ndim, shape, code)
    check_out(name, <Array>out, code, ndim, shape)
    return <Array>out


# --- reduce ---------------------------------------------------------------------------------------------
cdef Array _reduce(_Plan plan, list inputs, axis, bint keepdims, out, initial, str name, post_scalars):
    cdef vector[Cell] scalars
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t to[MAX_NDIM]
    cdef char is_reduced[MAX_NDIM]
    cdef int n_axes, d
    cdef int64_t count = 1, kept_size = 1
    cdef list found
    if plan.map is None:
        found = [aligned(inputs[0])]
    else:
        found = prepare_inputs(plan.map, inputs, &scalars)
    cdef list arrays = only_arrays(found)
    cdef int ndim = broadcast(name, arrays, shape)
    n_axes = read_axes(name, axis, ndim, is_reduced)
    for d in range(ndim):
        if is_reduced[d]:
            count *= shape[d]
        else:
            kept_size *= shape[d]
    if count == 0 and kept_size and plan.identity is None and initial is None:
        text = "zero-size array to a reduction which has no identity"
        raise ShapeError(problem(name, "x", text, "give initial="))
    if plan.ordered and n_axes > 1:
        raise ArgumentError(message(name, "axis", "one axis, as the order matters", axis))
    cdef int out_ndim = result_shape(ndim, shape, is_reduced, keepdims, to)
    cdef Array result = result_of(name, <Array>arrays[0], out, plan.result, out_ndim, to)
    cdef Array target = target_of(result, arrays)
    if on_gpu(arrays, [target]):
        reduce_on_gpu(plan, name, initial, found, target, [shape[d] for d in range(ndim)],
                      [is_reduced[d] for d in range(ndim)], keepdims, inputs, post_scalars)
        if target is not result:
            copy_into(target, result)
        return result
    cdef ReduceOp* op = _new_reduce(plan, initial, count, post_scalars)
    op.name = static_name(name)
    op.scalars = scalars
    _place(op, found, arrays, target, ndim, shape, is_reduced, keepdims)
    op.cost_ns = 100 + op.element_ns * count * kept_size + 20 * kept_size
    push_over(<Op*>op, arrays, [target], OP_NEEDS_GIL if plan.loop.python else 0)
    if target is not result:
        copy_into(target, result)
    return result


cdef int reduce_on_gpu(_Plan plan, str name, initial, list found, Array target, list shape, list is_reduced,
                       bint keepdims, list inputs, post_scalars) except -1:
    scalars = [] if plan.map is None else [inputs[i] for i, _, _ in plan.map.scalars]
    last = [] if plan.finisher is None else [post_scalars[i - 1] for i, _, _ in plan.finisher.scalars]
    load_kernels().reduce(
        name, plan.loop, plan.map, plan.finisher, plan.identity, initial, found, target, tuple(shape),
        tuple(is_reduced), keepdims, scalars, last)
    return 0


cdef ReduceOp* _new_reduce(_Plan plan, initial, int64_t count, post_scalars) except NULL:
    cdef ReduceOp* op
    cdef Cell start
    cdef vector[Cell] scalars
    if plan.finisher is not None:
        for i, declared, stored in plan.finisher.scalars:
            memset(&start, 0, sizeof(Cell))
            write_scalar(post_scalars[i - 1], declared, stored, start.bytes)
            scalars.push_back(start)
    memset(&start, 0, sizeof(Cell))
    if initial is not None:
        write_scalar(initial, plan.stored, plan.stored, start.bytes)
    op = new_reduce()
    op.runtime = runtime()
    op.loop, op.loop_data, op.loop_failed = plan.loop.loop, plan.loop.data, plan.loop.failed
    op.sums = plan.sums
    op.itemsize = ITEMSIZE[plan.stored]
    op.ordered = plan.ordered
    op.has_identity, op.identity = plan.identity is not None, plan.identity_cell
    op.has_initial, op.initial = initial is not None, start
    if count == 0 and initial is not None:  # nothing to combine it with
        op.identity, op.has_initial = start, False
    op.element_ns = plan.loop.cost_ns / 2
    op.finisher_scalars = scalars
    if plan.map is not None:
        op.set_map(plan.map.c)
        op.element_ns += plan.map.cost_ns
    if plan.finisher is not None:
        op.set_finisher(plan.finisher.c)
    return op


cdef int _place(ReduceOp* op, list found, list arrays, Array target, int ndim, const int64_t* shape,
                const char* is_reduced, bint keepdims) except -1:
    """Gives the operation its operands and spaces."""
    cdef Numbers strides
    cdef Array x
    cdef int i
    for given in found:
        x = <Array>given if isinstance(given, Array) else <Array>arrays[0]
        op.add(x.var, x.offset, x.dtype_code)
        append_strides(&strides, x, ndim, shape)
    op.add(target.var, target.offset, target.dtype_code)
    split_space(ndim, shape, is_reduced, keepdims, strides, len(found), target, &op.kept, &op.reduced)
    op.kept.normalise(0)
    op.reduced.normalise(0)
    return 0


# --- arg_reduce -----------------------------------------------------------------------------------------
def arg_reduce(kind, x, axis=None, keepdims=False, dtype=None, out=None):
    """Return the position of the first largest (`"argmax"`) or smallest (`"argmin"`) element.

    `axis` is None (positions count in the flattened array), an int or a tuple. NaN comes first, as in
    NumPy. `dtype` of the result is int64 unless given. Raises `AxisError`, and `ShapeError` for no elements.
    """
    cdef int64_t to[MAX_NDIM]
    cdef char is_reduced[MAX_NDIM]
    cdef Numbers strides
    cdef int d
    cdef int64_t count = 1
    cdef Array a = aligned(x)
    read_axes(kind, axis, a.ndim_, is_reduced)
    for d in range(a.ndim_):
        if is_reduced[d]:
            count *= a.dims[d]
        strides.push_back(a.dims[a.ndim_ + d])
    if count == 0:
        raise ShapeError(problem(kind, "x", "attempt to get the position in an empty sequence"))
    code = INT64 if dtype is None else dtype if isinstance(dtype, int) else code_of(dtype)
    cdef int out_ndim = result_shape(a.ndim_, a.dims, is_reduced, keepdims, to)
    cdef Array result = result_of(kind, a, out, code, out_ndim, to)
    cdef Array target = target_of(result, [a])
    cdef ResolvedLoop extreme
    if on_gpu([a], [target]):
        load_kernels().arg_reduce(kind, a, target, tuple([is_reduced[d] for d in range(a.ndim_)]), keepdims)
        if target is not result:
            copy_into(target, result)
        return result
    cdef ArgReduceOp* op = new_arg_reduce(a.dtype_code, kind == "argmax")
    op.runtime = runtime()
    op.name = static_name(kind)
    op.store_loop = cast_loop(INT64, code)
    if numpy_dtype(a.dtype_code).kind in "iuf" and a.dtype_code != FLOAT16:
        extreme = resolve(np.maximum if kind == "argmax" else np.minimum, (a.dtype_code,) * 2)
        op.extreme, op.extreme_data = extreme.loop, extreme.data
    op.folds = find_folds(a.dtype_code)
    op.add(a.var, a.offset, a.dtype_code)
    op.add(target.var, target.offset, target.dtype_code)
    split_space(a.ndim_, a.dims, is_reduced, keepdims, strides, 1, target, &op.kept, &op.reduced)
    op.kept.normalise(0)
    op.reduced.drop_unit_axes()
    op.reduced.merge_axes()
    op.cost_ns = 100 + 0.7 * a.size
    push_over(<Op*>op, [a], [target])
    if target is not result:
        copy_into(target, result)
    return result


# --- accumulate -----------------------------------------------------------------------------------------
def accumulate(ufunc, x, axis=0, dtype=None, out=None, name=None):
    """Return running results of a binary ufunc along one axis (`numpy.add.accumulate`: a running sum).

    `axis=None` runs over the flattened array. Types follow `reduce`. Raises `AxisError`, `DTypeError`,
    `ShapeError`.
    """
    label = name or ufunc.__name__
    cdef Array a = aligned(x), running, result
    cdef char is_reduced[MAX_NDIM]
    cdef int along = 0
    if axis is None:
        flat = a._reshape_view((-1,))
        a = flat if flat is not None else copy_of(a, a.dtype_code)._reshape_view((-1,))
        axis = 0
    elif isinstance(axis, (tuple, list)):
        raise ArgumentError(message(label, "axis", "one axis", axis))
    read_axes(label, axis, a.ndim_, is_reduced)
    while not is_reduced[along]:
        along += 1
    cdef _Plan plan = _plan(ufunc, (a.dtype_code,), dtype, None, None)
    result = result_of(label, a, out, plan.result, a.ndim_, a.dims)
    running = target_of(result, [a])
    if running.dtype_code != plan.stored:
        running = new_like(a, a.ndim_, a.dims, plan.stored)
    if a.dtype_code != plan.stored:
        copy_into(a, running)
        a = running
    _accumulate(plan, a, running, along, label)
    if running is not result:
        copy_into(running, result)
    return result


cdef int _accumulate(_Plan plan, Array a, Array out, int along, str name) except -1:
    cdef Numbers shape, strides
    cdef int d
    cdef Array x
    if on_gpu([a], [out]):
        load_kernels().accumulate(name, plan.loop, a, out, along)
        return 0
    cdef AccumulateOp* op = new_accumulate()
    for d in range(a.ndim_):
        if d != along:
            shape.push_back(a.dims[d])
    for x in (a, out):
        op.add(x.var, x.offset, x.dtype_code)
        for d in range(a.ndim_):
            if d != along:
                strides.push_back(x.dims[x.ndim_ + d])
    op.runtime = runtime()
    op.name = static_name(name)
    op.loop, op.loop_data, op.loop_failed = plan.loop.loop, plan.loop.data, plan.loop.failed
    op.lanes = Space(a.ndim_ - 1, 2, shape.data(), strides.data())
    op.lanes.normalise(0)
    op.length = a.dims[along]
    op.x_step, op.out_step = a.dims[a.ndim_ + along], out.dims[out.ndim_ + along]
    op.element_ns = plan.loop.cost_ns + 1
    op.cost_ns = 100 + op.element_ns * a.size
    return push_over(<Op*>op, [a], [out], OP_NEEDS_GIL if plan.loop.python else 0)
