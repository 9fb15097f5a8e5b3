// Where windows lie, and how what is in them is joined.  Included by files that are compiled once for each
// instruction set.
#pragma once
#include <algorithm>
#include <type_traits>
#include "pooling.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <class T> using Position = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
template <class T> constexpr T LOWEST = std::numeric_limits<T>::lowest();

template <class T>
struct Maximum {
  static constexpr T start = LOWEST<T>;
  template <class V> static MXCY_INLINE V join(V best, V v) { return v > best ? v : best; }
};
template <class T>
struct Total {
  static constexpr T start = 0;
  template <class V> static MXCY_INLINE V join(V sum, V v) { return sum + v; }
};

// x^p for the p of POOL_POWER; 0 stands for x as it is.
template <int power, class V>
MXCY_INLINE V raised(V v) {
  if constexpr (power == 2) return v * v;
  else if constexpr (power == 3) return v * v * v;
  else return v;
}

// An interval of windows' places along one axis, as far as it lies in the input.
struct Interval {
  int64_t begin, end, counted;  // counted: its length for averages
};

Interval interval(const PoolParams& p, int axis, int64_t index) {
  const int64_t first = index * p.stride[axis] - p.pad[axis];
  const int64_t last = std::min(first + p.kernel[axis], p.in[axis] + p.pad[axis]);
  Interval found{std::max<int64_t>(first, 0), std::min(last, p.in[axis]), last - first};
  if (found.end < found.begin) found.end = found.begin;
  if (!p.count_pad) found.counted = found.end - found.begin;
  return found;
}

// Whether there is one window for each plane, which is a line and all of it.
inline bool is_whole(const PoolParams& p) {
  return p.inner == 1 && p.in[0] * p.in[1] * p.out[0] * p.out[1] * p.out[2] == 1 &&
         p.pad[0] + p.pad[1] + p.pad[2] == 0 && p.kernel[2] == p.in[2];
}

}  // namespace
}  // namespace MXCY_ISA
}  // namespace mxcy
