// Images (n, height, width, channels) in other sizes.
#pragma once
#include "op.hpp"

namespace mxcy {

// How sums are rounded: not at all (floating-point numbers), to the nearest integer (halves to even ones, or
// up), or as OpenCV does it for bytes: weights are whole 2048ths, halves go up (FIXED) or to even numbers, and
// of two rows the lowest bits are dropped before they are weighed (FIXED_PAIRS).
enum Rounding : int { EXACT = 0, NEAREST, UPWARDS, FIXED, FIXED_EVEN, FIXED_PAIRS };

struct ResizeParams {
  int64_t images, height, width, channels, rows, columns, row_taps, column_taps;
  int rounding;
};

// out (images, rows, columns, channels) <- images, places and weights of the elements that a row of the result
// is made of (rows, row_taps), and a column (columns, column_taps)
int image_resize_kernel(KernelContext& context);

struct HueParams {
  int64_t pixels;
  double turn;  // added to the hue, in circles
};

// pixels <- pixels (red, green, blue), 0 to 255, with another hue
int image_hue_kernel(KernelContext& context);

}  // namespace mxcy
