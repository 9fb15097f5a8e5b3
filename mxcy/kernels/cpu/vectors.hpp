// Vectors of 64 bytes through the compiler's extensions: one register of AVX-512, two of AVX2, four of
// SSE or NEON.  Included by files that are compiled once for each instruction set.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // everything here is inlined; no vector crosses a call
#endif
#define MXCY_INLINE inline __attribute__((always_inline))

namespace mxcy {
namespace MXCY_ISA {

template <class T> struct Vectors;
template <> struct Vectors<float> {
  typedef float Real __attribute__((vector_size(64)));
  typedef int32_t Integer __attribute__((vector_size(64)));
  static constexpr float rounding = 0x1.8p23f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float lowest = -105, highest = 89;  // exp is zero, infinite beyond
  static constexpr int terms = 7, mantissa = 23, bias = 127;
};
template <> struct Vectors<double> {
  typedef double Real __attribute__((vector_size(64)));
  typedef int64_t Integer __attribute__((vector_size(64)));
  static constexpr double rounding = 0x1.8p52, ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr double lowest = -746, highest = 710;
  static constexpr int terms = 13, mantissa = 52, bias = 1023;
};

template <class T> constexpr int LANES = 64 / sizeof(T);
template <class T> using Real = typename Vectors<T>::Real;
template <class T> using Integer = typename Vectors<T>::Integer;

template <class T>
MXCY_INLINE Real<T> load_vector(const T* p) {
  Real<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
MXCY_INLINE void store_vector(T* p, Real<T> v) { std::memcpy(p, &v, sizeof v); }

// The first n lanes; the others hold `fill`.
template <class T>
MXCY_INLINE Real<T> load_part(const T* p, int64_t n, T fill) {
  T lanes[LANES<T>];
  for (int i = 0; i < LANES<T>; ++i) lanes[i] = i < n ? p[i] : fill;
  return load_vector(lanes);
}

template <class T>
MXCY_INLINE void store_part(T* p, int64_t n, Real<T> v) { std::memcpy(p, &v, n * sizeof(T)); }

template <class T>
MXCY_INLINE T sum_lanes(Real<T> v) {
  T lanes[LANES<T>];
  store_vector(lanes, v);
  for (int width = LANES<T> / 2; width; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

template <class T>
MXCY_INLINE T max_lanes(Real<T> v) {
  T lanes[LANES<T>], best = -std::numeric_limits<T>::infinity();
  store_vector(lanes, v);
  for (int i = 0; i < LANES<T>; ++i) best = lanes[i] > best ? lanes[i] : best;
  return best;
}

// Two to an integer power, for exponents of normal numbers.
template <class T>
MXCY_INLINE Real<T> power_of_two(Integer<T> k) {
  return (Real<T>)((k + Vectors<T>::bias) << Vectors<T>::mantissa);
}

// exp within one unit in the last place: x = k ln 2 + r, a Taylor polynomial in |r| <= 0.35, and the
// scaling in two steps, which rounds subnormal results once.
template <class T>
MXCY_INLINE Real<T> exp_vector(Real<T> x) {
  using C = Vectors<T>;
  x = x < C::lowest ? Real<T>{} + C::lowest : x;
  x = x > C::highest ? Real<T>{} + C::highest : x;
  Real<T> shifted = x * T(1.44269504088896340736) + C::rounding;
  Integer<T> k = (Integer<T>)shifted - (Integer<T>)(Real<T>{} + C::rounding);
  Real<T> whole = shifted - C::rounding;
  Real<T> r = x - whole * C::ln2_high - whole * C::ln2_low;
  T factorial = 1;
  for (int i = 2; i <= C::terms; ++i) factorial *= i;
  Real<T> sum = Real<T>{} + 1 / factorial;
  for (int i = C::terms; i > 0; --i) {
    factorial /= i;
    sum = sum * r + 1 / factorial;
  }
  Integer<T> half = k >> 1;
  return sum * power_of_two<T>(half) * power_of_two<T>(k - half);
}

// Sums of vectors, in two levels so that the rounding error does not grow with the length.
template <class T>
class Sum {
 public:
  MXCY_INLINE void add(Real<T> v) {
    near_ += v;
    if (++count_ == 64) flush();
  }
  MXCY_INLINE double total() {
    flush();
    return far_;
  }

 private:
  MXCY_INLINE void flush() {
    far_ += sum_lanes<T>(near_);
    near_ = Real<T>{};
    count_ = 0;
  }
  Real<T> near_{};
  double far_ = 0;
  int count_ = 0;
};

}  // namespace MXCY_ISA
}  // namespace mxcy
