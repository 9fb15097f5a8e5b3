// Pooling over windows of one to three axes, and its gradients.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

enum PoolMode : int { POOL_MAX, POOL_AVG, POOL_SUM, POOL_POWER };

// All arrays in C order: (outer, in[0], in[1], in[2], inner), the result with out[] in place of in[].
// Windows of one or two axes have leading extents of 1.
struct PoolParams {
  int64_t outer, inner;
  int64_t in[3], out[3], kernel[3], stride[3], pad[3];
  int mode;
  int power;         // POOL_POWER: the root of the sum of powers
  bool count_pad;    // POOL_AVG: the padding is part of a window's size
  bool positive;     // the gradient of maxima: only windows whose largest element is above zero have one
};

// out <- x
MXCY_DECLARE(int pooling_kernel(KernelContext& context))
// g_x <- g_out: every element of a window gets the (divided) gradient of the window
MXCY_DECLARE(int pooling_spread_kernel(KernelContext& context))
// g_x <- g_out, x: the first largest element of a window gets its gradient
MXCY_DECLARE(int pooling_max_grad_kernel(KernelContext& context))
// out <- values, x: of every window the value where x is largest
MXCY_DECLARE(int pooling_max_pick_kernel(KernelContext& context))

inline Kernel pooling_kernel_of_cpu() { return MXCY_PICK(pooling_kernel); }
inline Kernel pooling_spread_kernel_of_cpu() { return MXCY_PICK(pooling_spread_kernel); }
inline Kernel pooling_max_grad_kernel_of_cpu() { return MXCY_PICK(pooling_max_grad_kernel); }
inline Kernel pooling_max_pick_kernel_of_cpu() { return MXCY_PICK(pooling_max_pick_kernel); }

}  // namespace mxcy
