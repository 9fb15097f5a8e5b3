// Compiled once for each instruction set; see folds.hpp.
#include "folds.hpp"

#include "mxcy/kernels/cpu/vectors.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int CHAINS = 4;  // vectors of sums at work, as an addition takes that long
constexpr int ROWS = 8;    // rows added before the sums go back to memory

// Vectors of 32 and 16 bytes: a fold by halves stays in registers.
template <class T> struct Folded;
template <> struct Folded<float> {
  typedef float Half __attribute__((vector_size(32)));
  typedef float Quarter __attribute__((vector_size(16)));
};
template <> struct Folded<double> {
  typedef double Half __attribute__((vector_size(32)));
  typedef double Quarter __attribute__((vector_size(16)));
};
template <> struct Folded<uint64_t> {
  typedef uint64_t Half __attribute__((vector_size(32)));
  typedef uint64_t Quarter __attribute__((vector_size(16)));
};

template <class Part, class Whole, class Function>
MXCY_INLINE Part fold(const Whole& v, Function function) {
  Part low, high;
  std::memcpy(&low, &v, sizeof low);
  std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
  return function(low, high);
}

template <class T>
MXCY_INLINE T total_of(const Real<T>& v) {
  auto plus = [](auto a, auto b) { return a + b; };
  auto quarter = fold<typename Folded<T>::Quarter>(fold<typename Folded<T>::Half>(v, plus), plus);
  if constexpr (sizeof(T) == 4) return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
  else return quarter[0] + quarter[1];
}

template <class T>
MXCY_INLINE bool any(const Integer<T>& v) {
  auto either = [](auto a, auto b) { return a | b; };
  using F = Folded<uint64_t>;
  auto quarter = fold<F::Quarter>(fold<F::Half>(v, either), either);
  return quarter[0] | quarter[1];
}

template <class T>
T sum_of(const T* x, int64_t n) {
  constexpr int64_t STEP = CHAINS * LANES<T>;
  Real<T> sums[CHAINS] = {};
  int64_t i = 0;
  for (; i + STEP <= n; i += STEP)
    for (int k = 0; k < CHAINS; ++k) sums[k] += load_vector(x + i + k * LANES<T>);
  for (int k = 0; i + LANES<T> <= n; i += LANES<T>, ++k) sums[k] += load_vector(x + i);
  T total = n >= LANES<T> ? total_of<T>((sums[0] + sums[1]) + (sums[2] + sums[3])) : 0;
  T rest = 0;
  for (; i < n; ++i) rest += x[i];
  return total + rest;
}

template <class T>
void sum(const char* x, int64_t n, char* to) {
  T& total = *reinterpret_cast<T*>(to);
  total += sum_of(reinterpret_cast<const T*>(x), n);
}

template <class T, int N>
MXCY_INLINE void add_rows(const char* x, int64_t step, int64_t width, T* sums) {
  int64_t j = 0;
  for (; j + LANES<T> <= width; j += LANES<T>) {
    Real<T> s = load_vector(sums + j);
    for (int r = 0; r < N; ++r) s += load_vector(reinterpret_cast<const T*>(x + r * step) + j);
    store_vector(sums + j, s);
  }
  for (; j < width; ++j)
    for (int r = 0; r < N; ++r) sums[j] += reinterpret_cast<const T*>(x + r * step)[j];
}

template <class T>
void sum_rows(const char* x, int64_t step, int64_t rows, int64_t width, char* to) {
  T* sums = reinterpret_cast<T*>(to);
  for (; rows >= ROWS; rows -= ROWS, x += ROWS * step) add_rows<T, ROWS>(x, step, width, sums);
  for (; rows > 0; --rows, x += step) add_rows<T, 1>(x, step, width, sums);
}

template <class T>
int64_t first_nan(const T* x, int64_t n) {
  int64_t i = 0;
  for (; i + LANES<T> <= n; i += LANES<T>) {
    const Real<T> v = load_vector(x + i);
    if (any<T>(v != v)) break;
  }
  while (i < n && x[i] == x[i]) ++i;
  return i;
}

// Every lane keeps its first extreme and the round that brought it; NaNs are looked for if there are any.
template <class T, bool LARGEST>
MXCY_INLINE int64_t position_of(const T* x, int64_t n) {
  constexpr int64_t STEP = CHAINS * LANES<T>;
  auto before = [](auto a, auto b) { return LARGEST ? a > b : a < b; };
  T best = x[0];
  int64_t at = 0, i = 0;
  bool nan = false;
  if (n >= STEP) {
    Real<T> bests[CHAINS];
    Integer<T> rounds[CHAINS] = {}, unequal = {};
    for (int k = 0; k < CHAINS; ++k) bests[k] = load_vector(x + k * LANES<T>);
    for (int k = 0; k < CHAINS; ++k) unequal |= bests[k] != bests[k];
    Integer<T> round = {};
    for (i = STEP; i + STEP <= n; i += STEP) {
      round += 1;
      for (int k = 0; k < CHAINS; ++k) {
        const Real<T> v = load_vector(x + i + k * LANES<T>);
        const Integer<T> is_new = before(v, bests[k]);
        bests[k] = is_new ? v : bests[k];
        rounds[k] = is_new ? round : rounds[k];
        unequal |= v != v;
      }
    }
    nan = any<T>(unequal);
    Integer<T> lane;
    for (int k = 0; k < LANES<T>; ++k) lane[k] = k;
    for (int k = 0; k < CHAINS; ++k) rounds[k] = rounds[k] * STEP + k * LANES<T> + lane;  // now places
    for (int k = 1; k < CHAINS; ++k) {
      const Integer<T> wins =
          before(bests[k], bests[0]) | ((bests[k] == bests[0]) & (rounds[k] < rounds[0]));
      bests[0] = wins ? bests[k] : bests[0];
      rounds[0] = wins ? rounds[k] : rounds[0];
    }
    best = bests[0][0], at = rounds[0][0];
    for (int k = 1; k < LANES<T>; ++k) {
      const T value = bests[0][k];
      const int64_t place = rounds[0][k];
      if (before(value, best) || (value == best && place < at)) best = value, at = place;
    }
  }
  for (; i < n; ++i) {
    if (before(x[i], best)) best = x[i], at = i;
    nan |= x[i] != x[i];
  }
  return nan ? first_nan(x, n) : at;
}

template <class T>
int64_t position(const char* p, int64_t n, bool largest) {
  const T* x = reinterpret_cast<const T*>(p);
  return largest ? position_of<T, true>(x, n) : position_of<T, false>(x, n);
}

template <class T>
constexpr Folds FOLDS = {sum<T>, sum_rows<T>, position<T>};

}  // namespace

const Folds* folds(int dtype) {
  return dtype == FLOAT32 ? &FOLDS<float> : dtype == FLOAT64 ? &FOLDS<double> : nullptr;
}

}  // namespace MXCY_ISA
}  // namespace mxcy
