// Loops of the error function and of activations made of it and of exp; compiled once for each instruction set.
//
// The error function within 1.3 units in the last place, in two ranges, both computed for every lane:
//   |x| < 0.93   x + x P(x^2)
//   beyond       1 - exp(-|x| Q(|x|)), where |x| Q(|x|) = -log(erfc |x|)
// The first is that of W. J. Cody (Rational Chebyshev Approximations for the Error Function, Mathematics of
// Computation 23, 1969), with a polynomial in place of his quotient; the second follows C. Hastings
// (Approximations for Digital Computers, 1955), who takes a power of a polynomial for erfc.  A difference
// from 1 hides most of the error of erfc, so no argument of exp is split.  The coefficients were fitted by
// Remez' exchange with 60 digits; they leave 2^-31 and 2^-32 for float, 2^-65 and 2^-61 for double.
#include "loops.hpp"

#include "fp_status.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "mxcy/kernels/cpu/vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

// Highest power first.
template <class T> struct ErfTerms;
template <> struct ErfTerms<float> {
  static constexpr float end = 4;  // erf rounds to 1 from here on
  static constexpr float near[] = {0x1.5cd4ap-14f, -0x1.aa3f44p-11f, 0x1.54c7fcp-8f, -0x1.b80e92p-6f,
                                   0x1.ce2e0ap-4f, -0x1.812742p-2f,  0x1.06eba8p-3f};
  static constexpr float far[] = {0x1.40d56p-18f,  -0x1.6e3854p-15f, -0x1.f287f4p-15f, 0x1.83a43ap-9f,
                                  -0x1.74388cp-6f, 0x1.af545cp-4f,   0x1.456dccp-1f,   0x1.20e914p+0f};
};
template <> struct ErfTerms<double> {
  static constexpr double end = 6;
  static constexpr double near[] = {
      0x1.162c0244b5007p-34, -0x1.3e099939768c2p-30, 0x1.f94c091ebf38ap-27, -0x1.5f411ad7d00e5p-23,
      0x1.b9e2cc4445c5cp-20, -0x1.f4d22533be2d9p-17, 0x1.f9a324f08d03cp-14, -0x1.c02db3f34e30bp-11,
      0x1.565bcd0e355dap-8,  -0x1.b82ce31287b2bp-6,  0x1.ce2f21a042bb9p-4,  -0x1.812746b0379e7p-2,
      0x1.06eba8214db69p-3};
  static constexpr double far[] = {
      0x1.ca9a0bd5265p-43,   -0x1.620be76b7603dp-37, 0x1.01996f466c1d9p-32,  -0x1.d5aa9cf2eb378p-29,
      0x1.2c970730e9e6p-25,  -0x1.1e8dec0e9be69p-22, 0x1.a45669f878384p-20,  -0x1.e1457f9395522p-18,
      0x1.ac32326942a97p-16, -0x1.1d0c9763532f9p-14, 0x1.ec8bf42e071a7p-14,  -0x1.1617b65fde3b9p-15,
      -0x1.19babcd8c3899p-11, 0x1.b2dd1c65f18e2p-10, -0x1.8bdab16538a7bp-13, -0x1.3989876e88be5p-6,
      0x1.a4f764e2d95a9p-4,  0x1.45f2f875be19p-1,    0x1.20dd759fc7a0ep+0};
};
constexpr double BORDER = 0.93;

template <class T, int N>
MXCY_INLINE Real<T> polynomial(const T (&terms)[N], Real<T> x) {
  Real<T> sum = Real<T>{} + terms[0];
  for (int i = 1; i < N; ++i) sum = sum * x + terms[i];
  return sum;
}

template <class T> MXCY_INLINE Integer<T> sign_of(Real<T> x) {
  return (Integer<T>)x & (Integer<T>)(-Real<T>{});
}

// x = k ln 2 + r as in exp_vector, without its care for results that are subnormal or overflow.
template <class T> struct Parts {
  Real<T> r, power;  // 2^k
  explicit MXCY_INLINE Parts(Real<T> x) {
    using C = Vectors<T>;
    const Real<T> shifted = x * T(1.44269504088896340736) + C::rounding, whole = shifted - C::rounding;
    r = x - whole * C::ln2_high - whole * C::ln2_low;
    power = power_of_two<T>((Integer<T>)shifted - (Integer<T>)(Real<T>{} + C::rounding));
  }

  // The sum of r^(i - first) / i! from `first` to `last`.
  template <int first, int last> MXCY_INLINE Real<T> series() const {
    T factorial = 1;
    for (int i = 2; i <= last; ++i) factorial *= i;
    Real<T> sum = Real<T>{} + 1 / factorial;
    for (int i = last; i > first; --i) {
      factorial /= i;
      sum = sum * r + 1 / factorial;
    }
    return sum;
  }
};

template <class T> MXCY_INLINE Real<T> erf_vector(Real<T> x) {
  using C = ErfTerms<T>;
  const Integer<T> sign = sign_of<T>(x);
  Real<T> size = (Real<T>)((Integer<T>)x ^ sign);
  size = size > C::end ? Real<T>{} + C::end : size;
  const Real<T> near = x + x * polynomial<T>(C::near, size * size);
  const Parts<T> parts(-size * polynomial<T>(C::far, size));
  const Real<T> far = T(1) - parts.power * parts.template series<0, Vectors<T>::terms>();
  return size < T(BORDER) ? near : (Real<T>)((Integer<T>)far | sign);
}

// exp(x) - 1 for x <= 0: with exp(x) = 2^k exp(r), 2^k (exp(r) - 1) + (2^k - 1).
template <class T> MXCY_INLINE Real<T> expm1_of_negative(Real<T> x) {
  const Parts<T> parts(x < T(-64) ? Real<T>{} - T(64) : x);  // -1 long before
  const Real<T> sum = parts.template series<2, Vectors<T>::terms + 1>();
  return parts.power * (parts.r + parts.r * parts.r * sum) + (parts.power - T(1));
}

template <class T> constexpr T ROOT_HALF = T(0.70710678118654752440);

struct Erf {
  static constexpr int INPUTS = 1;
  template <class T> static MXCY_INLINE Real<T> of(const Real<T>* x) { return erf_vector<T>(x[0]); }
};

struct Gelu {
  static constexpr int INPUTS = 1;
  template <class T> static MXCY_INLINE Real<T> of(const Real<T>* x) {
    return x[0] * T(0.5) * (erf_vector<T>(x[0] * ROOT_HALF<T>) + T(1));
  }
};

struct GeluGrad {
  static constexpr int INPUTS = 2;
  template <class T> static MXCY_INLINE Real<T> of(const Real<T>* x) {
    const Real<T> density = exp_vector<T>(x[0] * x[0] * T(-0.5)) * T(0.39894228040143267794);
    return x[1] * ((erf_vector<T>(x[0] * ROOT_HALF<T>) + T(1)) * T(0.5) + x[0] * density);
  }
};

struct Elu {
  static constexpr int INPUTS = 2;
  template <class T> static MXCY_INLINE Real<T> of(const Real<T>* x) {
    return x[0] > T(0) ? x[0] : expm1_of_negative<T>(x[0]) * x[1];
  }
};

struct EluGrad {
  static constexpr int INPUTS = 4;
  template <class T> static MXCY_INLINE Real<T> of(const Real<T>* x) {
    return x[3] * (x[0] > T(0) ? Real<T>{} + T(1) : x[1] + x[2]);
  }
};

// One operand, as a run of neighbours in memory or as one number for all.
template <class T> struct Stream {
  const T* data;
  bool repeats;
  MXCY_INLINE Real<T> load(intptr_t i) const { return repeats ? Real<T>{} + *data : load_vector(data + i); }
  MXCY_INLINE Real<T> load(intptr_t i, intptr_t n) const {
    return repeats ? Real<T>{} + *data : load_part(data + i, n, T(0));
  }
};

template <class Body, class T> MXCY_INLINE void dense(const Stream<T>* streams, T* out, intptr_t n) {
  Real<T> x[Body::INPUTS];
  intptr_t i = 0;
  for (; i + LANES<T> <= n; i += LANES<T>) {
    for (int k = 0; k < Body::INPUTS; ++k) x[k] = streams[k].load(i);
    store_vector(out + i, Body::template of<T>(x));
  }
  if (i == n) return;
  for (int k = 0; k < Body::INPUTS; ++k) x[k] = streams[k].load(i, n - i);
  store_part(out + i, n - i, Body::template of<T>(x));
}

// Strided operands pass through pieces in the first-level cache.
template <class Body, class T>
void activation(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  constexpr intptr_t PIECE = 256, NEXT = sizeof(T);
  const KeepFpFlags quiet;
  T inputs[Body::INPUTS][PIECE], results[PIECE];
  Stream<T> streams[Body::INPUTS];
  bool is_dense = strides[Body::INPUTS] == NEXT;
  for (int k = 0; k < Body::INPUTS; ++k) is_dense = is_dense && (strides[k] == NEXT || strides[k] == 0);
  const intptr_t n = dimensions[0], piece = is_dense ? n : PIECE;
  for (intptr_t start = 0; start < n; start += piece) {
    const intptr_t count = n - start < piece ? n - start : piece;
    for (int k = 0; k < Body::INPUTS; ++k) {
      const char* from = args[k] + start * strides[k];
      streams[k] = Stream<T>{reinterpret_cast<const T*>(from), strides[k] == 0};
      if (strides[k] == NEXT || strides[k] == 0) continue;
      for (intptr_t i = 0; i < count; ++i) inputs[k][i] = *reinterpret_cast<const T*>(from + i * strides[k]);
      streams[k].data = inputs[k];
    }
    char* to = args[Body::INPUTS] + start * strides[Body::INPUTS];
    if (strides[Body::INPUTS] == NEXT) {
      dense<Body, T>(streams, reinterpret_cast<T*>(to), count);
      continue;
    }
    dense<Body, T>(streams, results, count);
    for (intptr_t i = 0; i < count; ++i) *reinterpret_cast<T*>(to + i * strides[Body::INPUTS]) = results[i];
  }
}

template <class Body> OwnLoopFunction activation_of(int dtype) {
  return dtype == FLOAT32 ? activation<Body, float> : dtype == FLOAT64 ? activation<Body, double> : nullptr;
}

}  // namespace

OwnLoopFunction activation_loop(int which, int dtype) {
  switch (which) {
    case OWN_ERF: return activation_of<Erf>(dtype);
    case OWN_GELU: return activation_of<Gelu>(dtype);
    case OWN_GELU_GRAD: return activation_of<GeluGrad>(dtype);
    case OWN_ELU: return activation_of<Elu>(dtype);
    case OWN_ELU_GRAD: return activation_of<EluGrad>(dtype);
    default: return nullptr;
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
