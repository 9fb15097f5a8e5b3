// What Winograd's forms share: channels into lanes and back, the input transform, when to use them.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "winograd.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int L = LANES_OF_TILE;

// LENGTH elements of a row, of which `valid` are asked for; beyond `end` nothing is read.
MXCY_INLINE Reals load_before(const float* p, int64_t valid, const float* end) {
  if (p + L <= end) return load(p);
  float few[L] = {};
  std::memcpy(few, p, size_t(valid) * sizeof(float));
  return load(few);
}

}  // namespace

void read_lanes(const float* plane, const float* end, int64_t height, int64_t width, int channels,
                int64_t row, int64_t rows, int64_t column, int64_t columns, float* to) {
  const int64_t left = std::min(std::max<int64_t>(-column, 0), columns);
  const int64_t right = std::max(left, std::min(columns, width - column));
  for (int64_t y = row; y < row + rows; ++y, to += columns * L) {
    if (y < 0 || y >= height) {
      std::fill_n(to, columns * L, 0.f);
      continue;
    }
    std::fill_n(to, left * L, 0.f);
    const float* from = plane + y * width + column;
    for (int64_t x = left; x < right; x += L) {
      Reals square[L];
      const int64_t valid = std::min<int64_t>(L, right - x);
      if (channels == L) {
#pragma GCC unroll 16
        for (int k = 0; k < L; ++k) square[k] = load_before(from + k * height * width + x, valid, end);
      } else {
        for (int k = 0; k < L; ++k) {
          square[k] = k < channels ? load_before(from + k * height * width + x, valid, end) : Reals{};
        }
      }
      transpose_square<float>(square);
      if (valid == L) {
#pragma GCC unroll 16
        for (int k = 0; k < L; ++k) store(to + (x + k) * L, square[k]);
      } else {
        for (int k = 0; k < valid; ++k) store(to + (x + k) * L, square[k]);
      }
    }
    std::fill_n(to + right * L, (columns - right) * L, 0.f);
  }
}

void write_lanes(const float* from, int64_t rows, int64_t columns, float* plane, int64_t height,
                 int64_t width, int channels, int64_t row, int64_t column) {
  const int64_t used = std::min(columns, width - column), last = std::min(rows, height - row);
  for (int64_t y = 0; y < last; ++y) {
    const float* line = from + y * columns * L;
    float* to = plane + (row + y) * width + column;
    for (int64_t x = 0; x < used; x += L) {
      // The last square reaches back over the one before rather than past the end.
      const int64_t at = used >= L ? std::min(x, used - L) : x, valid = std::min<int64_t>(L, used - at);
      Reals square[L];
      if (at + L <= columns) {
#pragma GCC unroll 16
        for (int k = 0; k < L; ++k) square[k] = load(line + (at + k) * L);
      } else {
        for (int k = 0; k < L; ++k) square[k] = at + k < columns ? load(line + (at + k) * L) : Reals{};
      }
      transpose_square<float>(square);
      if (valid == L && channels == L) {
#pragma GCC unroll 16
        for (int k = 0; k < L; ++k) store(to + k * height * width + at, square[k]);
      } else if (valid == L) {
        for (int k = 0; k < channels; ++k) store(to + k * height * width + at, square[k]);
      } else {
        float few[L * L];
#pragma GCC unroll 16
        for (int k = 0; k < L; ++k) store(few + k * L, square[k]);
        for (int k = 0; k < channels; ++k) copy_few(few + k * L, to + k * height * width + at, valid);
      }
    }
  }
}

Tiling::Tiling(const ConvolutionParams& p, bool back, int line_of_tile) {
  line = line_of_tile;
  outputs = line + 1 - int(p.kernel[1]);
  images = p.images;
  channels = back ? p.filters : p.channels;
  rows = back ? p.channels : p.filters;
  halved = p.halved && !back;
  for (int d = 0; d < 2; ++d) {
    in[d] = back ? p.out[d + 1] : p.in[d + 1];
    out[d] = back ? p.in[d + 1] : p.out[d + 1];
    pad[d] = back ? p.kernel[d + 1] - 1 - p.pad[d + 1] : p.pad[d + 1];
    tiles[d] = divide_up(out[d], outputs);
    written[d] = halved ? out[d] / 2 : out[d];
  }
  together = !halved || outputs % 2 == 0 ? 1 : tiles[0] % 2 == 0 ? 2 : tiles[0];
}

int64_t input_scratch(const Tiling& t) { return t.line * (t.tiles[1] * t.outputs + t.line + L) * L; }

namespace {

template <int LINE>
void transform_input_of(const Tiling& t, const TileInput& x, int64_t first, int64_t last, int64_t from,
                        int64_t to, int64_t capacity, float* v, float* scratch) {
  constexpr int POINTS = LINE * LINE;
  const int64_t columns = (t.tiles[1] - 1) * t.outputs + LINE, plane = t.in[0] * t.in[1];
  const int64_t point = padded_plane(t.channel_blocks() * capacity * L);
  for (int64_t block = from; block < to; ++block) {
    const int channels = int(std::min<int64_t>(L, t.channels - block * L));
    for (int64_t line = first; line < last; ++line) {
      const int64_t image = line / t.tiles[0], row = line % t.tiles[0] * t.outputs - t.pad[0];
      read_lanes(x.data + image * x.image + block * L * plane, x.end, t.in[0], t.in[1], channels, row, LINE,
                 -t.pad[1], columns, scratch);
      float* at = v + (block * capacity + (line - first) * t.tiles[1]) * L;
      for (int64_t tile = 0; tile < t.tiles[1]; ++tile, at += L) {
        Reals d[POINTS], done[POINTS];
        const float* corner = scratch + tile * t.outputs * L;
        for (int y = 0; y < LINE; ++y) {
#pragma GCC unroll 8
          for (int k = 0; k < LINE; ++k) d[y * LINE + k] = load(corner + (y * columns + k) * L);
        }
        along_both<LINE, LINE>(d, done, [](const Reals* a, int step, Reals* b) { input_line<LINE>(a, step, b); });
        for (int i = 0; i < POINTS; ++i) store(at + i * point, done[i]);
      }
    }
  }
}

bool suits_winograd(const ConvolutionParams& p) {
  const bool plain = p.in[0] == 1 && p.kernel[0] == 1 && p.pad[0] == 0 && p.stride[1] == 1 &&
                     p.stride[2] == 1 && p.dilate[1] == 1 && p.dilate[2] == 1;
  return plain && p.kernel[1] == p.kernel[2] && (p.kernel[1] == 3 || p.kernel[1] == 5);
}

// Estimated times in units of one multiplication and addition at full rate, from measurements: a transformed
// tile of one channel takes 35 for each of its points, and so does a transformed weight.
double estimate(const ConvolutionParams& p, Pass pass, int line) {
  const Tiling t(p, pass == PASS_DATA, line);
  const double tiles = double(t.images) * double(t.tiles[0] * t.tiles[1]);
  const double rows = double(t.row_panels() * WIDTH<float>), channels = double(t.depth());
  return t.points() * (tiles * rows * channels + 35 * tiles * (rows + channels) + 35 * rows * channels);
}

// Of the direct form, an element of a row that is copied takes 16, and a fifth is lost at the edges of blocks.
bool prefers_winograd(const ConvolutionParams& p, Pass pass) {
  const int line = line_of_tiles(p, pass);
  const Tiling t(p, pass == PASS_DATA, line);
  const double direct = double(p.images) * double(t.out[0] * t.out[1]) * double(t.kernel() * t.kernel()) *
                        double(t.channels) * double(t.rows + 16) / 0.8;
  return estimate(p, pass, line) < direct;
}

}  // namespace

void transform_input(const Tiling& t, const TileInput& x, int64_t first, int64_t last, int64_t from,
                     int64_t to, int64_t capacity, float* v, float* scratch) {
  const auto transform = t.line == 6 ? transform_input_of<6> : transform_input_of<7>;
  transform(t, x, first, last, from, to, capacity, v, scratch);
}

int line_of_tiles(const ConvolutionParams& p, Pass pass) {
  return estimate(p, pass, 7) < estimate(p, pass, 6) ? 7 : 6;
}

bool uses_winograd(const ConvolutionParams& p, uint8_t dtype, Pass pass) {
  if (dtype == FLOAT64 || p.way == WAY_DIRECT || !suits_winograd(p)) return false;
  return p.way == WAY_WINOGRAD || prefers_winograd(p, pass);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
