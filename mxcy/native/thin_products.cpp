// Compiled once for each instruction set; see products.hpp.
//
// A large matrix is read from memory once, in the order in which it lies there, or written once past the
// caches; what goes with it is packed and stays in the second-level cache.  An element is summed over k in
// one order wherever a unit ends.
#include <algorithm>

#include "mxcy/kernels/cpu/transpose.hpp"
#include "products.hpp"

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t DEPTH = 256;         // k that a tile sums at a time: its operands stay in the first cache
constexpr int64_t BLOCK_PANELS = 16;   // of columns that a unit packs
constexpr int64_t UNIT_TILES = 4;      // of rows
constexpr int64_t STREAMED = 4 << 20;  // bytes of a result that is written past the caches
constexpr int LINES_AHEAD = 4;         // cache lines that are asked for before they are read

template <class T>
struct Operands {
  const T *a, *b;
  T *c, *packed;
  int64_t a_m, a_n, b_n, b_p, c_m, c_p;  // strides in elements

  explicit Operands(const ThinProduct& q) {
    constexpr int64_t item = sizeof(T);
    a = reinterpret_cast<const T*>(q.a), b = reinterpret_cast<const T*>(q.b);
    c = reinterpret_cast<T*>(q.c), packed = reinterpret_cast<T*>(q.packed);
    a_m = q.a_m / item, a_n = q.a_n / item, b_n = q.b_n / item, b_p = q.b_p / item;
    c_m = q.c_m / item, c_p = q.c_p / item;
  }
};

// --- few rows of A, B in columns ------------------------------------------------------------------------
// A packed as [k][lane], lanes being its rows; tiles of TILE_ROWS columns of B, read where they are.
template <class T>
int64_t lanes_of(const ThinProduct& q) { return divide_up(q.m, LENGTH<T>) * LENGTH<T>; }

template <class T>
void pack_lanes(const ThinProduct& q, int64_t begin, int64_t end) {
  const Operands<T> o(q);
  const int64_t lanes = lanes_of<T>(q);
  for (int64_t block = begin; block < end; ++block) {
    for (int64_t k = block * DEPTH; k < std::min(q.n, (block + 1) * DEPTH); ++k) {
      T* to = o.packed + k * lanes;
      for (int64_t i = 0; i < q.m; ++i) to[i] = o.a[i * o.a_m + k * o.a_n];
      std::fill(to + q.m, to + lanes, T(0));
    }
  }
}

// sums[column][lane] += B' A' for TILE_ROWS columns and V vectors of lanes.
template <class T, int V>
void column_tile(const T* columns, int64_t step, const T* packed, int64_t lanes, int64_t depth, T* sums) {
  Vector<T> sum[TILE_ROWS][V];
#pragma GCC unroll 16
  for (int i = 0; i < TILE_ROWS; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[i][v] = Vector<T>{};
  constexpr int64_t LINE = 64 / sizeof(T);
  for (int64_t k = 0; k < depth;) {
#pragma GCC unroll 16
    for (int i = 0; i < TILE_ROWS; ++i) __builtin_prefetch(columns + i * step + k + LINES_AHEAD * LINE);
    for (const int64_t end = std::min(depth, k + LINE); k < end; ++k, packed += lanes) {
      Vector<T> a[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) a[v] = load(packed + v * LENGTH<T>);
#pragma GCC unroll 16
      for (int i = 0; i < TILE_ROWS; ++i) {
        const T x = columns[i * step + k];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sum[i][v] += x * a[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < TILE_ROWS; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      T* to = sums + i * lanes + v * LENGTH<T>;
      store(to, load(to) + sum[i][v]);
    }
}

template <class T>
void run_columns(const ThinProduct& q, int64_t begin, int64_t end, char* scratch) {
  const Operands<T> o(q);
  const int64_t lanes = lanes_of<T>(q);
  T* sums = reinterpret_cast<T*>(scratch);
  const int64_t last = std::min(q.p, end * UNIT_TILES * TILE_ROWS);
  for (int64_t at = begin * UNIT_TILES * TILE_ROWS; at < last; at += TILE_ROWS) {
    const int64_t first = std::min(at, q.p - TILE_ROWS);  // the last tile computes some columns again
    std::fill_n(sums, TILE_ROWS * lanes, T(0));
    for (int64_t k = 0; k < q.n; k += DEPTH) {
      const int64_t depth = std::min(DEPTH, q.n - k);
      const T* columns = o.b + first * o.b_p + k;
      const T* packed = o.packed + k * lanes;
      int64_t lane = 0;
      for (; lane + 2 * LENGTH<T> <= lanes; lane += 2 * LENGTH<T>)
        column_tile<T, 2>(columns, o.b_p, packed + lane, lanes, depth, sums + lane);
      if (lane < lanes) column_tile<T, 1>(columns, o.b_p, packed + lane, lanes, depth, sums + lane);
    }
    for (int64_t i = 0; i < q.m; ++i) {
      T* to = o.c + i * o.c_m + first * o.c_p;
      for (int64_t j = at - first; j < TILE_ROWS; ++j) to[j * o.c_p] = sums[j * lanes + i];
    }
  }
}

// --- few rows of A, B in rows ---------------------------------------------------------------------------
// A packed as [block of k][panel of rows][k][row]; units are blocks of columns, of which B is packed.
struct RowPanels {
  int64_t count, rows;  // even ones: a tile of one or two rows is slow
  explicit RowPanels(int64_t m) : count(divide_up(m, TILE_ROWS)), rows(divide_up(m, count)) {}
};

template <class T>
void pack_rows(const ThinProduct& q, int64_t begin, int64_t end) {
  const Operands<T> o(q);
  const RowPanels panels(q.m);
  for (int64_t block = begin; block < end; ++block) {
    const int64_t first = block * DEPTH, last = std::min(q.n, first + DEPTH);
    T* to = o.packed + first * q.m;
    for (int64_t row = 0; row < q.m; row += panels.rows) {
      const int64_t rows = std::min(panels.rows, q.m - row);
      for (int64_t k = first; k < last; ++k)
        for (int64_t i = 0; i < rows; ++i) *to++ = o.a[(row + i) * o.a_m + k * o.a_n];
    }
  }
}

template <class T>
void pack_block(const Operands<T>& o, int64_t k, int64_t depth, int64_t column, int64_t columns, T* to) {
  constexpr int64_t LINE = 64 / sizeof(T);
  for (int64_t i = 0; i < depth; ++i) {
    const T* from = o.b + (k + i) * o.b_n + column;
    int64_t j = 0;
    for (; j + WIDTH<T> <= columns; j += WIDTH<T>) {
      for (int64_t line = 0; line < WIDTH<T>; line += LINE)
        __builtin_prefetch(from + j + line + LINES_AHEAD * o.b_n);
      T* panel = to + (j * DEPTH + i * WIDTH<T>);
      store(panel, load(from + j));
      store(panel + LENGTH<T>, load(from + j + LENGTH<T>));
    }
    if (j == columns) continue;
    T* panel = to + (j * DEPTH + i * WIDTH<T>);
    std::fill(std::copy(from + j, from + columns, panel), panel + WIDTH<T>, T(0));
  }
}

template <class T>
void run_rows(const ThinProduct& q, int64_t begin, int64_t end, char* scratch) {
  const Operands<T> o(q);
  const RowPanels panels(q.m);
  constexpr int64_t BLOCK = BLOCK_PANELS * WIDTH<T>;
  T* block = reinterpret_cast<T*>(scratch);
  T* sums = block + DEPTH * BLOCK;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t column = unit * BLOCK, columns = std::min(BLOCK, q.p - column);
    Finish<T> finish;
    for (int64_t k = 0; k < q.n; k += DEPTH) {
      const int64_t depth = std::min(DEPTH, q.n - k);
      pack_block(o, k, depth, column, columns, block);
      finish.add = k > 0;
      for (int64_t j = 0; j < columns; j += WIDTH<T>) {
        for (int64_t row = 0; row < q.m; row += panels.rows) {
          const int64_t rows = std::min(panels.rows, q.m - row);
          const Tile<T> multiply = packed_tile<T, TILE_ROWS>(int(rows));
          multiply(o.packed + k * q.m + row * depth, block + j * DEPTH, Depth{depth}, sums + row * BLOCK + j,
                   BLOCK, finish);
        }
      }
    }
    for (int64_t i = 0; i < q.m; ++i) {
      T* to = o.c + i * o.c_m + column * o.c_p;
      if (o.c_p == 1) std::copy_n(sums + i * BLOCK, columns, to);
      else for (int64_t j = 0; j < columns; ++j) to[j * o.c_p] = sums[i * BLOCK + j];
    }
  }
}

// --- few columns of A -----------------------------------------------------------------------------------
// B packed as [panel of columns][k][column]; units are tiles of rows, of which A is packed.
template <class T>
void pack_panels(const ThinProduct& q, int64_t begin, int64_t end) {
  const Operands<T> o(q);
  for (int64_t panel = begin; panel < end; ++panel) {
    const int64_t first = panel * WIDTH<T>, columns = std::min<int64_t>(WIDTH<T>, q.p - first);
    T* to = o.packed + first * q.n;
    for (int64_t k = 0; k < q.n; ++k, to += WIDTH<T>) {
      for (int64_t j = 0; j < columns; ++j) to[j] = o.b[k * o.b_n + (first + j) * o.b_p];
      std::fill(to + columns, to + WIDTH<T>, T(0));
    }
  }
}

template <class T>
void stream(T* to, Vector<T> v) {
#if defined(__AVX512F__) || defined(__AVX2__)
  // As integers, for which there is one instruction whatever the type.
  typedef long long Whole __attribute__((vector_size(VECTOR_BYTES)));
#if defined(__AVX512F__)
  __builtin_ia32_movntdq512(reinterpret_cast<Whole*>(to), reinterpret_cast<Whole>(v));
#else
  __builtin_ia32_movntdq256(reinterpret_cast<Whole*>(to), reinterpret_cast<Whole>(v));
#endif
#else
  store(to, v);
#endif
}

// Makes what was streamed visible to other threads before anything that is stored later.
inline void end_streams() {
#if defined(__AVX2__)
  __builtin_ia32_sfence();
#endif
}

template <class T>
void run_tiles(const ThinProduct& q, int64_t begin, int64_t end, char* scratch) {
  const Operands<T> o(q);
  T* a = reinterpret_cast<T*>(scratch);
  T* whole = a + TILE_ROWS * q.n;  // a tile
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit * TILE_ROWS, rows = std::min<int64_t>(TILE_ROWS, q.m - row);
    for (int64_t k = 0; k < q.n; ++k)
      for (int64_t i = 0; i < rows; ++i) a[k * rows + i] = o.a[(row + i) * o.a_m + k * o.a_n];
    const Tile<T> multiply = packed_tile<T, TILE_ROWS>(int(rows));
    for (int64_t column = 0; column < q.p; column += WIDTH<T>) {
      T* to = o.c + row * o.c_m + column;
      const int64_t columns = std::min<int64_t>(WIDTH<T>, q.p - column);
      if (columns == WIDTH<T> && !q.streams) {
        multiply(a, o.packed + column * q.n, Depth{q.n}, to, o.c_m, Finish<T>{});
        continue;
      }
      multiply(a, o.packed + column * q.n, Depth{q.n}, whole, WIDTH<T>, Finish<T>{});
      for (int64_t i = 0; i < rows; ++i, to += o.c_m) {
        const T* from = whole + i * WIDTH<T>;
        if (columns == WIDTH<T> && reinterpret_cast<uintptr_t>(to) % VECTOR_BYTES == 0) {
          stream(to, load(from));
          stream(to + LENGTH<T>, load(from + LENGTH<T>));
        } else {
          std::copy_n(from, columns, to);
        }
      }
    }
  }
  end_streams();
}

// --- choice ---------------------------------------------------------------------------------------------
template <class T>
void plan(ThinProduct& q) {
  constexpr int64_t item = sizeof(T);
  if (q.n <= THIN_SIDE) {
    q.pack = pack_panels<T>, q.run = run_tiles<T>;
    q.unit_rows = TILE_ROWS, q.streams = q.m * q.p * item >= STREAMED;
    q.pack_units = divide_up(q.p, WIDTH<T>), q.units = divide_up(q.m, TILE_ROWS);
    q.bytes = size_t(q.pack_units * WIDTH<T> * q.n) * item;
    q.scratch_bytes = size_t(TILE_ROWS * (q.n + WIDTH<T>)) * item;
    return;
  }
  q.pack_units = divide_up(q.n, DEPTH);
  if (q.b_n == item) {
    q.pack = pack_lanes<T>, q.run = run_columns<T>;
    q.unit_columns = UNIT_TILES * TILE_ROWS;
    q.units = divide_up(q.p, q.unit_columns);
    q.bytes = size_t(q.n * lanes_of<T>(q)) * item;
    q.scratch_bytes = size_t(TILE_ROWS * lanes_of<T>(q)) * item;
  } else {
    q.pack = pack_rows<T>, q.run = run_rows<T>;
    q.unit_columns = BLOCK_PANELS * WIDTH<T>;
    q.units = divide_up(q.p, q.unit_columns);
    q.bytes = size_t(q.n * q.m) * item;
    q.scratch_bytes = size_t(BLOCK_PANELS * WIDTH<T> * (DEPTH + q.m)) * item;
  }
}

}  // namespace

ThinPlan thin_product(int dtype) {
  if (VECTOR_BYTES < 32) return nullptr;  // BLAS chooses by itself
  return dtype == FLOAT32 ? plan<float> : dtype == FLOAT64 ? plan<double> : nullptr;
}

}  // namespace MXCY_ISA
}  // namespace mxcy
