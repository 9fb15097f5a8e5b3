"""One step of a recurrent layer behind its two products, and its gradient."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport launch

__all__ = ["rnn_cell", "rnn_cell_grad"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/rnn_cells.hpp" namespace "mxcy" nogil:
    int CELL_RELU, CELL_TANH, CELL_LSTM, CELL_GRU
    cdef cppclass CellParams:
        int64_t batch, size
        int mode
        bint clips, clips_nan
        double low, high
    Kernel cell_kernel_of_cpu()
    Kernel cell_grad_kernel_of_cpu()

cdef dict MODES = {"rnn_relu": CELL_RELU, "rnn_tanh": CELL_TANH, "lstm": CELL_LSTM, "gru": CELL_GRU}


cdef int run(const char* name, Kernel kernel, list outs, list inputs, str mode, Array like, object clip,
             float cost) except -1:
    cdef CellParams params
    params.batch, params.size, params.mode = like.dims[0], like.dims[1], MODES[mode]
    params.clips = clip is not None
    params.low, params.high, params.clips_nan = (0, 0, False) if clip is None else clip
    return launch(kernel, name, outs, inputs, &params, sizeof(params), 200 + cost * like.size)


def rnn_cell(mode, inputs, outs, clip=None):
    """Write one step: see native header for inputs and outputs, arrays in C order; outs[0] is h.

    clip: (low, high, whether NaN becomes low) of the cell state of LSTM, or None.
    """
    run("rnn_cell", cell_kernel_of_cpu(), outs, inputs, mode, outs[0], clip, 8)


def rnn_cell_grad(mode, inputs, outs, clip=None):
    """Write the gradient of one step: see native header for inputs and outputs, arrays in C order."""
    run("rnn_cell_backward", cell_grad_kernel_of_cpu(), outs, inputs, mode, inputs[0], clip, 8)
