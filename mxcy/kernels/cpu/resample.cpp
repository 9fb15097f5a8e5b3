// Planes of another size: means of the elements that an element stands for, or bilinear interpolation.
// Both are products of a map along the rows and one along the columns.  One worker does all of a plane.
#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "planes.hpp"

namespace mxcy {
namespace {

// An element of a line is the sum of `weights` times elements [first, first + count) of another line.
struct Terms {
  int64_t first, count, weights;
};

template <class T>
struct Line {
  std::vector<Terms> terms;
  std::vector<T> weights;

  Line(int64_t in, int64_t out, int way) {
    for (int64_t i = 0; i < out; ++i) {
      const int64_t begin = int64_t(weights.size());
      if (way == RESAMPLE_MEAN) {
        const int64_t first = i * in / out, count = ((i + 1) * in + out - 1) / out - first;
        terms.push_back({first, count, begin});
        weights.insert(weights.end(), count, T(1) / T(count));
        continue;
      }
      const double place = source(i, double(in), double(out), way);
      const int64_t first = std::min(int64_t(place), in - 1);
      const T rest = first + 1 < in ? T(place - double(first)) : T(0);
      terms.push_back({first, first + 1 < in ? 2 : 1, begin});
      weights.push_back(1 - rest);
      if (first + 1 < in) weights.push_back(rest);
    }
  }

  static double source(int64_t i, double in, double out, int way) {
    if (out <= 1) return 0;
    if (way == RESAMPLE_CORNERS) return double(i) * (in - 1) / (out - 1);
    return std::max((double(i) + 0.5) * in / out - 0.5, 0.0);
  }
};

template <class T>
int resample(KernelContext& context) {
  const ResampleParams& p = *static_cast<const ResampleParams*>(context.params);
  const Line<T> rows(p.in[0], p.out[0], p.way), columns(p.in[1], p.out[1], p.way);
  const int64_t small = p.in[0] * p.in[1], large = p.out[0] * p.out[1], w = p.in[1];
  const int64_t from_size = p.back ? large : small, to_size = p.back ? small : large;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> from(from_size), to(to_size), between(p.out[0] * w);  // rows are mapped, columns not yet
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * from_size, from_size, from.data());
      std::fill(between.begin(), between.end(), T(0));
      std::fill(to.begin(), to.end(), T(0));
      auto along_rows = [&](const auto& add) {
        for (int64_t i = 0; i < p.out[0]; ++i) {
          const auto& t = rows.terms[i];
          for (int64_t k = 0; k < t.count; ++k) {
            for (int64_t j = 0; j < w; ++j) add(i * w + j, (t.first + k) * w + j, rows.weights[t.weights + k]);
          }
        }
      };
      auto along_columns = [&](const auto& add) {
        for (int64_t i = 0; i < p.out[0]; ++i) {
          for (int64_t j = 0; j < p.out[1]; ++j) {
            const auto& t = columns.terms[j];
            for (int64_t k = 0; k < t.count; ++k) {
              add(i * p.out[1] + j, i * w + t.first + k, columns.weights[t.weights + k]);
            }
          }
        }
      };
      if (p.back) {
        along_columns([&](int64_t a, int64_t b, T weight) { between[b] += weight * from[a]; });
        along_rows([&](int64_t a, int64_t b, T weight) { to[b] += weight * between[a]; });
      } else {
        along_rows([&](int64_t a, int64_t b, T weight) { between[a] += weight * from[b]; });
        along_columns([&](int64_t a, int64_t b, T weight) { to[a] += weight * between[b]; });
      }
      write(to.data(), context.outputs[0], n * to_size, to_size);
    }
    return 0;
  };
  return parallel(context, p.planes, 1, body);
}

}  // namespace

int resample_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? resample<double>(context) : resample<float>(context);
}

}  // namespace mxcy
