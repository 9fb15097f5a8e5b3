"""Reading and writing the places that arrays of integers name.

Everything here arranges a view of the indexed array (axes before, indexed axes, axes after) and hands it
with the index arrays to one of three kernels: gather, scatter, scatter-add. Sums over coinciding places
are added in the order of the indices, whatever the number of threads.
"""

from libc.stdint cimport int64_t, intptr_t, uint8_t

import numpy as np

from ..._array cimport Array, new_array, new_like, new_view, read_shape, require_writable
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport (
    LAUNCH_UPDATES, broadcast_shape, converted, launch, normal_axis, number_bytes, operand, result,
)

from ... import _array
from ..._launch import push_numpy
from ...dtypes import DTYPES, code_of
from ...errors import ArgumentError, ArrayIndexError, DTypeError, ShapeError, message, problem
from .copying import copy, fill

__all__ = [
    "gather_nd", "index_get", "index_get_grad", "index_put", "nonzero", "one_hot", "pick", "pick_grad",
    "scatter_add", "scatter_nd", "take", "take_grad",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/indexing.hpp" namespace "mxcy" nogil:
    cdef cppclass IndexParams:
        int n_outer, n_indexed, mode
        int axes[32]
    cdef cppclass PickParams:
        int axis, mode
    cdef cppclass OneHotParams:
        char on[16]
        char off[16]
    int MODE_RAISE
    int gather_kernel(KernelContext&)
    int scatter_kernel(KernelContext&)
    int scatter_add_kernel(KernelContext&)
    int pick_kernel(KernelContext&)
    int place_kernel(KernelContext&)
    int one_hot_kernel(KernelContext&)

cdef enum:
    MAX_NDIM = 32

MODES = {"clip": 0, "wrap": 1, "raise": 2, "strict": 3}


cdef class Places:
    """Index arrays, the axes that they index, and the shapes that follow."""

    cdef str op
    cdef list indices       # arrays that broadcast together
    cdef list made          # of each index array: whether it was made here, of something else
    cdef list axes          # of x, in the order of `indices`
    cdef tuple points       # common shape of the index arrays
    cdef int n_outer        # axes of x before the indexed ones, if these are neighbours; else 0
    cdef IndexParams params

    def __init__(self, str op, list indices, list axes, str mode):
        self.op, self.axes = op, axes
        self.indices = [index_array(op, index) for index in indices]
        self.made = [not isinstance(index, Array) for index in indices]
        if mode not in MODES:
            raise ArgumentError(message(op, "mode", "clip, wrap, raise or strict", repr(mode)))
        cdef int64_t dims[MAX_NDIM]
        cdef int ndim = broadcast_shape(self.indices, dims), d
        if ndim < 0:
            shapes = ", ".join([str(index.shape) for index in self.indices])
            raise ArrayIndexError(problem(op, "indices", f"index arrays of shapes {shapes} do not broadcast"))
        self.points = tuple([dims[d] for d in range(ndim)])
        neighbours = axes == list(range(axes[0], axes[0] + len(axes)))
        self.n_outer = axes[0] if neighbours else 0
        self.params.n_outer, self.params.n_indexed, self.params.mode = self.n_outer, len(axes), MODES[mode]
        for i, axis in enumerate(axes):
            self.params.axes[i] = axis

    cdef tuple shape(self, object whole):
        """Return the shape of the elements named in an array of shape `whole`."""
        rest = [length for axis, length in enumerate(whole) if axis not in self.axes]
        return (*rest[:self.n_outer], *self.points, *rest[self.n_outer:])

    cdef Array arranged(self, Array x):
        """Return x as a view with the axes in the order: outer, indexed, inner."""
        cdef int64_t dims[2 * MAX_NDIM]
        cdef int d, at
        rest = [d for d in range(x.ndim_) if d not in self.axes]
        for d, at in enumerate([*rest[:self.n_outer], *self.axes, *rest[self.n_outer:]]):
            dims[d] = x.dims[at]
            dims[x.ndim_ + d] = x.dims[x.ndim_ + at]
        empty = [axis for axis in self.axes if x.dims[<int>axis] == 0]
        if empty and 0 not in self.points:
            text = f"axis {empty[0]} has length 0 and no elements"
            raise ArrayIndexError(problem(self.op, "indices", text))
        return new_view(x, x.offset, x.ndim_, dims, dims + x.ndim_)

    cdef list indices_beside(self, Array x):
        """Return the index arrays; those made here on the device of x."""
        return [beside(x, i) if made else i for i, made in zip(self.indices, self.made, strict=True)]

    cdef int gather(self, Array x, Array out) except -1:
        return launch(gather_kernel, "take", [out], [self.arranged(x), *self.indices_beside(x)], &self.params,
                      sizeof(IndexParams), 100 + 1.0 * out.size)

    cdef int scatter(self, Array x, Array values, bint accumulate) except -1:
        cdef Kernel kernel = scatter_add_kernel if accumulate else scatter_kernel
        require_writable(x, self.op)
        return launch(kernel, "scatter_add" if accumulate else "scatter", [self.arranged(x)],
                      [spread(self.op, values, self.shape(x.shape)), *self.indices_beside(x)], &self.params,
                      sizeof(IndexParams), 150 + 3.0 * values.size, LAUNCH_UPDATES)


cdef Array beside(Array x, Array made):
    """Return an array on the device of x: `made` or a copy."""
    if x.var.context == made.var.context or not x.var.on_gpu():
        return made
    return copy(made, new_like(x, made.ndim_, made.dims, made.dtype_code))


cdef Array index_array(str op, object index):
    """Return indices as an array: one of ours, or a copy of what NumPy makes of them."""
    cdef Array found
    if isinstance(index, Array):
        found = <Array>index
    else:
        values = np.asarray(index)
        if values.dtype.kind == "O" or not values.size:  # large or no Python integers
            values = values.astype(np.int64)
        found = _array.from_numpy(values)
    dtype = DTYPES[found.dtype_code]
    if dtype.kind == "c":
        raise DTypeError(message(op, "indices", "integers", dtype))
    return found


cdef Array spread(str op, Array x, object shape):
    """Return a view of x broadcast to a shape, or raise ShapeError."""
    cdef int64_t dims[MAX_NDIM]
    cdef int64_t strides[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims), d, own, extra
    extra = max(x.ndim_ - ndim, 0)  # leading axes of length 1 are too many, but harmless
    fits = all([x.dims[d] == 1 for d in range(extra)])
    for d in range(ndim):
        own = d - (ndim - x.ndim_)
        strides[d] = 0
        if own >= 0:
            fits = fits and x.dims[own] in (1, dims[d])
            strides[d] = 0 if x.dims[own] == 1 else x.dims[x.ndim_ + own]
    if not fits:
        raise ShapeError(problem(op, "value", f"shape {x.shape} does not broadcast to {tuple(shape)}"))
    return new_view(x, x.offset, ndim, dims, strides)


cdef Array zeros(str op, Array like, object out, object shape, uint8_t dtype):
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    return fill(result(op, like, out, ndim, dims, dtype), 0)


cdef Array new_result(str op, Array like, object out, object shape, uint8_t dtype):
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    return result(op, like, out, ndim, dims, dtype)


def take(x, indices, axis=0, mode="clip", out=None):
    """Return the elements of x at the given positions along an axis, as `numpy.take`.

    Positions out of range go to the nearest end (mode "clip", so negative ones to the first), around
    ("wrap"), or raise ArrayIndexError when the result is read ("raise", where negative ones count from
    the end, and "strict", where they are out of range).
    """
    cdef Array source = operand("take", "x", x)
    cdef Places places = Places("take", [indices], [normal_axis("take", axis, source.ndim_)], mode)
    cdef Array target = new_result("take", source, out, places.shape(source.shape), source.dtype_code)
    places.gather(source, target)
    return target


def take_grad(g, indices, shape, axis=0, mode="clip", out=None):
    """Return the gradient of `take` for an x of this shape: g added up at the positions, zero elsewhere."""
    cdef Array target = zeros("take_grad", operand("take_grad", "g", g), out, shape, (<Array>g).dtype_code)
    return scatter_add(target, indices, g, axis, mode)


def scatter_add(x, indices, updates, axis=0, mode="clip"):
    """Add updates to x in place, at positions along an axis (modes: see `take`); return x."""
    cdef Array target = operand("scatter_add", "x", x), values = operand("scatter_add", "updates", updates)
    cdef int at = normal_axis("scatter_add", axis, target.ndim_)
    cdef Places places = Places("scatter_add", [indices], [at], mode)
    places.scatter(target, converted(values, target.dtype_code), True)
    return target


cdef Places named_points(str op, Array indices, int ndim):
    """Return the places that gather_nd and scatter_nd name: indices[k] indexes axis k."""
    cdef int64_t k, n
    if indices.ndim_ == 0 or not 1 <= indices.dims[0] <= ndim:
        expected = f"1 to {ndim} rows, one for each axis indexed"
        raise ShapeError(message(op, "indices", expected, indices.shape))
    n = indices.ndim_
    rows = [
        new_view(indices, indices.offset + k * indices.dims[n], n - 1, indices.dims + 1, indices.dims + n + 1)
        for k in range(indices.dims[0])
    ] if n > 1 else [
        new_view(indices, indices.offset + k * indices.dims[1], 0, NULL, NULL) for k in range(indices.dims[0])
    ]
    return Places(op, rows, list(range(indices.dims[0])), "raise")


def gather_nd(x, indices, out=None):
    """Return x[indices[0], indices[1], ...]; `indices` has a row for each axis indexed."""
    cdef Array source = operand("gather_nd", "x", x)
    cdef Places places = named_points("gather_nd", operand("gather_nd", "indices", indices), source.ndim_)
    cdef Array target = new_result("gather_nd", source, out, places.shape(source.shape), source.dtype_code)
    places.gather(source, target)
    return target


def scatter_nd(data, indices, shape, accumulate=False, out=None):
    """Return zeros of a shape with data put (or added up) where the rows of `indices` say."""
    cdef Array values = operand("scatter_nd", "data", data)
    cdef Places places = named_points("scatter_nd", operand("scatter_nd", "indices", indices), len(shape))
    cdef Array target = zeros("scatter_nd", values, out, shape, values.dtype_code)
    places.scatter(target, values, accumulate)
    return target


cdef Places indexed(str op, Array x, object indices):
    if len(indices) > x.ndim_:
        text = f"too many indices ({len(indices)}) for array with {x.ndim_} dimensions"
        raise ArrayIndexError(problem(op, "indices", text))
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    if not axes:
        raise ArrayIndexError(message(op, "indices", "at least one index array", "none"))
    return Places(op, [indices[axis] for axis in axes], axes, "raise")


def index_get(x, indices, out=None):
    """Return x[indices] for NumPy's advanced indexing.

    `indices` has an array of integers, or None for the whole axis, for each (leading) axis. The arrays
    broadcast together; their common axes stand in place of the indexed ones if these are neighbours,
    else first. Negative indices count from the end. An index out of range raises ArrayIndexError, at
    the latest when the result is read.
    """
    cdef Array source = operand("index_get", "x", x)
    cdef Places places = indexed("index_get", source, indices)
    cdef Array target = new_result("index_get", source, out, places.shape(source.shape), source.dtype_code)
    places.gather(source, target)
    return target


def index_get_grad(g, indices, shape, out=None):
    """Return the gradient of `index_get` for an x of this shape."""
    cdef Array head = operand("index_get_grad", "g", g)
    cdef Array target = zeros("index_get_grad", head, out, shape, head.dtype_code)
    return index_put(target, indices, head, accumulate=True)


def index_put(x, indices, value, accumulate=False):
    """Set x[indices] = value in place, or add value there; return x. For indices see `index_get`.

    The value, an array or a number, is converted and broadcast. Of several values for one place the
    last one stays; with `accumulate` all are added.
    """
    cdef Array target = operand("index_put", "x", x), values
    if isinstance(value, Array):
        values = converted(<Array>value, target.dtype_code)
    else:
        values = beside(target, _array.from_numpy(np.asarray(value).astype(DTYPES[target.dtype_code])))
    indexed("index_put", target, indices).scatter(target, values, accumulate)
    return target


def nonzero(x):
    """Return the positions of the elements of x that are not zero: an int64 array for each axis. Waits."""
    return push_numpy(np.nonzero, [operand("nonzero", "x", x)], None, "nonzero")


def one_hot(indices, depth, on_value=1, off_value=0, dtype="float32", out=None):
    """Return an array with a new last axis, `on_value` at the index and `off_value` elsewhere.

    Rows whose index is out of range have `off_value` everywhere. Fractions are cut off.
    """
    cdef Array index = operand("one_hot", "indices", indices)
    cdef OneHotParams params
    if depth < 0:
        raise ArgumentError(message("one_hot", "depth", "at least 0", depth))
    cdef Array target = new_result("one_hot", index, out, (*index.shape, depth), code_of(dtype))
    element_bytes("on_value", on_value, target.dtype_code, params.on)
    element_bytes("off_value", off_value, target.dtype_code, params.off)
    launch(one_hot_kernel, "one_hot", [target], [index], &params, sizeof(params), 80 + 0.4 * target.size)
    return target


cdef int element_bytes(str argument, object number, uint8_t dtype, char* to) except -1:
    """Write a number as an element of a dtype."""
    cdef char given[16]
    cdef char* operands[2]
    cdef intptr_t one = 1
    cdef intptr_t strides[2]
    cdef int code = number_bytes("one_hot", argument, number, given)
    operands[0], operands[1] = given, to
    strides[0] = strides[1] = 0
    cast_loop(code, dtype)(operands, &one, strides, NULL)
    return 0


def pick(x, index, axis=-1, mode="clip", keepdims=False, out=None):
    """Return one element of every line of x along the axis; `index` has the shape of x without it.

    Modes: see `take`.
    """
    cdef Array source = operand("pick", "x", x), target
    cdef PickParams params
    params.axis, params.mode = pick_place("pick", source.shape, axis, mode)
    shape = [1 if d == params.axis else source.dims[d] for d in range(source.ndim_)]
    kept = shape if keepdims else removed(shape, params.axis)
    target = new_result("pick", source, out, kept, source.dtype_code)
    places = at_axis("pick", operand("pick", "index", index), shape, params.axis)
    launch(pick_kernel, "pick", [at_axis("pick", target, shape, params.axis)], [source, places],
           &params, sizeof(params), 80 + 3.0 * target.size)
    return target


def pick_grad(g, index, shape, axis=-1, mode="clip", out=None):
    """Return the gradient of `pick` for an x of this shape, with or without `keepdims`."""
    cdef Array head = operand("pick_grad", "g", g), target
    cdef PickParams params
    params.axis, params.mode = pick_place("pick_grad", shape, axis, mode)
    target = zeros("pick_grad", head, out, shape, head.dtype_code)
    lines = [1 if d == params.axis else length for d, length in enumerate(shape)]
    launch(place_kernel, "pick_grad", [target],
           [at_axis("pick_grad", head, lines, params.axis),
            at_axis("pick_grad", operand("pick_grad", "index", index), lines, params.axis)],
           &params, sizeof(params), 80 + 3.0 * head.size, LAUNCH_UPDATES)
    return target


def removed(shape, axis):
    """Return a shape without an axis."""
    return [*shape[:axis], *shape[axis + 1:]]


def pick_place(str op, shape, axis, mode):
    """Return the axis and the number of the mode, checked."""
    if mode not in MODES:
        raise ArgumentError(message(op, "mode", "clip, wrap, raise or strict", repr(mode)))
    axis = normal_axis(op, axis, len(shape))
    if shape[axis] == 0 and 0 not in removed(shape, axis):
        raise ArrayIndexError(problem(op, "index", f"axis {axis} has length 0 and no elements"))
    return axis, MODES[mode]


cdef Array at_axis(str op, Array x, list shape, int axis):
    """Return x, given with or without the axis, as a view of a shape that has length 1 there."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int d, own, n = len(shape)
    whole = x.ndim_ == n
    expected = shape if whole else removed(shape, axis)
    found = list(x.shape)
    if n == 1 and found == [1] or found == expected or (
        whole and all([a in (1, b) for a, b in zip(found, expected, strict=True)])
    ):
        for d in range(n):
            own = d if whole else d - (d > axis)
            dims[d] = shape[d]
            present = d != axis and x.dims[own] != 1
            dims[n + d] = x.dims[x.ndim_ + own] if present else 0
        return new_view(x, x.offset, n, dims, dims + n)
    raise ShapeError(message(op, "index", f"shape {tuple(removed(shape, axis))} or {tuple(shape)}", x.shape))
