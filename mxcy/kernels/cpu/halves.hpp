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

// Of a square of SIZE x SIZE vectors; `to` may be the square itself.
template <class T, int SIZE>
MXCY_INLINE void halve_square(const Vector<T>* from, Vector<T>* to) {
  for (int y = 0; y < SIZE; y += 2) {
    for (int x = 0; x < SIZE; x += 2) {
      const Vector<T>* at = from + y * SIZE + x;
      to[(y * SIZE / 2 + x) / 2] =
          larger<T>(larger_of_column<T>(at[0], at[SIZE]), larger_of_column<T>(at[1], at[SIZE + 1]));
    }
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
