// Compiled once for each instruction set, without contraction to fused operations: products are rounded, so
// that results are those of the loops which these stand for.
#include "loops.hpp"

#include <utility>

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr bool has_two(int which) {
  return which == OWN_SUM_OF_PRODUCTS || which == OWN_DIFFERENCE_OF_PRODUCTS;
}

template <int WHICH, class T> inline T of(T a, T b, T c, T d) {
  if constexpr (WHICH == OWN_SUM_OF_PRODUCTS) return a * b + c * d;
  if constexpr (WHICH == OWN_DIFFERENCE_OF_PRODUCTS) return a * b - c * d;
  if constexpr (WHICH == OWN_PRODUCT_PLUS) return a * b + c;
  if constexpr (WHICH == OWN_PRODUCT_MINUS) return a * b - c;
  if constexpr (WHICH == OWN_MINUS_PRODUCT) return c - a * b;
}

struct Given {
  const char* data;
  intptr_t stride;
};

template <class T, bool VECTOR> struct Operand {
  const T* data;
  T value;
  explicit Operand(const Given& given) : data(reinterpret_cast<const T*>(given.data)), value(*data) {}
  T operator[](intptr_t i) const {
    if constexpr (VECTOR) return data[i];
    else return value;
  }
};

// Of n > 0 elements that are neighbours, or one for all.
template <int WHICH, class T, bool B, bool C, bool D> void dense(const Given* x, T* out, intptr_t n) {
  const Operand<T, true> a(x[0]);
  const Operand<T, B> b(x[1]);
  const Operand<T, C> c(x[2]);
  const Operand<T, D> d(x[has_two(WHICH) ? 3 : 2]);
#pragma GCC ivdep
  for (intptr_t i = 0; i < n; ++i) out[i] = of<WHICH, T>(a[i], b[i], c[i], d[i]);
}

template <int WHICH, class T> void product_sum(char** args, const intptr_t* dimensions, const intptr_t* strides,
                                               void*) {
  constexpr int COUNT = has_two(WHICH) ? 4 : 3;
  constexpr intptr_t NEXT = sizeof(T);
  const intptr_t n = dimensions[0];
  if (n <= 0) return;
  Given x[COUNT];
  bool is_dense = strides[COUNT] == NEXT;
  for (int i = 0; i < COUNT; ++i) {
    x[i] = Given{args[i], strides[i]};
    is_dense = is_dense && (strides[i] == NEXT || strides[i] == 0);
  }
  if (x[0].stride == 0) std::swap(x[0], x[1]);
  if (COUNT == 4 && x[2].stride == 0) std::swap(x[2], x[3 % COUNT]);
  is_dense = is_dense && x[0].stride == NEXT;
  T* const out = reinterpret_cast<T*>(args[COUNT]);
  if (is_dense && has_two(WHICH) && x[2].stride == NEXT) {
    const bool b = x[1].stride, d = x[3 % COUNT].stride;
    return b ? d ? dense<WHICH, T, true, true, true>(x, out, n) : dense<WHICH, T, true, true, false>(x, out, n)
             : d ? dense<WHICH, T, false, true, true>(x, out, n) : dense<WHICH, T, false, true, false>(x, out, n);
  }
  if (is_dense && !has_two(WHICH)) {
    const bool b = x[1].stride, c = x[2].stride;
    return b ? c ? dense<WHICH, T, true, true, true>(x, out, n) : dense<WHICH, T, true, false, false>(x, out, n)
             : c ? dense<WHICH, T, false, true, true>(x, out, n) : dense<WHICH, T, false, false, false>(x, out, n);
  }
  char* at = args[COUNT];
  for (intptr_t i = 0; i < n; ++i, at += strides[COUNT]) {
    T value[4] = {};
    for (int k = 0; k < COUNT; ++k) value[k] = *reinterpret_cast<const T*>(x[k].data + i * x[k].stride);
    *reinterpret_cast<T*>(at) = of<WHICH, T>(value[0], value[1], value[2], value[3]);
  }
}

template <int WHICH> OwnLoopFunction product_sum_of(int dtype) {
  return dtype == FLOAT32 ? product_sum<WHICH, float> : dtype == FLOAT64 ? product_sum<WHICH, double> : nullptr;
}

}  // namespace

OwnLoopFunction product_sum_loop(int which, int dtype) {
  switch (which) {
    case OWN_SUM_OF_PRODUCTS: return product_sum_of<OWN_SUM_OF_PRODUCTS>(dtype);
    case OWN_DIFFERENCE_OF_PRODUCTS: return product_sum_of<OWN_DIFFERENCE_OF_PRODUCTS>(dtype);
    case OWN_PRODUCT_PLUS: return product_sum_of<OWN_PRODUCT_PLUS>(dtype);
    case OWN_PRODUCT_MINUS: return product_sum_of<OWN_PRODUCT_MINUS>(dtype);
    case OWN_MINUS_PRODUCT: return product_sum_of<OWN_MINUS_PRODUCT>(dtype);
    default: return nullptr;
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
