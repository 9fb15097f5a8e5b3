// The largest of every 2x2 elements of a plane, as pooling_rows.hpp finds them: to the last bit, with NaN never
// the largest.  Included by files that are compiled once for each instruction set.
#pragma once
#include <limits>
#include "transpose.hpp"

namespace mxcy {
namespace MXCY_ISA {

template <class T>
MXCY_INLINE Vector<T> larger(Vector<T> best, Vector<T> v) {
  return v > best ? v : best;
}

// Of two elements one above the other.
template <class T>
MXCY_INLINE Vector<T> larger_of_column(Vector<T> above, Vector<T> below) {
  return larger<T>(larger<T>(Vector<T>{} + std::numeric_limits<T>::lowest(), above), below);
}

// Of two lines, one behind the other, of `width` elements, an even number; up to 2 * LENGTH elements past them
// are read.
template <class T>
MXCY_INLINE void halve_lines(const T* from, int64_t width, T* to) {
  constexpr int64_t L = LENGTH<T>;
  const auto columns = [&](int64_t x) { return larger_of_column<T>(load(from + x), load(from + width + x)); };
  for (int64_t i = 0; i < width / 2; i += L) {
    const Vector<T> low = columns(2 * i), high = columns(2 * i + L);
    const Vector<T> found = larger<T>(every_second<T, 0>(low, high), every_second<T, 1>(low, high));
    if (i + L <= width / 2) {
      store(to + i, found);
    } else {
      T few[L];
      store(few, found);
      std::memcpy(to + i, few, size_t(width / 2 - i) * sizeof(T));
    }
  }
}

// Of `lines` lines of `columns` vectors, halves of odd ones rounded down; `to` may be where they are.
template <class T>
MXCY_INLINE void halve_lanes(const T* from, int64_t lines, int64_t columns, T* to) {
  constexpr int64_t L = LENGTH<T>;
  for (int64_t y = 0; y + 1 < lines; y += 2) {
    const T* at = from + y * columns * L;
    for (int64_t x = 0; x + 1 < columns; x += 2, at += 2 * L, to += L) {
      const T* below = at + columns * L;
      store(to, larger<T>(larger_of_column<T>(load(at), load(below)),
                          larger_of_column<T>(load(at + L), load(below + L))));
    }
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
