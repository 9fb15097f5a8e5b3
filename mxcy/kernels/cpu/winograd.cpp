// Winograd's form of convolutions and of their data gradients; compiled once for each instruction set.
//
// Lines of tiles are transformed into v [point][channel block][tile][lane], weights into u [point][row
// panel][channel][row]; for every point a product gives m [point][row panel][tile][row], which is transformed
// back.  Where u is small, tasks are blocks of lines, and v and the m of one row panel, which is transformed
// back before the next is made, stay in their cache; there, u is one for each row panel.  Where it is large, v
// of all lines is made once and tasks are row panels, which keep u and m; or, if v is too large for that, all
// workers share chunks of lines, so that u is read once for many tiles.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "winograd.hpp"

#include "halves.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int L = LANES_OF_TILE, W = WIDTH<float>;
constexpr int64_t SUM_CHANNELS = 128;      // that are summed at once: long sums lose accuracy
constexpr int64_t FEWER_CHANNELS = 64;     // the same of tiles of 7 inputs, whose points are further apart
constexpr int64_t SMALL_BYTES = 6 << 20;   // u of at most this is read for every block of lines
constexpr int64_t READ_BYTES = 24 << 20;   // and of at most this if blocks have many tiles
constexpr int64_t MANY_TILES = 64;
constexpr int64_t LEAST_BLOCKS = 8;        // that tasks are made of
constexpr int64_t LEAST_PANELS = 8;        // that are worth a task each
constexpr int64_t MUCH_MORE = 4;           // times as much
constexpr int64_t BLOCK_BYTES = 3 << 20;   // of v of a task and m of a row panel
constexpr int64_t CHUNK_BYTES = 32 << 20;  // of v and m of a shared chunk

// Where the elements of the weight are: row and channel in elements, taps in order or reversed.
struct Weights {
  const float* data;
  const float* end;
  int64_t row, channel;
  bool reversed;
};

// Kernels of LENGTH rows and one channel, transformed, to u + point * `plane`.
template <class Extents>
void transform_weight(const Weights& w, int64_t row, int64_t rows, int64_t channel, float* u, int64_t plane) {
  constexpr int LINE = Extents::LINE, R = Extents::KERNEL, POINTS = Extents::POINTS;
  Reals kernel[(R * R + L - 1) / L * L];
  const float* from = w.data + row * w.row + channel * w.channel;
  for (int part = 0; part < R * R; part += L) {
    const int some = std::min(L, R * R - part);
    for (int k = 0; k < L; ++k) {
      const float* line = from + k * w.row + part;
      if (k < rows && line + L <= w.end) {
        kernel[part + k] = load(line);  // elements beyond the kernel are not used
        continue;
      }
      float few[L] = {};
      if (k < rows) std::memcpy(few, line, size_t(some) * sizeof(float));
      kernel[part + k] = load(few);
    }
    transpose_square<float>(kernel + part);
  }
  if (w.reversed) std::reverse(kernel, kernel + R * R);
  Reals done[POINTS];
  Reals half[R * LINE];
  for (int x = 0; x < R; ++x) spread<LINE, R, true>(kernel + x, R, half + x * LINE);
  for (int y = 0; y < LINE; ++y) spread<LINE, R, true>(half + y, LINE, done + y * LINE);
  for (int i = 0; i < POINTS; ++i) store(u + i * plane, done[i]);
}

// Tiles of the output from m: lines [first, last), row panels [from, to).
template <class Extents, bool HALVED>
void transform_output(const Tiling& t, const float* m, int64_t capacity, int64_t first, int64_t last,
                      int64_t from, int64_t to, float* out, int64_t image_step, const float* bias, bool relu,
                      float* scratch, Finisher* finisher, int64_t finished) {
  constexpr int LINE = Extents::LINE, OUTPUTS = Extents::OUTPUTS, POINTS = Extents::POINTS;
  const int64_t columns = t.tiles[1] * OUTPUTS, plane = t.written[0] * t.written[1];
  const int64_t lines = t.together * OUTPUTS, side = HALVED ? 2 : 1;
  const int64_t point = padded_plane(t.row_panels() * capacity * W);
  for (int64_t block = from * 2; block < to * 2; ++block) {
    const int channels = int(std::min<int64_t>(L, t.rows - block * L));
    if (channels <= 0) continue;
    float shift[L] = {};
    if (bias) std::memcpy(shift, bias + block * L, size_t(channels) * sizeof(float));
    const Reals add = load(shift);
    for (int64_t line = first; line < last; line += t.together) {
      const float* at = m + (block / 2 * capacity + (line - first) * t.tiles[1]) * W + block % 2 * L;
      float* rows_of_tile = scratch;
      for (int64_t tile = 0, column = 0; tile < t.together * t.tiles[1]; ++tile, at += W) {
        Reals sums[POINTS], half[LINE * OUTPUTS], y[OUTPUTS * OUTPUTS];
        for (int i = 0; i < POINTS; ++i) sums[i] = load(at + i * point);
#pragma GCC unroll 8
        for (int x = 0; x < LINE; ++x) collect<LINE, OUTPUTS, false>(sums + x, LINE, half + x * OUTPUTS);
#pragma GCC unroll 8
        for (int k = 0; k < OUTPUTS; ++k) collect<LINE, OUTPUTS, false>(half + k, OUTPUTS, y + k * OUTPUTS);
        for (Reals& value : y) {
          value += add;
          if (relu) value = value < 0.f ? Reals{} : value;
        }
        float* corner = rows_of_tile + column * L;
        if ((column += OUTPUTS) == columns) column = 0, rows_of_tile += OUTPUTS * columns * L;
        for (int k = 0; k < OUTPUTS; ++k) {
          for (int x = 0; x < OUTPUTS; ++x) store(corner + (k * columns + x) * L, y[k * OUTPUTS + x]);
        }
      }
      if (HALVED) halve_lanes<float>(scratch, lines, columns, scratch);
      const int64_t image = line / t.tiles[0], row = line % t.tiles[0] * OUTPUTS / side, rows = lines / side;
      write_lanes(scratch, rows, columns / side, out + image * image_step + block * L * plane, t.written[0],
                  t.written[1], channels, row, 0);
      if (finisher) {
        finisher->finish(finished + image * (image_step / plane) + block * L, channels, row * t.written[1],
                         std::min<int64_t>(rows, t.written[0] - row) * t.written[1]);
      }
    }
  }
}

// m = v u for one point and one row panel.
void multiply(const Tiling& t, int64_t point, int64_t panel, const float* v, const float* u, float* m,
              int64_t capacity, int64_t tiles) {
  const float* a = v + point * padded_plane(t.channel_blocks() * capacity * L);
  const float* b = u + point * weight_plane(t) + panel * t.depth() * W;
  float* c = m + point * padded_plane(t.row_panels() * capacity * W) + panel * capacity * W;
  const int64_t most = divide_up(tiles, divide_up(tiles, TILE_ROWS));  // even parts: one or two rows are slow
  const int64_t some = (t.line == 6 ? SUM_CHANNELS : FEWER_CHANNELS) / L;
  for (int64_t first = 0; first < t.channel_blocks(); first += some) {
    const Depth depth{L, std::min(some, t.channel_blocks() - first), (capacity - 1) * L};
    Finish<float> finish;
    finish.add = first > 0;
    for (int64_t tile = 0; tile < tiles; tile += most) {
      const int rows = int(std::min(most, tiles - tile));
      plain_tile<float, TILE_ROWS, L>(rows)(a + (first * capacity + tile) * L, b + first * L * W, depth,
                                            c + tile * W, W, finish);
    }
  }
}

struct Job {
  KernelContext& context;
  const ConvolutionParams& p;
  Tiling t;
  bool back;
  TileInput x;
  Weights w;
  float* out;
  const float* bias;
  int64_t out_image;    // elements from one image to the next
  int64_t block_lines;  // lines of a block or a chunk
  bool shared, by_panels;

  int64_t plane() const { return t.written[0] * t.written[1]; }
  int64_t capacity() const { return block_lines * t.tiles[1]; }
  int64_t v_size() const { return t.points() * padded_plane(t.channel_blocks() * capacity() * L); }
  int64_t m_panel() const { return t.points() * padded_plane(capacity() * W); }  // of one row panel alone
  int64_t u_panel() const { return t.points() * padded_plane(t.depth() * W); }
  int64_t m_size() const { return t.points() * padded_plane(t.row_panels() * capacity() * W); }
  int64_t u_size() const { return t.row_panels() * u_panel(); }
  int64_t scratch_size() const {
    return std::max(input_scratch(t), t.together * t.outputs * t.tiles[1] * t.outputs * int64_t(L));
  }

  void plan() {
    const int64_t element = t.points() * t.tiles[1] * int64_t(sizeof(float));  // bytes, in a line
    const int64_t u_bytes = u_size() * int64_t(sizeof(float)), v_bytes = t.lines() * element * t.depth();
    const int64_t fitting = std::max<int64_t>(1, BLOCK_BYTES / (element * (t.depth() + W)));
    block_lines = std::min(fitting, divide_up(t.lines(), LEAST_BLOCKS));
    shared = u_bytes > (block_lines * t.tiles[1] >= MANY_TILES ? READ_BYTES : SMALL_BYTES);
    by_panels = shared && t.row_panels() >= LEAST_PANELS && v_bytes <= 2 * CHUNK_BYTES;
    if (by_panels) {
      block_lines = t.lines();
    } else if (shared) {
      const int64_t most = std::max<int64_t>(1, CHUNK_BYTES / (element * (t.depth() + t.row_panels() * W)));
      block_lines = divide_up(t.lines(), divide_up(t.lines(), std::min(most, t.lines())));
    }
    block_lines = divide_up(block_lines, t.together) * t.together;
  }

  float* group_out(int64_t group) const { return out + group * t.rows * plane(); }
  TileInput group_x(int64_t group) const {
    return {x.data + group * t.channels * t.in[0] * t.in[1], x.end, x.image};
  }
  Weights group_w(int64_t group) const {
    Weights found = w;
    found.data += group * p.filters * p.channels * t.kernel() * t.kernel();
    return found;
  }

  void weights(int64_t group, float* u, int64_t from, int64_t to) const {  // lanes of rows times channels
    const Weights mine = group_w(group);
    const int64_t plane = weight_plane(t);
    for (int64_t i = from; i < to; ++i) {
      const int64_t block = i / t.depth(), channel = i % t.depth(), row = block * L;
      float* at = u + (block / 2 * t.depth() + channel) * W + block % 2 * L;
      const int64_t rows = channel < t.channels ? std::min<int64_t>(L, t.rows - row) : 0;
      if (rows <= 0) {
        for (int k = 0; k < t.points(); ++k) store(at + k * plane, Reals{});
      } else {
        with_extents(t, [&](auto extents) {
          transform_weight<decltype(extents)>(mine, row, rows, channel, at, plane);
        });
      }
    }
  }

  void output(int64_t group, const float* m, int64_t first, int64_t last, int64_t from, int64_t to,
              float* scratch, int64_t origin) const {
    const float* shift = bias ? bias + group * t.rows : nullptr;
    const float* mine = m + (first - origin) * t.tiles[1] * W;
    float* to_group = group_out(group);
    const float* whole = reinterpret_cast<const float*>(context.outputs[0].data);
    with_extents(t, [&](auto extents) {
      using Extents = decltype(extents);
      const auto transform = t.halved ? transform_output<Extents, true> : transform_output<Extents, false>;
      transform(t, mine, capacity(), first, last, from, to, to_group, out_image, shift, p.relu, scratch,
                p.finisher, (to_group - whole) / plane());
    });
  }

  void input(int64_t group, int64_t first, int64_t last, int64_t from, int64_t to, float* v, float* scratch,
             int64_t origin) const {
    transform_input(t, group_x(group), first, last, from, to, capacity(),
                    v + (first - origin) * t.tiles[1] * L, scratch);
  }

  // The part of the work that makes `count` row panels of a group.
  Job panels_of(int64_t group, int64_t panel, int64_t count) const {
    Job one = *this;
    one.t.rows = std::min<int64_t>(count * W, t.rows - panel * W);
    one.w = group_w(group);
    one.w.data += panel * W * w.row;
    one.out = group_out(group) + panel * W * plane();
    if (bias) one.bias = bias + group * t.rows + panel * W;
    return one;
  }

  int run_blocks(int64_t group, const float* u) const {
    const int64_t size = v_size() + m_panel() + scratch_size();
    return parallel(context, divide_up(t.lines(), block_lines), 1, [&](int64_t begin, int64_t end) {
      float* memory = static_cast<float*>(context.runtime->scratch_alloc(size_t(size) * sizeof(float)));
      if (!memory) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
      float *v = memory, *m = v + v_size(), *scratch = m + m_panel();
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * block_lines, last = std::min(t.lines(), first + block_lines);
        input(group, first, last, 0, t.channel_blocks(), v, scratch, first);
        for (int64_t panel = 0; panel < t.row_panels(); ++panel) {
          const Job one = panels_of(group, panel, 1);
          for (int point = 0; point < t.points(); ++point) {
            multiply(one.t, point, 0, v, u + panel * u_panel(), m, capacity(), (last - first) * t.tiles[1]);
          }
          one.output(0, m, first, last, 0, 1, scratch, first);
        }
      }
      context.runtime->scratch_free(memory, size_t(size) * sizeof(float));
      return 0;
    });
  }

  // Runs body(line, part of `parts`, scratch) for every `step`th line of a chunk, in parallel.
  template <class Body>
  int each_line(int64_t first, int64_t last, int64_t step, int64_t parts, const Body& body) const {
    const int64_t lines = (last - first) / step;
    return parallel(context, lines * parts, 1, [&](int64_t begin, int64_t end) {
      const size_t size = size_t(scratch_size()) * sizeof(float);
      float* scratch = static_cast<float*>(context.runtime->scratch_alloc(size));
      if (!scratch) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
      for (int64_t i = begin; i < end; ++i) body(first + i % lines * step, i / lines, scratch);
      context.runtime->scratch_free(scratch, size);
      return 0;
    });
  }

  int run_shared(int64_t group, const float* u) const {
    const Scratch<float> memory(context, v_size() + m_size());
    float *v = memory, *m = v + v_size();
    for (int64_t first = 0; first < t.lines(); first += block_lines) {
      const int64_t last = std::min(t.lines(), first + block_lines);
      int code = each_line(first, last, 1, t.channel_blocks(), [&](int64_t line, int64_t block, float* scratch) {
        input(group, line, line + 1, block, block + 1, v, scratch, first);
      });
      if (code) return code;
      parallel(context, t.points() * t.row_panels(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          multiply(t, i / t.row_panels(), i % t.row_panels(), v, u, m, capacity(),
                   (last - first) * t.tiles[1]);
        }
        return 0;
      });
      code = each_line(first, last, t.together, t.row_panels(), [&](int64_t line, int64_t panel, float* scratch) {
        output(group, m, line, line + t.together, panel, panel + 1, scratch, first);
      });
      if (code) return code;
    }
    return 0;
  }

  // Row panels that are made at once: v, which is read once for them, may be much more than what they take.
  int64_t panels_together() const {
    const int64_t v = v_size(), panel = u_panel() + m_panel();
    const bool often = t.row_panels() >= 2 * LEAST_PANELS || v * int64_t(sizeof(float)) > CHUNK_BYTES;
    return often && v >= MUCH_MORE * panel ? 2 : 1;
  }

  // All tiles at once, and for every row panel or two their own weights, which stay near.
  int run_panels(int64_t group) const {
    const Scratch<float> memory(context, v_size());
    float* v = memory;
    int code = each_line(0, t.lines(), 1, t.channel_blocks(), [&](int64_t line, int64_t block, float* scratch) {
      input(group, line, line + 1, block, block + 1, v, scratch, 0);
    });
    if (code) return code;
    const int64_t together = panels_together();
    return parallel(context, divide_up(t.row_panels(), together), 1, [&](int64_t begin, int64_t end) {
      const Job first = panels_of(group, begin * together, together);
      const int64_t size = first.u_size() + first.m_size() + scratch_size();
      float* part = static_cast<float*>(context.runtime->scratch_alloc(size_t(size) * sizeof(float)));
      if (!part) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
      float *u = part, *m = u + first.u_size(), *scratch = m + first.m_size();
      for (int64_t i = begin; i < end; ++i) {
        const Job some = panels_of(group, i * together, together);
        const int64_t panels = some.t.row_panels();
        some.weights(0, u, 0, panels * 2 * t.depth());
        for (int64_t product = 0; product < t.points() * panels; ++product) {
          multiply(some.t, product / panels, product % panels, v, u, m, capacity(), t.lines() * t.tiles[1]);
        }
        some.output(0, m, 0, t.lines(), 0, panels, scratch, 0);
      }
      context.runtime->scratch_free(part, size_t(size) * sizeof(float));
      return 0;
    });
  }

  int run() {
    plan();
    if (by_panels) {
      for (int64_t group = 0; group < p.groups; ++group) {
        if (int code = run_panels(group)) return code;
      }
      return 0;
    }
    const Scratch<float> memory(context, u_size());
    float* u = memory;
    for (int64_t group = 0; group < p.groups; ++group) {
      const int64_t each = 2 * t.depth();
      parallel(context, t.row_panels() * each, 64, [&](int64_t begin, int64_t end) {
        if (shared) {
          weights(group, u, begin, end);
          return 0;
        }
        for (int64_t panel = begin / each; panel * each < end; ++panel) {
          const int64_t from = std::max<int64_t>(0, begin - panel * each), to = std::min(each, end - panel * each);
          panels_of(group, panel, 1).weights(0, u + panel * u_panel(), from, to);
        }
        return 0;
      });
      if (int code = shared ? run_shared(group, u) : run_blocks(group, u)) return code;
    }
    return 0;
  }
};

}  // namespace

int winograd_forward(KernelContext& context, const ConvolutionParams& p, bool back) {
  const float* x = reinterpret_cast<const float*>(context.inputs[0].data);
  const float* weight = reinterpret_cast<const float*>(context.inputs[1].data);
  const float* bias = context.n_inputs > 2 ? reinterpret_cast<const float*>(context.inputs[2].data) : nullptr;
  const Tiling t(p, back, line_of_tiles(p, back ? PASS_DATA : PASS_FORWARD));
  const int64_t taps = t.kernel() * t.kernel(), image = p.groups * t.channels * t.in[0] * t.in[1];
  const int64_t by_filter = p.channels * taps;
  Job job{context,
          p,
          t,
          back,
          {x, x + p.images * image, image},
          {weight, weight + context.inputs[1].size, back ? taps : by_filter, back ? by_filter : taps, back},
          reinterpret_cast<float*>(context.outputs[0].data),
          bias,
          p.groups * t.rows * t.written[0] * t.written[1],
          1,
          false,
          false};
  return job.run();
}

}  // namespace MXCY_ISA
}  // namespace mxcy
