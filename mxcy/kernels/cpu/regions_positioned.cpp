// Pooling of regions whose parts read channels of their own, are displaced or turned.  One worker does a
// region, or, of gradients, a channel of all regions of an image.
#include "regions.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "region_samples.hpp"

namespace mxcy {
namespace {

// The channel that a part of an output reads, where all parts have channels of their own.
int64_t own_channel(const PositionedParams& p, int64_t output, int64_t part) {
  int64_t group[2];
  const int64_t place[2] = {part / p.pooled[1], part % p.pooled[1]};
  for (int d = 0; d < 2; ++d) group[d] = std::min(place[d] * p.groups / p.pooled[d], p.groups - 1);
  return (output * p.groups + group[0]) * p.groups + group[1];
}

// --- all elements of a part ------------------------------------------------------------------------------
template <class T>
struct Whole {
  static constexpr int width = 5;
  const PositionedParams& p;
  T start[2], bin[2];

  Whole(const PositionedParams& params, const T* region, const T*) : p(params) {
    for (int d = 0; d < 2; ++d) {
      start[d] = std::round(region[2 - d]) * T(p.scale);
      const T end = (std::round(region[4 - d]) + 1) * T(p.scale);
      bin[d] = std::max(end - start[d], T(0.1)) / T(p.pooled[d]);
    }
  }

  int64_t channel(int64_t output, int64_t part) const { return own_channel(p, output, part); }

  // Calls body(element, weight, slopes).  Returns how many samples there are.
  template <class Body>
  int64_t visit(int64_t, int64_t part, const Body& body) const {
    int64_t low[2], high[2];
    const int64_t place[2] = {part / p.pooled[1], part % p.pooled[1]};
    const T none[2] = {0, 0};
    for (int d = 0; d < 2; ++d) {
      const T limit = T(p.extent[d]);
      low[d] = int64_t(std::min(std::max(std::floor(T(place[d]) * bin[d] + start[d]), T(0)), limit));
      high[d] = int64_t(std::min(std::max(std::ceil(T(place[d] + 1) * bin[d] + start[d]), T(0)), limit));
    }
    const int64_t count = std::max<int64_t>(high[0] - low[0], 0) * std::max<int64_t>(high[1] - low[1], 0);
    for (int64_t y = low[0]; y < high[0]; ++y) {
      for (int64_t x = low[1]; x < high[1]; ++x) body(y * p.extent[1] + x, T(1) / T(count), none);
    }
    return count;
  }
};

// --- samples of displaced parts --------------------------------------------------------------------------
template <class T>
struct Displaced {
  static constexpr int width = 5;
  const PositionedParams& p;
  const T* shifts;
  T start[2], size[2];

  Displaced(const PositionedParams& params, const T* region, const T* moves) : p(params), shifts(moves) {
    for (int d = 0; d < 2; ++d) {
      start[d] = std::round(region[2 - d]) * T(p.scale) - T(0.5);
      const T end = (std::round(region[4 - d]) + 1) * T(p.scale) - T(0.5);
      size[d] = std::max(end - start[d], T(0.1));
    }
  }

  int64_t channel(int64_t output, int64_t part) const { return own_channel(p, output, part); }

  // Where the displacement of a part along an axis is; columns come before rows.
  int64_t shift_at(int64_t output, int64_t part, int d) const {
    const int64_t id = output / (p.outputs / p.classes);
    const int64_t place[2] = {part / p.pooled[1], part % p.pooled[1]};
    const int64_t y = place[0] * p.parts / p.pooled[0], x = place[1] * p.parts / p.pooled[1];
    return ((id * 2 + (1 - d)) * p.parts + y) * p.parts + x;
  }

  // One axis of a sample.  False: outside.
  bool find(int d, T place, int64_t* at, T* weight, T* slope) const {
    const T last = T(p.extent[d] - 1);
    if (!(place >= T(-0.5) && place <= last + T(0.5))) return false;
    const bool inside = place >= 0 && place <= last;
    place = std::min(std::max(place, T(0)), last);
    at[0] = int64_t(std::floor(place));
    at[1] = int64_t(std::ceil(place));
    weight[1] = place - T(at[0]);
    weight[0] = 1 - weight[1];
    slope[1] = inside && at[1] > at[0] ? T(1) : T(0);
    slope[0] = -slope[1];
    return true;
  }

  // Calls body(sample, rows, columns, weights and slopes of both, share) for those inside.
  template <class Body>
  int64_t visit_samples(int64_t output, int64_t part, const Body& body) const {
    const int64_t place[2] = {part / p.pooled[1], part % p.pooled[1]};
    T first[2], step[2];
    for (int d = 0; d < 2; ++d) {
      const T bin = size[d] / T(p.pooled[d]);
      const T shift = p.displaced ? shifts[shift_at(output, part, d)] * T(p.reach) : T(0);
      first[d] = T(place[d]) * bin + start[d] + shift * size[d];
      step[d] = bin / T(p.samples);
    }
    int64_t count = 0;
    int64_t y[2], x[2];
    T wy[2], wx[2], sy[2], sx[2];
    for (int pass = 0; pass < 2; ++pass) {  // the second knows how many there are
      const T share = pass == 0 || count == 0 ? T(0) : T(1) / T(count);
      for (int64_t i = 0; i < p.samples; ++i) {
        if (!find(0, first[0] + T(i) * step[0], y, wy, sy)) continue;
        for (int64_t j = 0; j < p.samples; ++j) {
          if (!find(1, first[1] + T(j) * step[1], x, wx, sx)) continue;
          if (pass == 0) {
            ++count;
            continue;
          }
          body(i * p.samples + j, y, x, wy, wx, sy, sx, share);
        }
      }
    }
    return count;
  }

  template <class Body>
  int64_t visit(int64_t output, int64_t part, const Body& body) const {
    return visit_samples(output, part, [&](int64_t, const int64_t* y, const int64_t* x, const T* wy, const T* wx,
                                           const T* sy, const T* sx, T share) {
      for (int k = 0; k < 4; ++k) {
        const T slopes[2] = {sy[k / 2] * wx[k % 2] * share, wy[k / 2] * sx[k % 2] * share};
        body(y[k / 2] * p.extent[1] + x[k % 2], wy[k / 2] * wx[k % 2] * share, slopes);
      }
    });
  }
};

// --- samples of turned rectangles ------------------------------------------------------------------------
template <class T>
struct Turned {
  static constexpr int width = 6;
  const PositionedParams& p;
  T center[2], start[2], bin[2], cosine, sine;
  int64_t samples[2];

  Turned(const PositionedParams& params, const T* region, const T*) : p(params) {
    const T angle = region[5] * T(M_PI) / 180;
    cosine = std::cos(angle);
    sine = std::sin(angle);
    for (int d = 0; d < 2; ++d) {
      center[d] = region[2 - d] * T(p.scale);
      const T size = std::max(region[4 - d] * T(p.scale), T(1));
      start[d] = -size / 2;
      bin[d] = size / T(p.pooled[d]);
      samples[d] = p.samples > 0 ? p.samples : int64_t(std::min(std::ceil(bin[d]), T(4096)));
    }
  }

  int64_t channel(int64_t output, int64_t) const { return output; }

  template <class Body>
  int64_t visit(int64_t, int64_t part, const Body& body) const {
    const int64_t place[2] = {part / p.pooled[1], part % p.pooled[1]};
    const int64_t count = samples[0] * samples[1];
    const T none[2] = {0, 0};
    int64_t y[2], x[2];
    T wy[2], wx[2], at[2];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t own[2] = {i / samples[1], i % samples[1]};
      for (int d = 0; d < 2; ++d) {
        at[d] = start[d] + T(place[d]) * bin[d] + (T(own[d]) + T(0.5)) * bin[d] / T(samples[d]);
      }
      if (!find_sample(at[0] * cosine - at[1] * sine + center[0], p.extent[0], y, wy)) continue;
      if (!find_sample(at[0] * sine + at[1] * cosine + center[1], p.extent[1], x, wx)) continue;
      for (int k = 0; k < 4; ++k) {
        body(y[k / 2] * p.extent[1] + x[k % 2], wy[k / 2] * wx[k % 2] / T(count), none);
      }
    }
    return count;
  }
};

// --- kernels ---------------------------------------------------------------------------------------------
template <class T>
std::vector<T> shifts_buffer(const PositionedParams& p) {
  return std::vector<T>(p.displaced ? 2 * p.classes * p.parts * p.parts : 0);
}

template <class T, template <class> class Kind>
int pool(KernelContext& context) {
  const PositionedParams& p = *static_cast<const PositionedParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], parts = p.pooled[0] * p.pooled[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), out(parts), counts(parts), shifts = shifts_buffer<T>(p);
    T region[6];
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * Kind<T>::width, Kind<T>::width, region);
      if (p.displaced) read(context.inputs[2], n * shifts.size(), shifts.size(), shifts.data());
      const int64_t image = image_of(p.images, region);
      const Kind<T> kind(p, region, shifts.data());
      for (int64_t c = 0; c < p.outputs; ++c) {
        int64_t loaded = -1;
        for (int64_t i = 0; i < parts; ++i) {
          out[i] = counts[i] = 0;
          if (image < 0) continue;
          const int64_t channel = kind.channel(c, i);
          if (channel != loaded) read(context.inputs[0], (image * p.channels + channel) * size, size, plane.data());
          loaded = channel;
          T sum = 0;
          counts[i] = T(kind.visit(c, i, [&](int64_t at, T weight, const T*) { sum += weight * plane[at]; }));
          out[i] = sum;
        }
        write(out.data(), context.outputs[0], (n * p.outputs + c) * parts, parts);
        if (context.n_outputs > 1) write(counts.data(), context.outputs[1], (n * p.outputs + c) * parts, parts);
      }
    }
    return 0;
  };
  return parallel(context, p.regions, 1, body);
}

template <class T, template <class> class Kind>
int pool_grad(KernelContext& context) {
  const PositionedParams& p = *static_cast<const PositionedParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], parts = p.pooled[0] * p.pooled[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> sums(size), g(parts), shifts = shifts_buffer<T>(p);
    T region[6];
    for (int64_t k = begin; k < end; ++k) {
      const int64_t channel = k % p.channels;
      std::fill(sums.begin(), sums.end(), T(0));
      for (int64_t n = 0; n < p.regions; ++n) {
        read(context.inputs[1], n * Kind<T>::width, Kind<T>::width, region);
        if (image_of(p.images, region) != k / p.channels) continue;
        if (p.displaced) read(context.inputs[2], n * shifts.size(), shifts.size(), shifts.data());
        const Kind<T> kind(p, region, shifts.data());
        const int64_t output = channel / (p.groups * p.groups);
        if (output >= p.outputs) continue;
        read(context.inputs[0], (n * p.outputs + output) * parts, parts, g.data());
        for (int64_t i = 0; i < parts; ++i) {
          if (kind.channel(output, i) != channel) continue;
          kind.visit(output, i, [&](int64_t at, T weight, const T*) { sums[at] += weight * g[i]; });
        }
      }
      write(sums.data(), context.outputs[0], k * size, size);
    }
    return 0;
  };
  return parallel(context, p.images * p.channels, 1, body);
}

template <class T>
int shift_grad(KernelContext& context) {
  const PositionedParams& p = *static_cast<const PositionedParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], parts = p.pooled[0] * p.pooled[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), g(parts), shifts = shifts_buffer<T>(p), sums(shifts.size());
    T region[5];
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[2], n * 5, 5, region);
      read(context.inputs[3], n * shifts.size(), shifts.size(), shifts.data());
      std::fill(sums.begin(), sums.end(), T(0));
      const int64_t image = image_of(p.images, region);
      const Displaced<T> kind(p, region, shifts.data());
      for (int64_t c = 0; c < p.outputs && image >= 0; ++c) {
        read(context.inputs[0], (n * p.outputs + c) * parts, parts, g.data());
        for (int64_t i = 0; i < parts; ++i) {
          read(context.inputs[1], (image * p.channels + kind.channel(c, i)) * size, size, plane.data());
          T slope[2] = {0, 0};
          kind.visit(c, i, [&](int64_t at, T, const T* slopes) {
            for (int d = 0; d < 2; ++d) slope[d] += slopes[d] * plane[at];
          });
          for (int d = 0; d < 2; ++d) {
            sums[kind.shift_at(c, i, d)] += slope[d] * g[i] * T(p.reach) * kind.size[d];
          }
        }
      }
      write(sums.data(), context.outputs[0], n * sums.size(), sums.size());
    }
    return 0;
  };
  return parallel(context, p.regions, 1, body);
}

// Everything about the parts of a region; elements of one sample or corner lie `all` apart.
template <class T>
int shift_corners(KernelContext& context) {
  const PositionedParams& p = *static_cast<const PositionedParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], parts = p.pooled[0] * p.pooled[1];
  const int64_t own = p.outputs * parts, all = p.regions * own, samples = p.samples * p.samples;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> shifts = shifts_buffer<T>(p), made[4], reach[2];  // made: rows, columns, slopes of both
    std::vector<int64_t> index(4 * samples * own);
    T region[5];
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * 5, 5, region);
      read(context.inputs[0], n * shifts.size(), shifts.size(), shifts.data());
      std::fill(index.begin(), index.end(), int64_t(-1));
      for (auto& values : made) values.assign(2 * samples * own, T(0));
      for (auto& values : reach) values.assign(own, T(0));
      const int64_t image = image_of(p.images, region);
      const Displaced<T> kind(p, region, shifts.data());
      for (int64_t place = 0; place < own; ++place) {
        const int64_t c = place / parts, i = place % parts;
        for (int d = 0; d < 2; ++d) {
          int64_t* at = reinterpret_cast<int64_t*>(context.outputs[5 + d].data);
          at[n * own + place] = n * int64_t(shifts.size()) + kind.shift_at(c, i, d);
          reach[d][place] = T(p.reach) * kind.size[d];
        }
        if (image < 0) continue;
        const int64_t first = (image * p.channels + kind.channel(c, i)) * size;
        kind.visit_samples(c, i, [&](int64_t s, const int64_t* y, const int64_t* x, const T* wy, const T* wx,
                                     const T* sy, const T* sx, T share) {
          for (int k = 0; k < 4; ++k) {
            index[(4 * s + k) * own + place] = first + y[k / 2] * p.extent[1] + x[k % 2];
          }
          for (int k = 0; k < 2; ++k) {
            const int64_t to = (2 * s + k) * own + place;
            made[0][to] = wy[k] * share, made[1][to] = wx[k];
            made[2][to] = sy[k] * share, made[3][to] = sx[k];
          }
        });
      }
      for (int64_t k = 0; k < 4 * samples; ++k) {
        int64_t* to = reinterpret_cast<int64_t*>(context.outputs[0].data) + k * all + n * own;
        std::copy_n(index.data() + k * own, own, to);
      }
      for (int64_t k = 0; k < 2 * samples; ++k) {
        for (int e = 0; e < 4; ++e) write(made[e].data() + k * own, context.outputs[1 + e], k * all + n * own, own);
      }
      for (int d = 0; d < 2; ++d) write(reach[d].data(), context.outputs[7 + d], n * own, own);
    }
    return 0;
  };
  return parallel(context, p.regions, 1, body);
}

}  // namespace

#define MXCY_POOL(NAME, FUNCTION, KIND)                                                     \
  int NAME(KernelContext& context) {                                                        \
    if (context.outputs[0].size == 0) return 0;                                             \
    const bool wide = context.outputs[0].dtype == FLOAT64;                                  \
    return wide ? FUNCTION<double, KIND>(context) : FUNCTION<float, KIND>(context);         \
  }
MXCY_POOL(position_pool_kernel, pool, Whole)
MXCY_POOL(position_pool_grad_kernel, pool_grad, Whole)
MXCY_POOL(displaced_pool_kernel, pool, Displaced)
MXCY_POOL(displaced_pool_grad_kernel, pool_grad, Displaced)
MXCY_POOL(turned_pool_kernel, pool, Turned)
MXCY_POOL(turned_pool_grad_kernel, pool_grad, Turned)
#undef MXCY_POOL

int displaced_pool_shift_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? shift_grad<double>(context) : shift_grad<float>(context);
}

int displaced_pool_corners_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[1].dtype == FLOAT64 ? shift_corners<double>(context) : shift_corners<float>(context);
}

}  // namespace mxcy
