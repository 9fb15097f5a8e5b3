// Patches of one image compared with displaced patches of another.
#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "displaced.hpp"

namespace mxcy {
namespace {

struct Displacement {
  int64_t y, x;
};

// The displacements, in the order of the result's channels.
std::vector<Displacement> displacements(const CorrelationParams& p) {
  std::vector<Displacement> found;
  const int64_t radius = p.reach / p.step;
  for (int64_t y = -radius; y <= radius; ++y) {
    for (int64_t x = -radius; x <= radius; ++x) found.push_back({y * p.step, x * p.step});
  }
  return found;
}

// Calls body(place of the result, element of the first, element of the second) for all pairs of a plane
// of which at least one is inside; -1 stands for the other.
template <class Body>
void visit_pairs(const CorrelationParams& p, const Displacement& by, const Body& body) {
  auto place = [&](int64_t y, int64_t x) {
    y -= p.pad, x -= p.pad;
    const bool inside = y >= 0 && x >= 0 && y < p.extent[0] && x < p.extent[1];
    return inside ? y * p.extent[1] + x : int64_t(-1);
  };
  for (int64_t i = 0; i < p.result[0]; ++i) {
    for (int64_t j = 0; j < p.result[1]; ++j) {
      const int64_t y = i * p.stride + p.reach, x = j * p.stride + p.reach;
      for (int64_t h = y; h < y + p.kernel; ++h) {
        for (int64_t w = x; w < x + p.kernel; ++w) {
          const int64_t a = place(h, w), b = place(h + by.y, w + by.x);
          if (a >= 0 || b >= 0) body(i * p.result[1] + j, a, b);
        }
      }
    }
  }
}

template <class T>
int correlate(KernelContext& context) {
  const CorrelationParams& p = *static_cast<const CorrelationParams*>(context.params);
  const std::vector<Displacement> all = displacements(p);
  const int64_t size = p.extent[0] * p.extent[1], count = p.result[0] * p.result[1], shifts = all.size();
  const T scale = T(1) / T(p.kernel * p.kernel * p.channels);
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> first(size), second(size), sums(count);
    for (int64_t n = begin; n < end; ++n) {
      const int64_t image = n / shifts;
      std::fill(sums.begin(), sums.end(), T(0));
      for (int64_t c = 0; c < p.channels; ++c) {
        read(context.inputs[0], (image * p.channels + c) * size, size, first.data());
        read(context.inputs[1], (image * p.channels + c) * size, size, second.data());
        visit_pairs(p, all[n % shifts], [&](int64_t to, int64_t a, int64_t b) {
          const T u = a < 0 ? T(0) : first[a], v = b < 0 ? T(0) : second[b];
          sums[to] += p.multiplies ? u * v : std::abs(u - v);
        });
      }
      for (T& sum : sums) sum *= scale;
      write(sums.data(), context.outputs[0], n * count, count);
    }
    return 0;
  };
  return parallel(context, p.batches * shifts, 1, body);
}

template <class T>
int correlate_grad(KernelContext& context) {
  const CorrelationParams& p = *static_cast<const CorrelationParams*>(context.params);
  const std::vector<Displacement> all = displacements(p);
  const int64_t size = p.extent[0] * p.extent[1], count = p.result[0] * p.result[1], shifts = all.size();
  const T scale = T(1) / T(p.kernel * p.kernel * p.channels);
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> first(size), second(size), g(count), g_first(size), g_second(size);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * size, size, first.data());
      read(context.inputs[2], n * size, size, second.data());
      std::fill(g_first.begin(), g_first.end(), T(0));
      std::fill(g_second.begin(), g_second.end(), T(0));
      for (int64_t s = 0; s < shifts; ++s) {
        read(context.inputs[0], (n / p.channels * shifts + s) * count, count, g.data());
        visit_pairs(p, all[s], [&](int64_t from, int64_t a, int64_t b) {
          const T u = a < 0 ? T(0) : first[a], v = b < 0 ? T(0) : second[b], head = g[from] * scale;
          const T sign = u >= v ? T(1) : T(-1);
          if (a >= 0) g_first[a] += head * (p.multiplies ? v : sign);
          if (b >= 0) g_second[b] += head * (p.multiplies ? u : -sign);
        });
      }
      write(g_first.data(), context.outputs[0], n * size, size);
      write(g_second.data(), context.outputs[1], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.batches * p.channels, 1, body);
}

}  // namespace

int correlation_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? correlate<double>(context) : correlate<float>(context);
}

int correlation_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? correlate_grad<double>(context) : correlate_grad<float>(context);
}

}  // namespace mxcy
