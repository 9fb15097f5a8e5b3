// Batch normalisation and its gradient.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

// Data in C order: (outer, channels, inner).
struct BatchNormParams {
  int64_t outer, channels, inner;
  double eps, momentum;
  bool fix_gamma;  // gamma counts as 1, and its gradient is 0
  bool by_batch;   // the statistics are those of the data, and the moving ones follow
};

// out, mean, deviation (inverse), trained [, moving_mean, moving_var] <- x, gamma, beta [, moving_mean,
// moving_var]: the moving statistics are outputs if by_batch, inputs if not
MXCY_DECLARE(int batch_norm_kernel(KernelContext& context))
// out <- x, gamma, beta, mean, deviation, trained: out as the kernel above has made it, if trained from the
// statistics of x
MXCY_DECLARE(int batch_norm_again_kernel(KernelContext& context))
// g_x, g_gamma, g_beta <- g_out, x, gamma, mean, deviation, trained
MXCY_DECLARE(int batch_norm_grad_kernel(KernelContext& context))

inline Kernel batch_norm_kernel_of_cpu() { return MXCY_PICK(batch_norm_kernel); }
inline Kernel batch_norm_again_kernel_of_cpu() { return MXCY_PICK(batch_norm_again_kernel); }
inline Kernel batch_norm_grad_kernel_of_cpu() { return MXCY_PICK(batch_norm_grad_kernel); }

}  // namespace mxcy
