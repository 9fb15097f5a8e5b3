// Channels of images, one after another: their windows as columns, and their size changed.
#pragma once
#include "op.hpp"

namespace mxcy {

// Planes of `in` elements, windows at the places of `out`.
struct UnfoldParams {
  int64_t planes, in[3], out[3], kernel[3], stride[3], dilate[3], pad[3];
};

// columns (planes, kernel, out) <- planes (planes, in)
int unfold_kernel(KernelContext& context);
// planes, the sums of what windows hold of each element <- columns
int fold_kernel(KernelContext& context);

enum ResampleWay : int { RESAMPLE_MEAN, RESAMPLE_PIXELS, RESAMPLE_CORNERS };

// Planes of `in` elements become planes of `out` elements.  `back`: the transposed map, from `out` to `in`.
struct ResampleParams {
  int64_t planes, in[2], out[2];
  int way;
  bool back;
};

int resample_kernel(KernelContext& context);

}  // namespace mxcy
