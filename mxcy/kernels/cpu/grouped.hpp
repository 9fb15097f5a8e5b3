// Convolutions whose groups are too small for products of matrices, such as depthwise ones: sums of shifted
// lines.
#pragma once
#include "convolution.hpp"
#include "launch.hpp"

namespace mxcy {
namespace MXCY_ISA {

// Whether the groups have so few channels and filters.
bool has_small_groups(const ConvolutionParams& p);

int grouped_forward(KernelContext& context, const ConvolutionParams& p);
int grouped_data_gradient(KernelContext& context, const ConvolutionParams& p);
int grouped_weight_gradient(KernelContext& context, const ConvolutionParams& p);

}  // namespace MXCY_ISA
}  // namespace mxcy
