// What detectors make of boxes: targets, detections, matches and proposals.
#pragma once
#include "op.hpp"

namespace mxcy {

struct TargetParams {
  int64_t batches, anchors, labels, width, classes;
  double overlap, ignored, mining_ratio, mining_overlap, variances[4];
};

// offsets (batches, anchors * 4), their mask, classes (batches, anchors)
//   <- anchors (anchors, 4), labels (batches, labels, width), predictions (batches, classes, anchors)
int box_target_kernel(KernelContext& context);

struct DetectionParams {
  int64_t batches, anchors, classes, most;
  double threshold, overlap, variances[4];
  bool clips, all_classes;
};

// (batches, anchors, 6) <- probabilities (batches, classes, anchors), offsets (batches, anchors * 4), anchors
int box_detection_kernel(KernelContext& context);

struct CodingParams {
  int64_t batches, boxes, references;
  double deviations[4], most;
  bool corners;
};

// offsets (batches, boxes, 4), their mask <- samples (batches, boxes), matches, anchors (batches, boxes, 4),
//   references (batches, references, 4), means (4), deviations (4)
int box_encode_kernel(KernelContext& context);
// boxes (batches, boxes, 4) <- offsets, anchors (1, boxes, 4)
int box_decode_kernel(KernelContext& context);

struct MatchingParams {
  int64_t batches, rows, columns, most;
  double threshold;
  bool ascends;
};

// columns of rows (batches, rows), rows of columns (batches, columns) <- scores (batches, rows, columns)
int matching_kernel(KernelContext& context);

struct ProposalParams {
  int64_t batches, kinds, height, width, stride, before, after, least;
  double overlap;
  bool by_corners, numbered;
};

// regions (batches * after, 5), scores (batches * after, 1) <- scores (batches, 2 kinds, height, width),
//   offsets (batches, 4 kinds, height, width), images (batches, 3), boxes (kinds, 4)
int proposal_kernel(KernelContext& context);

}  // namespace mxcy
