// Sorting along one axis: values, positions, the k first of them, or a mask of those.
#pragma once
#include "op.hpp"

namespace mxcy {

struct SortParams {
  int axis;
  int64_t k;  // how many of each line to give
  bool ascending, values, indices, mask;  // which outputs there are, in this order
};

// Equal elements keep their order either way; NaN counts as larger than any number.
int sort_kernel(KernelContext& context);  // values?, indices?, mask? <- x

}  // namespace mxcy
