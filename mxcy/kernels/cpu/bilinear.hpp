// Sampling of images between their pixels.
#pragma once
#include "op.hpp"

namespace mxcy {

// Data (batch, channels, in[0], in[1]), grid (batch, 2, out[0], out[1]) of x and y from -1 to 1, in C order.
struct BilinearParams {
  int64_t batch, channels, in[2], out[2];
};

// out <- data, grid
int bilinear_kernel(KernelContext& context);
// g_data, g_grid <- g_out, data, grid
int bilinear_grad_kernel(KernelContext& context);
// positions of int64 (batch, 2, 2, out...), weights and slopes of both rows (batch, 2, out...), and of both
//   columns: index, rows, columns, row_slopes, column_slopes <- grid
int bilinear_corners_kernel(KernelContext& context);

}  // namespace mxcy
