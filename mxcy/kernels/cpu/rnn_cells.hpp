// One step of a recurrent layer behind its two products, and its gradient.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

enum CellMode : int { CELL_RELU, CELL_TANH, CELL_LSTM, CELL_GRU };

// All arrays in C order: states (batch, size), products (batch, gates * size) with the gates in the order
// i, f, g, o of LSTM and r, z, n of GRU.  `gates` holds what backward needs: the four gates of LSTM; r, z, n
// and the recurrent product of n for GRU.
struct CellParams {
  int64_t batch, size;
  int mode;
  bool clips, clips_nan;  // of LSTM's cell state
  double low, high;
};

// h [, gates [, cell]] <- product of the input, recurrent product [, previous cell of LSTM or h of GRU]
MXCY_DECLARE(int cell_kernel(KernelContext& context))
// g_input [, g_recurrent of GRU | g_previous_cell of LSTM] [, g_h that passes by, of GRU] <- g_h of the
// output, g_h from the next step, then: h (plain) | gates, cell, previous cell, g_cell, g_cell of the output
// (LSTM) | gates, previous h, g_h that passed by (GRU)
MXCY_DECLARE(int cell_grad_kernel(KernelContext& context))

inline Kernel cell_kernel_of_cpu() { return MXCY_PICK(cell_kernel); }
inline Kernel cell_grad_kernel_of_cpu() { return MXCY_PICK(cell_grad_kernel); }

}  // namespace mxcy
