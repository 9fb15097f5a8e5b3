"""Channels of images: windows as columns, and planes of another size."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from .copying import copy, fill

__all__ = ["fold", "resample", "unfold"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/planes.hpp" namespace "mxcy" nogil:
    int RESAMPLE_MEAN, RESAMPLE_PIXELS, RESAMPLE_CORNERS
    cdef cppclass UnfoldParams:
        int64_t planes
        int64_t extents "in"[3]
        int64_t out[3]
        int64_t kernel[3]
        int64_t stride[3]
        int64_t dilate[3]
        int64_t pad[3]
    cdef cppclass ResampleParams:
        int64_t planes
        int64_t extents "in"[2]
        int64_t out[2]
        int way
        bint back
    int unfold_kernel(KernelContext&)
    int fold_kernel(KernelContext&)
    int resample_kernel(KernelContext&)

cdef dict WAYS = {"mean": RESAMPLE_MEAN, "pixels": RESAMPLE_PIXELS, "corners": RESAMPLE_CORNERS}


cdef object run(Kernel kernel, const char* name, Array x, tuple shape, const void* params, size_t size,
                double cost, object out):
    cdef int64_t dims[32]
    cdef int d
    for d in range(len(shape)):
        dims[d] = shape[d]
    cdef Array target = result(name.decode(), x, out, len(shape), dims, x.dtype_code), plain = target
    if not target.c_contiguous:
        plain = result(name.decode(), x, None, len(shape), dims, x.dtype_code)
    if x.size == 0:
        return fill(target, 0)
    launch(kernel, name, [plain], [contiguous(x)], params, size, cost)
    return target if plain is target else copy(plain, target)


cdef void set_window(UnfoldParams* p, object window, object inner, object places):
    """Of one to three axes, with axes of one element before them."""
    cdef int count = len(window.kernel), d
    for d in range(3):
        p.extents[d] = p.out[d] = p.kernel[d] = p.stride[d] = p.dilate[d] = 1
        p.pad[d] = 0
    for d in range(count):
        p.extents[3 - count + d], p.out[3 - count + d] = inner[d], places[d]
        p.kernel[3 - count + d], p.stride[3 - count + d] = window.kernel[d], window.stride[d]
        p.dilate[3 - count + d], p.pad[3 - count + d] = window.dilate[d], window.pad[d]


def unfold(x, window, places, out=None):
    """Return the columns (n, channels * kernel, columns) of x (n, channels, *inner); zeros outside of x.

    window: `ops._window.Window`. places: how many windows there are along each axis.
    """
    cdef Array data = operand("im2col", "data", x)
    cdef UnfoldParams params
    cdef tuple shape = data.shape
    cdef int64_t taps = 1, count = 1
    set_window(&params, window, shape[2:], places)
    params.planes = shape[0] * shape[1]
    for n in window.kernel:
        taps *= n
    for n in places:
        count *= n
    return run(unfold_kernel, "im2col", data, (shape[0], shape[1] * taps, count), &params, sizeof(params),
               300 + 2.0 * data.size * taps, out)


def fold(x, window, inner, places, out=None):
    """Return planes (n, channels, *inner): of every element the sum of its places in columns, see `unfold`."""
    cdef Array data = operand("col2im", "data", x)
    cdef UnfoldParams params
    cdef tuple shape = data.shape
    cdef int64_t taps = 1
    set_window(&params, window, inner, places)
    for n in window.kernel:
        taps *= n
    params.planes = shape[0] * (shape[1] // taps)
    return run(fold_kernel, "col2im", data, (shape[0], shape[1] // taps, *inner), &params, sizeof(params),
               300 + 2.0 * data.size, out)


def resample(x, inner, way, back=False, out=None):
    """Return planes of the size `inner` from x (n, channels, h, w).

    way: "mean" of what an element stands for, or between the centres of "pixels", or between the "corners"
    of the planes. back: the transposed map of that from `inner` to (h, w).
    """
    cdef Array data = operand("resample", "data", x)
    cdef ResampleParams params
    cdef tuple shape = data.shape
    cdef int d
    params.planes, params.way, params.back = shape[0] * shape[1], WAYS[way], back
    for d in range(2):
        params.extents[d] = inner[d] if back else shape[2 + d]
        params.out[d] = shape[2 + d] if back else inner[d]
    return run(resample_kernel, "resample", data, (*shape[:2], *inner), &params, sizeof(params),
               300 + 5.0 * (data.size + shape[0] * shape[1] * inner[0] * inner[1]), out)
