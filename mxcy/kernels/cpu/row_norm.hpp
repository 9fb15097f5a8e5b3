// Normalisation of rows (layer, group and instance normalisation), its gradient, and sums over
// neighbouring channels.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

// Rows of n elements in C order.  Row r has the parameters from (r % periods) * each on, `each` of them;
// every one serves n / each neighbouring elements.
struct RowNormParams {
  int64_t rows, n, periods, each;
  double eps;
};

// Data (outer, channels, inner): y_c = x_c (knorm + alpha / size sum of x_j^2)^-beta over the j within
// (size - 1) / 2 of c.
struct ChannelSumParams {
  int64_t outer, channels, inner, size;
  double alpha, beta, knorm;
};

// out, mean, deviation <- x, gamma, beta
MXCY_DECLARE(int row_norm_kernel(KernelContext& context))
// g_x, g_gamma, g_beta <- g_out, x, gamma, mean, deviation
MXCY_DECLARE(int row_norm_grad_kernel(KernelContext& context))
// out <- x
MXCY_DECLARE(int lrn_kernel(KernelContext& context))
// g_x <- g_out, x
MXCY_DECLARE(int lrn_grad_kernel(KernelContext& context))
// out <- x: the sums over neighbouring channels
MXCY_DECLARE(int channel_sum_kernel(KernelContext& context))

inline Kernel row_norm_kernel_of_cpu() { return MXCY_PICK(row_norm_kernel); }
inline Kernel row_norm_grad_kernel_of_cpu() { return MXCY_PICK(row_norm_grad_kernel); }
inline Kernel lrn_kernel_of_cpu() { return MXCY_PICK(lrn_kernel); }
inline Kernel lrn_grad_kernel_of_cpu() { return MXCY_PICK(lrn_grad_kernel); }
inline Kernel channel_sum_kernel_of_cpu() { return MXCY_PICK(channel_sum_kernel); }

}  // namespace mxcy
