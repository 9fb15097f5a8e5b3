"""Copies, conversions, fills, selections, and what is made of copies: joining, repeating, flipping."""

from libc.math cimport ceil
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

import numpy as np

from ..._array cimport Array, new_array, new_like, new_view, read_shape, require_writable
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport (
    LAUNCH_ELEMENTWISE, broadcast_shape, checked_out, contiguous, converted, launch, lend_copy, normal_axis,
    number_bytes, operand, result,
)

from ...dtypes import DTYPES, code_of
from ...errors import ArgumentError, ShapeError, message, problem

__all__ = [
    "arange", "astype", "concat", "copy", "eye", "fill", "flip", "full", "linspace", "repeat", "split",
    "stack", "tile", "where",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/copying.hpp" namespace "mxcy" nogil:
    cdef cppclass FillParams:
        char value[16]
        uint8_t dtype
    cdef cppclass SequenceParams:
        double start, step, last
        int64_t integer_start, integer_step, repeat
        bint integer, has_last
    cdef cppclass EyeParams:
        int64_t diagonal
    cdef cppclass AxisParams:
        int axis
    int copy_kernel(KernelContext&)
    int fill_kernel(KernelContext&)
    int where_kernel(KernelContext&)
    int sequence_kernel(KernelContext&)
    int eye_kernel(KernelContext&)
    int join_kernel(KernelContext&)
    int split_kernel(KernelContext&)

cdef enum:
    MAX_NDIM = 32

lend_copy(copy_kernel)


cdef float cost_of(int64_t size) noexcept:
    return 60 + 0.3 * size


cdef int copy_into(Array target, Array source) except -1:
    return launch(copy_kernel, "copy", [target], [source], NULL, 0, cost_of(target.size), LAUNCH_ELEMENTWISE)


cdef int check_broadcast(str op, str argument, Array x, int ndim, const int64_t* shape) except -1:
    """Raise ShapeError unless x broadcasts to the shape."""
    cdef int d
    cdef bint fits = x.ndim_ <= ndim
    if fits:
        for d in range(x.ndim_):
            fits = fits and x.dims[d] in (1, shape[ndim - x.ndim_ + d])
    if not fits:
        wanted = tuple([shape[d] for d in range(ndim)])
        raise ShapeError(problem(op, argument, f"shape {x.shape} does not broadcast to {wanted}"))
    return 0


def copy(x, out=None):
    """Return a copy of x, or broadcast and convert x into `out`, as `numpy.copyto(casting="unsafe")`."""
    cdef Array source = operand("copy", "x", x), target
    if out is None:
        target = result("copy", source, None, source.ndim_, source.dims, source.dtype_code)
    else:
        target = operand("copy", "out", out)
        require_writable(target, "copy")
        check_broadcast("copy", "x", source, target.ndim_, target.dims)
    copy_into(target, source)
    return target


def astype(x, dtype, out=None):
    """Return a copy of x with another dtype, converted as `numpy.ndarray.astype` does."""
    cdef Array source = operand("astype", "x", x)
    cdef Array target = result("astype", source, out, source.ndim_, source.dims, code_of(dtype))
    copy_into(target, source)
    return target


def fill(out, value, bint fresh=False):
    """Set every element of `out` to a number (converted like an array of it) or a broadcast array.

    `fresh`: it was just made to hold the number, 0 or 1, and the operation has MXNet's name for that.
    """
    cdef Array target = operand("fill", "out", out)
    cdef FillParams params
    require_writable(target, "fill")
    if isinstance(value, Array):
        return copy(value, target)
    params.dtype = number_bytes("fill", "value", value, params.value)
    cdef const char* name = "fill"
    if fresh:
        name = "_ones" if value else "_zeros"
    launch(fill_kernel, name, [target], [], &params, sizeof(params), cost_of(target.size))
    return target


def full(shape, value, dtype, int face=0):
    """Return a new array filled with a number."""
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    return fill(new_array(face, ndim, dims, code_of(dtype)), value)


def where(condition, a, b, out=None):
    """Return elements of a where the condition is not zero, of b elsewhere; all three broadcast.

    a and b are arrays or numbers; the result has the type that NumPy promotes them to.
    """
    cdef Array chooser = operand("where", "condition", condition)
    cdef Array left = as_operand("a", a, b, chooser), right = as_operand("b", b, a, chooser)
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = broadcast_shape([chooser, left, right], dims)
    if ndim < 0:
        text = f"shapes {chooser.shape}, {left.shape} and {right.shape} do not broadcast"
        raise ShapeError(problem("where", None, text))
    if left.dtype_code != right.dtype_code:
        code = code_of(np.promote_types(DTYPES[left.dtype_code], DTYPES[right.dtype_code]))
        left, right = converted(left, code), converted(right, code)
    cdef Array target = result("where", chooser, out, ndim, dims, left.dtype_code)
    launch(where_kernel, "where", [target], [chooser, left, right], NULL, 0, cost_of(2 * target.size),
           LAUNCH_ELEMENTWISE)
    return target


cdef Array as_operand(str argument, object x, object other, Array like):
    """Return x, or a number as a 0-d array of the type that it takes next to the other operand."""
    if isinstance(x, Array):
        return <Array>x
    if isinstance(other, Array):
        weak = isinstance(x, (int, float, complex))
        dtype = np.result_type(DTYPES[(<Array>other).dtype_code], x) if weak else np.asarray(x).dtype
    else:
        dtype = np.result_type(np.asarray(x).dtype, np.asarray(other).dtype)
    return fill(new_like(like, 0, NULL, code_of(dtype)), x)


def arange(start, stop=None, step=1, repeat=1, dtype="float32", int face=0, out=None):
    """Return start, start + step, ... below stop, each `repeat` times. With one bound it is the stop."""
    cdef SequenceParams params
    cdef int64_t count
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ArgumentError(message("arange", "step", "a number other than zero", step))
    if repeat < 1:
        raise ArgumentError(message("arange", "repeat", "at least 1", repeat))
    length = ceil((stop - start) / <double>step)
    if not length < 2**62 / repeat:  # also NaN
        raise ArgumentError(message("arange", "stop", "a finite range of fewer than 2**62 numbers", stop))
    count = <int64_t>max(length, 0) * repeat
    if np.issubdtype(np.dtype(dtype), np.integer):  # as MXNet, and NumPy, which convert both first
        start, step = int(start), int(step)
    params.integer = all([isinstance(bound, (int, np.integer)) for bound in (start, step)])
    params.integer_start, params.integer_step = (start, step) if params.integer else (0, 0)
    params.start, params.step, params.repeat, params.has_last = start, step, repeat, False
    return sequence("arange", &params, count, dtype, face, out)


def linspace(start, stop, num=50, endpoint=True, dtype="float32", int face=0, out=None):
    """Return `num` evenly spaced numbers from start to stop, which is the last one if `endpoint`."""
    cdef SequenceParams params
    if num < 0:
        raise ArgumentError(message("linspace", "num", "at least 0", num))
    intervals = num - 1 if endpoint else num
    params.integer, params.repeat = False, 1
    params.start, params.last = start, stop
    params.step = (params.last - params.start) / intervals if intervals else 0
    params.has_last = endpoint and num > 1
    return sequence("linspace", &params, num, dtype, face, out)


cdef Array sequence(str op, SequenceParams* params, int64_t count, object dtype, int face, object out):
    cdef uint8_t code = code_of(dtype)
    cdef Array target
    if out is None:
        target = new_array(face, 1, &count, code)
    else:
        target = checked_out(op, out, 1, &count, code)
    launch(sequence_kernel, "arange", [target], [], params, sizeof(SequenceParams), cost_of(3 * count))
    return target


def eye(rows, columns=None, k=0, dtype="float32", int face=0, out=None):
    """Return a matrix with ones on diagonal k and zeros elsewhere."""
    cdef EyeParams params
    cdef int64_t shape[2]
    cdef uint8_t code = code_of(dtype)
    shape[0], shape[1] = rows, columns if columns is not None else rows
    cdef Array target
    if out is None:
        target = new_array(face, 2, shape, code)
    else:
        target = checked_out("eye", out, 2, shape, code)
    params.diagonal = max(-shape[0], min(shape[1], k))
    launch(eye_kernel, "eye", [target], [], &params, sizeof(params), cost_of(target.size))
    return target


def concat(arrays, axis, out=None):
    """Return arrays that differ only along the axis, joined along it; the type is NumPy's promotion."""
    return join("concat", [member("concat", arrays, i) for i in range(len(arrays))], axis, out)


cdef Array member(str op, object arrays, Py_ssize_t i):
    """Return one of a list of arrays."""
    x = arrays[i]
    return <Array>x if isinstance(x, Array) else operand(op, f"arrays[{i}]", x)


def stack(arrays, axis=0, out=None):
    """Return arrays of one shape joined along a new axis."""
    cdef Array x
    cdef list views = []
    for i in range(len(arrays)):
        x = member("stack", arrays, i)
        views.append(with_axis(x, normal_axis("stack", axis, x.ndim_ + 1)))
    return join("stack", views, axis, out)


cdef Array with_axis(Array x, int axis):
    """Return a view with a new axis of length 1."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int d, n = x.ndim_ + 1
    if n > MAX_NDIM:
        raise ShapeError(problem("stack", None, f"arrays have at most {MAX_NDIM} dimensions"))
    for d in range(n):
        dims[d] = 1 if d == axis else x.dims[d - (d > axis)]
        dims[n + d] = 0 if d == axis else x.dims[x.ndim_ + d - (d > axis)]
    return new_view(x, x.offset, n, dims, dims + n)


cdef Array join(str op, list arrays, object axis, object out):
    cdef AxisParams params
    cdef int64_t dims[MAX_NDIM]
    cdef Array x, first
    cdef int d
    if not arrays:
        raise ArgumentError(message(op, "arrays", "at least one array", "none"))
    first = arrays[0]
    params.axis = normal_axis(op, axis, first.ndim_)
    memcpy(dims, first.dims, first.ndim_ * sizeof(int64_t))
    dims[params.axis] = 0
    for x in arrays:
        same = x.ndim_ == first.ndim_
        if same:
            for d in range(x.ndim_):
                same = same and (d == params.axis or x.dims[d] == dims[d])
        if not same:
            text = f"{first.shape} except along axis {params.axis}"
            raise ShapeError(message(op, "arrays", f"shape {text}", x.shape))
        dims[params.axis] += x.dims[params.axis]
    dtype = first.dtype_code
    if any([(<Array>y).dtype_code != first.dtype_code for y in arrays]):
        dtype = code_of(np.result_type(*[DTYPES[(<Array>y).dtype_code] for y in arrays]))
    cdef Array target = result(op, first, out, first.ndim_, dims, dtype)
    launch(join_kernel, "concat", [target], arrays, &params, sizeof(params), cost_of(target.size))
    return target


def split(x, sections, axis=0, squeeze_axis=False, outs=None):
    """Return copies of the parts of x along the axis, as a list.

    `sections` is their number (which must divide the axis) or the list of positions where parts begin
    after the first one. With `squeeze_axis` parts of length 1 lose the axis.
    """
    cdef Array source = operand("split", "x", x), part
    cdef AxisParams params
    cdef int64_t dims[MAX_NDIM]
    params.axis = normal_axis("split", axis, source.ndim_)
    bounds = split_bounds(source.dims[params.axis], sections)
    memcpy(dims, source.dims, source.ndim_ * sizeof(int64_t))
    parts, views = [], []
    for i, (begin, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        dims[params.axis] = end - begin
        shape = [dims[d] for d in range(source.ndim_) if not (squeeze_axis and d == params.axis)]
        if squeeze_axis and end - begin != 1:
            raise ShapeError(message("split", "squeeze_axis", "parts of length 1", end - begin))
        part = part_like(source, shape, None if outs is None else outs[i])
        parts.append(part)
        views.append(with_axis(part, params.axis) if part.ndim_ < source.ndim_ else part)
    launch(split_kernel, "split", views, [source], &params, sizeof(params), cost_of(source.size))
    return parts


cdef Array part_like(Array source, object shape, object out):
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    return result("split", source, out, ndim, dims, source.dtype_code)


def split_bounds(int64_t length, sections):
    """Return where the parts of an axis begin, and its end."""
    if isinstance(sections, (int, np.integer)):
        if sections < 1 or length % sections:
            expected = f"a divisor of the axis of length {length}"
            raise ShapeError(message("split", "sections", expected, sections))
        return [i * (length // sections) for i in range(sections + 1)]
    inside = [min(max(i + length if i < 0 else i, 0), length) for i in sections]
    starts = [0, *inside]
    if any([b > e for b, e in zip(starts, [*inside, length], strict=True)]):
        raise ArgumentError(message("split", "sections", "increasing positions", list(sections)))
    return [*starts, length]


cdef int64_t extent(str name, str argument, n) except -1:
    """A length that was computed from an argument."""
    if n >= 2**63:
        raise ShapeError(message(name, argument, "fewer than 2**63 elements along each axis", f"{n} of them"))
    return n


def repeat(x, repeats, axis=None, out=None):
    """Return x with every element along the axis repeated; axis None takes x flat."""
    cdef Array source = operand("repeat", "x", x)
    cdef int64_t length = source.size
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int d, at, n
    if repeats < 0:
        raise ArgumentError(message("repeat", "repeats", "at least 0", repeats))
    if axis is None:
        source = contiguous(source)
        dims[0], dims[1] = length, source.itemsize
        source = new_view(source, source.offset, 1, dims, dims + 1)
        axis = 0
    at = normal_axis("repeat", axis, source.ndim_)
    view = with_axis(source, at + 1)
    memcpy(dims, source.dims, source.ndim_ * sizeof(int64_t))
    dims[at] = extent("repeat", "repeats", <object>dims[at] * repeats)
    cdef Array target = result("repeat", source, out, source.ndim_, dims, source.dtype_code)
    n = source.ndim_ + 1
    for d in range(n):
        dims[d] = repeats if d == at + 1 else source.dims[d - (d > at)]
        dims[n + d] = target.dims[target.ndim_ + d - (d > at)]
    dims[n + at] *= repeats
    copy_into(new_view(target, target.offset, n, dims, dims + n), view)
    return target


def tile(x, reps, out=None):
    """Return x repeated as a whole, `reps[d]` times along axis d, as `numpy.tile`."""
    cdef Array source = operand("tile", "x", x), view
    cdef int64_t counts[MAX_NDIM]
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int n_reps = read_shape(reps, counts), n = max(n_reps, source.ndim_), d, own
    times = [1] * (n - n_reps) + [counts[d] for d in range(n_reps)]
    lengths = [1] * (n - source.ndim_) + [source.dims[d] for d in range(source.ndim_)]
    if 2 * n > MAX_NDIM:
        raise ShapeError(message("tile", "x", f"at most {MAX_NDIM // 2} dimensions", n))
    for d in range(n):
        dims[d] = extent("tile", "reps", times[d] * lengths[d])
    cdef Array target = result("tile", source, out, n, dims, source.dtype_code)
    for d in range(n):
        dims[2 * d], dims[2 * d + 1] = times[d], lengths[d]
        dims[2 * n + 2 * d + 1] = target.dims[n + d]
        dims[2 * n + 2 * d] = target.dims[n + d] * lengths[d]
    if n == 0:
        return copy(source, target)
    view = new_view(target, target.offset, 2 * n, dims, dims + 2 * n)
    for d in range(n):
        own = d - (n - source.ndim_)
        dims[2 * d], dims[2 * d + 1] = 1, lengths[d]
        dims[2 * n + 2 * d] = 0
        dims[2 * n + 2 * d + 1] = 0 if own < 0 else source.dims[source.ndim_ + own]
    copy_into(view, new_view(source, source.offset, 2 * n, dims, dims + 2 * n))
    return target


def flip(x, axis, out=None):
    """Return a copy of x with the order along an axis, or several, reversed."""
    cdef Array source = operand("flip", "x", x)
    cdef Array target = result("flip", source, out, source.ndim_, source.dims, source.dtype_code)
    cdef int64_t strides[MAX_NDIM]
    cdef int64_t offset = source.offset
    cdef int at
    memcpy(strides, source.dims + source.ndim_, source.ndim_ * sizeof(int64_t))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for one in {normal_axis("flip", a, source.ndim_) for a in axes}:
        at = one
        offset += (max(source.dims[at], 1) - 1) * strides[at]
        strides[at] = -strides[at]
    if source.ndim_ == 0:
        return copy(source, target)
    copy_into(target, new_view(source, offset, source.ndim_, source.dims, strides))
    return target
