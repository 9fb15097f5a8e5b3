"""Normalisation of rows and over neighbouring channels, with gradients; half types computed in float32."""

from libc.stdint cimport int64_t

from ..._array cimport Array, new_like, read_shape
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport LAUNCH_ELEMENTWISE, contiguous, launch, operand, result

from .copying import copy

__all__ = ["channel_sum", "lrn", "lrn_grad", "row_norm", "row_norm_grad"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/row_norm.hpp" namespace "mxcy" nogil:
    cdef cppclass RowNormParams:
        int64_t rows, n, periods, each
        double eps
    cdef cppclass ChannelSumParams:
        int64_t outer, channels, inner, size
        double alpha, beta, knorm
    Kernel row_norm_kernel_of_cpu()
    Kernel row_norm_grad_kernel_of_cpu()
    Kernel lrn_kernel_of_cpu()
    Kernel lrn_grad_kernel_of_cpu()
    Kernel channel_sum_kernel_of_cpu()


cdef object run(const char* name, Kernel kernel, list targets, list inputs, const void* params, size_t size,
                int flags):
    """Launch a kernel over arrays in C order, with copies of those that are not."""
    cdef Array target
    cdef double cost = 500
    plain = []
    for target in targets:
        cost += 2.0 * target.size
        plain.append(target if target.c_contiguous
                     else new_like(target, target.ndim_, target.dims, target.dtype_code))
    launch(kernel, name, plain, [contiguous(x) for x in inputs], params, size, cost, flags)
    for target, made in zip(targets, plain):
        if target is not made:
            copy(made, target)
    return targets


def row_norm(x, gamma, beta, rows, n, periods, each, eps, statistics, out):
    """Return [(x - mean) / deviation * gamma + beta, mean, deviation] for rows of n elements.

    Row r takes the parameters from (r % periods) * each on, `each` of them; every one serves n / each
    elements. deviation = sqrt(variance + eps). `statistics` is the shape of mean and deviation.
    """
    cdef Array data = operand("row_norm", "x", x)
    cdef RowNormParams params
    cdef int64_t dims[32]
    cdef int ndim = read_shape(statistics, dims)
    params.rows, params.n, params.periods, params.each, params.eps = rows, n, periods, each, eps
    targets = [
        result("row_norm", data, out[0], data.ndim_, data.dims, data.dtype_code),
        result("row_norm", data, out[1], ndim, dims, data.dtype_code),
        result("row_norm", data, out[2], ndim, dims, data.dtype_code),
    ]
    return run("row_norm", row_norm_kernel_of_cpu(), targets, [data, gamma, beta], &params, sizeof(params),
               LAUNCH_ELEMENTWISE)


def row_norm_grad(g, x, gamma, mean, deviation, rows, n, periods, each, out):
    """Return the gradients of x, gamma and beta from that of the result of `row_norm` and what it returned."""
    cdef Array head = operand("row_norm_grad", "g", g), scale = operand("row_norm_grad", "gamma", gamma)
    cdef RowNormParams params
    params.rows, params.n, params.periods, params.each, params.eps = rows, n, periods, each, 0
    targets = [
        result("row_norm_grad", head, out[0], head.ndim_, head.dims, head.dtype_code),
        result("row_norm_grad", scale, out[1], 1, scale.dims, scale.dtype_code),
        result("row_norm_grad", scale, out[2], 1, scale.dims, scale.dtype_code),
    ]
    return run("row_norm_grad", row_norm_grad_kernel_of_cpu(), targets, [head, x, gamma, mean, deviation],
               &params, sizeof(params), LAUNCH_ELEMENTWISE)


cdef object over_channels(const char* name, Kernel kernel, list inputs, int size, double alpha, double beta,
                          double knorm, object out):
    cdef Array data = operand("lrn", "x", inputs[0]), target
    cdef ChannelSumParams params
    cdef int d
    params.outer, params.channels, params.inner, params.size = data.dims[0], data.dims[1], 1, size
    for d in range(2, data.ndim_):
        params.inner *= data.dims[d]
    params.alpha, params.beta, params.knorm = alpha, beta, knorm
    target = result("lrn", data, out, data.ndim_, data.dims, data.dtype_code)
    run(name, kernel, [target], inputs, &params, sizeof(params), LAUNCH_ELEMENTWISE)
    return target


def lrn(x, size, alpha, beta, knorm, out=None):
    """Return x (knorm + alpha / size s)^-beta, s the sum of squares over neighbouring channels (axis 1)."""
    return over_channels("LRN", lrn_kernel_of_cpu(), [x], size, alpha, beta, knorm, out)


def lrn_grad(g, x, size, alpha, beta, knorm, out=None):
    """Return the gradient of `lrn`."""
    return over_channels("LRN_backward", lrn_grad_kernel_of_cpu(), [g, x], size, alpha, beta, knorm, out)


def channel_sum(x, size, out=None):
    """Return the sums of x over the channels (axis 1) within (size - 1) / 2 of each."""
    return over_channels("channel_sum", channel_sum_kernel_of_cpu(), [x], size, 0, 0, 0, out)
