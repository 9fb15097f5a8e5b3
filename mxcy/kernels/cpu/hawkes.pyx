"""The likelihood of events whose rates rise after each of them."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

__all__ = ["hawkes", "hawkes_grad", "hawkes_second"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/hawkes.hpp" namespace "mxcy" nogil:
    cdef cppclass HawkesParams:
        int64_t samples, kinds, steps
    int hawkes_kernel(KernelContext&)
    int hawkes_grad_kernel(KernelContext&)
    int hawkes_second_kernel(KernelContext&)


cdef list run(Kernel kernel, const char* name, list inputs, Array rates, Array lags, list shapes):
    cdef HawkesParams p
    cdef int64_t dims[2]
    cdef list outputs = []
    p.samples, p.kinds, p.steps = rates.dims[0], rates.dims[1], lags.dims[1]
    for shape in shapes:
        dims[0], dims[1] = shape[0], shape[len(shape) - 1]
        outputs.append(result(name.decode(), rates, None, len(shape), dims, rates.dtype_code))
    launch(kernel, name, outputs, [contiguous(x) for x in inputs], &p, sizeof(p),
           500 + 40.0 * p.samples * (p.steps + p.kinds))
    return outputs


def hawkes(rates, branching, decays, state, lags, marks, lengths, ends):
    """Return [log-likelihoods (n,), states at the ends (n, kinds)] of events (n, steps)."""
    cdef Array first = operand("hawkesll", "lda", rates)
    inputs = [first, branching, decays, state, lags, marks, lengths, ends]
    return run(hawkes_kernel, "hawkesll", inputs, first, lags, [(first.dims[0],), first.shape])


def hawkes_grad(g, rates, branching, decays, state, lags, marks, lengths, ends):
    """Return the gradients of the rates, and for every sample of branching and decays, all (n, kinds)."""
    cdef Array first = operand("hawkesll", "lda", rates)
    inputs = [g, first, branching, decays, state, lags, marks, lengths, ends]
    return run(hawkes_grad_kernel, "hawkesll_backward", inputs, first, lags, [first.shape] * 3)


def hawkes_second(directions, g, rates, branching, decays, state, lags, marks, lengths, ends):
    """Return the derivatives, by g, by the rates, and for every sample by branching and decays, of the products
    of what `hawkes_grad` returns with three directions (n, kinds).
    """
    cdef Array first = operand("hawkesll", "lda", rates)
    inputs = [*directions, g, first, branching, decays, state, lags, marks, lengths, ends]
    shapes = [(first.dims[0],), *[first.shape] * 3]
    return run(hawkes_second_kernel, "hawkesll_second", inputs, first, lags, shapes)
