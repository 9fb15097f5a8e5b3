// Softmax along one axis, its logarithm, their gradients, and the loss layer SoftmaxOutput.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

struct SoftmaxParams {
  int axis;
  bool logarithm, negate, has_length;
  double inverse_temperature;
};

// All arrays in C order: probabilities and gradients (count, classes, inner), label (count, inner).
struct SoftmaxOutputParams {
  int64_t count, classes, inner;
  double scale;         // of the gradient, without the count of valid labels
  double smooth_alpha;  // probability taken from the true class and spread over the others
  int64_t ignore_label;
  bool use_ignore, by_valid, has_head_gradient, label_is_probability;
};

// out <- x, [length]
MXCY_DECLARE(int softmax_kernel(KernelContext& context))
// g_x <- y, g_y, [length]
MXCY_DECLARE(int softmax_gradient_kernel(KernelContext& context))
// g_data <- probabilities, label, [g_out]
int softmax_output_gradient_kernel(KernelContext& context);

inline Kernel softmax_kernel_of_cpu() { return MXCY_PICK(softmax_kernel); }
inline Kernel softmax_gradient_kernel_of_cpu() { return MXCY_PICK(softmax_gradient_kernel); }

}  // namespace mxcy
