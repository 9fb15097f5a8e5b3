// Sums of what lies at four corners around places: of samplers, the map that is linear in the image, in the
// weights and in the head gradient.
#pragma once
#include "op.hpp"

namespace mxcy {

// Planes (batches, groups * channels, size), positions of int64 and weights (batches, groups, corners,
// places), sums (batches, groups * channels, places).  Positions outside of a plane stand for nothing.
struct CornersParams {
  int64_t batches, groups, channels, size, corners, places;
};

// sums <- planes, positions, weights
int gather_corners_kernel(KernelContext& context);
// planes <- sums, positions, weights
int scatter_corners_kernel(KernelContext& context);
// weights <- sums, planes, positions: products of what a weight joins, over the channels
int corner_products_kernel(KernelContext& context);

}  // namespace mxcy
