// Planes compared with displaced ones, and read at displaced places.
#pragma once
#include "op.hpp"

namespace mxcy {

struct CorrelationParams {
  int64_t batches, channels, extent[2], result[2];
  int64_t kernel, reach, stride, step, pad;  // reach: the largest displacement, in whole elements
  bool multiplies;
};

// (batches, displacements, result...) <- two of (batches, channels, extent...)
int correlation_kernel(KernelContext& context);
// gradients of both <- that of the result, both
int correlation_grad_kernel(KernelContext& context);

struct DisplacedParams {
  int64_t batches, channels, extent[2], result[2], groups;
  int64_t kernel[2], stride[2], dilate[2], pad[2];
  bool masked;  // there is a mask, and what is outside counts as 0 (else as the nearest element)
};

// columns (batches, channels * kernel, result) <- data (batches, channels, extent...), offsets
//   (batches, groups * kernel * 2, result...), [mask (batches, groups * kernel, result...)]
int displaced_columns_kernel(KernelContext& context);
// gradients of data, offsets [and mask] <- that of the columns, data, offsets [and mask]
int displaced_columns_grad_kernel(KernelContext& context);
// positions of int64 (batches, groups, 2, 2, kernel, result), weights and slopes of both rows (batches, groups,
//   2, kernel, result), and of both columns: index, rows, columns, row_slopes, column_slopes <- offsets
int displaced_corners_kernel(KernelContext& context);

}  // namespace mxcy
