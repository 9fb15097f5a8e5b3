// The inner kernel of matrix products, for convolutions and whatever else is made of packed panels.
//
// A tile of C has up to ROWS rows and WIDTH columns and stays in registers while k runs.  B is packed in
// panels of WIDTH columns, [k][WIDTH].  A is read element by element, at strides known to the compiler:
// packed in panels of rows, [k][rows], or as plain rows of a fixed length.  Included by files that are
// compiled once for each instruction set.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define MXCY_INLINE inline __attribute__((always_inline))

namespace mxcy {
namespace MXCY_ISA {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, TILE_ROWS = 14;  // 28 sums, two vectors of B, and A from memory
#elif defined(__AVX2__)
constexpr int VECTOR_BYTES = 32, TILE_ROWS = 6;
#elif defined(__aarch64__)
constexpr int VECTOR_BYTES = 16, TILE_ROWS = 12;  // it has 32 registers
#else
constexpr int VECTOR_BYTES = 16, TILE_ROWS = 6;
#endif

template <class T>
struct Wide;
template <>
struct Wide<float> {
  typedef float Type __attribute__((vector_size(VECTOR_BYTES)));
};
template <>
struct Wide<double> {
  typedef double Type __attribute__((vector_size(VECTOR_BYTES)));
};
template <class T>
using Vector = typename Wide<T>::Type;

template <class T>
constexpr int LENGTH = VECTOR_BYTES / sizeof(T);  // elements of a vector
template <class T>
constexpr int WIDTH = 2 * LENGTH<T>;  // columns of a tile

template <class T>
MXCY_INLINE Vector<T> load(const T* p) {
  Vector<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
MXCY_INLINE void store(T* p, Vector<T> v) {
  std::memcpy(p, &v, sizeof v);
}

// What happens to a tile besides the product.
template <class T>
struct Finish {
  const T* bias = nullptr;  // added to row i
  bool add = false;         // to what C holds; bias is not read then
  bool relu = false;
  bool sums = false;  // adds `other` before that, rows `ldc` apart; it may be where C is
  const T* other = nullptr;
};

// Memory that will be read after the products, asked for line by line while they run: asked for at once, it
// would keep what they read themselves from coming.
struct Ahead {
  static constexpr int64_t LINE = 64;
  const char* at = nullptr;
  int64_t lines = 1, left = 1, jump = 0;  // of a row; until its end; bytes from there to the next row

  MXCY_INLINE void next() {
    __builtin_prefetch(at, 0, 2);  // into the second cache
    at += LINE;
    if (--left == 0) left = lines, at += jump;
  }
};

// The length of the sums: `blocks` of k, with `jump` elements of A from the end of one to the next, and a line of
// `ahead` for each.
struct Depth {
  int64_t k, blocks = 1, jump = 0;
  Ahead* ahead = nullptr;
};

// C (R rows, stride ldc) = [C +] A B over k.  A: element (i, k) at i * ROW_STEP + k * K_STEP.
template <class T, int R, int ROW_STEP, int K_STEP>
void tile(const T* a, const T* b, Depth depth, T* c, int64_t ldc, const Finish<T>& finish) {
  Vector<T> sum[R][2];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    sum[i][0] = sum[i][1] = Vector<T>{};
    // Its rows are far apart, so nothing else brings them in while the sums run.
    __builtin_prefetch(c + i * ldc, 1);
    __builtin_prefetch(c + i * ldc + LENGTH<T>, 1);
    if (finish.sums) {
      __builtin_prefetch(finish.other + i * ldc);
      __builtin_prefetch(finish.other + i * ldc + LENGTH<T>);
    }
  }
  for (int64_t block = 0; block < depth.blocks; ++block, a += depth.jump) {
    if (K_STEP == 1 && depth.blocks > 1) {  // the next block is too far away for the processor to expect it
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) __builtin_prefetch(a + depth.k + depth.jump + i * ROW_STEP);
    }
    if (depth.ahead) depth.ahead->next();
    for (int64_t p = 0; p < depth.k; ++p, a += K_STEP, b += WIDTH<T>) {
      const Vector<T> b0 = load(b), b1 = load(b + LENGTH<T>);
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const T x = a[i * ROW_STEP];
        sum[i][0] += x * b0;
        sum[i][1] += x * b1;
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    T* row = c + i * ldc;
    for (int v = 0; v < 2; ++v) {
      Vector<T> x = sum[i][v];
      if (finish.add) x += load(row + v * LENGTH<T>);
      else if (finish.bias) x += finish.bias[i];
      if (finish.sums) x += load(finish.other + i * ldc + v * LENGTH<T>);
      if (finish.relu) x = x < T(0) ? Vector<T>{} : x;  // NaN and -0 stay
      store(row + v * LENGTH<T>, x);
    }
  }
}

template <class T>
using Tile = void (*)(const T*, const T*, Depth, T*, int64_t, const Finish<T>&);

// The kernel for a number of rows, A packed (K_STEP elements from one k to the next is `rows`).
template <class T, int R>
Tile<T> packed_tile(int rows) {
  if constexpr (R == 0) return nullptr;
  else return rows == R ? tile<T, R, 1, R> : packed_tile<T, R - 1>(rows);
}

// The kernel for a number of rows, A as rows of STEP elements.
template <class T, int R, int STEP>
Tile<T> plain_tile(int rows) {
  if constexpr (R == 0) return nullptr;
  else return rows == R ? tile<T, R, STEP, 1> : plain_tile<T, R - 1, STEP>(rows);
}

// Few elements, by vectors that may overlap.
template <class T>
MXCY_INLINE void copy_few(const T* from, T* to, int64_t n) {
  auto parts = [&](auto size) __attribute__((always_inline)) {
    constexpr int64_t part = decltype(size)::value;
    int64_t i = 0;
    for (; i + part <= n; i += part) std::memcpy(to + i, from + i, part * sizeof(T));
    if (i < n) std::memcpy(to + n - part, from + n - part, part * sizeof(T));
  };
  if (n >= LENGTH<T>) parts(std::integral_constant<int64_t, LENGTH<T>>());
  else if (n >= 4) parts(std::integral_constant<int64_t, 4>());
  else
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

// Of WIDTH elements, aligned, those from `begin` on, `n` of them.
template <class T>
MXCY_INLINE void store_lanes(const T* from, int64_t begin, int64_t n, T* to) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const uint32_t lanes = uint32_t(((uint64_t(1) << n) - 1) << begin);
    float* first = to - begin;
    if (lanes & 0xffff) _mm512_mask_storeu_ps(first, __mmask16(lanes), _mm512_load_ps(from));
    if (lanes >> 16) _mm512_mask_storeu_ps(first + 16, __mmask16(lanes >> 16), _mm512_load_ps(from + 16));
    return;
  }
#endif
  copy_few(from + begin, to, n);
}

// The other way: n elements to places from `begin` on of WIDTH elements, aligned.
template <class T>
MXCY_INLINE void load_lanes(const T* from, int64_t begin, int64_t n, T* to) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const uint32_t lanes = uint32_t(((uint64_t(1) << n) - 1) << begin);
    const float* first = from - begin;
    const __mmask16 low = __mmask16(lanes), high = __mmask16(lanes >> 16);
    if (low) _mm512_mask_store_ps(to, low, _mm512_maskz_loadu_ps(low, first));
    if (high) _mm512_mask_store_ps(to + 16, high, _mm512_maskz_loadu_ps(high, first + 16));
    return;
  }
#endif
  copy_few(from, to + begin, n);
}

inline int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }
inline int64_t volume(const int64_t* extent) { return extent[0] * extent[1] * extent[2]; }

}  // namespace MXCY_ISA
}  // namespace mxcy
