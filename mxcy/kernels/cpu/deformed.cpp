// Columns of images for convolutions whose kernels read at displaced places.
#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "displaced.hpp"

namespace mxcy {
namespace {

// Four elements around a place and their weights, and how these change along both axes.
template <class T>
struct Sample {
  int64_t at[4];
  T weight[4], slope[2][4];
};

// One axis: two elements, weights and slopes.  False: outside.
template <class T>
bool find_axis(T place, int64_t extent, bool zeros, int64_t* at, T* weight, T* slope) {
  if (!(place < T(extent)) || !(zeros ? place > -1 : place >= 0)) return false;
  const int64_t low = int64_t(std::floor(place));
  const T part = place - T(low);
  at[0] = low, at[1] = low + 1;
  weight[0] = 1 - part, weight[1] = part;
  slope[0] = -1, slope[1] = 1;
  if (at[1] >= extent) {  // between the last element and the border: 0 behind it, or the element itself
    at[1] = extent - 1;
    weight[1] = 0, slope[1] = 0;
    if (!zeros) weight[0] = 1, slope[0] = 0;
  }
  if (low < 0) at[0] = 0, weight[0] = 0, slope[0] = 0;
  return true;
}

template <class T>
bool find_sample(const DisplacedParams& p, T y, T x, Sample<T>* found) {
  int64_t ay[2], ax[2];
  T wy[2], wx[2], sy[2], sx[2];
  if (!find_axis(y, p.extent[0], p.masked, ay, wy, sy)) return false;
  if (!find_axis(x, p.extent[1], p.masked, ax, wx, sx)) return false;
  for (int k = 0; k < 4; ++k) {
    found->at[k] = ay[k / 2] * p.extent[1] + ax[k % 2];
    found->weight[k] = wy[k / 2] * wx[k % 2];
    found->slope[0][k] = sy[k / 2] * wx[k % 2];
    found->slope[1][k] = wy[k / 2] * sx[k % 2];
  }
  return true;
}

// Calls body(element of the kernel, place of the result, row, column) for where a group's offsets (kernel * 2
// planes) lead.
template <class T, class Body>
void visit_places(const DisplacedParams& p, const T* offsets, const Body& body) {
  const int64_t count = p.result[0] * p.result[1];
  for (int64_t k = 0; k < p.kernel[0] * p.kernel[1]; ++k) {
    const int64_t tap[2] = {k / p.kernel[1], k % p.kernel[1]};
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place[2] = {i / p.result[1], i % p.result[1]};
      T at[2];
      for (int d = 0; d < 2; ++d) {
        const int64_t plain = place[d] * p.stride[d] - p.pad[d] + tap[d] * p.dilate[d];
        at[d] = T(plain) + offsets[(2 * k + d) * count + i];
      }
      body(k, i, at[0], at[1]);
    }
  }
}

// Calls body(element of the kernel, place of the result, sample) for those inside.
template <class T, class Body>
void visit(const DisplacedParams& p, const T* offsets, const Body& body) {
  Sample<T> sample;
  visit_places(p, offsets, [&](int64_t k, int64_t i, T y, T x) {
    if (find_sample(p, y, x, &sample)) body(k, i, sample);
  });
}

// The planes of one group of one image.
template <class T>
struct Group {
  const DisplacedParams& p;
  int64_t size, count, taps, channels;
  std::vector<T> offsets, mask, plane, columns;

  explicit Group(const DisplacedParams& params)
      : p(params), size(p.extent[0] * p.extent[1]), count(p.result[0] * p.result[1]),
        taps(p.kernel[0] * p.kernel[1]), channels(p.channels / p.groups), offsets(2 * taps * count),
        mask(p.masked ? taps * count : 0), plane(size), columns(taps * count) {}

  void load(const KernelContext& context, int first, int64_t n) {
    read(context.inputs[first], n * offsets.size(), offsets.size(), offsets.data());
    if (p.masked) read(context.inputs[first + 1], n * mask.size(), mask.size(), mask.data());
  }
};

template <class T>
int columns(KernelContext& context) {
  const DisplacedParams& p = *static_cast<const DisplacedParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Group<T> group(p);
    for (int64_t n = begin; n < end; ++n) {
      group.load(context, 1, n);
      for (int64_t c = n * group.channels; c < (n + 1) * group.channels; ++c) {
        read(context.inputs[0], c * group.size, group.size, group.plane.data());
        std::fill(group.columns.begin(), group.columns.end(), T(0));
        visit(p, group.offsets.data(), [&](int64_t k, int64_t i, const Sample<T>& sample) {
          T sum = 0;
          for (int e = 0; e < 4; ++e) sum += sample.weight[e] * group.plane[sample.at[e]];
          group.columns[k * group.count + i] = p.masked ? sum * group.mask[k * group.count + i] : sum;
        });
        write(group.columns.data(), context.outputs[0], c * group.columns.size(), group.columns.size());
      }
    }
    return 0;
  };
  return parallel(context, p.batches * p.groups, 1, body);
}

template <class T>
int columns_grad(KernelContext& context) {
  const DisplacedParams& p = *static_cast<const DisplacedParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Group<T> group(p);
    std::vector<T> sums(group.size), g_offsets(group.offsets.size()), g_mask(group.mask.size());
    for (int64_t n = begin; n < end; ++n) {
      group.load(context, 2, n);
      std::fill(g_offsets.begin(), g_offsets.end(), T(0));
      std::fill(g_mask.begin(), g_mask.end(), T(0));
      for (int64_t c = n * group.channels; c < (n + 1) * group.channels; ++c) {
        read(context.inputs[1], c * group.size, group.size, group.plane.data());
        read(context.inputs[0], c * group.columns.size(), group.columns.size(), group.columns.data());
        std::fill(sums.begin(), sums.end(), T(0));
        visit(p, group.offsets.data(), [&](int64_t k, int64_t i, const Sample<T>& sample) {
          const int64_t at = k * group.count + i;
          const T g = group.columns[at], factor = p.masked ? g * group.mask[at] : g;
          T value = 0, slope[2] = {0, 0};
          for (int e = 0; e < 4; ++e) {
            const T x = group.plane[sample.at[e]];
            value += sample.weight[e] * x;
            for (int d = 0; d < 2; ++d) slope[d] += sample.slope[d][e] * x;
            sums[sample.at[e]] += sample.weight[e] * factor;
          }
          for (int d = 0; d < 2; ++d) g_offsets[(2 * k + d) * group.count + i] += slope[d] * factor;
          if (p.masked) g_mask[at] += value * g;
        });
        write(sums.data(), context.outputs[0], c * group.size, group.size);
      }
      write(g_offsets.data(), context.outputs[1], n * g_offsets.size(), g_offsets.size());
      if (p.masked) write(g_mask.data(), context.outputs[2], n * g_mask.size(), g_mask.size());
    }
    return 0;
  };
  return parallel(context, p.batches * p.groups, 1, body);
}

template <class T>
int corners(KernelContext& context) {
  const DisplacedParams& p = *static_cast<const DisplacedParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Group<T> group(p);
    const int64_t places = group.taps * group.count;
    std::vector<T> made[4];  // weights of rows and of columns, slopes of both
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * group.offsets.size(), group.offsets.size(), group.offsets.data());
      int64_t* to = reinterpret_cast<int64_t*>(context.outputs[0].data) + n * 4 * places;
      std::fill_n(to, 4 * places, int64_t(-1));
      for (auto& values : made) values.assign(2 * places, T(0));
      visit_places(p, group.offsets.data(), [&](int64_t k, int64_t i, T y, T x) {
        int64_t at[2][2];
        T weight[2][2], slope[2][2];
        if (!find_axis(y, p.extent[0], p.masked, at[0], weight[0], slope[0])) return;
        if (!find_axis(x, p.extent[1], p.masked, at[1], weight[1], slope[1])) return;
        const int64_t place = k * group.count + i;
        for (int e = 0; e < 4; ++e) to[e * places + place] = at[0][e / 2] * p.extent[1] + at[1][e % 2];
        for (int e = 0; e < 4; ++e) {
          made[e / 2][e % 2 * places + place] = weight[e / 2][e % 2];
          made[2 + e / 2][e % 2 * places + place] = slope[e / 2][e % 2];
        }
      });
      for (int k = 0; k < 4; ++k) write(made[k].data(), context.outputs[1 + k], n * 2 * places, 2 * places);
    }
    return 0;
  };
  return parallel(context, p.batches * p.groups, 1, body);
}

}  // namespace

int displaced_columns_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? columns<double>(context) : columns<float>(context);
}

int displaced_columns_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0 && context.outputs[1].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? columns_grad<double>(context) : columns_grad<float>(context);
}

int displaced_corners_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[1].dtype == FLOAT64 ? corners<double>(context) : corners<float>(context);
}

}  // namespace mxcy
