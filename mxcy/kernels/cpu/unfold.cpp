// Windows of planes as columns, and columns added up to planes.  One worker does all of a plane.
#include <algorithm>
#include <vector>
#include "blocks.hpp"
#include "planes.hpp"

namespace mxcy {
namespace {

int64_t volume(const int64_t* n) { return n[0] * n[1] * n[2]; }

// The columns of one tap and the elements that they show: calls body(column, element).
template <class Body>
void visit_tap(const UnfoldParams& p, const int64_t* tap, const Body& body) {
  int64_t from[3], column = 0, at[3];
  for (int d = 0; d < 3; ++d) from[d] = tap[d] * p.dilate[d] - p.pad[d];
  for (at[0] = 0; at[0] < p.out[0]; ++at[0]) {
    const int64_t z = at[0] * p.stride[0] + from[0];
    for (at[1] = 0; at[1] < p.out[1]; ++at[1], column += p.out[2]) {
      const int64_t y = at[1] * p.stride[1] + from[1];
      if (z < 0 || z >= p.in[0] || y < 0 || y >= p.in[1]) continue;
      const int64_t line = (z * p.in[1] + y) * p.in[2], step = p.stride[2];
      const int64_t begin = from[2] < 0 ? (-from[2] + step - 1) / step : 0;
      const int64_t room = p.in[2] - from[2];
      const int64_t end = room <= 0 ? 0 : std::min(p.out[2], (room + step - 1) / step);
      for (int64_t i = begin; i < end; ++i) body(column + i, line + from[2] + i * step);
    }
  }
}

template <class Body>
void visit_taps(const UnfoldParams& p, const Body& body) {
  int64_t tap[3], row = 0;
  for (tap[0] = 0; tap[0] < p.kernel[0]; ++tap[0]) {
    for (tap[1] = 0; tap[1] < p.kernel[1]; ++tap[1]) {
      for (tap[2] = 0; tap[2] < p.kernel[2]; ++tap[2]) body(tap, row++);
    }
  }
}

template <class T>
int unfold(KernelContext& context) {
  const UnfoldParams& p = *static_cast<const UnfoldParams*>(context.params);
  const int64_t size = volume(p.in), count = volume(p.out), rows = volume(p.kernel);
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), columns(count);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * size, size, plane.data());
      visit_taps(p, [&](const int64_t* tap, int64_t row) {
        std::fill(columns.begin(), columns.end(), T(0));
        visit_tap(p, tap, [&](int64_t column, int64_t element) { columns[column] = plane[element]; });
        write(columns.data(), context.outputs[0], (n * rows + row) * count, count);
      });
    }
    return 0;
  };
  return parallel(context, p.planes, 1, body);
}

template <class T>
int fold(KernelContext& context) {
  const UnfoldParams& p = *static_cast<const UnfoldParams*>(context.params);
  const int64_t size = volume(p.in), count = volume(p.out), rows = volume(p.kernel);
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> plane(size), columns(count);
    for (int64_t n = begin; n < end; ++n) {
      std::fill(plane.begin(), plane.end(), T(0));
      visit_taps(p, [&](const int64_t* tap, int64_t row) {
        read(context.inputs[0], (n * rows + row) * count, count, columns.data());
        visit_tap(p, tap, [&](int64_t column, int64_t element) { plane[element] += columns[column]; });
      });
      write(plane.data(), context.outputs[0], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.planes, 1, body);
}

}  // namespace

int unfold_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? unfold<double>(context) : unfold<float>(context);
}

int fold_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? fold<double>(context) : fold<float>(context);
}

}  // namespace mxcy
