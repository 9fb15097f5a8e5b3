"""Connectionist temporal classification, in double."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from .copying import copy

__all__ = ["ctc_loss", "ctc_loss_grad"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/ctc.hpp" namespace "mxcy" nogil:
    cdef cppclass CtcParams:
        int64_t steps, batch, classes, label_room
        bint blank_last, has_data_lengths, has_label_lengths
    int ctc_kernel(KernelContext&)
    int ctc_grad_kernel(KernelContext&)


cdef object run(const char* name, Kernel kernel, list inputs, Array x, Array label, object data_lengths,
                object label_lengths, bint blank_last, tuple shape, object out):
    cdef CtcParams params
    cdef int64_t dims[3]
    cdef int d
    cdef Array target, plain
    params.steps, params.batch, params.classes = x.dims[0], x.dims[1], x.dims[2]
    params.label_room, params.blank_last = label.dims[1], blank_last
    params.has_data_lengths, params.has_label_lengths = data_lengths is not None, label_lengths is not None
    inputs = [*inputs, label, *[a for a in (data_lengths, label_lengths) if a is not None]]
    for d in range(len(shape)):
        dims[d] = shape[d]
    target = result("CTCLoss", x, out, len(shape), dims, x.dtype_code)
    plain = target
    if not target.c_contiguous:
        plain = result("CTCLoss", x, None, len(shape), dims, x.dtype_code)
    launch(kernel, name, [plain], [contiguous(a) for a in inputs], &params, sizeof(params), 500 + 20.0 * x.size)
    return target if plain is target else copy(plain, target)


def ctc_loss(x, label, data_lengths=None, label_lengths=None, blank_last=False, out=None):
    """Return the losses (batch,) of x (steps, batch, classes) and labels (batch, at most so many).

    Without label_lengths a label sequence ends at the first 0, or -1 with `blank_last`.
    """
    cdef Array data = operand("CTCLoss", "data", x)
    return run("CTCLoss", ctc_kernel, [data], data, operand("CTCLoss", "label", label), data_lengths,
               label_lengths, blank_last, (data.dims[1],), out)


def ctc_loss_grad(g, x, label, data_lengths=None, label_lengths=None, blank_last=False, out=None):
    """Return the gradient of x from that of the losses."""
    cdef Array data = operand("CTCLoss", "data", x)
    return run("CTCLoss_backward", ctc_grad_kernel, [data, g], data, operand("CTCLoss", "label", label),
               data_lengths, label_lengths, blank_last, data.shape, out)
