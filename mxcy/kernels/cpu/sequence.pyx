"""Moving the steps of sequences that differ in length."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport KernelContext
from ..._launch cimport contiguous, launch, operand, result

from ...dtypes import DTYPES
from .copying import copy

__all__ = ["sequence"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/sequence.hpp" namespace "mxcy" nogil:
    int SEQUENCE_MASK, SEQUENCE_REVERSE, SEQUENCE_LAST, SEQUENCE_BACK
    cdef cppclass SequenceParams:
        int64_t steps, in_steps, batch, inner
        int mode
        bint batch_first, has_length
        char value[16]
    int sequence_kernel(KernelContext&)

cdef dict MODES = {"mask": SEQUENCE_MASK, "reverse": SEQUENCE_REVERSE, "last": SEQUENCE_LAST,
                   "back": SEQUENCE_BACK}


def sequence(x, length, mode, axis=0, value=0, steps=None, out=None):
    """Return the steps of sequences masked ("mask"), reversed ("reverse") or the last ones ("last").

    x: (steps, batch, ...), or (batch, steps, ...) for axis 1. length: (batch,), or None for whole sequences.
    "back" is the opposite of "last": x, without an axis of steps, becomes the last of `steps` steps.
    Steps that do not come from x get `value`.
    """
    cdef Array data = operand("sequence", "x", x), target, plain
    cdef SequenceParams params
    cdef int64_t dims[32]
    cdef int d, ndim, first
    cdef bytes element = np.asarray(value).astype(DTYPES[data.dtype_code]).tobytes()
    memcpy(params.value, <const char*>element, len(element))
    params.mode, params.batch_first, params.has_length = MODES[mode], axis == 1, length is not None
    shape = list(data.shape)
    if mode == "back":
        params.in_steps, params.steps, params.batch, first = 1, steps, data.dims[0], 1
        shape.insert(axis, steps)
    else:
        params.in_steps, params.batch, first = data.dims[axis], data.dims[1 - axis], 2
        params.steps = 1 if mode == "last" else params.in_steps
        if mode == "last":
            del shape[axis]
    params.inner = 1
    for d in range(first, data.ndim_):
        params.inner *= data.dims[d]
    ndim = len(shape)
    for d in range(ndim):
        dims[d] = shape[d]
    target = result("sequence", data, out, ndim, dims, data.dtype_code)
    plain = target
    if not target.c_contiguous:
        plain = result("sequence", data, None, ndim, dims, data.dtype_code)
    inputs = [contiguous(data)]
    if length is not None:
        inputs.append(contiguous(operand("sequence", "length", length)))
    launch(sequence_kernel, "sequence", [plain], inputs, &params, sizeof(params), 100 + 0.5 * plain.size)
    return target if plain is target else copy(plain, target)
