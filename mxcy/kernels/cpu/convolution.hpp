// Convolutions of up to three spatial axes, their gradients with respect to data and to weight.
//
// All arrays in C order with channels first: x (n, groups * channels, in...), weight (groups * filters,
// channels, kernel...), y (n, groups * filters, out...), bias one number for each channel of the output.
#pragma once
#include "finisher.hpp"
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

struct ConvolutionParams {
  int64_t images, groups, channels, filters;  // channels and filters of one group
  int64_t in[3], out[3], kernel[3], stride[3], dilate[3], pad[3];
  bool relu;    // of the output, as its last step
  bool packed;  // the weight is what convolution_pack_kernel has made of it
  bool halved;  // of the output, only the largest of every 2x2 elements are written
  bool sums;    // the last input is added to the output before that is rectified; by products only
  int way;      // ConvolutionWay
  Finisher* finisher;  // of the output, whose rows are channels; may be null
};

constexpr int MOST_TOGETHER = 8;

// Convolutions of the same data that differ in weight, bias and what follows.
struct ConvolutionsParams {
  ConvolutionParams common;  // filters: those of the first
  int count;
  bool with_bias;
  int64_t filters[MOST_TOGETHER];
  bool relu[MOST_TOGETHER];
};

enum ConvolutionWay : int { WAY_AUTO = 0, WAY_DIRECT = 1, WAY_WINOGRAD = 2 };

// y <- x, weight, [bias], [what is added]
MXCY_DECLARE(int convolution_kernel(KernelContext& context))
// y of each <- x, weight of each, [bias of each]; by products
MXCY_DECLARE(int convolutions_kernel(KernelContext& context))
// packed weight <- weight
MXCY_DECLARE(int convolution_pack_kernel(KernelContext& context))
// Whether convolution_kernel computes by products, which take packed weights.
MXCY_DECLARE(bool convolution_by_products(const ConvolutionParams& p, uint8_t dtype))
// Whether what convolution_kernel adds may be where it writes: every element is written once.
MXCY_DECLARE(bool convolution_sums_in_place(const ConvolutionParams& p, uint8_t dtype))
// Whether convolution_kernel can write the largest of every 2x2 elements without making the others.
MXCY_DECLARE(bool convolution_halves(const ConvolutionParams& p, uint8_t dtype))
// x <- y, weight, [bias of x]
MXCY_DECLARE(int convolution_data_gradient_kernel(KernelContext& context))
// weight <- y, x
MXCY_DECLARE(int convolution_weight_gradient_kernel(KernelContext& context))

inline Kernel convolution_kernel_of_cpu() { return MXCY_PICK(convolution_kernel); }
inline Kernel convolutions_kernel_of_cpu() { return MXCY_PICK(convolutions_kernel); }
inline Kernel convolution_pack_kernel_of_cpu() { return MXCY_PICK(convolution_pack_kernel); }
inline bool convolution_by_products_on_cpu(const ConvolutionParams& p, uint8_t dtype) {
  return MXCY_PICK(convolution_by_products)(p, dtype);
}
inline bool convolution_sums_in_place_on_cpu(const ConvolutionParams& p, uint8_t dtype) {
  return MXCY_PICK(convolution_sums_in_place)(p, dtype);
}
inline bool convolution_halves_on_cpu(const ConvolutionParams& p, uint8_t dtype) {
  return MXCY_PICK(convolution_halves)(p, dtype);
}
inline Kernel convolution_data_gradient_kernel_of_cpu() {
  return MXCY_PICK(convolution_data_gradient_kernel);
}
inline Kernel convolution_weight_gradient_kernel_of_cpu() {
  return MXCY_PICK(convolution_weight_gradient_kernel);
}

}  // namespace mxcy
