// Regions of images, and boxes.
#pragma once
#include "op.hpp"

namespace mxcy {

// Data (images, channels, extent), regions (regions, 5) of an image's number and two corners, result
// (regions, outputs, pooled).
struct RegionParams {
  int64_t images, channels, extent[2], regions, outputs, pooled[2], samples;
  double scale;
  bool by_position, aligned;
};

// out <- data, regions: largest elements
int roi_pool_kernel(KernelContext& context);
// g_data <- g_out, data, regions
int roi_pool_grad_kernel(KernelContext& context);
// out <- data, regions: means of bilinear samples
int roi_align_kernel(KernelContext& context);
// g_data <- g_out, regions
int roi_align_grad_kernel(KernelContext& context);

struct OverlapParams {
  int64_t left, right;  // boxes
  bool centers;
};

// overlaps (left, right) <- boxes (left, 4), boxes (right, 4)
int box_overlap_kernel(KernelContext& context);

struct SuppressParams {
  int64_t batches, boxes, width, most, coordinates, score, id, background;
  double overlap, valid;
  bool all_classes, centers_in, centers_out;
};

// boxes (batches, boxes, width), positions (batches, boxes) of int64 (-1: none) <- boxes
int suppress_kernel(KernelContext& context);
// boxes <- rows of boxes, positions of a `suppress_kernel`: to where they come from, 0 elsewhere
int suppress_back_kernel(KernelContext& context);

}  // namespace mxcy
