// A box with sides along the axes.
#pragma once
#include <algorithm>

namespace mxcy {

template <class T>
struct Box {
  T low[2], high[2];

  Box(const T* at, bool center) {
    for (int d = 0; d < 2; ++d) {
      low[d] = center ? at[d] - at[2 + d] / 2 : at[d];
      high[d] = center ? at[d] + at[2 + d] / 2 : at[2 + d];
    }
  }

  T area() const {
    const T w = high[0] - low[0], h = high[1] - low[1];
    return w < 0 || h < 0 ? T(0) : w * h;
  }

  T extent(int d) const { return high[d] - low[d]; }
  T center(int d) const { return (low[d] + high[d]) / 2; }

  // Intersection over union.
  T overlap(const Box& other) const {
    T shared = 1;
    for (int d = 0; d < 2; ++d) {
      shared *= std::max(std::min(high[d], other.high[d]) - std::max(low[d], other.low[d]), T(0));
    }
    const T all = area() + other.area() - shared;
    return shared <= 0 || all <= 0 ? T(0) : shared / all;
  }
};

}  // namespace mxcy
