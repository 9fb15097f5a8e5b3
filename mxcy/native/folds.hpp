// Sums and extremes of plain float and double numbers, where NumPy's loops leave memory bandwidth unused:
// they add one row at a time to the accumulators, and find an extreme without its position.
//
// The order of additions depends on the length only, not on the instruction set.
#pragma once
#include <cstdint>
#include "dtype.hpp"
#include "isa.hpp"

namespace mxcy {

struct Folds {
  // Adds the sum of n neighbours to *sum.
  void (*sum)(const char* x, int64_t n, char* sum);
  // Adds rows, one after the other, to `width` neighbouring sums.
  void (*sum_rows)(const char* x, int64_t row_step, int64_t rows, int64_t width, char* sums);
  // The position of the first largest (smallest) of n > 0 neighbours (n < 2^31), or of the first NaN.
  int64_t (*position)(const char* x, int64_t n, bool largest);
};

MXCY_DECLARE(const Folds* folds(int dtype))

// Null for other dtypes.
inline const Folds* find_folds(int dtype) { return MXCY_PICK(folds)(dtype); }

}  // namespace mxcy
