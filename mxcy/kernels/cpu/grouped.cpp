// Compiled once for each instruction set; see grouped.hpp.
//
// The channels of one group of one image are copied with their padding (in phases of the stride), so that
// every tap is an offset.  A few filters are computed together, since they read the same lines.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "grouped.hpp"

#include "phases.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t MOST = 8;  // channels and filters of a group
constexpr int ACROSS = 2;    // vectors along a line that are summed together
constexpr int TOGETHER = 4;  // filters, and
constexpr int TAPS = 5;      // taps of a weight gradient

// A copy of planes with room around them.
struct Frame {
  int64_t low[3], extent[3];  // of the copy, relative to the first element of a plane

  int64_t size() const { return volume(extent); }
  int64_t offset(const int64_t* at) const {
    return ((at[0] - low[0]) * extent[1] + at[1] - low[1]) * extent[2] + at[2] - low[2];
  }
};

template <class T>
void copy_into(const Frame& frame, const int64_t* in, const T* from, T* to) {
  for (int64_t z = frame.low[0]; z < frame.low[0] + frame.extent[0]; ++z) {
    for (int64_t y = frame.low[1]; y < frame.low[1] + frame.extent[1]; ++y, to += frame.extent[2]) {
      if (z < 0 || z >= in[0] || y < 0 || y >= in[1]) std::fill_n(to, frame.extent[2], T(0));
      else copy_steps(from + (z * in[1] + y) * in[2], in[2], frame.low[2], 1, to, frame.extent[2]);
    }
  }
}

// What lines are summed to what: offsets of taps in the copied planes, weights [tap][filter].
template <class T>
struct Sum {
  const T* planes;
  int64_t pitch[2];  // elements from one volume, one line to the next
  std::vector<int64_t> offsets;
  std::vector<T> weights;
  int64_t grid[3];
  T* out;
  int64_t out_step[3], filter_step;
  const T* bias;
  bool relu;
};

// Columns [x, x + ACROSS vectors) of a line of N filters.
template <class T, int N>
MXCY_INLINE void sum_columns(const Sum<T>& s, const T* line, int filters, int first,
                             Vector<T> (*sum)[ACROSS]) {
  for (int f = 0; f < N; ++f) {
    for (int v = 0; v < ACROSS; ++v) sum[f][v] = Vector<T>{} + (s.bias ? s.bias[first + f] : T(0));
  }
  const T* weight = s.weights.data() + first;
  for (const int64_t offset : s.offsets) {
    Vector<T> x[ACROSS];
#pragma GCC unroll 4
    for (int v = 0; v < ACROSS; ++v) x[v] = load(line + offset + v * LENGTH<T>);
#pragma GCC unroll 4
    for (int f = 0; f < N; ++f) {
#pragma GCC unroll 4
      for (int v = 0; v < ACROSS; ++v) sum[f][v] += weight[f] * x[v];
    }
    weight += filters;
  }
}

template <class T, int N>
void sum_lines(const Sum<T>& s, int filters, int first) {
  constexpr int64_t STEP = ACROSS * LENGTH<T>;
  for (int64_t z = 0; z < s.grid[0]; ++z) {
    for (int64_t y = 0; y < s.grid[1]; ++y) {
      const T* line = s.planes + z * s.pitch[0] + y * s.pitch[1];
      T* to = s.out + z * s.out_step[0] + y * s.out_step[1] + first * s.filter_step;
      for (int64_t x = 0; x < s.grid[2]; x += STEP) {
        Vector<T> sum[N][ACROSS];
        sum_columns<T, N>(s, line + x, filters, first, sum);
        const int64_t count = std::min(STEP, s.grid[2] - x);
        for (int f = 0; f < N; ++f) {
          for (int v = 0; v < ACROSS; ++v) {
            if (s.relu) sum[f][v] = sum[f][v] < T(0) ? Vector<T>{} : sum[f][v];
          }
          T* at = to + f * s.filter_step + x * s.out_step[2];
          T few[STEP];
          if (count == STEP && s.out_step[2] == 1) {
            for (int v = 0; v < ACROSS; ++v) store(at + v * LENGTH<T>, sum[f][v]);
            continue;
          }
          for (int v = 0; v < ACROSS; ++v) store(few + v * LENGTH<T>, sum[f][v]);
          if (s.out_step[2] == 1) std::memcpy(at, few, size_t(count) * sizeof(T));
          else
            for (int64_t i = 0; i < count; ++i) at[i * s.out_step[2]] = few[i];
        }
      }
    }
  }
}

template <class T>
void sum_filters(const Sum<T>& s, int filters) {
  int first = 0;
  for (; first + TOGETHER <= filters; first += TOGETHER) sum_lines<T, TOGETHER>(s, filters, first);
  for (; first < filters; ++first) sum_lines<T, 1>(s, filters, first);
}

// Runs body(image, group, scratch of `size` elements) for all of them in parallel.
template <class T, class Body>
int each_group(KernelContext& context, const ConvolutionParams& p, int64_t size, const Body& body) {
  return parallel(context, p.images * p.groups, 1, [&](int64_t begin, int64_t end) {
    T* scratch = static_cast<T*>(context.runtime->scratch_alloc(size_t(size) * sizeof(T)));
    if (!scratch) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
    std::fill_n(scratch, size, T(0));
    for (int64_t i = begin; i < end; ++i) body(i / p.groups, i % p.groups, scratch);
    context.runtime->scratch_free(scratch, size_t(size) * sizeof(T));
    return 0;
  });
}

// Channels of a group in phases, [channel][phase]: with offsets of taps, the source of a forward pass.
struct Split {
  Phases phases;
  int64_t channel, lines[2];
  std::vector<int64_t> offsets;  // of the taps of a channel

  explicit Split(const ConvolutionParams& p) : phases(p) {
    channel = int64_t(phases.used.size()) * volume(phases.extent);
    lines[0] = phases.extent[1] * phases.extent[2], lines[1] = phases.extent[2];
    for (const Tap& tap : phases.taps) {
      offsets.push_back(tap.plane + tap.at[0] * lines[0] + tap.at[1] * lines[1] + tap.at[2]);
    }
  }

  template <class T>
  void copy(const ConvolutionParams& p, const T* from, T* to) const {
    for (int64_t c = 0; c < p.channels; ++c) {
      for (size_t f = 0; f < phases.used.size(); ++f) {
        copy_phase(p, phases, phases.used[f], from + c * volume(p.in),
                   to + c * channel + int64_t(f) * volume(phases.extent));
      }
    }
  }
};

template <class T>
int64_t slack() {
  return 2 * ACROSS * LENGTH<T>;
}  // what is read past the last line

template <class T>
int forward(KernelContext& context, const ConvolutionParams& p) {
  const T* x = reinterpret_cast<const T*>(context.inputs[0].data);
  const T* weight = reinterpret_cast<const T*>(context.inputs[1].data);
  const T* bias = context.n_inputs > 2 ? reinterpret_cast<const T*>(context.inputs[2].data) : nullptr;
  const Split split(p);
  const int64_t taps = volume(p.kernel);
  return each_group<T>(
      context, p, p.channels * split.channel + slack<T>(), [&](int64_t image, int64_t group, T* scratch) {
        const int64_t first = image * p.groups + group;
        split.copy(p, x + first * p.channels * volume(p.in), scratch);
        Sum<T> s{scratch, {split.lines[0], split.lines[1]}, {}, {}, {}, nullptr, {}, volume(p.out), nullptr,
                 p.relu};
        for (int64_t c = 0; c < p.channels; ++c) {
          for (int64_t t = 0; t < taps; ++t) {
            s.offsets.push_back(c * split.channel + split.offsets[size_t(t)]);
            for (int64_t f = 0; f < p.filters; ++f) {
              s.weights.push_back(weight[((group * p.filters + f) * p.channels + c) * taps + t]);
            }
          }
        }
        std::copy_n(p.out, 3, s.grid);
        s.out = reinterpret_cast<T*>(context.outputs[0].data) + first * p.filters * volume(p.out);
        s.out_step[0] = p.out[1] * p.out[2], s.out_step[1] = p.out[2], s.out_step[2] = 1;
        s.bias = bias ? bias + group * p.filters : nullptr;
        sum_filters(s, int(p.filters));
        if (p.finisher) p.finisher->finish(first * p.filters, p.filters, 0, volume(p.out));
      });
}

// The frame around outputs that the taps of all phases read.
Frame frame_of(const ConvolutionParams& p, const std::vector<std::vector<Tap>>& taps) {
  Frame frame;
  for (int d = 0; d < 3; ++d) {
    int64_t low = 0, high = p.out[d];
    for (const auto& some : taps) {
      for (const Tap& tap : some) {
        low = std::min(low, tap.at[d]);
        high = std::max(high, tap.at[d] + divide_up(p.in[d], p.stride[d]));
      }
    }
    frame.low[d] = low, frame.extent[d] = high - low;
  }
  return frame;
}

template <class T>
int data_gradient(KernelContext& context, const ConvolutionParams& p) {
  const T* y = reinterpret_cast<const T*>(context.inputs[0].data);
  const T* weight = reinterpret_cast<const T*>(context.inputs[1].data);
  const T* bias = context.n_inputs > 2 ? reinterpret_cast<const T*>(context.inputs[2].data) : nullptr;
  std::vector<std::vector<Tap>> taps;
  for (int64_t phase = 0; phase < volume(p.stride); ++phase) taps.push_back(gradient_taps(p, phase));
  const Frame frame = frame_of(p, taps);
  return each_group<T>(
      context, p, p.filters * frame.size() + slack<T>(), [&](int64_t image, int64_t group, T* scratch) {
        const int64_t first = image * p.groups + group;
        for (int64_t f = 0; f < p.filters; ++f) {
          copy_into(frame, p.out, y + (first * p.filters + f) * volume(p.out), scratch + f * frame.size());
        }
        for (int64_t phase = 0; phase < volume(p.stride); ++phase) {
          Sum<T> s{scratch, {frame.extent[1] * frame.extent[2], frame.extent[2]},
                   {},      {},
                   {},      nullptr,
                   {},      volume(p.in),
                   nullptr, p.relu};
          for (int64_t f = 0; f < p.filters; ++f) {
            for (const Tap& tap : taps[size_t(phase)]) {
              s.offsets.push_back(f * frame.size() + frame.offset(tap.at));
              for (int64_t c = 0; c < p.channels; ++c) {
                s.weights.push_back(
                    weight[((group * p.filters + f) * p.channels + c) * volume(p.kernel) + tap.weight]);
              }
            }
          }
          s.out = reinterpret_cast<T*>(context.outputs[0].data) + first * p.channels * volume(p.in);
          place_phase(p, phase, s.grid, s.out_step, s.out);
          s.bias = bias ? bias + group * p.channels : nullptr;
          sum_filters(s, int(p.channels));
        }
      });
}

// Sums of products of a line of the output's gradient with lines of N taps.
template <class T, int N>
MXCY_INLINE void multiply_line(const T* head, int64_t length, const T* line, const int64_t* offsets,
                               Vector<T>* sum) {
  int64_t x = 0;
  for (; x + LENGTH<T> <= length; x += LENGTH<T>) {
    const Vector<T> g = load(head + x);
#pragma GCC unroll 8
    for (int t = 0; t < N; ++t) sum[t] += g * load(line + offsets[t] + x);
  }
  if (x == length) return;
  T few[LENGTH<T>] = {};
  std::memcpy(few, head + x, size_t(length - x) * sizeof(T));
  const Vector<T> g = load(few);
#pragma GCC unroll 8
  for (int t = 0; t < N; ++t) sum[t] += g * load(line + offsets[t] + x);
}

template <class T, int N>
void multiply_plane(const ConvolutionParams& p, const Split& split, const T* head, const T* planes,
                    const int64_t* offsets, T* out) {
  Vector<T> sum[N] = {};
  for (int64_t z = 0; z < p.out[0]; ++z) {
    for (int64_t y = 0; y < p.out[1]; ++y, head += p.out[2]) {
      multiply_line<T, N>(head, p.out[2], planes + z * split.lines[0] + y * split.lines[1], offsets, sum);
    }
  }
  for (int t = 0; t < N; ++t) {
    T total = 0;
    for (int i = 0; i < LENGTH<T>; ++i) total += sum[t][i];
    out[t] += total;
  }
}

template <class T>
int weight_gradient(KernelContext& context, const ConvolutionParams& p) {
  const T* y = reinterpret_cast<const T*>(context.inputs[0].data);
  const T* x = reinterpret_cast<const T*>(context.inputs[1].data);
  T* weight = reinterpret_cast<T*>(context.outputs[0].data);
  const Split split(p);
  const int64_t taps = volume(p.kernel), size = p.channels * split.channel + slack<T>();
  return parallel(context, p.groups, 1, [&](int64_t begin, int64_t end) {
    T* scratch = static_cast<T*>(context.runtime->scratch_alloc(size_t(size) * sizeof(T)));
    if (!scratch) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
    std::fill_n(scratch, size, T(0));
    for (int64_t group = begin; group < end; ++group) {
      T* mine = weight + group * p.filters * p.channels * taps;
      std::fill_n(mine, p.filters * p.channels * taps, T(0));
      for (int64_t image = 0; image < p.images; ++image) {
        const int64_t first = image * p.groups + group;
        split.copy(p, x + first * p.channels * volume(p.in), scratch);
        for (int64_t i = 0; i < p.filters * p.channels; ++i) {
          const T* head = y + (first * p.filters + i / p.channels) * volume(p.out);
          const T* planes = scratch + i % p.channels * split.channel;
          int64_t t = 0;
          for (; t + TAPS <= taps; t += TAPS) {
            multiply_plane<T, TAPS>(p, split, head, planes, split.offsets.data() + t, mine + i * taps + t);
          }
          for (; t < taps; ++t)
            multiply_plane<T, 1>(p, split, head, planes, split.offsets.data() + t, mine + i * taps + t);
        }
      }
    }
    context.runtime->scratch_free(scratch, size_t(size) * sizeof(T));
    return 0;
  });
}

}  // namespace

bool has_small_groups(const ConvolutionParams& p) {
  return p.groups > 1 && p.channels <= MOST && p.filters <= MOST;
}

int grouped_forward(KernelContext& context, const ConvolutionParams& p) {
  return context.outputs[0].dtype == FLOAT64 ? forward<double>(context, p) : forward<float>(context, p);
}

int grouped_data_gradient(KernelContext& context, const ConvolutionParams& p) {
  return context.outputs[0].dtype == FLOAT64 ? data_gradient<double>(context, p)
                                             : data_gradient<float>(context, p);
}

int grouped_weight_gradient(KernelContext& context, const ConvolutionParams& p) {
  return context.outputs[0].dtype == FLOAT64 ? weight_gradient<double>(context, p)
                                             : weight_gradient<float>(context, p);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
