"""Sampling of images between their pixels, and sums over the corners around places."""

from libc.stdint cimport int64_t, uint8_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from ...dtypes import code_of
from .copying import astype, copy, fill

__all__ = [
    "bilinear_corners", "bilinear_sample", "bilinear_sample_grad", "corner_products", "gather_corners",
    "scatter_corners",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/bilinear.hpp" namespace "mxcy" nogil:
    cdef cppclass BilinearParams:
        int64_t batch, channels
        int64_t extents "in"[2]
        int64_t out[2]
    int bilinear_kernel(KernelContext&)
    int bilinear_grad_kernel(KernelContext&)
    int bilinear_corners_kernel(KernelContext&)

cdef extern from "mxcy/kernels/cpu/corners.hpp" namespace "mxcy" nogil:
    cdef cppclass CornersParams:
        int64_t batches, groups, channels, size, corners, places
    int gather_corners_kernel(KernelContext&)
    int scatter_corners_kernel(KernelContext&)
    int corner_products_kernel(KernelContext&)


cdef void set_shape(BilinearParams* p, Array data, Array grid):
    cdef int d
    p.batch, p.channels = data.dims[0], data.dims[1]
    for d in range(2):
        p.extents[d], p.out[d] = data.dims[2 + d], grid.dims[2 + d]


def bilinear_sample(x, grid, out=None):
    """Return x (batch, channels, h, w) at the points grid (batch, 2, h', w'), x and y from -1 to 1."""
    cdef Array data = operand("BilinearSampler", "data", x), points = operand("BilinearSampler", "grid", grid)
    cdef BilinearParams params
    set_shape(&params, data, points)
    cdef int64_t dims[4]
    dims[0], dims[1], dims[2], dims[3] = data.dims[0], data.dims[1], points.dims[2], points.dims[3]
    cdef Array target = result("BilinearSampler", data, out, 4, dims, data.dtype_code), plain = target
    if not target.c_contiguous:
        plain = result("BilinearSampler", data, None, 4, dims, data.dtype_code)
    launch(bilinear_kernel, "BilinearSampler", [plain], [contiguous(data), contiguous(points)], &params,
           sizeof(params), 300 + 8.0 * plain.size)
    return target if plain is target else copy(plain, target)


def bilinear_sample_grad(g, x, grid):
    """Return the gradients of x and grid from that of the result."""
    cdef Array data = operand("BilinearSampler", "data", x), points = operand("BilinearSampler", "grid", grid)
    cdef BilinearParams params
    set_shape(&params, data, points)
    cdef Array g_data = result("BilinearSampler", data, None, 4, data.dims, data.dtype_code)
    cdef Array g_grid = result("BilinearSampler", points, None, 4, points.dims, points.dtype_code)
    if g.size == 0:
        return [fill(g_data, 0), fill(g_grid, 0)]
    launch(bilinear_grad_kernel, "BilinearSampler_backward", [g_data, g_grid],
           [contiguous(g), contiguous(data), contiguous(points)], &params, sizeof(params), 300 + 15.0 * g.size)
    return [g_data, g_grid]


cdef Array made(str name, Array like, tuple shape, uint8_t code):
    cdef int64_t dims[32]
    cdef int d
    for d in range(len(shape)):
        dims[d] = shape[d]
    return result(name, like, None, len(shape), dims, code)


def bilinear_corners(grid, shape):
    """Return [positions (n, 1, 1, 2, 2, h', w') of int64, weights of rows (n, 1, 1, 2, 1, h', w'), of columns
    (n, 1, 1, 1, 2, h', w'), slopes of both] of the points of a grid on images of this shape.
    """
    cdef Array points = operand("BilinearSampler", "grid", grid)
    cdef BilinearParams params
    cdef int d
    params.batch, params.channels = shape[0], shape[1]
    for d in range(2):
        params.extents[d], params.out[d] = shape[2 + d], points.dims[2 + d]
    cdef int64_t n = points.dims[0], h = params.out[0], w = params.out[1]
    cdef str name = "BilinearSampler_corners"
    cdef list outputs = [made(name, points, (n, 1, 1, 2, 2, h, w), code_of("int64"))]
    for _ in range(2):
        for both in ((2, 1), (1, 2)):
            outputs.append(made(name, points, (n, 1, 1, *both, h, w), points.dtype_code))
    launch(bilinear_corners_kernel, b"BilinearSampler_corners", outputs, [contiguous(points)], &params,
           sizeof(params), 300 + 10.0 * points.size)
    return outputs


cdef Array positions(object index):
    cdef Array at = operand("corners", "index", index)
    return at if at.dtype_code == code_of("int64") else astype(at, "int64")


cdef Array run(Kernel kernel, const char* name, list inputs, tuple shape, CornersParams* p, Array index,
               int64_t channels):
    """The result of this shape; the sizes of `p` but for that of a plane follow from `index`."""
    cdef Array first = inputs[0], target = made(name.decode(), first, shape, first.dtype_code)
    cdef int d
    p.batches, p.groups, p.corners, p.places = index.dims[0], index.dims[1], 1, 1
    for d in range(2, index.ndim):
        if d < 5:
            p.corners *= index.dims[d]
        else:
            p.places *= index.dims[d]
    p.channels = channels // p.groups if p.groups else 0
    launch(kernel, name, [target], [contiguous(x) for x in inputs], p, sizeof(CornersParams),
           300 + 2.0 * p.channels * index.size)
    return target


cdef int64_t inner_size(shape):
    cdef int64_t size = 1
    for extent in shape[2:]:
        size *= extent
    return size


def gather_corners(x, index, weight):
    """Return (n, channels, *places): sums of elements of the planes of x (n, channels, ...) times weights.

    index, weight: (n, groups, samples, 2, 2, *places), positions in a plane and factors; what lies outside
    of it counts as 0.
    """
    cdef Array data = operand("corners", "data", x), at = positions(index)
    cdef CornersParams p
    cdef tuple shape = data.shape
    p.size = inner_size(shape)
    return run(gather_corners_kernel, b"gather_corners", [data, at, operand("corners", "weight", weight)],
               (shape[0], shape[1], *at.shape[5:]), &p, at, shape[1])


def scatter_corners(g, index, weight, shape):
    """Return an array of this shape: the elements of g (n, channels, *places), times weights, added up at the
    positions that `gather_corners` reads.
    """
    cdef Array head = operand("corners", "data", g), at = positions(index)
    cdef CornersParams p
    p.size = inner_size(shape)
    return run(scatter_corners_kernel, b"scatter_corners", [head, at, operand("corners", "weight", weight)],
               tuple(shape), &p, at, shape[1])


def corner_products(g, x, index):
    """Return an array of the shape of index: sums over channels of elements of g (n, channels, *places) times
    those of x that `gather_corners` reads for them.
    """
    cdef Array head = operand("corners", "data", g), data = operand("corners", "x", x), at = positions(index)
    cdef CornersParams p
    p.size = inner_size(data.shape)
    return run(corner_products_kernel, b"corner_products", [head, data, at], at.shape, &p, at, data.dims[1])
