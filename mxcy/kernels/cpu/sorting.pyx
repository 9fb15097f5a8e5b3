"""Sorting along an axis. Stable in both directions; NaN counts as larger than any number."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from ..._array cimport Array, new_view
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, normal_axis, operand, result

from ...dtypes import code_of
from ...errors import ArgumentError, message
from .copying import copy

__all__ = ["argsort", "sort", "topk", "topk_mask"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/sorting.hpp" namespace "mxcy" nogil:
    cdef cppclass SortParams:
        int axis
        int64_t k
        bint ascending, values, indices, mask
    int sort_kernel(KernelContext&)

cdef enum:
    MAX_NDIM = 32


cdef Array flat_or_same(Array x, object axis):
    """Return x, or all its elements on one axis if the axis is None."""
    cdef int64_t dims[2]
    if axis is not None and x.ndim_:
        return x
    x = contiguous(x)
    dims[0], dims[1] = x.size, x.itemsize
    return new_view(x, x.offset, 1, dims, dims + 1)


cdef int run(Array x, SortParams* params, list outputs) except -1:
    return launch(sort_kernel, "sort", outputs, [x], params, sizeof(SortParams), 200 + 40.0 * x.size)


cdef Array whole_result(str op, Array x, object out, uint8_t dtype):
    return result(op, x, out, x.ndim_, x.dims, dtype)


cdef Array first_result(str op, Array x, object out, int axis, int64_t k, uint8_t dtype):
    """Return an array for k elements of each line."""
    cdef int64_t dims[MAX_NDIM]
    memcpy(dims, x.dims, x.ndim_ * sizeof(int64_t))
    dims[axis] = k
    return result(op, x, out, x.ndim_, dims, dtype)


def sort(x, axis=-1, is_ascend=True, out=None):
    """Return x sorted along the axis; None sorts all elements."""
    cdef Array source = flat_or_same(operand("sort", "x", x), axis)
    cdef SortParams params
    params.axis = normal_axis("sort", -1 if axis is None else axis, source.ndim_)
    params.k, params.ascending = source.dims[params.axis], is_ascend
    params.values, params.indices, params.mask = True, False, False
    cdef Array target = whole_result("sort", source, out, source.dtype_code)
    run(source, &params, [target])
    return target


def argsort(x, axis=-1, is_ascend=True, dtype="float32", out=None):
    """Return the positions that sort x along the axis, in any dtype."""
    cdef Array source = flat_or_same(operand("argsort", "x", x), axis)
    cdef SortParams params
    params.axis = normal_axis("argsort", -1 if axis is None else axis, source.ndim_)
    params.k, params.ascending = source.dims[params.axis], is_ascend
    params.values, params.indices, params.mask = False, True, False
    cdef Array target = whole_result("argsort", source, out, code_of(dtype))
    run(source, &params, [target])
    return target


cdef int64_t checked_k(str op, object k, int64_t length) except -1:
    if not 0 <= k <= length:
        raise ArgumentError(message(op, "k", f"a number from 0 to {length}, the length of the axis", k))
    return k or length


def topk(x, k=1, axis=-1, is_ascend=False, dtype="float32", outs=(None, None)):
    """Return (values, positions) of the k largest (`is_ascend`: smallest) elements along the axis, in order.

    k = 0 gives all. Axis None takes x flat.
    """
    cdef Array source = flat_or_same(operand("topk", "x", x), axis), values, indices
    cdef SortParams params
    params.axis = normal_axis("topk", -1 if axis is None else axis, source.ndim_)
    params.k, params.ascending = checked_k("topk", k, source.dims[params.axis]), is_ascend
    params.values, params.indices, params.mask = True, True, False
    values = first_result("topk", source, outs[0], params.axis, params.k, source.dtype_code)
    indices = first_result("topk", source, outs[1], params.axis, params.k, code_of(dtype))
    run(source, &params, [values, indices])
    return values, indices


def topk_mask(x, k=1, axis=-1, is_ascend=False, dtype=None, out=None):
    """Return ones in the places of the elements that `topk` gives and zeros elsewhere, as x's type."""
    cdef Array given = operand("topk_mask", "x", x), source, target, plain
    cdef SortParams params
    source = flat_or_same(given, axis)
    target = whole_result("topk_mask", given, out, given.dtype_code if dtype is None else code_of(dtype))
    params.axis = normal_axis("topk_mask", -1 if axis is None else axis, source.ndim_)
    params.k, params.ascending = checked_k("topk_mask", k, source.dims[params.axis]), is_ascend
    params.values, params.indices, params.mask = False, False, True
    if source is given:
        run(source, &params, [target])
        return target
    plain = whole_result("topk_mask", given, None, target.dtype_code)
    run(source, &params, [flat_or_same(plain, None)])
    return copy(plain, target)
