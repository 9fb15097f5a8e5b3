// What bilinear samples of planes read.
#pragma once
#include <algorithm>
#include <cstdint>

namespace mxcy {

// The image of a region, or -1 where there is none.
template <class T>
int64_t image_of(int64_t images, const T* region) {
  return region[0] >= 0 && region[0] < T(images) ? int64_t(region[0]) : -1;
}

// One axis of a sample: two elements and their weights.  False: outside.
template <class T>
bool find_sample(T place, int64_t extent, int64_t* at, T* weight) {
  if (extent == 0 || !(place >= -1 && place <= T(extent))) return false;
  place = std::max(place, T(0));
  at[0] = std::min(int64_t(place), extent - 1);
  at[1] = std::min(at[0] + 1, extent - 1);
  weight[1] = at[0] == extent - 1 ? T(0) : place - T(at[0]);
  weight[0] = 1 - weight[1];
  return true;
}

}  // namespace mxcy
