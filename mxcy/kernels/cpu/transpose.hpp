// Transposition of matrices in registers: squares of as many rows as a vector has elements.
#pragma once
#include "gemm.hpp"

namespace mxcy {
namespace MXCY_ISA {

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef int32_t Type __attribute__((vector_size(VECTOR_BYTES)));
};
template <>
struct Lanes<double> {
  typedef int64_t Type __attribute__((vector_size(VECTOR_BYTES)));
};

// Swaps blocks of S elements between a pair of rows: a gets (a0, b0), b gets (a1, b1), where 0 and 1 are the
// even and odd blocks.
template <class T, int S>
MXCY_INLINE void swap_blocks(Vector<T>& a, Vector<T>& b) {
  typename Lanes<T>::Type low, high;
  for (int i = 0; i < LENGTH<T>; ++i) {
    low[i] = i & S ? i - S + LENGTH<T> : i;
    high[i] = i & S ? i + LENGTH<T> : i + S;
  }
  const Vector<T> first = __builtin_shuffle(a, b, low);
  b = __builtin_shuffle(a, b, high);
  a = first;
}

template <class T, int S>
MXCY_INLINE void swap_all(Vector<T>* rows) {
  if constexpr (S < LENGTH<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < LENGTH<T>; ++i) {
      if (!(i & S)) swap_blocks<T, S>(rows[i], rows[i + S]);
    }
    swap_all<T, 2 * S>(rows);
  }
}

// Transposes a square of LENGTH rows in place.
template <class T>
MXCY_INLINE void transpose_square(Vector<T>* rows) {
  swap_all<T, 1>(rows);
}

// The elements at even places of two vectors that follow each other, or, with FIRST = 1, at odd ones.
template <class T, int FIRST>
MXCY_INLINE Vector<T> every_second(Vector<T> a, Vector<T> b) {
  typename Lanes<T>::Type places;
  for (int i = 0; i < LENGTH<T>; ++i) places[i] = 2 * i + FIRST;
  return __builtin_shuffle(a, b, places);
}

// to[j][i] = from[i][j] for i < rows, j < columns, both multiples of LENGTH.
template <class T>
void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t rows, int64_t columns) {
  for (int64_t j = 0; j < columns; j += LENGTH<T>) {
    for (int64_t i = 0; i < rows; i += LENGTH<T>) {
      Vector<T> square[LENGTH<T>];
#pragma GCC unroll 16
      for (int k = 0; k < LENGTH<T>; ++k) square[k] = load(from + (i + k) * from_stride + j);
      transpose_square<T>(square);
#pragma GCC unroll 16
      for (int k = 0; k < LENGTH<T>; ++k) store(to + (j + k) * to_stride + i, square[k]);
    }
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
