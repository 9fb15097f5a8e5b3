// The cast loops; compiled once for each instruction set.  See cast.hpp for what they promise.
#include "cast.hpp"

#include <complex>
#include <cstring>
#include <type_traits>
#include "half.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <int> struct TypeOf;
template <> struct TypeOf<BOOL> { using type = bool; };
template <> struct TypeOf<INT8> { using type = int8_t; };
template <> struct TypeOf<UINT8> { using type = uint8_t; };
template <> struct TypeOf<INT16> { using type = int16_t; };
template <> struct TypeOf<UINT16> { using type = uint16_t; };
template <> struct TypeOf<INT32> { using type = int32_t; };
template <> struct TypeOf<UINT32> { using type = uint32_t; };
template <> struct TypeOf<INT64> { using type = int64_t; };
template <> struct TypeOf<UINT64> { using type = uint64_t; };
template <> struct TypeOf<FLOAT16> { using type = Float16; };
template <> struct TypeOf<BFLOAT16> { using type = BFloat16; };
template <> struct TypeOf<FLOAT32> { using type = float; };
template <> struct TypeOf<FLOAT64> { using type = double; };
template <> struct TypeOf<COMPLEX64> { using type = std::complex<float>; };
template <> struct TypeOf<COMPLEX128> { using type = std::complex<double>; };

template <class T> inline constexpr bool is_half = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
template <class T> struct IsComplex : std::false_type {};
template <class T> struct IsComplex<std::complex<T>> : std::true_type {};

// The conversion of the x86 instructions, which a plain C++ cast leaves undefined: the compiler could
// choose unsigned conversions of AVX-512, which saturate.
template <class To, class From>
inline To truncate(From value) {
  if constexpr (std::is_same_v<To, uint64_t>) {
    const From two63 = From(0x1p63);
    bool large = value >= two63;
    int64_t low = static_cast<int64_t>(large ? value - two63 : value);
    return static_cast<uint64_t>(low) ^ (large ? uint64_t(1) << 63 : 0);
  } else if constexpr (sizeof(To) == 8 || std::is_same_v<To, uint32_t>) {
    return static_cast<To>(static_cast<int64_t>(value));
  } else {
    return static_cast<To>(static_cast<int32_t>(value));
  }
}

template <class To, class From>
inline To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (IsComplex<To>::value) {
    using Part = typename To::value_type;
    if constexpr (IsComplex<From>::value) {
      return To(static_cast<Part>(value.real()), static_cast<Part>(value.imag()));
    } else {
      return To(convert<Part>(value), Part(0));
    }
  } else if constexpr (IsComplex<From>::value) {
    if constexpr (std::is_same_v<To, bool>) {
      return bool(int(value.real() != 0) | int(value.imag() != 0));
    } else {
      return convert<To>(value.real());
    }
  } else if constexpr (is_half<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != 0;
  } else if constexpr (is_half<To>) {
    if constexpr (std::is_same_v<From, double>) return To(value);
    else return To(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return truncate<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// A bool may hold any byte when it comes from outside.
template <class T>
inline T load(const char* p) {
  if constexpr (std::is_same_v<T, bool>) {
    return *reinterpret_cast<const uint8_t*>(p) != 0;
  } else {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
}

template <class T>
inline void store(char* p, T value) { std::memcpy(p, &value, sizeof value); }

template <class From, class To>
void contiguous(const char* from, char* to, intptr_t n) {
  if constexpr (std::is_same_v<From, To> && !std::is_same_v<From, bool>) {
    if (n) std::memmove(to, from, n * sizeof(From));  // arrays without elements may have no memory
  } else if constexpr (std::is_same_v<From, Float16> && std::is_same_v<To, float>) {
    float16_to_float(reinterpret_cast<const uint16_t*>(from), reinterpret_cast<float*>(to), n);
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Float16>) {
    float_to_float16(reinterpret_cast<const float*>(from), reinterpret_cast<uint16_t*>(to), n);
  } else if constexpr (IsComplex<From>::value && IsComplex<To>::value) {
    contiguous<typename From::value_type, typename To::value_type>(from, to, 2 * n);
  } else if constexpr (IsComplex<To>::value) {  // by parts, of which compilers make vectors
    using Part = typename To::value_type;
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) {
      store<Part>(to + 2 * i * sizeof(Part), convert<Part>(load<From>(from + i * sizeof(From))));
      store<Part>(to + (2 * i + 1) * sizeof(Part), Part(0));
    }
  } else {
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) {
      store<To>(to + i * sizeof(To), convert<To>(load<From>(from + i * sizeof(From))));
    }
  }
}

template <class From, class To>
void loop(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  const char* from = args[0];
  char* to = args[1];
  intptr_t n = dimensions[0];
  const intptr_t from_step = strides[0], to_step = strides[1];
  if (from_step == intptr_t(sizeof(From)) && to_step == intptr_t(sizeof(To))) {
    contiguous<From, To>(from, to, n);
  } else if (from_step == 0 && n > 0) {
    To value = convert<To>(load<From>(from));
    if (to_step == intptr_t(sizeof(To))) {
      for (intptr_t i = 0; i < n; ++i) store<To>(to + i * sizeof(To), value);
    } else {
      for (; n > 0; --n, to += to_step) store<To>(to, value);
    }
  } else {
    for (; n > 0; --n, from += from_step, to += to_step) store<To>(to, convert<To>(load<From>(from)));
  }
}

template <int F, int T>
constexpr CastLoop entry = loop<typename TypeOf<F>::type, typename TypeOf<T>::type>;

}  // namespace

#define MXCY_ROW(F)                                                                                  \
  {                                                                                                  \
    entry<F, BOOL>, entry<F, INT8>, entry<F, UINT8>, entry<F, INT16>, entry<F, UINT16>,              \
        entry<F, INT32>, entry<F, UINT32>, entry<F, INT64>, entry<F, UINT64>, entry<F, FLOAT16>,     \
        entry<F, BFLOAT16>, entry<F, FLOAT32>, entry<F, FLOAT64>, entry<F, COMPLEX64>,               \
        entry<F, COMPLEX128>                                                                         \
  }
extern const CastLoop cast_table[N_DTYPES][N_DTYPES] = {
    MXCY_ROW(BOOL),    MXCY_ROW(INT8),     MXCY_ROW(UINT8),   MXCY_ROW(INT16),   MXCY_ROW(UINT16),
    MXCY_ROW(INT32),   MXCY_ROW(UINT32),   MXCY_ROW(INT64),   MXCY_ROW(UINT64),  MXCY_ROW(FLOAT16),
    MXCY_ROW(BFLOAT16), MXCY_ROW(FLOAT32), MXCY_ROW(FLOAT64), MXCY_ROW(COMPLEX64), MXCY_ROW(COMPLEX128),
};

}  // namespace MXCY_ISA
}  // namespace mxcy
