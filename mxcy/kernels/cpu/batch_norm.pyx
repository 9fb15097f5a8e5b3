"""Batch normalisation and its gradient. Sums go to double in blocks; half types are computed in float32."""

from libc.stdint cimport int64_t

from ..._array cimport Array, new_like
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport LAUNCH_ELEMENTWISE, LAUNCH_UPDATES, contiguous, launch, operand, result

from .copying import copy

__all__ = ["batch_norm", "batch_norm_again", "batch_norm_grad"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/batch_norm.hpp" namespace "mxcy" nogil:
    cdef cppclass BatchNormParams:
        int64_t outer, channels, inner
        double eps, momentum
        bint fix_gamma, by_batch
    Kernel batch_norm_kernel_of_cpu()
    Kernel batch_norm_again_kernel_of_cpu()
    Kernel batch_norm_grad_kernel_of_cpu()


cdef void set_shape(BatchNormParams* p, Array x, int axis):
    cdef int d
    p.outer = p.inner = 1
    for d in range(axis):
        p.outer *= x.dims[d]
    p.channels = x.dims[axis]
    for d in range(axis + 1, x.ndim_):
        p.inner *= x.dims[d]


cdef Array plain_of(Array target):
    """target, or a new array in C order of its shape and dtype."""
    return target if target.c_contiguous else new_like(target, target.ndim_, target.dims, target.dtype_code)


cdef list written(list targets, list plain):
    """The targets, after what was computed beside them has been copied."""
    for target, made in zip(targets, plain):
        if target is not made:
            copy(made, target)
    return targets


def batch_norm(x, gamma, beta, moving_mean, moving_var, axis, eps, momentum, fix_gamma, by_batch, out):
    """Return [out, mean, inverse deviation, whether by batch] of normalised channels.

    The channels lie along `axis` (not negative); gamma, beta and the moving statistics, of one dtype, have
    one element for each. With `by_batch` the statistics are those of x, and the moving ones are updated;
    without, they are the moving ones. `out` lists arrays to write, None for new ones.
    """
    cdef Array data = operand("BatchNorm", "data", x), scale = operand("BatchNorm", "gamma", gamma)
    cdef BatchNormParams params
    cdef int64_t one = 1
    set_shape(&params, data, axis)
    params.eps, params.momentum, params.fix_gamma, params.by_batch = eps, momentum, fix_gamma, by_batch
    targets = [
        result("BatchNorm", data, out[0], data.ndim_, data.dims, data.dtype_code),
        result("BatchNorm", data, out[1], 1, scale.dims, scale.dtype_code),
        result("BatchNorm", data, out[2], 1, scale.dims, scale.dtype_code),
        result("BatchNorm", data, out[3], 1, &one, scale.dtype_code),
    ]
    inputs = [contiguous(data), contiguous(scale), contiguous(operand("BatchNorm", "beta", beta))]
    moving = [operand("BatchNorm", "moving_mean", moving_mean), operand("BatchNorm", "moving_var", moving_var)]
    states = [contiguous(a) for a in moving]
    plain = [plain_of(a) for a in targets]
    outputs = plain + states if by_batch else plain
    launch(batch_norm_kernel_of_cpu(), "BatchNorm", outputs, inputs if by_batch else inputs + states, &params,
           sizeof(params), 500 + 1.0 * data.size, LAUNCH_ELEMENTWISE | LAUNCH_UPDATES)
    if by_batch:
        written(moving, states)
    return written(targets, plain)


def batch_norm_again(x, gamma, beta, mean, deviation, trained, axis, eps, fix_gamma, out):
    """Return the result of `batch_norm` once more, from what it has saved; nothing else is written."""
    cdef Array data = operand("BatchNorm", "data", x)
    cdef BatchNormParams params
    set_shape(&params, data, axis)
    params.eps, params.momentum, params.fix_gamma, params.by_batch = eps, 0, fix_gamma, False
    target = result("BatchNorm", data, out, data.ndim_, data.dims, data.dtype_code)
    plain = plain_of(target)
    inputs = [contiguous(a) for a in (data, gamma, beta, mean, deviation, trained)]
    launch(batch_norm_again_kernel_of_cpu(), "BatchNorm", [plain], inputs, &params, sizeof(params),
           500 + 1.0 * data.size, LAUNCH_ELEMENTWISE)
    return written([target], [plain])[0]


def batch_norm_grad(g, x, gamma, mean, deviation, trained, axis, fix_gamma, out):
    """Return the gradients of x, gamma and beta from that of the result and what `batch_norm` has saved."""
    cdef Array head = operand("BatchNorm_backward", "g", g)
    cdef Array scale = operand("BatchNorm_backward", "gamma", gamma)
    cdef BatchNormParams params
    set_shape(&params, head, axis)
    params.eps = params.momentum = 0
    params.fix_gamma, params.by_batch = fix_gamma, False
    targets = [
        result("BatchNorm_backward", head, out[0], head.ndim_, head.dims, head.dtype_code),
        result("BatchNorm_backward", head, out[1], 1, scale.dims, scale.dtype_code),
        result("BatchNorm_backward", head, out[2], 1, scale.dims, scale.dtype_code),
    ]
    plain = [plain_of(a) for a in targets]
    inputs = [contiguous(a) for a in (head, x, scale, mean, deviation, trained)]
    launch(batch_norm_grad_kernel_of_cpu(), "BatchNorm_backward", plain, inputs, &params, sizeof(params),
           500 + 1.5 * head.size, LAUNCH_ELEMENTWISE)
    return written(targets, plain)
