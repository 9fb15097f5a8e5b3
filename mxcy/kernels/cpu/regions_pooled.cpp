// Pooling of regions of images.  One worker does all channels of a region, or, of gradients, a channel of
// all regions of an image.
#include "regions.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "region_samples.hpp"

namespace mxcy {
namespace {

// --- largest elements ------------------------------------------------------------------------------------

int64_t rounded(double x, int64_t limit) {
  return int64_t(std::max(-double(limit), std::min(double(limit), std::round(x))));
}

// Of both axes of a region the elements [begin, end) of part i.
template <class T>
struct Parts {
  int64_t start[2];
  T size[2];

  Parts(const RegionParams& p, const T* region) {
    for (int d = 0; d < 2; ++d) {
      const T scale = T(p.scale);
      start[d] = rounded(region[2 - d] * scale, int64_t(1) << 40);
      const int64_t last = rounded(region[4 - d] * scale, int64_t(1) << 40);
      size[d] = T(std::max<int64_t>(last - start[d] + 1, 1)) / T(p.pooled[d]);
    }
  }

  void range(const RegionParams& p, int d, int64_t i, int64_t* begin, int64_t* end) const {
    const int64_t low = int64_t(std::floor(T(i) * size[d])) + start[d];
    const int64_t high = int64_t(std::ceil(T(i + 1) * size[d])) + start[d];
    *begin = std::min(std::max<int64_t>(low, 0), p.extent[d]);
    *end = std::min(std::max<int64_t>(high, 0), p.extent[d]);
  }
};

// Calls body(out, element) for every part of a region in a plane; element -1: there is none.
template <class T, class Body>
void visit_largest(const RegionParams& p, const Parts<T>& parts, const T* plane, const Body& body) {
  int64_t rows[2], columns[2];
  for (int64_t i = 0; i < p.pooled[0]; ++i) {
    parts.range(p, 0, i, &rows[0], &rows[1]);
    for (int64_t j = 0; j < p.pooled[1]; ++j) {
      parts.range(p, 1, j, &columns[0], &columns[1]);
      int64_t best = -1;
      for (int64_t y = rows[0]; y < rows[1]; ++y) {
        for (int64_t x = columns[0]; x < columns[1]; ++x) {
          const int64_t at = y * p.extent[1] + x;
          if (best < 0 || plane[at] > plane[best]) best = at;
        }
      }
      body(i * p.pooled[1] + j, best);
    }
  }
}

template <class T>
int pool(KernelContext& context) {
  const RegionParams& p = *static_cast<const RegionParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], count = p.pooled[0] * p.pooled[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), out(count);
    T region[5];
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * 5, 5, region);
      const int64_t image = image_of(p.images, region);
      const Parts<T> parts(p, region);
      for (int64_t c = 0; c < p.channels; ++c) {
        std::fill(out.begin(), out.end(), T(0));
        if (image >= 0) {
          read(context.inputs[0], (image * p.channels + c) * size, size, plane.data());
          visit_largest(p, parts, plane.data(), [&](int64_t i, int64_t at) { out[i] = at < 0 ? 0 : plane[at]; });
        }
        write(out.data(), context.outputs[0], (n * p.channels + c) * count, count);
      }
    }
    return 0;
  };
  return parallel(context, p.regions, 1, body);
}

template <class T>
int pool_grad(KernelContext& context) {
  const RegionParams& p = *static_cast<const RegionParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], count = p.pooled[0] * p.pooled[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), g(count), sums(size);
    T region[5];
    for (int64_t k = begin; k < end; ++k) {
      read(context.inputs[1], k * size, size, plane.data());
      std::fill(sums.begin(), sums.end(), T(0));
      for (int64_t n = 0; n < p.regions; ++n) {
        read(context.inputs[2], n * 5, 5, region);
        if (image_of(p.images, region) != k / p.channels) continue;
        read(context.inputs[0], (n * p.channels + k % p.channels) * count, count, g.data());
        visit_largest(p, Parts<T>(p, region), plane.data(), [&](int64_t i, int64_t at) {
          if (at >= 0) sums[at] += g[i];
        });
      }
      write(sums.data(), context.outputs[0], k * size, size);
    }
    return 0;
  };
  return parallel(context, p.images * p.channels, 1, body);
}

// --- means of samples ------------------------------------------------------------------------------------
// Where the samples of a region lie.
template <class T>
struct Grid {
  T start[2], bin[2];
  int64_t samples[2];

  Grid(const RegionParams& p, const T* region) {
    const T shift = p.aligned ? T(0.5) : T(0);
    for (int d = 0; d < 2; ++d) {
      start[d] = region[2 - d] * T(p.scale) - shift;
      T length = region[4 - d] * T(p.scale) - shift - start[d];
      if (!p.aligned) length = std::max(length, T(1));
      bin[d] = length / T(p.pooled[d]);
      const double wanted = std::ceil(double(bin[d]));
      samples[d] = p.samples > 0 ? p.samples : int64_t(std::max(0.0, std::min(wanted, 4096.0)));
    }
  }
};

// Calls body(out, element, weight) for all that part i of a region is made of.
template <class T, class Body>
void visit_samples(const RegionParams& p, const Grid<T>& grid, int64_t out, const Body& body) {
  const int64_t part[2] = {out / p.pooled[1], out % p.pooled[1]};
  const T count = T(std::max<int64_t>(grid.samples[0] * grid.samples[1], 1));
  int64_t y[2], x[2];
  T wy[2], wx[2];
  auto place = [&](int d, int64_t i) {
    return grid.start[d] + T(part[d]) * grid.bin[d] + (T(i) + T(0.5)) * grid.bin[d] / T(grid.samples[d]);
  };
  for (int64_t i = 0; i < grid.samples[0]; ++i) {
    if (!find_sample(place(0, i), p.extent[0], y, wy)) continue;
    for (int64_t j = 0; j < grid.samples[1]; ++j) {
      if (!find_sample(place(1, j), p.extent[1], x, wx)) continue;
      for (int k = 0; k < 4; ++k) {
        body(y[k / 2] * p.extent[1] + x[k % 2], wy[k / 2] * wx[k % 2] / count);
      }
    }
  }
}

template <class T>
int align(KernelContext& context) {
  const RegionParams& p = *static_cast<const RegionParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], count = p.pooled[0] * p.pooled[1];
  const int64_t each = p.by_position ? count : 1;  // channels that an output channel reads
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> planes(each * size), out(count);
    T region[5];
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * 5, 5, region);
      const int64_t image = image_of(p.images, region);
      const Grid<T> grid(p, region);
      for (int64_t c = 0; c < p.outputs; ++c) {
        std::fill(out.begin(), out.end(), T(0));
        if (image >= 0) {
          read(context.inputs[0], (image * p.channels + c * each) * size, each * size, planes.data());
          for (int64_t i = 0; i < count; ++i) {
            const T* plane = planes.data() + (p.by_position ? i * size : 0);
            visit_samples(p, grid, i, [&](int64_t at, T weight) { out[i] += weight * plane[at]; });
          }
        }
        write(out.data(), context.outputs[0], (n * p.outputs + c) * count, count);
      }
    }
    return 0;
  };
  return parallel(context, p.regions, 1, body);
}

template <class T>
int align_grad(KernelContext& context) {
  const RegionParams& p = *static_cast<const RegionParams*>(context.params);
  const int64_t size = p.extent[0] * p.extent[1], count = p.pooled[0] * p.pooled[1];
  const int64_t each = p.by_position ? count : 1;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> sums(size), g(count);
    T region[5];
    for (int64_t k = begin; k < end; ++k) {
      const int64_t channel = k % p.channels;
      std::fill(sums.begin(), sums.end(), T(0));
      for (int64_t n = 0; n < p.regions; ++n) {
        read(context.inputs[1], n * 5, 5, region);
        if (image_of(p.images, region) != k / p.channels) continue;
        const Grid<T> grid(p, region);
        read(context.inputs[0], (n * p.outputs + channel / each) * count, count, g.data());
        const int64_t first = p.by_position ? channel % each : 0, last = p.by_position ? first + 1 : count;
        for (int64_t i = first; i < last; ++i) {
          visit_samples(p, grid, i, [&](int64_t at, T weight) { sums[at] += weight * g[i]; });
        }
      }
      write(sums.data(), context.outputs[0], k * size, size);
    }
    return 0;
  };
  return parallel(context, p.images * p.channels, 1, body);
}

}  // namespace

int roi_pool_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? pool<double>(context) : pool<float>(context);
}

int roi_pool_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? pool_grad<double>(context) : pool_grad<float>(context);
}

int roi_align_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? align<double>(context) : align<float>(context);
}

int roi_align_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? align_grad<double>(context) : align_grad<float>(context);
}

}  // namespace mxcy
