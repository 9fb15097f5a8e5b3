// Convolutions of up to three spatial axes, their gradients with respect to data and to weight.
//
// All arrays in C order with channels first: x (n, groups * channels, in...), weight (groups * filters,
// channels, kernel...), y (n, groups * filters, out...), bias one number for each channel of the output.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

struct ConvolutionParams {
  int64_t images, groups, channels, filters;  // channels and filters of one group
  int64_t in[3], out[3], kernel[3], stride[3], dilate[3], pad[3];
  bool relu;  // of the output, as its last step
  int way;    // ConvolutionWay
};

enum ConvolutionWay : int { WAY_AUTO = 0, WAY_DIRECT = 1, WAY_WINOGRAD = 2 };

// y <- x, weight, [bias]
MXCY_DECLARE(int convolution_kernel(KernelContext& context))
// x <- y, weight, [bias of x]
MXCY_DECLARE(int convolution_data_gradient_kernel(KernelContext& context))
// weight <- y, x
MXCY_DECLARE(int convolution_weight_gradient_kernel(KernelContext& context))

inline Kernel convolution_kernel_of_cpu() { return MXCY_PICK(convolution_kernel); }
inline Kernel convolution_data_gradient_kernel_of_cpu() {
  return MXCY_PICK(convolution_data_gradient_kernel);
}
inline Kernel convolution_weight_gradient_kernel_of_cpu() {
  return MXCY_PICK(convolution_weight_gradient_kernel);
}

}  // namespace mxcy
