// Products of matrices by loops of our own: of integers, for which there is no BLAS and NumPy's loop takes
// elements one by one; of float and double, where BLAS packs twice what two workers share, and takes a call
// for every small product.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include "isa.hpp"
#include "loops.hpp"

namespace mxcy {

constexpr int64_t SMALL_PRODUCT = 4096;  // multiplications that are not worth a call of BLAS
constexpr int64_t SMALL_DEPTH = 64;
// Our packing pays from here on; BLAS does better where the result is much larger than the caches, and has
// other code for thin operands.
constexpr int64_t LARGE_PRODUCT = 1 << 20, HUGE_PRODUCT = int64_t(1) << 33, THIN = 16;

// One product of floats by packed panels. B is packed block by block; the panels of a block, and then the units
// of the result that it adds to, may be shared by any number of workers.
struct PackedProduct {
  const char *a, *b;
  char* c;                                   // along p its elements are neighbours
  int64_t m, n, p;                           // (m, n) times (n, p)
  int64_t a_m, a_n, b_n, b_p, c_m;           // strides in bytes
  // The block of B, [k, k + depth) by [column, column + columns).
  int64_t k = 0, depth = 0, column = 0, columns = 0;
  int64_t panels = 0;                        // of the block
  // Units of the result: one below the other, side by side (in wide blocks and in this one), and in all.
  int64_t down = 0, most_across = 0, across = 0, units = 0;
  char* packed = nullptr;                    // `bytes` of memory for a block
  size_t bytes = 0;
};

// A part of a result.
struct ProductPart {
  int64_t row, rows, column, columns;
};

struct PackedLoops {
  // Chooses units, as many for each of the workers, and the first block.
  void (*plan)(PackedProduct&, int64_t workers);
  bool (*next)(PackedProduct&);              // goes to the next block; false: that was the last one
  void (*pack)(const PackedProduct&, int64_t begin, int64_t end);  // panels [begin, end)
  void (*run)(const PackedProduct&, int64_t begin, int64_t end, char* scratch);  // units [begin, end)
  ProductPart (*part)(const PackedProduct&, int64_t unit);
  size_t scratch_bytes;
};

// One product of floats of which one matrix is large and another one thin: what a fully connected layer does
// with a batch.  A has few rows, or few columns and B few rows.
struct ThinProduct {
  const char *a, *b;
  char* c;
  int64_t m, n, p;
  int64_t a_m, a_n, b_n, b_p, c_m, c_p;      // strides in bytes
  // Set by the plan: first all of `pack`, then all of `run`, in parts of any size.
  void (*pack)(const ThinProduct&, int64_t begin, int64_t end) = nullptr;
  void (*run)(const ThinProduct&, int64_t begin, int64_t end, char* scratch) = nullptr;
  int64_t pack_units = 0, units = 0;
  int64_t unit_rows = 0, unit_columns = 0;   // of a unit of the result; 0: all
  bool streams = false;                      // whether the result is written past the caches
  size_t bytes = 0, scratch_bytes = 0;       // of `packed`, of `scratch`
  char* packed = nullptr;
};
using ThinPlan = void (*)(ThinProduct&);

// Loops with the signature of numpy.matmul's, or null.  Integers wrap.
MXCY_DECLARE(OwnLoopFunction integer_product(int dtype))
MXCY_DECLARE(OwnLoopFunction small_product(int dtype))
MXCY_DECLARE(const PackedLoops* packed_product(int dtype))
MXCY_DECLARE(ThinPlan thin_product(int dtype))

constexpr int64_t THIN_SIDE = 64;           // at most: then the large matrix passes the caches once
constexpr int64_t THIN_PARTNER = 1 << 20;  // elements of the large matrix at least
inline bool is_thin(int64_t m, int64_t n, int64_t p) {
  const int64_t side = std::min(m, p);
  if (n <= THIN_SIDE) return n > 1 && side > THIN_SIDE && m * p >= THIN_PARTNER;
  return side > 1 && side <= THIN_SIDE && n * std::max(m, p) >= THIN_PARTNER && std::max(m, p) >= THIN_SIDE;
}

enum ProductKind : int { PRODUCT_BLAS, PRODUCT_SMALL, PRODUCT_PACKED };
inline ProductKind product_kind(int64_t m, int64_t n, int64_t p) {
  const int64_t volume = m * n * p;
  if (n > 0 && n <= SMALL_DEPTH && volume <= SMALL_PRODUCT) return PRODUCT_SMALL;
  const bool is_large = volume >= LARGE_PRODUCT && volume < HUGE_PRODUCT;
  return is_large && m >= THIN && n >= THIN && p >= THIN ? PRODUCT_PACKED : PRODUCT_BLAS;
}

inline OwnLoopFunction find_integer_product(int dtype) { return MXCY_PICK(integer_product)(dtype); }
inline OwnLoopFunction find_small_product(int dtype) { return MXCY_PICK(small_product)(dtype); }
inline const PackedLoops* find_packed_product(int dtype) { return MXCY_PICK(packed_product)(dtype); }
inline ThinPlan find_thin_product(int dtype) { return MXCY_PICK(thin_product)(dtype); }

}  // namespace mxcy
