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

// Data (images, channels, extent), regions (regions, 5 or 6), result (regions, outputs, pooled).
struct PositionedParams {
  int64_t images, channels, extent[2], regions, outputs, pooled[2], groups, samples;
  double scale;
  // Displacements (regions, 2 classes, parts, parts): of each part, in extents of the region times `reach`.
  int64_t classes, parts;
  double reach;
  bool displaced;
};

// out <- data, regions: means of what is in each part, of channels of its own
int position_pool_kernel(KernelContext& context);
// g_data <- g_out, regions
int position_pool_grad_kernel(KernelContext& context);
// out, counts <- data, regions, [displacements]: means of samples in displaced parts
int displaced_pool_kernel(KernelContext& context);
// g_data <- g_out, regions, [displacements]
int displaced_pool_grad_kernel(KernelContext& context);
// g_displacements <- g_out, data, regions, displacements
int displaced_pool_shift_grad_kernel(KernelContext& context);
// For all samples (samples of both axes, regions, outputs, pooled): positions of int64 in data (..., 2, 2, ...),
//   weights and slopes of both rows (..., 2, ...), and of both columns; for all parts (regions, outputs, pooled),
//   positions of int64 in the displacements of rows, and of columns, and by how much they move the part
//   <- displacements, regions
int displaced_pool_corners_kernel(KernelContext& context);
// out <- data, regions (regions, 6): means of samples in turned rectangles
int turned_pool_kernel(KernelContext& context);
// g_data <- g_out, regions
int turned_pool_grad_kernel(KernelContext& context);

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
