// Inner loops of our own, with the signature of NumPy's, for what NumPy has no loop for: comparisons and
// logic that return the operand's dtype, powers of integers that need no GIL to fail, C's integer
// division, other roundings, sigmoid and relu; sums of products, which take NumPy a pass for each; and the error
// function, which SciPy computes one by one, with activations that would be several passes.
#pragma once
#include <cstdint>
#include "dtype.hpp"
#include "isa.hpp"

namespace mxcy {

using OwnLoopFunction = void (*)(char** args, const intptr_t* dimensions, const intptr_t* strides,
                                 void* data);

enum OwnLoop : int {
  OWN_EQUAL = 0, OWN_NOT_EQUAL, OWN_LESS, OWN_LESS_EQUAL, OWN_GREATER, OWN_GREATER_EQUAL,
  OWN_LOGICAL_AND, OWN_LOGICAL_OR, OWN_LOGICAL_XOR, OWN_LOGICAL_NOT,
  OWN_RELU,             // x < 0 becomes 0; NaN stays
  OWN_SIGMOID,          // data: the LoopAndData of exp for the same dtype
  OWN_INTEGER_POWER,    // wraps as NumPy's; fails for negative exponents
  OWN_TRUNCATE_DIVIDE,  // integers, rounded to zero; x / 0 is 0 and raises `divide`
  OWN_TRUNCATE_POWER,   // integers; negative exponents give what is left of the fraction: 0, 1 or -1
  OWN_MODULO,           // has the sign of the divisor; x modulo 0 is 0
  OWN_ROUND_AWAY,       // halves away from zero
  OWN_RINT_DOWN,        // halves down
  // Of float and double, products rounded:
  OWN_SUM_OF_PRODUCTS,         // a b + c d
  OWN_DIFFERENCE_OF_PRODUCTS,  // a b - c d
  OWN_PRODUCT_PLUS,            // a b + c
  OWN_PRODUCT_MINUS,           // a b - c
  OWN_MINUS_PRODUCT,           // c - a b
  // Of float and double:
  OWN_ERF,
  OWN_GELU,       // x (1 + erf(x / sqrt 2)) / 2
  OWN_GELU_GRAD,  // of x and g: its derivative times g
  OWN_ELU,        // of x and a: x where it is positive, else a (exp(x) - 1)
  OWN_ELU_GRAD,   // of x, elu, a and g: its derivative, 1 or elu + a, times g
  N_OWN_LOOPS
};

struct LoopAndData {
  OwnLoopFunction loop;
  void* data;
};

// What the last loop of this thread failed with.
inline thread_local const char* loop_failure = nullptr;

inline const char* take_loop_failure() {
  const char* text = loop_failure;
  loop_failure = nullptr;
  return text;
}

MXCY_DECLARE(OwnLoopFunction own_loop(int which, int dtype))
MXCY_DECLARE(OwnLoopFunction product_sum_loop(int which, int dtype))
MXCY_DECLARE(OwnLoopFunction activation_loop(int which, int dtype))

// Null where there is none.
inline OwnLoopFunction find_own_loop(int which, int dtype) {
  if (which >= OWN_ERF) return MXCY_PICK(activation_loop)(which, dtype);
  if (which >= OWN_SUM_OF_PRODUCTS) return MXCY_PICK(product_sum_loop)(which, dtype);
  return MXCY_PICK(own_loop)(which, dtype);
}

}  // namespace mxcy
