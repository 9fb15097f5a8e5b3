// Boxes: how much they overlap, and which of those that overlap are kept.
#include <algorithm>
#include <numeric>
#include <vector>
#include "blocks.hpp"
#include "box.hpp"
#include "regions.hpp"

namespace mxcy {
namespace {

template <class T>
int overlap(KernelContext& context) {
  const OverlapParams& p = *static_cast<const OverlapParams*>(context.params);
  std::vector<T> right(p.right * 4);
  read(context.inputs[1], 0, p.right * 4, right.data());
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> line(p.right);
    T left[4];
    for (int64_t i = begin; i < end; ++i) {
      read(context.inputs[0], i * 4, 4, left);
      const Box<T> box(left, p.centers);
      for (int64_t j = 0; j < p.right; ++j) line[j] = box.overlap(Box<T>(&right[j * 4], p.centers));
      write(line.data(), context.outputs[0], i * p.right, p.right);
    }
    return 0;
  };
  return parallel(context, p.left, 1 + 10000 / p.right, body);
}

// The rows that are kept, best first.
template <class T>
std::vector<int64_t> kept_rows(const SuppressParams& p, const T* rows) {
  auto score = [&](int64_t i) { return rows[i * p.width + p.score]; };
  auto id = [&](int64_t i) { return int64_t(rows[i * p.width + p.id]); };
  std::vector<int64_t> order, kept;
  for (int64_t i = 0; i < p.boxes; ++i) {
    const bool background = p.id >= 0 && id(i) == p.background;
    if (score(i) > T(p.valid) && !background) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score(a) > score(b); });
  if (p.most > 0 && int64_t(order.size()) > p.most) order.resize(p.most);
  for (int64_t i : order) {
    const Box<T> box(rows + i * p.width + p.coordinates, p.centers_in);
    const bool overlapped = std::any_of(kept.begin(), kept.end(), [&](int64_t k) {
      if (!p.all_classes && p.id >= 0 && id(i) != id(k)) return false;
      return Box<T>(rows + k * p.width + p.coordinates, p.centers_in).overlap(box) > T(p.overlap);
    });
    if (!overlapped) kept.push_back(i);
  }
  return kept;
}

// Corners from a centre and extents, or the other way round.
template <class T>
void convert(T* at, bool to_center) {
  for (int d = 0; d < 2; ++d) {
    const T a = at[d], b = at[2 + d];
    at[d] = to_center ? (a + b) / 2 : a - b / 2;
    at[2 + d] = to_center ? b - a : a + b / 2;
  }
}

template <class T>
int suppress(KernelContext& context) {
  const SuppressParams& p = *static_cast<const SuppressParams*>(context.params);
  const int64_t size = p.boxes * p.width;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> rows(size), out(size);
    for (int64_t n = begin; n < end; ++n) {
      int64_t* positions = reinterpret_cast<int64_t*>(context.outputs[1].data) + n * p.boxes;
      read(context.inputs[0], n * size, size, rows.data());
      std::vector<int64_t> kept;
      if (p.most == 0) {  // nothing is looked at
        kept.resize(p.boxes);
        std::iota(kept.begin(), kept.end(), int64_t(0));
      } else {
        kept = kept_rows(p, rows.data());
      }
      std::fill(out.begin(), out.end(), T(-1));
      std::fill(positions, positions + p.boxes, int64_t(-1));
      for (size_t i = 0; i < kept.size(); ++i) {
        T* row = &out[i * p.width];
        std::copy_n(&rows[kept[i] * p.width], p.width, row);
        if (p.most != 0 && p.centers_in != p.centers_out) convert(row + p.coordinates, p.centers_out);
        positions[i] = kept[i];
      }
      write(out.data(), context.outputs[0], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

template <class T>
int suppress_back(KernelContext& context) {
  const SuppressParams& p = *static_cast<const SuppressParams*>(context.params);
  const int64_t size = p.boxes * p.width;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> rows(size), out(size);
    for (int64_t n = begin; n < end; ++n) {
      const int64_t* positions = reinterpret_cast<const int64_t*>(context.inputs[1].data) + n * p.boxes;
      read(context.inputs[0], n * size, size, rows.data());
      std::fill(out.begin(), out.end(), T(0));
      for (int64_t i = 0; i < p.boxes; ++i) {
        if (positions[i] < 0 || positions[i] >= p.boxes) continue;
        std::copy_n(&rows[i * p.width], p.width, &out[positions[i] * p.width]);
      }
      write(out.data(), context.outputs[0], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

}  // namespace

int box_overlap_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? overlap<double>(context) : overlap<float>(context);
}

int suppress_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? suppress<double>(context) : suppress<float>(context);
}

int suppress_back_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? suppress_back<double>(context) : suppress_back<float>(context);
}

}  // namespace mxcy
