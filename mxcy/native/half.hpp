// float16 and bfloat16 as storage types.  Arithmetic happens in float; the results here are those of
// NumPy (float16) and ml_dtypes (bfloat16): round to nearest, ties to even, and NaNs stay NaNs.
#pragma once
#include <cfenv>
#include <cstdint>
#include <cstring>
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace mxcy {

template <class To, class From>
inline To bits_of(From value) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

inline float float16_to_float(uint16_t half) {
#if defined(__F16C__)
  return _cvtsh_ss(half);
#elif defined(__aarch64__)
  return static_cast<float>(bits_of<__fp16>(half));
#else
  // Shift exponent and mantissa into place and let one multiplication renormalise subnormals.
  uint32_t magnitude = uint32_t(half & 0x7fff) << 13;
  float value = bits_of<float>(magnitude) * 0x1p112f;
  uint32_t bits = (half & 0x7c00) == 0x7c00 ? (magnitude | 0x7f800000u) : bits_of<uint32_t>(value);
  return bits_of<float>(bits | uint32_t(half & 0x8000) << 16);
#endif
}

inline uint16_t float_to_float16(float value) {
#if defined(__F16C__)
  return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__aarch64__)
  return bits_of<uint16_t>(static_cast<__fp16>(value));
#else
  uint32_t bits = bits_of<uint32_t>(value), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return uint16_t(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
  if (magnitude >= 0x477ff000) {  // rounds to infinity
    if (magnitude != 0x7f800000) std::feraiseexcept(FE_OVERFLOW | FE_INEXACT);
    return uint16_t(sign | 0x7c00);
  }
  if (magnitude < 0x38800000) {  // subnormal: adding 0.5 leaves the rounded result in the low bits
    uint32_t rounded = bits_of<uint32_t>(bits_of<float>(magnitude) + 0.5f) - 0x3f000000;
    if (bits_of<float>(magnitude) != static_cast<float>(rounded) * 0x1p-24f) std::feraiseexcept(FE_UNDERFLOW);
    return uint16_t(sign | rounded);
  }
  magnitude += 0xfff + ((magnitude >> 13) & 1);
  return uint16_t(sign | ((magnitude - 0x38000000) >> 13));
#endif
}

// A double rounded "to odd" in float: a second rounding to a shorter type then gives what a single
// rounding would have given.
inline float round_to_odd(double value) {
  float rounded = static_cast<float>(value);
  uint32_t bits = bits_of<uint32_t>(rounded);
  double back = rounded;
  bool inexact = back < value || back > value;  // false for NaN
  bool away = (back < 0 ? -back : back) > (value < 0 ? -value : value);
  bits -= uint32_t(inexact & away);
  bits |= uint32_t(inexact);
  return bits_of<float>(bits);
}

inline uint16_t double_to_float16(double value) { return float_to_float16(round_to_odd(value)); }

inline float bfloat16_to_float(uint16_t half) { return bits_of<float>(uint32_t(half) << 16); }

inline uint16_t float_to_bfloat16(float value) {
  uint32_t bits = bits_of<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  uint32_t nan = ((bits >> 16) & 0x8000) | 0x7fc0;
  return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

// One element each, so that templates can tell them from uint16_t.
struct Float16 {
  uint16_t bits;
  Float16() = default;
  explicit Float16(float value) : bits(float_to_float16(value)) {}
  explicit Float16(double value) : bits(double_to_float16(value)) {}
  operator float() const { return float16_to_float(bits); }
};

struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  explicit BFloat16(float value) : bits(float_to_bfloat16(value)) {}
  explicit BFloat16(double value) : bits(float_to_bfloat16(static_cast<float>(value))) {}
  operator float() const { return bfloat16_to_float(bits); }
};

#if defined(__F16C__)
inline void float16_to_float(const uint16_t* from, float* to, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < n; ++i) to[i] = float16_to_float(from[i]);
}
inline void float_to_float16(const float* from, uint16_t* to, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), half);
  }
  for (; i < n; ++i) to[i] = float_to_float16(from[i]);
}
#else
inline void float16_to_float(const uint16_t* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = float16_to_float(from[i]);
}
inline void float_to_float16(const float* from, uint16_t* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = float_to_float16(from[i]);
}
#endif

}  // namespace mxcy
