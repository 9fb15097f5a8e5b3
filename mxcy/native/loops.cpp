// Compiled once for each instruction set; see loops.hpp.
#include "loops.hpp"

#include <cfenv>
#include <cmath>
#include <type_traits>
#include "fp_status.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

// A bool may hold any byte when it comes from outside, so it is read as a byte.
struct Truth {
  uint8_t byte;
};
template <class T> inline bool is_true(T x) { return x != 0; }
inline bool is_true(Truth x) { return x.byte != 0; }

template <class T> inline T from_bool(bool x) {
  if constexpr (std::is_same_v<T, Truth>) return Truth{x};
  else return x ? T(1) : T(0);  // a conversion from bool would not become vector code
}
template <class T> inline auto comparable(T x) {
  if constexpr (std::is_same_v<T, Truth>) return uint8_t(x.byte != 0);
  else return x;
}

#define MXCY_COMPARISON(Name, op) \
  struct Name {                   \
    template <class T> static T of(T a, T b) { return from_bool<T>(comparable(a) op comparable(b)); } \
  };
MXCY_COMPARISON(Equal, ==)
MXCY_COMPARISON(NotEqual, !=)
MXCY_COMPARISON(Less, <)
MXCY_COMPARISON(LessEqual, <=)
MXCY_COMPARISON(Greater, >)
MXCY_COMPARISON(GreaterEqual, >=)

#define MXCY_LOGIC(Name, op) \
  struct Name {              \
    template <class T> static T of(T a, T b) { return from_bool<T>(is_true(a) op is_true(b)); } \
  };
MXCY_LOGIC(LogicalAnd, &)
MXCY_LOGIC(LogicalOr, |)
MXCY_LOGIC(LogicalXor, ^)

struct LogicalNot { template <class T> static T of(T x) { return from_bool<T>(!is_true(x)); } };
struct Relu { template <class T> static T of(T x) { return x < T(0) ? T(0) : x; } };

struct RoundAway { template <class T> static T of(T x) { return std::round(x); } };
struct RintDown {
  template <class T> static T of(T x) {
    const T low = std::floor(x), high = std::ceil(x);
    return x - low <= high - x ? low : high;
  }
};

struct IntegerPower {
  template <class T> static T of(T base, T exponent) {
    using U = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) {
        loop_failure = "Integers to negative integer powers are not allowed.";
        return base;  // which is still there if it was to be overwritten
      }
    }
    U result = 1, square = U(base);
    for (; exponent; exponent = T(exponent >> 1), square *= square) {
      if (exponent & 1) result *= square;
    }
    return T(result);
  }
};

struct TruncatePower {
  template <class T> static T of(T base, T exponent) {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) {
        if (base == 1) return 1;
        return base == T(-1) ? (exponent & 1 ? T(-1) : T(1)) : T(0);
      }
    }
    return IntegerPower::of(base, exponent);
  }
};

struct Modulo {
  template <class T> static T of(T a, T b) {
    if (b == 0) return 0;
    T rest;
    if constexpr (std::is_floating_point_v<T>) {
      rest = std::fmod(a, b);
    } else if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return 0;  // the smallest integer divided by it traps
      rest = T(a % b);
    } else {
      return T(a % b);
    }
    return rest != 0 && (rest < 0) != (b < 0) ? T(rest + b) : rest;
  }
};

struct TruncateDivide {
  template <class T> static T of(T a, T b) {
    if (b == 0) {
      std::feraiseexcept(FE_DIVBYZERO);
      return 0;
    }
    if constexpr (std::is_signed_v<T>) {
      using U = std::make_unsigned_t<T>;
      if (b == T(-1)) return T(U(0) - U(a));  // the smallest integer has no opposite
    }
    return T(a / b);
  }
};

// For loops over integers, which raise on purpose.
struct Nothing {
  Nothing() {}
};
template <class T> using Quiet = std::conditional_t<std::is_floating_point_v<T>, KeepFpFlags, Nothing>;

template <class Body, class T>
void unary(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  const char* a = args[0];
  char* out = args[1];
  const Quiet<T> quiet;
  const intptr_t n = dimensions[0], sa = strides[0], so = strides[1];
  if (sa == sizeof(T) && so == sizeof(T)) {
    const T* pa = reinterpret_cast<const T*>(a);
    T* po = reinterpret_cast<T*>(out);
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) po[i] = Body::of(pa[i]);
    return;
  }
  for (intptr_t i = 0; i < n; ++i, a += sa, out += so) {
    *reinterpret_cast<T*>(out) = Body::of(*reinterpret_cast<const T*>(a));
  }
}

template <class Body, class T>
void binary(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  const char *a = args[0], *b = args[1];
  char* out = args[2];
  const Quiet<T> quiet;
  const intptr_t n = dimensions[0], sa = strides[0], sb = strides[1], so = strides[2];
  const T* pa = reinterpret_cast<const T*>(a);
  const T* pb = reinterpret_cast<const T*>(b);
  T* po = reinterpret_cast<T*>(out);
  if (so == sizeof(T) && sa == sizeof(T) && sb == sizeof(T)) {
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) po[i] = Body::of(pa[i], pb[i]);
  } else if (so == sizeof(T) && sa == sizeof(T) && sb == 0 && n > 0) {
    const T scalar = *pb;
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) po[i] = Body::of(pa[i], scalar);
  } else if (so == sizeof(T) && sa == 0 && sb == sizeof(T) && n > 0) {
    const T scalar = *pa;
#pragma GCC ivdep
    for (intptr_t i = 0; i < n; ++i) po[i] = Body::of(scalar, pb[i]);
  } else {
    for (intptr_t i = 0; i < n; ++i, a += sa, b += sb, out += so) {
      *reinterpret_cast<T*>(out) = Body::of(*reinterpret_cast<const T*>(a), *reinterpret_cast<const T*>(b));
    }
  }
}

// 1 / (1 + exp(-x)), without overflow: z = exp(-|x|), then 1 or z over 1 + z.
template <class T>
void sigmoid(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data) {
  constexpr intptr_t PIECE = 512;
  const LoopAndData& exp_loop = *static_cast<LoopAndData*>(data);
  const Quiet<T> quiet;
  const char* in = args[0];
  char* out = args[1];
  alignas(64) T x[PIECE], z[PIECE];
  for (intptr_t left = dimensions[0]; left > 0; left -= PIECE) {
    intptr_t n = left < PIECE ? left : PIECE;
    for (intptr_t i = 0; i < n; ++i) x[i] = *reinterpret_cast<const T*>(in + i * strides[0]);
    for (intptr_t i = 0; i < n; ++i) z[i] = -std::fabs(x[i]);
    char* pair[2] = {reinterpret_cast<char*>(z), reinterpret_cast<char*>(z)};
    const intptr_t steps[2] = {sizeof(T), sizeof(T)};
    exp_loop.loop(pair, &n, steps, exp_loop.data);
    for (intptr_t i = 0; i < n; ++i) z[i] = (x[i] < 0 ? z[i] : T(1)) / (T(1) + z[i]);
    if (strides[1] == sizeof(T)) {
      __builtin_memcpy(out, z, n * sizeof(T));
    } else {
      for (intptr_t i = 0; i < n; ++i) *reinterpret_cast<T*>(out + i * strides[1]) = z[i];
    }
    in += n * strides[0];
    out += n * strides[1];
  }
}

enum Kinds { INTEGERS, NUMBERS, ALL_KINDS };

template <class Body, Kinds KINDS>
OwnLoopFunction binary_of(int dtype) {
  switch (dtype) {
    case BOOL: if constexpr (KINDS == ALL_KINDS) return binary<Body, Truth>; else return nullptr;
    case INT8: return binary<Body, int8_t>;
    case UINT8: return binary<Body, uint8_t>;
    case INT16: return binary<Body, int16_t>;
    case UINT16: return binary<Body, uint16_t>;
    case INT32: return binary<Body, int32_t>;
    case UINT32: return binary<Body, uint32_t>;
    case INT64: return binary<Body, int64_t>;
    case UINT64: return binary<Body, uint64_t>;
    case FLOAT32: if constexpr (KINDS != INTEGERS) return binary<Body, float>; else return nullptr;
    case FLOAT64: if constexpr (KINDS != INTEGERS) return binary<Body, double>; else return nullptr;
    default: return nullptr;
  }
}

template <class Body, bool NUMBERS_ONLY>
OwnLoopFunction unary_of(int dtype) {
  switch (dtype) {
    case BOOL: if constexpr (!NUMBERS_ONLY) return unary<Body, Truth>; else return nullptr;
    case INT8: return unary<Body, int8_t>;
    case UINT8: return unary<Body, uint8_t>;
    case INT16: return unary<Body, int16_t>;
    case UINT16: return unary<Body, uint16_t>;
    case INT32: return unary<Body, int32_t>;
    case UINT32: return unary<Body, uint32_t>;
    case INT64: return unary<Body, int64_t>;
    case UINT64: return unary<Body, uint64_t>;
    case FLOAT32: return unary<Body, float>;
    case FLOAT64: return unary<Body, double>;
    default: return nullptr;
  }
}

template <class Body>
OwnLoopFunction floating_of(int dtype) {
  return dtype == FLOAT32 ? unary<Body, float> : dtype == FLOAT64 ? unary<Body, double> : nullptr;
}

}  // namespace

OwnLoopFunction own_loop(int which, int dtype) {
  switch (which) {
    case OWN_EQUAL: return binary_of<Equal, ALL_KINDS>(dtype);
    case OWN_NOT_EQUAL: return binary_of<NotEqual, ALL_KINDS>(dtype);
    case OWN_LESS: return binary_of<Less, ALL_KINDS>(dtype);
    case OWN_LESS_EQUAL: return binary_of<LessEqual, ALL_KINDS>(dtype);
    case OWN_GREATER: return binary_of<Greater, ALL_KINDS>(dtype);
    case OWN_GREATER_EQUAL: return binary_of<GreaterEqual, ALL_KINDS>(dtype);
    case OWN_LOGICAL_AND: return binary_of<LogicalAnd, ALL_KINDS>(dtype);
    case OWN_LOGICAL_OR: return binary_of<LogicalOr, ALL_KINDS>(dtype);
    case OWN_LOGICAL_XOR: return binary_of<LogicalXor, ALL_KINDS>(dtype);
    case OWN_LOGICAL_NOT: return unary_of<LogicalNot, false>(dtype);
    case OWN_RELU: return unary_of<Relu, true>(dtype);
    case OWN_SIGMOID: return dtype == FLOAT32 ? sigmoid<float> : dtype == FLOAT64 ? sigmoid<double> : nullptr;
    case OWN_INTEGER_POWER: return binary_of<IntegerPower, INTEGERS>(dtype);
    case OWN_TRUNCATE_DIVIDE: return binary_of<TruncateDivide, INTEGERS>(dtype);
    case OWN_TRUNCATE_POWER: return binary_of<TruncatePower, INTEGERS>(dtype);
    case OWN_MODULO: return binary_of<Modulo, NUMBERS>(dtype);
    case OWN_ROUND_AWAY: return floating_of<RoundAway>(dtype);
    case OWN_RINT_DOWN: return floating_of<RintDown>(dtype);
    default: return nullptr;
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
