// Winograd's convolution F(m x m, r x r) with m + r = 7: 3x3 kernels in tiles of 4x4 outputs, 5x5 in 2x2.
//
// A line of 6 inputs and a kernel of r elements are polynomials; their product modulo one is found from its
// values at the points 0, +-0.6, +-1.4 and infinity, 6 multiplications instead of m * r.  These points keep
// the largest error under 5e-6 of the largest value; the textbook's 0, +-1, +-2 have four times that. (A.
// Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, 2015; B. Barabasz et al.: Error Analysis
// and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2018.)
//
// Transforms work on LENGTH channels at a time, one in each lane.
#pragma once
#include "convolution.hpp"
#include "launch.hpp"
#include "transpose.hpp"

namespace mxcy {
namespace MXCY_ISA {

constexpr int LINE = 6;              // inputs of a tile along an axis
constexpr int POINTS = LINE * LINE;  // products of a tile

namespace points {
constexpr double p = 0.6, q = 1.4, P = p * p, Q = q * q;
// The products of differences between one point and the others.
constexpr double at_zero = P * Q, at_p = 2 * P * (P - Q), at_q = 2 * Q * (Q - P);
}  // namespace points

using Reals = Vector<float>;
constexpr int LANES_OF_TILE = LENGTH<float>;

// The values of d, modulo the polynomial of all points, that multiply those of the kernel.
MXCY_INLINE void input_line(const Reals* d, int step, Reals* v) {
  using namespace points;
  const Reals* at = d;
  const Reals d0 = at[0], d1 = at[step], d2 = at[2 * step], d3 = at[3 * step], d4 = at[4 * step],
              d5 = at[5 * step];
  const Reals even_p = d4 - float(Q) * d2, odd_p = float(p) * (d3 - float(Q) * d1);
  const Reals even_q = d4 - float(P) * d2, odd_q = float(q) * (d3 - float(P) * d1);
  v[0] = float(P * Q) * d0 - float(P + Q) * d2 + d4;
  v[1] = even_p + odd_p;
  v[2] = even_p - odd_p;
  v[3] = even_q + odd_q;
  v[4] = even_q - odd_q;
  v[5] = float(P * Q) * d1 - float(P + Q) * d3 + d5;
}

// The polynomial with N coefficients g at the points; with SCALED, over the products of differences.
template <int N, bool SCALED>
MXCY_INLINE void spread(const Reals* g, int step, Reals* u) {
  using namespace points;
  Reals even_p = g[0], even_q = g[0], odd_p = Reals{}, odd_q = Reals{};
  double power_p = 1, power_q = 1;
#pragma GCC unroll 8
  for (int i = 1; i < N; ++i) {
    power_p *= p, power_q *= q;
    if (i % 2) odd_p += float(power_p) * g[i * step], odd_q += float(power_q) * g[i * step];
    else even_p += float(power_p) * g[i * step], even_q += float(power_q) * g[i * step];
  }
  const float zero = SCALED ? float(1 / at_zero) : 1, one = SCALED ? float(1 / at_p) : 1,
              two = SCALED ? float(1 / at_q) : 1;
  u[0] = zero * g[0];
  u[1] = one * (even_p + odd_p);
  u[2] = one * (even_p - odd_p);
  u[3] = two * (even_q + odd_q);
  u[4] = two * (even_q - odd_q);
  u[5] = g[(N - 1) * step];
}

// The transpose of `spread`.
template <int N, bool SCALED>
MXCY_INLINE void collect(const Reals* u, int step, Reals* g) {
  using namespace points;
  const float zero = SCALED ? float(1 / at_zero) : 1, one = SCALED ? float(1 / at_p) : 1,
              two = SCALED ? float(1 / at_q) : 1;
  const Reals even_p = one * (u[step] + u[2 * step]), odd_p = one * (u[step] - u[2 * step]);
  const Reals even_q = two * (u[3 * step] + u[4 * step]), odd_q = two * (u[3 * step] - u[4 * step]);
  double power_p = 1, power_q = 1;
  g[0] = zero * u[0] + even_p + even_q;
#pragma GCC unroll 8
  for (int i = 1; i < N; ++i) {
    power_p *= p, power_q *= q;
    g[i] = float(power_p) * (i % 2 ? odd_p : even_p) + float(power_q) * (i % 2 ? odd_q : even_q);
  }
  g[N - 1] += u[5 * step];
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
  int outputs;                     // of a tile along an axis: 4 or 2
  int64_t images, channels, rows;  // channels that are summed over, output channels
  int64_t in[2], out[2], pad[2];
  bool halved;         // whether only the largest of every 2x2 outputs are written
  int64_t written[2];  // extents of what is written
  int64_t tiles[2];  // in a column, in a row of an image

  Tiling(const ConvolutionParams& p, bool back);
  int kernel() const { return LINE + 1 - outputs; }
  int64_t lines() const { return images * tiles[0]; }  // rows of tiles
  int64_t channel_blocks() const { return divide_up(channels, LANES_OF_TILE); }
  int64_t row_panels() const { return divide_up(rows, WIDTH<float>); }
  int64_t depth() const { return channel_blocks() * LANES_OF_TILE; }
};

// Elements from one point to the next of a buffer of planes: not a power of two, for the cache's sake.
inline int64_t padded_plane(int64_t elements) { return elements + 5 * LANES_OF_TILE; }

// The same of transformed weights, [point][row panel][channel][row].
inline int64_t weight_plane(const Tiling& t) {
  return padded_plane(t.row_panels() * t.depth() * WIDTH<float>);
}

enum Pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHT };

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
