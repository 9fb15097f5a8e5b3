// The weight gradient of convolutions; compiled once for each instruction set.
//
// weight[m][c, tap] = sum over columns of y[m][column] * x[c, tap][column].  Columns are taken SPAN at a
// time: y is transposed into panels of filters, x copied as rows, and the product added to a sum for each
// slice of the columns.  Slices depend on shapes only, and are added in order.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "convolution.hpp"

#include "grouped.hpp"
#include "phases.hpp"
#include "transpose.hpp"
#include "winograd.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t SPAN = 240;             // columns at a time; rows of this length fall on all cache sets
constexpr int64_t ROW_BYTES = 256 << 10;  // of x that a task copies at a time
constexpr int64_t SUM_BYTES = 64 << 20;   // of sums in all slices, roughly
constexpr int64_t MOST_SLICES = 8;

template <class T>
struct WeightProduct {
  const ConvolutionParams& p;
  const T* y;
  std::vector<Tap> taps;
  int64_t rows, padded;  // (channel, tap); filters with those that fill the last panel
  int64_t block_channels, slices, parts, panels;

  WeightProduct(const ConvolutionParams& params, const T* y_data, int64_t images) : p(params), y(y_data) {
    rows = p.channels * volume(p.kernel);
    panels = divide_up(p.filters, WIDTH<T>);
    padded = panels * WIDTH<T>;
    block_channels = std::max<int64_t>(
        1, std::min(p.channels, ROW_BYTES / (SPAN * int64_t(sizeof(T)) * volume(p.kernel))));
    const int64_t spans = divide_up(images * volume(p.out), SPAN);
    const int64_t bytes = p.groups * rows * padded * int64_t(sizeof(T));
    slices = std::max<int64_t>(1, std::min({spans / 2, MOST_SLICES, SUM_BYTES / bytes}));
    parts = std::min(panels, divide_up(MOST_SLICES, slices * p.groups));
  }

  int64_t sum_size() const { return rows * padded; }  // of a group
};

// y of filters [first, first + WIDTH) and columns [begin, begin + count), as [column][filter].
template <class T>
void pack_heads(const WeightProduct<T>& w, int64_t group, int64_t first, int64_t begin, int64_t count,
                T* lines, T* packed) {
  const int64_t pixels = volume(w.p.out), filters = w.p.groups * w.p.filters;
  const int64_t used = std::min<int64_t>(WIDTH<T>, w.p.filters - first);
  if (used == WIDTH<T> && count == SPAN && begin % pixels + count <= pixels) {
    const T* from = w.y + (begin / pixels * filters + group * w.p.filters + first) * pixels + begin % pixels;
    transpose<T>(from, pixels, packed, WIDTH<T>, WIDTH<T>, SPAN);
    return;
  }
  for (int64_t at = 0; at < count;) {
    const int64_t column = begin + at, image = column / pixels, pixel = column % pixels;
    const int64_t length = std::min(pixels - pixel, count - at);
    const T* from = w.y + (image * filters + group * w.p.filters + first) * pixels + pixel;
    for (int64_t m = 0; m < used; ++m) {
      std::memcpy(lines + m * SPAN + at, from + m * pixels, size_t(length) * sizeof(T));
    }
    at += length;
  }
  for (int64_t m = used; m < WIDTH<T>; ++m) std::fill_n(lines + m * SPAN, count, T(0));
  transpose<T>(lines, SPAN, packed, WIDTH<T>, WIDTH<T>, SPAN);
}

// One slice of one group, for the filter panels of one part.
template <class T>
void run_slice(const WeightProduct<T>& w, RowCopier<T>& copier, int64_t channel_stride, int64_t task,
               int64_t images, T* sums, T* lines, T* heads, T* x_rows, bool first_images) {
  const int64_t part = task % w.parts, slice = task / w.parts % w.slices, group = task / w.parts / w.slices;
  const int64_t columns = images * volume(w.p.out), spans = divide_up(columns, SPAN);
  const int64_t first_panel = part * w.panels / w.parts, last_panel = (part + 1) * w.panels / w.parts;
  const int64_t taps = int64_t(w.taps.size());
  T* sum = sums + (slice * w.p.groups + group) * w.sum_size();
  const int64_t first_span = slice * spans / w.slices, last_span = (slice + 1) * spans / w.slices;
  for (int64_t span = first_span; span < last_span; ++span) {
    const int64_t begin = span * SPAN, count = std::min(SPAN, columns - begin);
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      pack_heads(w, group, panel * WIDTH<T>, begin, count, lines,
                 heads + (panel - first_panel) * SPAN * WIDTH<T>);
    }
    copier.set_columns(begin, count, SPAN, SPAN);
    Finish<T> finish;
    finish.add = span > first_span || !first_images;
    for (int64_t c = 0; c < w.p.channels; c += w.block_channels) {
      const int64_t last = std::min(w.p.channels, c + w.block_channels), rows = (last - c) * taps;
      copier.copy(w.taps, group * w.p.channels * channel_stride, c, last, x_rows);
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {
        const T* b = heads + (panel - first_panel) * SPAN * WIDTH<T>;
        T* at = sum + c * taps * w.padded + panel * WIDTH<T>;
        for (int64_t row = 0; row < rows; row += TILE_ROWS) {
          const int some = int(std::min<int64_t>(TILE_ROWS, rows - row));
          plain_tile<T, TILE_ROWS, SPAN>(some)(x_rows + row * SPAN, b, {count}, at + row * w.padded, w.padded,
                                               finish);
        }
      }
    }
  }
}

// Adds the slices and puts the filters [first, first + count), at most LENGTH, into the order of the weight.
template <class T>
void finish_filters(const WeightProduct<T>& w, int64_t group, int64_t first, int64_t count, const T* sums,
                    T* weight) {
  const int64_t taps = int64_t(w.taps.size()), kernel = w.p.channels * taps;
  const int64_t next_slice = w.p.groups * w.sum_size();
  T* to = weight + (group * w.p.filters + first) * kernel;
  const T* from = sums + group * w.sum_size() + first;
  for (int64_t block = 0; block < w.p.channels; block += w.block_channels) {
    const int64_t channels = std::min(w.block_channels, w.p.channels - block);
    for (int64_t t = 0; t < taps; ++t) {
      T* place = to + block * taps + w.taps[size_t(t)].weight;
      for (int64_t c = 0; c < channels; c += LENGTH<T>) {  // a square of channels and filters
        const int64_t some = std::min<int64_t>(LENGTH<T>, channels - c);
        Vector<T> square[LENGTH<T>];
        for (int64_t k = 0; k < LENGTH<T>; ++k) {
          square[k] = k < some ? load(from + k * w.padded) : Vector<T>{};
          for (int64_t s = 1; s < w.slices && k < some; ++s)
            square[k] += load(from + k * w.padded + s * next_slice);
        }
        transpose_square<T>(square);
        for (int64_t m = 0; m < count; ++m) {
          T* line = place + m * kernel + c * taps;
          if (taps == 1 && some == LENGTH<T>) store(line, square[m]);
          else
            for (int64_t k = 0; k < some; ++k) line[k * taps] = square[m][k];
        }
        from += some * w.padded;
      }
    }
  }
}

template <class T>
int weight_gradient(KernelContext& context) {
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  const T* y = reinterpret_cast<const T*>(context.inputs[0].data);
  const T* x = reinterpret_cast<const T*>(context.inputs[1].data);
  T* weight = reinterpret_cast<T*>(context.outputs[0].data);
  if (p.images * volume(p.out) == 0) {
    std::fill_n(weight, context.outputs[0].size, T(0));
    return 0;
  }
  WeightProduct<T> w(p, y, p.images);
  Scratch<T> sums(context, w.slices * p.groups * w.sum_size());
  int code = with_planes(
      context, p, x,
      [&](const Planes<T>& planes, const std::vector<Tap>& taps, int64_t first, int64_t count) {
        w.taps = taps;
        w.y = y + first * p.groups * p.filters * volume(p.out);
        const int64_t head_size = divide_up(w.panels, w.parts) * SPAN * WIDTH<T>, line_size = WIDTH<T> * SPAN;
        const int64_t row_size = w.block_channels * volume(p.kernel) * SPAN + LENGTH<T>;
        const int64_t size = line_size + head_size + row_size;
        return parallel(context, w.slices * p.groups * w.parts, 1, [&](int64_t begin, int64_t end) {
          T* memory = static_cast<T*>(context.runtime->scratch_alloc(size_t(size) * sizeof(T)));
          if (!memory) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
          std::fill_n(memory, line_size, T(0));
          RowCopier<T> copier(planes, p.out);
          for (int64_t task = begin; task < end; ++task) {
            run_slice(w, copier, planes.channel, task, count, static_cast<T*>(sums), memory,
                      memory + line_size, memory + line_size + head_size, first == 0);
          }
          context.runtime->scratch_free(memory, size_t(size) * sizeof(T));
          return 0;
        });
      });
  if (code) return code;
  const int64_t blocks = divide_up(p.filters, LENGTH<T>);
  return parallel(context, p.groups * blocks, 1 + (1 << 14) / (w.rows * LENGTH<T>),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      const int64_t first = i % blocks * LENGTH<T>;
                      finish_filters(w, i / blocks, first, std::min<int64_t>(LENGTH<T>, p.filters - first),
                                     static_cast<T*>(sums), weight);
                    }
                    return 0;
                  });
}

}  // namespace

int convolution_weight_gradient_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  const ConvolutionParams& p = *static_cast<const ConvolutionParams*>(context.params);
  if (has_small_groups(p)) return grouped_weight_gradient(context, p);
  if (p.images && uses_winograd(p, context.outputs[0].dtype, PASS_WEIGHT)) return winograd_weight_gradient(context, p);
  return context.outputs[0].dtype == FLOAT64 ? weight_gradient<double>(context)
                                             : weight_gradient<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
