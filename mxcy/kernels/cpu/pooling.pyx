"""Pooling over windows of one to three axes, with channels in front of them or last, and its gradients.

Half types are computed in float32. Largest elements are the first of equal ones; NaN is never the largest.
"""

from libc.stdint cimport int64_t, uint8_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from .copying import copy

__all__ = ["pooling", "pooling_max_grad", "pooling_max_pick", "pooling_spread"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/pooling.hpp" namespace "mxcy" nogil:
    int POOL_MAX, POOL_AVG, POOL_SUM, POOL_POWER
    cdef cppclass PoolParams:
        int64_t outer, inner
        int64_t extents "in"[3]
        int64_t out[3]
        int64_t kernel[3]
        int64_t stride[3]
        int64_t pad[3]
        int mode, power
        bint count_pad, positive
    Kernel pooling_kernel_of_cpu()
    Kernel pooling_spread_kernel_of_cpu()
    Kernel pooling_max_grad_kernel_of_cpu()
    Kernel pooling_max_pick_kernel_of_cpu()

cdef dict MODES = {"max": POOL_MAX, "avg": POOL_AVG, "sum": POOL_SUM, "lp": POOL_POWER}


cdef object fill(PoolParams* p, tuple shape, object w):
    """Set the parameters from the shape of the input and a geometry of windows; return the output's shape."""
    cdef int n = len(w.kernel), first = 1 if w.channels_last else 2, d, to
    cdef bint whole = True
    p.outer = shape[0] if w.channels_last else shape[0] * shape[1]
    p.inner = shape[n + 1] if w.channels_last else 1
    p.mode, p.power, p.count_pad, p.positive = MODES[w.mode], w.power, w.count_pad, False
    for d in range(3):
        p.extents[d] = p.out[d] = p.kernel[d] = p.stride[d] = 1
        p.pad[d] = 0
    for d in range(n):
        to = 3 - n + d
        p.extents[to], p.out[to] = shape[first + d], w.out[d]
        p.kernel[to], p.stride[to], p.pad[to] = w.kernel[d], w.stride[d], w.pad[d]
        whole = whole and w.out[d] == 1 and w.pad[d] == 0 and w.kernel[d] == shape[first + d]
    if whole:  # one window over everything is a line
        for d in range(2):
            p.extents[2] *= p.extents[d]
            p.extents[d] = p.kernel[d] = 1
        p.kernel[2] = p.extents[2]
    return (*shape[:first], *w.out, *shape[first + n:])


cdef object run(str op, const char* name, Kernel kernel, list inputs, tuple shape, object windows,
                bint of_input, object out, bint positive=False):
    """Launch a kernel that writes the pooled shape, or that of the input."""
    cdef PoolParams params
    cdef Array first = inputs[0], target, plain
    cdef int64_t dims[32]
    cdef double cost
    pooled = fill(&params, shape, windows)
    params.positive = positive
    for d, extent in enumerate(shape if of_input else pooled):
        dims[d] = extent
    target = result(op, first, out, len(shape), dims, first.dtype_code)
    plain = target
    if not target.c_contiguous:
        plain = result(op, first, None, len(shape), dims, first.dtype_code)
    cost = 200
    for x in [*inputs, plain]:
        cost += 1.0 * x.size
    launch(kernel, name, [plain], [contiguous(x) for x in inputs], &params, sizeof(params), cost)
    return target if plain is target else copy(plain, target)


def pooling(x, windows, out=None):
    """Return the largest element, the mean, the sum or the root of the sum of powers of every window.

    `windows` has kernel, stride, pad, out (extents of the result) for the axes that are pooled,
    channels_last, mode, power and count_pad.
    """
    cdef Array data = operand("pooling", "x", x)
    return run("pooling", "Pooling", pooling_kernel_of_cpu(), [data], data.shape, windows, False, out)


def pooling_spread(g, shape, windows, out=None):
    """Return the gradient of `pooling` with mode "avg" or "sum" for an input of a shape."""
    cdef Array head = operand("pooling_spread", "g", g)
    return run("pooling_spread", "Pooling_backward", pooling_spread_kernel_of_cpu(), [head], tuple(shape),
               windows, True, out)


def pooling_max_grad(g, x, windows, out=None, positive=False):
    """Return the gradient of `pooling` with mode "max" for the input x.

    With `positive`, windows whose largest element is not above zero have none.
    """
    cdef Array head = operand("pooling_max_grad", "g", g), data = operand("pooling_max_grad", "x", x)
    return run("pooling_max_grad", "Pooling_backward", pooling_max_grad_kernel_of_cpu(), [head, data],
               data.shape, windows, True, out, positive)


def pooling_max_pick(values, x, windows, out=None):
    """Return the value from `values` where x is largest, for every window."""
    cdef Array source = operand("pooling_max_pick", "values", values)
    cdef Array data = operand("pooling_max_pick", "x", x)
    return run("pooling_max_pick", "Pooling_pick", pooling_max_pick_kernel_of_cpu(), [source, data],
               data.shape, windows, False, out)
