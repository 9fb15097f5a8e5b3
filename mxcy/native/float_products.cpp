// Compiled once for each instruction set; see products.hpp.
//
// Blocks as in Goto and van de Geijn (2008): B is packed in panels that stay in the first-level cache while
// packed rows of A, which stay in the second-level one, run past them.  An element is summed over k in one
// order wherever its unit ends, so it does not depend on how the workers have cut the result.
#include <algorithm>

#include "mxcy/kernels/cpu/transpose.hpp"
#include "products.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t DEPTH = 256;               // k of a panel, which stays in the first-level cache
constexpr int64_t MOST_ROWS = 224;           // of a unit: with DEPTH it stays in the second-level cache
constexpr int64_t MOST_COLUMNS = 4096;       // of a block of B
constexpr int64_t BLOCK_BYTES = 4 << 20;     // of a block of B, or a little more
constexpr int64_t PIECES = 8;                // units for each worker, about: none waits long for another's last

template <class T>
struct Operands {
  const T *a, *b;
  T* c;  // its columns are neighbours
  int64_t m, n, p, a_m, a_n, b_n, b_p, c_m;  // strides in elements
};

// Lanes [FIRST, FIRST + COUNT) of R, of which each is a run along k.
template <class T, int R, int FIRST>
void pack_runs(const T* x, int64_t lane_step, int64_t depth, T* to) {
  constexpr int COUNT = std::min(LENGTH<T>, R - FIRST);
  const T* from = x + FIRST * lane_step;
  int64_t k = 0;
  for (; k + LENGTH<T> <= depth; k += LENGTH<T>) {
    Vector<T> square[LENGTH<T>] = {};
#pragma GCC unroll 16
    for (int i = 0; i < COUNT; ++i) square[i] = load(from + i * lane_step + k);
    transpose_square<T>(square);
#pragma GCC unroll 16
    for (int i = 0; i < LENGTH<T>; ++i) std::memcpy(to + (k + i) * R + FIRST, &square[i], COUNT * sizeof(T));
  }
  for (; k < depth; ++k)
    for (int i = 0; i < COUNT; ++i) to[k * R + FIRST + i] = from[i * lane_step + k];
  if constexpr (FIRST + COUNT < R) pack_runs<T, R, FIRST + COUNT>(x, lane_step, depth, to);
}

// to[k][i] = x[i * lane_step + k * k_step] for the R lanes of a panel.
template <class T, int R>
void pack_panel(const T* x, int64_t lane_step, int64_t k_step, int64_t depth, T* to) {
  if (lane_step == 1) {
    for (int64_t k = 0; k < depth; ++k) std::memcpy(to + k * R, x + k * k_step, R * sizeof(T));
  } else if (k_step == 1) {
    pack_runs<T, R, 0>(x, lane_step, depth, to);
  } else {
    for (int64_t k = 0; k < depth; ++k)
      for (int i = 0; i < R; ++i) to[k * R + i] = x[i * lane_step + k * k_step];
  }
}

// The same of fewer lanes, `width` apart in the panel and zero beyond.
template <class T>
void pack_rest(const T* x, int64_t lane_step, int64_t k_step, int64_t lanes, int64_t width, int64_t depth, T* to) {
  for (int64_t k = 0; k < depth; ++k, to += width) {
    for (int64_t i = 0; i < lanes; ++i) to[i] = x[i * lane_step + k * k_step];
    std::fill(to + lanes, to + width, T(0));
  }
}

template <class T>
void pack_rows(const Operands<T>& o, int64_t row, int64_t rows, int64_t k, int64_t depth, T* to) {
  for (int64_t i = 0; i < rows; i += TILE_ROWS, to += TILE_ROWS * depth) {
    const T* x = o.a + (row + i) * o.a_m + k * o.a_n;
    const int64_t lanes = std::min<int64_t>(TILE_ROWS, rows - i);
    if (lanes == TILE_ROWS) pack_panel<T, TILE_ROWS>(x, o.a_m, o.a_n, depth, to);
    else pack_rest(x, o.a_m, o.a_n, lanes, lanes, depth, to);
  }
}

template <class T>
void pack_columns(const Operands<T>& o, int64_t column, int64_t columns, int64_t k, int64_t depth, T* to) {
  for (int64_t j = 0; j < columns; j += WIDTH<T>, to += WIDTH<T> * depth) {
    const T* x = o.b + (column + j) * o.b_p + k * o.b_n;
    const int64_t lanes = std::min<int64_t>(WIDTH<T>, columns - j);
    if (lanes == WIDTH<T>) pack_panel<T, WIDTH<T>>(x, o.b_p, o.b_n, depth, to);
    else pack_rest(x, o.b_p, o.b_n, lanes, int64_t(WIDTH<T>), depth, to);
  }
}

// One tile at the right edge, by way of a whole one.
template <class T>
void edge_tile(Tile<T> run, const T* a, const T* b, int64_t depth, T* c, int64_t c_m, int64_t rows,
               int64_t columns, bool add) {
  alignas(64) T whole[TILE_ROWS * WIDTH<T>];
  run(a, b, Depth{depth}, whole, WIDTH<T>, Finish<T>{});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      c[i * c_m + j] = (add ? c[i * c_m + j] : T(0)) + whole[i * WIDTH<T> + j];
}

template <class T>
void block(const Operands<T>& o, const T* a, const T* b, int64_t b_step, int64_t rows, int64_t columns,
           int64_t depth, T* c, bool add) {
  Finish<T> finish;
  finish.add = add;
  for (int64_t j = 0; j < columns; j += WIDTH<T>, b += b_step) {
    for (int64_t i = 0; i < rows; i += TILE_ROWS) {
      const int64_t height = std::min<int64_t>(TILE_ROWS, rows - i), width = columns - j;
      const Tile<T> run = height == TILE_ROWS ? tile<T, TILE_ROWS, 1, TILE_ROWS>
                                              : packed_tile<T, TILE_ROWS - 1>(int(height));
      T* to = c + i * o.c_m + j;
      if (width >= WIDTH<T>) run(a + i * depth, b, Depth{depth}, to, o.c_m, finish);
      else edge_tile(run, a + i * depth, b, depth, to, o.c_m, height, width, add);
    }
  }
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
Operands<T> operands(const PackedProduct& q) {
  constexpr int64_t item = sizeof(T);
  return {reinterpret_cast<const T*>(q.a), reinterpret_cast<const T*>(q.b), reinterpret_cast<T*>(q.c),
          q.m, q.n, q.p, q.a_m / item, q.a_n / item, q.b_n / item, q.b_p / item, q.c_m / item};
}

// A panel of the block: its parts of DEPTH lie one behind the other.
template <class T>
T* panel(const PackedProduct& q, int64_t index) {
  return reinterpret_cast<T*>(q.packed) + index * q.depth * WIDTH<T>;
}

template <class T>
void set_block(PackedProduct& q) {
  const int64_t most = std::max(BLOCK_BYTES / int64_t(sizeof(T)) / std::min(MOST_COLUMNS, q.p) / DEPTH, int64_t(1));
  q.depth = std::min(q.n - q.k, most * DEPTH);
  q.columns = std::min(MOST_COLUMNS, q.p - q.column);
  q.panels = divide_up(q.columns, WIDTH<T>);
  q.across = std::min(q.most_across, q.panels);
  q.units = q.down * q.across;
}

int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

// Each worker gets as many units of one size: where they run alike, none waits for the others' last one.
template <class T>
void plan(PackedProduct& q, int64_t workers) {
  const int64_t pieces = workers == 1 ? 1 : PIECES * workers;
  const int64_t tiles = divide_up(q.m, TILE_ROWS);
  q.down = std::max(std::min(pieces, tiles), divide_up(tiles, MOST_ROWS / TILE_ROWS));
  if (round_up(q.down, workers) <= tiles) q.down = round_up(q.down, workers);
  q.most_across = divide_up(pieces, q.down);
  if (q.down % workers) q.most_across = round_up(q.most_across, workers);
  set_block<T>(q);
  q.bytes = size_t(q.panels * WIDTH<T> * q.depth) * sizeof(T);
}

template <class T>
bool next(PackedProduct& q) {
  q.k += q.depth;
  if (q.k >= q.n) {
    q.k = 0;
    q.column += q.columns;
    if (q.column >= q.p) return false;
  }
  set_block<T>(q);
  return true;
}

template <class T>
void pack(const PackedProduct& q, int64_t begin, int64_t end) {
  const Operands<T> o = operands<T>(q);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t first = i * WIDTH<T>, columns = std::min<int64_t>(WIDTH<T>, q.columns - first);
    pack_columns(o, q.column + first, columns, q.k, q.depth, panel<T>(q, i));
  }
}

// Columns are those of the block.
template <class T>
ProductPart part(const PackedProduct& q, int64_t unit) {
  const int64_t i = unit / q.across, j = unit % q.across, tiles = divide_up(q.m, TILE_ROWS);
  const int64_t row = tiles * i / q.down * TILE_ROWS, first = q.panels * j / q.across * WIDTH<T>;
  return {row, std::min(tiles * (i + 1) / q.down * TILE_ROWS, q.m) - row, first,
          std::min(q.panels * (j + 1) / q.across * WIDTH<T>, q.columns) - first};
}

template <class T>
void run(const PackedProduct& q, int64_t begin, int64_t end, char* scratch) {
  const Operands<T> o = operands<T>(q);
  T* a = reinterpret_cast<T*>(scratch);
  for (int64_t unit = begin; unit < end; ++unit) {
    const auto [row, rows, first, columns] = part<T>(q, unit);
    for (int64_t k = 0; k < q.depth; k += DEPTH) {
      const int64_t depth = std::min(DEPTH, q.depth - k);
      pack_rows(o, row, rows, q.k + k, depth, a);
      block(o, a, panel<T>(q, first / WIDTH<T>) + k * WIDTH<T>, q.depth * WIDTH<T>, rows, columns, depth,
            o.c + row * o.c_m + q.column + first, q.k + k > 0);
    }
  }
}

template <class T>
constexpr PackedLoops PACKED = {plan<T>, next<T>, pack<T>, run<T>, part<T>,
                                size_t(MOST_ROWS + TILE_ROWS) * DEPTH * sizeof(T)};

// --- small ones: no packing of A, one vector of columns at a time ---------------------------------------
template <class T>
MXCY_INLINE void copy_lanes(T* to, const T* from, int64_t count) {
  if (count == LENGTH<T>) std::memcpy(to, from, LENGTH<T> * sizeof(T));
  else if (count == LENGTH<T> / 2) std::memcpy(to, from, LENGTH<T> / 2 * sizeof(T));
  else for (int64_t j = 0; j < count; ++j) to[j] = from[j];
}

template <class T, int R>
MXCY_INLINE void small_rows(const Operands<T>& o, int64_t row, const T* b, int64_t column, int64_t count) {
  Vector<T> sums[R];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) sums[i] = Vector<T>{};
  const T* a = o.a + row * o.a_m;
  const int64_t step = o.a_m, next = o.a_n, depth = o.n;
  for (int64_t k = 0; k < depth; ++k, a += next, b += LENGTH<T>) {
    const Vector<T> v = load(b);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) sums[i] += a[i * step] * v;
  }
  T* c = o.c + row * o.c_m + column;
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i, c += o.c_m) {
    if (count == LENGTH<T>) {
      store(c, sums[i]);
    } else {
      alignas(64) T lanes[LENGTH<T>];
      store(lanes, sums[i]);
      copy_lanes(c, lanes, count);
    }
  }
}

// `b` has room for SMALL_DEPTH vectors of numbers; what is left in unused lanes is computed and dropped.
template <class T>
void small_one(const Operands<T>& o, T* b) {
  for (int64_t column = 0; column < o.p; column += LENGTH<T>) {
    const int64_t count = std::min<int64_t>(LENGTH<T>, o.p - column);
    for (int64_t k = 0; k < o.n; ++k) {
      const T* from = o.b + k * o.b_n + column * o.b_p;
      if (o.b_p == 1) copy_lanes(b + k * LENGTH<T>, from, count);
      else for (int64_t j = 0; j < count; ++j) b[k * LENGTH<T> + j] = from[j * o.b_p];
    }
    int64_t row = 0;
    for (; row + 4 <= o.m; row += 4) small_rows<T, 4>(o, row, b, column, count);
    for (; row < o.m; ++row) small_rows<T, 1>(o, row, b, column, count);
  }
}

// --- the loop ---------------------------------------------------------------------------------------------
template <class T>
void loop(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  constexpr intptr_t item = sizeof(T);
  const bool turned = strides[8] != item && dimensions[3] > 1;  // then B' A' = C'
  Operands<T> o{};
  o.m = dimensions[1], o.n = dimensions[2], o.p = dimensions[3];
  o.a_m = strides[3] / item, o.a_n = strides[4] / item;
  o.b_n = strides[5] / item, o.b_p = strides[6] / item;
  o.c_m = (turned ? strides[8] : strides[7]) / item;
  if (turned) {
    std::swap(o.m, o.p);
    std::swap(o.a_m, o.b_p);
    std::swap(o.a_n, o.b_n);
  }
  alignas(64) T b[SMALL_DEPTH * LENGTH<T>];
  std::fill(b, b + o.n * LENGTH<T>, T(0));
  for (intptr_t i = 0; i < dimensions[0]; ++i) {
    char* at[2] = {args[0] + i * strides[0], args[1] + i * strides[1]};
    o.a = reinterpret_cast<const T*>(at[turned]);
    o.b = reinterpret_cast<const T*>(at[!turned]);
    o.c = reinterpret_cast<T*>(args[2] + i * strides[2]);
    small_one(o, b);
  }
}

}  // namespace

// With vectors of 16 bytes on x86-64, BLAS, which chooses by itself, is ahead.
#if defined(__x86_64__)
constexpr bool is_ahead = VECTOR_BYTES > 16;
#else
constexpr bool is_ahead = true;
#endif

OwnLoopFunction small_product(int dtype) {
  return !is_ahead ? nullptr : dtype == FLOAT32 ? loop<float> : dtype == FLOAT64 ? loop<double> : nullptr;
}

const PackedLoops* packed_product(int dtype) {
  return !is_ahead ? nullptr : dtype == FLOAT32 ? &PACKED<float> : dtype == FLOAT64 ? &PACKED<double> : nullptr;
}

}  // namespace MXCY_ISA
}  // namespace mxcy
