// Winograd's form of the weight gradient; compiled once for each instruction set.
//
// It is the transpose of the forward pass: tiles of the input give v, tiles of the output's gradient z
// [point][row panel][tile][row]; for every point the sum over tiles of v z, as u [point][row
// panel][channel][row], which is transformed into the gradient of the weight.  Small u are summed in slices
// of the tiles, one for a task, and the slices added in order; a large u is there once, and all workers share
// chunks of tiles.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "winograd.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int L = LANES_OF_TILE, W = WIDTH<float>;
constexpr int ROWS = L <= TILE_ROWS ? L : L / 2;  // channels of a product's tile
constexpr int64_t PANEL_TILES = 96;  // summed at once: they stay in the first cache, and rounding stays small
constexpr int64_t FEWER_TILES = 48;  // the same of tiles of 7 inputs, whose points are further apart
constexpr int64_t MOST_SLICES = 8;
constexpr int64_t LEAST_TILES = 128;       // of a slice
constexpr int64_t SLICE_BYTES = 6 << 20;   // a larger u is not sliced
constexpr int64_t BLOCK_BYTES = 3 << 20;   // of v and z of a task
constexpr int64_t CHUNK_BYTES = 64 << 20;  // of v and z of a shared chunk
constexpr int64_t GROUP_BYTES = 40 << 20;  // of the row panels of a large u that are made at a time

// Lines [first, last) of the output's gradient, row panels [from, to), into z.
template <class Extents>
void transform_heads(const Tiling& t, const TileInput& y, int64_t first, int64_t last, int64_t from,
                     int64_t to, int64_t capacity, float* z, float* scratch) {
  constexpr int LINE = Extents::LINE, OUTPUTS = Extents::OUTPUTS, POINTS = Extents::POINTS;
  const int64_t columns = t.tiles[1] * OUTPUTS, plane = t.out[0] * t.out[1];
  const int64_t point = padded_plane(t.row_panels() * capacity * W);
  for (int64_t block = from * 2; block < to * 2; ++block) {
    const int channels = int(std::max<int64_t>(0, std::min<int64_t>(L, t.rows - block * L)));
    for (int64_t line = first; line < last; ++line) {
      const int64_t image = line / t.tiles[0], row = line % t.tiles[0] * OUTPUTS;
      read_lanes(y.data + image * y.image + block * L * plane, y.end, t.out[0], t.out[1], channels, row,
                 OUTPUTS, 0, columns, scratch);
      float* at = z + (block / 2 * capacity + (line - first) * t.tiles[1]) * W + block % 2 * L;
      for (int64_t tile = 0; tile < t.tiles[1]; ++tile, at += W) {
        Reals d[OUTPUTS * OUTPUTS], done[POINTS];
        for (int k = 0; k < OUTPUTS; ++k) {
          for (int x = 0; x < OUTPUTS; ++x) {
            d[k * OUTPUTS + x] = load(scratch + (k * columns + tile * OUTPUTS + x) * L);
          }
        }
        along_both<OUTPUTS, LINE>(
            d, done, [](const Reals* a, int step, Reals* b) { spread<LINE, OUTPUTS, false>(a, step, b); });
        for (int i = 0; i < POINTS; ++i) store(at + i * point, done[i]);
      }
    }
  }
}

struct Job {
  KernelContext& context;
  const ConvolutionParams& p;
  Tiling t;
  TileInput x, y;
  float* weight;
  int64_t slices, block_lines;
  bool shared;

  int64_t capacity() const { return block_lines * t.tiles[1]; }
  int64_t v_size() const { return t.points() * padded_plane(t.channel_blocks() * capacity() * L); }
  int64_t z_size() const { return t.points() * padded_plane(t.row_panels() * capacity() * W); }
  int64_t u_size() const { return t.points() * weight_plane(t); }
  int64_t scratch_size() const {
    return std::max(input_scratch(t), (t.tiles[1] * t.outputs + L) * t.outputs * int64_t(L));
  }

  void plan() {
    const int64_t line_bytes =
        t.points() * (t.depth() + t.row_panels() * W) * t.tiles[1] * int64_t(sizeof(float));
    slices = std::min({MOST_SLICES, t.lines(), t.lines() * t.tiles[1] / LEAST_TILES});
    shared = u_size() * int64_t(sizeof(float)) > SLICE_BYTES || slices < MOST_SLICES / 2;
    block_lines =
        std::max<int64_t>(1, std::min(t.lines(), (shared ? CHUNK_BYTES : BLOCK_BYTES) / line_bytes));
    block_lines = divide_up(t.lines(), divide_up(t.lines(), block_lines));
    if (shared) slices = 1;
    else block_lines = std::min(block_lines, divide_up(t.lines(), slices));
  }

  void input(int64_t group, int64_t first, int64_t last, int64_t from, int64_t to, int64_t origin, float* v,
             float* scratch) const {
    const TileInput mine{x.data + group * t.channels * t.in[0] * t.in[1], x.end, x.image};
    transform_input(t, mine, first, last, from, to, capacity(), v + (first - origin) * t.tiles[1] * L,
                    scratch);
  }

  void heads(int64_t group, int64_t first, int64_t last, int64_t from, int64_t to, int64_t origin, float* z,
             float* scratch) const {
    const TileInput mine{y.data + group * t.rows * t.out[0] * t.out[1], y.end, y.image};
    with_extents(t, [&](auto extents) {
      transform_heads<decltype(extents)>(t, mine, first, last, from, to, capacity(),
                                         z + (first - origin) * t.tiles[1] * W, scratch);
    });
  }

  // c = [c +] v z for one point and one row panel.
  void multiply(int64_t point, int64_t panel, const float* v, const float* z, float* c, int64_t tiles,
                bool add) const {
    const float* a = v + point * padded_plane(t.channel_blocks() * capacity() * L);
    const float* b = z + point * padded_plane(t.row_panels() * capacity() * W) + panel * capacity() * W;
    const int64_t some = t.line == 6 ? PANEL_TILES : FEWER_TILES;
    for (int64_t first = 0; first < tiles; first += some) {
      const Depth depth{std::min(some, tiles - first)};
      Finish<float> finish;
      finish.add = add || first > 0;
      for (int64_t channel = 0; channel < t.depth(); channel += ROWS) {
        const float* rows = a + channel / L * capacity() * L + channel % L + first * L;
        tile<float, ROWS, 1, L>(rows, b + first * W, depth, c + channel * W, W, finish);
      }
    }
  }

  int run_slices(int64_t group, float* u) const {
    const int64_t size = v_size() + z_size() + scratch_size();
    return parallel(context, slices, 1, [&](int64_t begin, int64_t end) {
      float* memory = static_cast<float*>(context.runtime->scratch_alloc(size_t(size) * sizeof(float)));
      if (!memory) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
      float *v = memory, *z = v + v_size(), *scratch = z + z_size();
      for (int64_t slice = begin; slice < end; ++slice) {
        const int64_t start = slice * t.lines() / slices, stop = (slice + 1) * t.lines() / slices;
        for (int64_t first = start; first < stop; first += block_lines) {
          const int64_t last = std::min(stop, first + block_lines);
          input(group, first, last, 0, t.channel_blocks(), first, v, scratch);
          heads(group, first, last, 0, t.row_panels(), first, z, scratch);
          for (int64_t i = 0; i < t.points() * t.row_panels(); ++i) {
            const int64_t point = i / t.row_panels(), panel = i % t.row_panels();
            float* c = u + slice * u_size() + point * weight_plane(t) + panel * t.depth() * W;
            multiply(point, panel, v, z, c, (last - first) * t.tiles[1], first > start);
          }
        }
      }
      context.runtime->scratch_free(memory, size_t(size) * sizeof(float));
      return 0;
    });
  }

  // Tiles of a chunk of lines, by all workers.
  int transform(int64_t group, int64_t first, int64_t lines, float* v, float* z) const {
    const int64_t parts = t.channel_blocks() + t.row_panels();
    return parallel(context, lines * parts, 1, [&](int64_t begin, int64_t end) {
      const size_t size = size_t(scratch_size()) * sizeof(float);
      float* scratch = static_cast<float*>(context.runtime->scratch_alloc(size));
      if (!scratch) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
      for (int64_t i = begin; i < end; ++i) {
        const int64_t line = first + i % lines, part = i / lines, panel = part - t.channel_blocks();
        if (panel < 0) input(group, line, line + 1, part, part + 1, first, v, scratch);
        else heads(group, line, line + 1, panel, panel + 1, first, z, scratch);
      }
      context.runtime->scratch_free(scratch, size);
      return 0;
    });
  }

  // Row panels [from, to) into u, which begins with the first of them.
  void multiply_panels(int64_t from, int64_t to, const float* v, const float* z, float* u, int64_t plane,
                       int64_t tiles, bool add) const {
    parallel(context, t.points() * (to - from), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t point = i / (to - from), panel = i % (to - from);
        multiply(point, from + panel, v, z, u + point * plane + panel * t.depth() * W, tiles, add);
      }
      return 0;
    });
  }

  int run_shared(int64_t group, float* u) const {
    const Scratch<float> memory(context, v_size() + z_size());
    float *v = memory, *z = v + v_size();
    for (int64_t first = 0; first < t.lines(); first += block_lines) {
      const int64_t lines = std::min(block_lines, t.lines() - first);
      if (int code = transform(group, first, lines, v, z)) return code;
      multiply_panels(0, t.row_panels(), v, z, u, weight_plane(t), lines * t.tiles[1], first > 0);
    }
    return 0;
  }

  // All tiles at once: some row panels of u at a time, which become kernels before the next are made.
  int run_groups(int64_t group) const {
    const Scratch<float> tiles(context, v_size() + z_size());
    float *v = tiles, *z = v + v_size();
    if (int code = transform(group, 0, t.lines(), v, z)) return code;
    const int64_t bytes = t.points() * t.depth() * W * int64_t(sizeof(float));
    const int64_t most = std::min(t.row_panels(), std::max<int64_t>(1, GROUP_BYTES / bytes));
    const int64_t plane = padded_plane(most * t.depth() * W);
    const Scratch<float> memory(context, t.points() * plane);
    float* u = memory;
    for (int64_t first = 0; first < t.row_panels(); first += most) {
      const int64_t last = std::min(t.row_panels(), first + most);
      multiply_panels(first, last, v, z, u, plane, t.lines() * t.tiles[1], false);
      finish_panels(group, first, last, u, plane);
    }
    return 0;
  }

  // The kernels of LENGTH rows and one channel, from the sums of all slices.
  template <class Extents>
  void finish(int64_t group, int64_t block, int64_t channel, const float* at, int64_t plane) const {
    constexpr int LINE = Extents::LINE, R = Extents::KERNEL, POINTS = Extents::POINTS;
    const int64_t rows = std::min<int64_t>(L, t.rows - block * L);
    Reals sums[POINTS], kernel[(R * R + L - 1) / L * L] = {};
    for (int i = 0; i < POINTS; ++i) {
      sums[i] = load(at + i * plane);
      for (int64_t s = 1; s < slices; ++s) sums[i] += load(at + i * plane + s * u_size());
    }
    along_both<LINE, R>(sums, kernel,
                        [](const Reals* a, int step, Reals* b) { collect<LINE, R, true>(a, step, b); });
    float* to = weight + ((group * t.rows + block * L) * t.channels + channel) * R * R;
    for (int part = 0; part < R * R; part += L) {
      transpose_square<float>(kernel + part);
      const size_t bytes = size_t(std::min(L, R * R - part)) * sizeof(float);
      for (int k = 0; k < rows; ++k)
        std::memcpy(to + k * t.channels * R * R + part, &kernel[part + k], bytes);
    }
  }

  // The kernels of row panels [from, to), of which u holds the first at its beginning.
  void finish_panels(int64_t group, int64_t from, int64_t to, const float* u, int64_t plane) const {
    const int64_t blocks = std::min(divide_up(t.rows, L), 2 * to) - 2 * from;
    parallel(context, blocks * t.channels, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t block = i / t.channels, channel = i % t.channels;
        const float* at = u + (block / 2 * t.depth() + channel) * W + block % 2 * L;
        with_extents(t, [&](auto extents) {
          finish<decltype(extents)>(group, 2 * from + block, channel, at, plane);
        });
      }
      return 0;
    });
  }

  int run() {
    plan();
    if (shared && block_lines >= t.lines()) {
      for (int64_t group = 0; group < p.groups; ++group) {
        if (int code = run_groups(group)) return code;
      }
      return 0;
    }
    const Scratch<float> memory(context, slices * u_size());
    float* u = memory;
    for (int64_t group = 0; group < p.groups; ++group) {
      if (int code = shared ? run_shared(group, u) : run_slices(group, u)) return code;
      finish_panels(group, 0, t.row_panels(), u, weight_plane(t));
    }
    return 0;
  }
};

}  // namespace

int winograd_weight_gradient(KernelContext& context, const ConvolutionParams& p) {
  const float* y = reinterpret_cast<const float*>(context.inputs[0].data);
  const float* x = reinterpret_cast<const float*>(context.inputs[1].data);
  const Tiling t(p, false, line_of_tiles(p, PASS_WEIGHT));
  const int64_t x_image = p.groups * t.channels * t.in[0] * t.in[1];
  const int64_t y_image = p.groups * t.rows * t.out[0] * t.out[1];
  Job job{context,
          p,
          t,
          {x, x + p.images * x_image, x_image},
          {y, y + p.images * y_image, y_image},
          reinterpret_cast<float*>(context.outputs[0].data),
          1,
          1,
          false};
  return job.run();
}

}  // namespace MXCY_ISA
}  // namespace mxcy
