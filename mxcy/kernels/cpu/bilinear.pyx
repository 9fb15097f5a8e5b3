"""Sampling of images between their pixels."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from .copying import copy, fill

__all__ = ["bilinear_sample", "bilinear_sample_grad"]


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
