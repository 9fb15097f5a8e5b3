// Products of matrices by loops of our own: of integers, for which there is no BLAS and NumPy's loop takes
// elements one by one; of float and double, where BLAS packs twice what two workers share, and takes a call
// for every small product.
#pragma once
#include "isa.hpp"
#include "loops.hpp"
#include "op.hpp"

namespace mxcy {

constexpr int64_t SMALL_PRODUCT = 4096;  // multiplications that are not worth a call of BLAS
constexpr int64_t SMALL_DEPTH = 64;
// Our packing pays from here on; BLAS does better where the result is much larger than the caches, and has
// other code for thin operands.
constexpr int64_t LARGE_PRODUCT = 1 << 20, HUGE_PRODUCT = int64_t(1) << 31, THIN = 16;

// What the loops of floats are given as `data`.  The choice is one for all blocks of a result.
struct ProductData {
  const Runtime* runtime;
  OwnLoopFunction blas;  // for results of which neither axis is dense, or no memory
  void* blas_data;
  bool is_small;
};

// Loops with the signature of numpy.matmul's, or null.  Integers wrap.
MXCY_DECLARE(OwnLoopFunction integer_product(int dtype))
MXCY_DECLARE(OwnLoopFunction float_product(int dtype))

enum ProductKind : int { PRODUCT_BLAS, PRODUCT_SMALL, PRODUCT_PACKED };
inline ProductKind product_kind(int64_t m, int64_t n, int64_t p) {
  const int64_t volume = m * n * p;
  if (n > 0 && n <= SMALL_DEPTH && volume <= SMALL_PRODUCT) return PRODUCT_SMALL;
  const bool is_large = volume >= LARGE_PRODUCT && volume < HUGE_PRODUCT;
  return is_large && m >= THIN && n >= THIN && p >= THIN ? PRODUCT_PACKED : PRODUCT_BLAS;
}

inline OwnLoopFunction find_integer_product(int dtype) { return MXCY_PICK(integer_product)(dtype); }
inline OwnLoopFunction find_float_product(int dtype) { return MXCY_PICK(float_product)(dtype); }

}  // namespace mxcy
