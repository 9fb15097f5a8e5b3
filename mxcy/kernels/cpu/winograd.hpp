// Winograd's convolution: 3x3 kernels in tiles of 4x4 or 5x5 outputs, 5x5 kernels in tiles of 2x2 or 3x3.
//
// A line of 6 inputs and a kernel of r elements are polynomials; their product modulo one is found from its
// values at the points 0, +-0.6, +-1.4 and infinity, 6 multiplications instead of (7 - r) * r; one of 7 inputs
// from +-0.3, +-0.85, +-1.7 and infinity, 7 instead of (8 - r) * r.  These points keep the largest error under
// 5e-6 of the largest value; the textbook's 0, +-1, +-2 have four times that.  (A. Lavin, S. Gray: Fast
// Algorithms for Convolutional Neural Networks, 2015; B. Barabasz et al.: Error Analysis and Improving the
// Accuracy of Winograd Convolution for Deep Neural Networks, 2018.)
//
// Transforms work on LENGTH channels at a time, one in each lane.
#pragma once
#include "convolution.hpp"
#include "launch.hpp"
#include "transpose.hpp"

namespace mxcy {
namespace MXCY_ISA {

// Pairs of points +-at, besides infinity and, with ZERO, 0.
template <int LINE>
struct Points;
template <>
struct Points<6> {
  static constexpr int PAIRS = 2, ZERO = 1;
  static constexpr double at[PAIRS] = {0.6, 1.4};
};
template <>
struct Points<7> {
  static constexpr int PAIRS = 3, ZERO = 0;
  static constexpr double at[PAIRS] = {0.3, 0.85, 1.7};
};

// Constants of a line of tiles: [pair] and [pair][coefficient of a power of the square, the lowest first].
template <int LINE>
struct Constants {
  using At = Points<LINE>;
  double others[At::PAIRS][At::PAIRS] = {};  // the product of (square - at^2) over the other pairs
  double all[At::PAIRS + 1] = {};            // the same over all pairs
  double differences[At::PAIRS] = {};        // products of differences between a point and the others
  double zero = 1;                           // the same of the point 0

  constexpr Constants() {
    all[0] = 1;
    for (int j = 0; j < At::PAIRS; ++j) {
      const double square = At::at[j] * At::at[j];
      for (int k = j + 1; k > 0; --k) all[k] = all[k - 1] - square * all[k];
      all[0] *= -square;
      zero *= -square;
      others[j][0] = 1;
      differences[j] = 2 * At::at[j] * (At::ZERO ? At::at[j] : 1);
      for (int i = 0, degree = 0; i < At::PAIRS; ++i) {
        if (i == j) continue;
        const double other = At::at[i] * At::at[i];
        for (int k = ++degree; k > 0; --k) others[j][k] = others[j][k - 1] - other * others[j][k];
        others[j][0] *= -other;
        differences[j] *= square - other;
      }
    }
  }
};
template <int LINE>
constexpr Constants<LINE> CONSTANTS = {};

using Reals = Vector<float>;
constexpr int LANES_OF_TILE = LENGTH<float>;

// The values of d, modulo the polynomial of all points, that multiply those of the kernel.
template <int LINE>
MXCY_INLINE void input_line(const Reals* d, int step, Reals* v) {
  constexpr int PAIRS = Points<LINE>::PAIRS, ZERO = Points<LINE>::ZERO;
#pragma GCC unroll 4
  for (int j = 0; j < PAIRS; ++j) {
    Reals low = d[(2 * PAIRS - 2 + ZERO) * step], high = d[(2 * PAIRS - 1 + ZERO) * step];
#pragma GCC unroll 4
    for (int k = 0; k < PAIRS - 1; ++k) {
      low += float(CONSTANTS<LINE>.others[j][k]) * d[(2 * k + ZERO) * step];
      high += float(CONSTANTS<LINE>.others[j][k]) * d[(2 * k + 1 + ZERO) * step];
    }
    const float at = float(Points<LINE>::at[j]);
    v[ZERO + 2 * j] = high + at * low;
    v[ZERO + 2 * j + 1] = ZERO ? high - at * low : at * low - high;  // as the product of differences is negative
  }
  Reals zero = d[2 * PAIRS * step], far = d[(2 * PAIRS + ZERO) * step];
#pragma GCC unroll 4
  for (int k = 0; k < PAIRS; ++k) {
    zero += float(CONSTANTS<LINE>.all[k]) * d[2 * k * step];
    far += float(CONSTANTS<LINE>.all[k]) * d[(2 * k + ZERO) * step];
  }
  if (ZERO) v[0] = zero;
  v[LINE - 1] = far;
}

// The polynomial with N coefficients g at the points; with SCALED, over the products of differences.
template <int LINE, int N, bool SCALED>
MXCY_INLINE void spread(const Reals* g, int step, Reals* u) {
  constexpr int PAIRS = Points<LINE>::PAIRS, ZERO = Points<LINE>::ZERO;
  if (ZERO) u[0] = (SCALED ? float(1 / CONSTANTS<LINE>.zero) : 1) * g[0];
#pragma GCC unroll 4
  for (int j = 0; j < PAIRS; ++j) {
    double power = SCALED ? 1 / CONSTANTS<LINE>.differences[j] : 1;
    Reals even = float(power) * g[0], odd = Reals{};
#pragma GCC unroll 8
    for (int i = 1; i < N; ++i) {
      power *= Points<LINE>::at[j];
      if (i % 2) odd += float(power) * g[i * step];
      else even += float(power) * g[i * step];
    }
    u[ZERO + 2 * j] = even + odd;
    u[ZERO + 2 * j + 1] = even - odd;
  }
  u[LINE - 1] = g[(N - 1) * step];
}

// The transpose of `spread`.
template <int LINE, int N, bool SCALED>
MXCY_INLINE void collect(const Reals* u, int step, Reals* g) {
  constexpr int PAIRS = Points<LINE>::PAIRS, ZERO = Points<LINE>::ZERO;
  if (ZERO) g[0] = (SCALED ? float(1 / CONSTANTS<LINE>.zero) : 1) * u[0];
#pragma GCC unroll 4
  for (int j = 0; j < PAIRS; ++j) {
    const Reals above = u[(ZERO + 2 * j) * step], below = u[(ZERO + 2 * j + 1) * step];
    const Reals even = above + below, odd = above - below;
    double power = SCALED ? 1 / CONSTANTS<LINE>.differences[j] : 1;
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i, power *= Points<LINE>::at[j]) {
      const Reals part = float(power) * (i % 2 ? odd : even);
      g[i] = j > 0 || (ZERO && i == 0) ? g[i] + part : part;
    }
  }
  g[N - 1] += u[(LINE - 1) * step];
}

// The same along both axes, from a square of FROM x FROM vectors to one of TO x TO.
template <int FROM, int TO, class Line>
MXCY_INLINE void along_both(const Reals* from, Reals* to, const Line& line) {
  Reals half[FROM * TO];  // columns done: [x][y']
#pragma GCC unroll 8
  for (int x = 0; x < FROM; ++x) line(from + x, FROM, half + x * TO);
#pragma GCC unroll 8
  for (int y = 0; y < TO; ++y) line(half + y, TO, to + y * TO);
}

// Channels first to lanes: rows [row, row + rows) and columns [column, column + columns) of up to LENGTH
// channels, as [row][column][lane]; zeros outside of the plane, and for missing channels.  `end`: nothing is
// read from here on.  `to` has room for LENGTH - 1 more columns.
void read_lanes(const float* plane, const float* end, int64_t height, int64_t width, int channels,
                int64_t row, int64_t rows, int64_t column, int64_t columns, float* to);

// Lanes to channels first: rows and columns from (row, column) on that lie in the plane.
void write_lanes(const float* from, int64_t rows, int64_t columns, float* plane, int64_t height,
                 int64_t width, int channels, int64_t row, int64_t column);

// What is convolved with what, one group of one convolution with stride 1.
struct Tiling {
  int line, outputs;               // of a tile along an axis: inputs (6 or 7) and outputs
  int64_t images, channels, rows;  // channels that are summed over, output channels
  int64_t in[2], out[2], pad[2];
  bool halved;         // whether only the largest of every 2x2 outputs are written
  int64_t written[2];  // extents of what is written
  int64_t tiles[2];  // in a column, in a row of an image
  int64_t together;  // lines of tiles that are written together: pairs of outputs may lie in two of them

  Tiling(const ConvolutionParams& p, bool back, int line_of_tile);
  int kernel() const { return line + 1 - outputs; }
  int points() const { return line * line; }  // products of a tile
  int64_t lines() const { return images * tiles[0]; }  // rows of tiles
  int64_t channel_blocks() const { return divide_up(channels, LANES_OF_TILE); }
  int64_t row_panels() const { return divide_up(rows, WIDTH<float>); }
  int64_t depth() const { return channel_blocks() * LANES_OF_TILE; }
};

// Runs body(extents of a tile) with the extents as constants.
template <int LINE_, int OUTPUTS_>
struct TileExtents {
  static constexpr int LINE = LINE_, OUTPUTS = OUTPUTS_, POINTS = LINE * LINE, KERNEL = LINE + 1 - OUTPUTS;
};
template <class Body>
MXCY_INLINE void with_extents(const Tiling& t, const Body& body) {
  if (t.line == 6 && t.outputs == 4) body(TileExtents<6, 4>());
  else if (t.line == 6) body(TileExtents<6, 2>());
  else if (t.outputs == 5) body(TileExtents<7, 5>());
  else body(TileExtents<7, 3>());
}

// Elements from one point to the next of a buffer of planes: not a power of two, for the cache's sake.
inline int64_t padded_plane(int64_t elements) { return elements + 5 * LANES_OF_TILE; }

// The same of transformed weights, [point][row panel][channel][row].
inline int64_t weight_plane(const Tiling& t) {
  return padded_plane(t.row_panels() * t.depth() * WIDTH<float>);
}

enum Pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHT };

// The inputs of a line of tiles with which a kernel is estimated to be fastest.
int line_of_tiles(const ConvolutionParams& p, Pass pass);

// Whether a kernel takes Winograd's form: where there is one, if that is estimated to be faster or asked for.
bool uses_winograd(const ConvolutionParams& p, uint8_t dtype, Pass pass);

// Tiles of the input, transformed: lines [first, last) of one group into v [point][channel
// block][tile][lane], for channel blocks [from, to).  image: elements from one image to the next.
struct TileInput {
  const float* data;
  const float* end;
  int64_t image;
};
void transform_input(const Tiling& t, const TileInput& x, int64_t first, int64_t last, int64_t from,
                     int64_t to, int64_t capacity, float* v, float* scratch);
int64_t input_scratch(const Tiling& t);

int winograd_forward(KernelContext& context, const ConvolutionParams& p, bool back);
int winograd_weight_gradient(KernelContext& context, const ConvolutionParams& p);

}  // namespace MXCY_ISA
}  // namespace mxcy
