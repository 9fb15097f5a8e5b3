"""Patches compared with displaced ones, and columns read at displaced places."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from ...dtypes import code_of

__all__ = ["correlation", "correlation_grad", "displaced_columns", "displaced_columns_grad", "displaced_corners"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/displaced.hpp" namespace "mxcy" nogil:
    cdef cppclass CorrelationParams:
        int64_t batches, channels
        int64_t extent[2]
        int64_t result[2]
        int64_t kernel, reach, stride, step, pad
        bint multiplies
    cdef cppclass DisplacedParams:
        int64_t batches, channels
        int64_t extent[2]
        int64_t result[2]
        int64_t groups
        int64_t kernel[2]
        int64_t stride[2]
        int64_t dilate[2]
        int64_t pad[2]
        bint masked
    int correlation_kernel(KernelContext&)
    int correlation_grad_kernel(KernelContext&)
    int displaced_columns_kernel(KernelContext&)
    int displaced_columns_grad_kernel(KernelContext&)
    int displaced_corners_kernel(KernelContext&)


cdef list run(Kernel kernel, const char* name, list inputs, list shapes, const void* params, size_t size,
              double cost, bint placed=False):
    """The results of these shapes, with the dtype of the first input; `placed`: the first one is of int64."""
    cdef Array first = operand(name.decode(), None, inputs[0])
    cdef list outputs = []
    cdef int64_t dims[32]
    cdef int d
    for shape in shapes:
        for d in range(len(shape)):
            dims[d] = shape[d]
        code = code_of("int64") if placed and not outputs else first.dtype_code
        outputs.append(result(name.decode(), first, None, len(shape), dims, code))
    launch(kernel, name, outputs, [contiguous(x) for x in inputs], params, size, cost)
    return outputs


cdef void set_correlation(CorrelationParams* p, tuple shape, tuple size, tuple options):
    cdef int d
    p.batches, p.channels = shape[0], shape[1]
    for d in range(2):
        p.extent[d], p.result[d] = shape[2 + d], size[d]
    p.kernel, p.reach, p.stride, p.step, p.pad, p.multiplies = options


def correlation(first, second, size, options):
    """Return (n, displacements, *size) of how patches of two images (n, channels, h, w) agree.

    options: (kernel size, largest displacement, stride of the result, step between displacements, pad,
    whether elements are multiplied or their distances taken).
    """
    cdef Array x = operand("Correlation", "data1", first)
    cdef CorrelationParams p
    set_correlation(&p, x.shape, size, options)
    cdef int64_t count = (2 * (p.reach // p.step) + 1) ** 2
    return run(correlation_kernel, "Correlation", [x, second], [(p.batches, count, *size)], &p, sizeof(p),
               500 + 4.0 * p.batches * count * size[0] * size[1] * p.kernel * p.kernel * p.channels)[0]


def correlation_grad(g, first, second, options):
    """Return the gradients of both images."""
    cdef Array x = operand("Correlation", "data1", first), head = operand("Correlation", "g", g)
    cdef CorrelationParams p
    set_correlation(&p, x.shape, head.shape[2:], options)
    return run(correlation_grad_kernel, "Correlation_backward", [head, x, second], [x.shape, x.shape], &p,
               sizeof(p), 500 + 8.0 * head.size * p.kernel * p.kernel * p.channels)


cdef void set_displaced(DisplacedParams* p, tuple shape, tuple size, tuple windows, int64_t groups, bint masked):
    cdef int d
    p.batches, p.channels, p.groups, p.masked = shape[0], shape[1], groups, masked
    for d in range(2):
        p.extent[d], p.result[d] = shape[2 + d], size[d]
        p.kernel[d], p.stride[d], p.dilate[d], p.pad[d] = [window[d] for window in windows]


def displaced_columns(x, offsets, mask, windows, groups):
    """Return columns (n, channels * kernel, places): what a kernel reads of x (n, channels, h, w).

    offsets: (n, groups * kernel * 2, *places), added to the places. mask: None, or factors
    (n, groups * kernel, *places). windows: kernel, stride, dilation and pad, each for two axes.
    """
    cdef Array data = operand("DeformableConvolution", "data", x)
    cdef Array moves = operand("DeformableConvolution", "offset", offsets)
    cdef DisplacedParams p
    set_displaced(&p, data.shape, moves.shape[2:], windows, groups, mask is not None)
    shape = (p.batches, p.channels * p.kernel[0] * p.kernel[1], p.result[0] * p.result[1])
    return run(displaced_columns_kernel, "DeformableConvolution", [data, moves] + ([] if mask is None else [mask]),
               [shape], &p, sizeof(p), 500 + 20.0 * shape[0] * shape[1] * shape[2])[0]


def displaced_columns_grad(g, x, offsets, mask, windows, groups):
    """Return the gradients of x, of the offsets and, if there is one, of the mask."""
    cdef Array data = operand("DeformableConvolution", "data", x)
    cdef Array moves = operand("DeformableConvolution", "offset", offsets), head = operand("DeformableConvolution", "g", g)
    cdef DisplacedParams p
    set_displaced(&p, data.shape, moves.shape[2:], windows, groups, mask is not None)
    given = [data, moves] + ([] if mask is None else [mask])
    return run(displaced_columns_grad_kernel, "DeformableConvolution_backward", [head, *given],
               [x.shape for x in given], &p, sizeof(p), 500 + 40.0 * head.size)


def displaced_corners(offsets, shape, windows, groups, masked):
    """Return [positions (n, groups, 1, 2, 2, kernel, places) of int64, weights of rows (n, groups, 1, 2, 1, kernel,
    places), of columns (n, groups, 1, 1, 2, kernel, places), slopes of both] of what `displaced_columns` reads
    of planes of an x of this shape.
    """
    cdef Array moves = operand("DeformableConvolution", "offset", offsets)
    cdef DisplacedParams p
    set_displaced(&p, shape, moves.shape[2:], windows, groups, masked)
    places = (p.kernel[0] * p.kernel[1], p.result[0] * p.result[1])
    both = [(p.batches, groups, 1, *corners, *places) for corners in ((2, 2), (2, 1), (1, 2), (2, 1), (1, 2))]
    return run(displaced_corners_kernel, "DeformableConvolution_corners", [moves], both, &p, sizeof(p),
               500 + 20.0 * moves.size, True)
