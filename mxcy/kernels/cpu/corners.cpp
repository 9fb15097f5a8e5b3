// Sums over corners.  One worker does a plane, or, of products, the planes of a group, so that every sum has
// one order whatever the number of threads.
#include "corners.hpp"

#include <algorithm>
#include <vector>
#include "blocks.hpp"

namespace mxcy {
namespace {

const int64_t* positions(const Tensor& t, const CornersParams& p, int64_t group) {
  return reinterpret_cast<const int64_t*>(t.data) + group * p.corners * p.places;
}

// The weights of the group of a plane, read when it changes.
template <class T>
class Weights {
 public:
  Weights(const CornersParams& params, const Tensor& index, const Tensor& weight)
      : p_(params), index_(index), weight_(weight), values_(params.corners * params.places) {}

  // Calls body(place, position, weight) for all corners inside of the plane.
  template <class Body>
  void visit(int64_t plane, const Body& body) {
    const int64_t group = plane / p_.channels;
    if (group != loaded_) read(weight_, group * values_.size(), values_.size(), values_.data());
    loaded_ = group;
    const int64_t* at = positions(index_, p_, group);
    const T* value = values_.data();
    for (int64_t k = 0; k < p_.corners; ++k) {
      for (int64_t i = 0; i < p_.places; ++i, ++at, ++value) {
        if (uint64_t(*at) < uint64_t(p_.size)) body(i, *at, *value);
      }
    }
  }

 private:
  const CornersParams& p_;
  const Tensor &index_, &weight_;
  std::vector<T> values_;
  int64_t loaded_ = -1;
};

template <class T>
int sums(KernelContext& context, bool gathers) {
  const CornersParams& p = *static_cast<const CornersParams*>(context.params);
  const int64_t from = gathers ? p.size : p.places, to = gathers ? p.places : p.size;
  auto body = [&](int64_t begin, int64_t end) {
    Weights<T> weights(p, context.inputs[1], context.inputs[2]);
    std::vector<T> given(from), made(to);
    for (int64_t plane = begin; plane < end; ++plane) {
      read(context.inputs[0], plane * from, from, given.data());
      std::fill(made.begin(), made.end(), T(0));
      if (gathers) {
        weights.visit(plane, [&](int64_t i, int64_t at, T weight) { made[i] += weight * given[at]; });
      } else {
        weights.visit(plane, [&](int64_t i, int64_t at, T weight) { made[at] += weight * given[i]; });
      }
      write(made.data(), context.outputs[0], plane * to, to);
    }
    return 0;
  };
  return parallel(context, p.batches * p.groups * p.channels, 1, body);
}

template <class T>
int products(KernelContext& context) {
  const CornersParams& p = *static_cast<const CornersParams*>(context.params);
  const int64_t count = p.corners * p.places;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> head(p.places), plane(p.size), made(count);
    for (int64_t group = begin; group < end; ++group) {
      const int64_t* at = positions(context.inputs[2], p, group);
      std::fill(made.begin(), made.end(), T(0));
      for (int64_t c = group * p.channels; c < (group + 1) * p.channels; ++c) {
        read(context.inputs[0], c * p.places, p.places, head.data());
        read(context.inputs[1], c * p.size, p.size, plane.data());
        for (int64_t i = 0; i < count; ++i) {
          if (uint64_t(at[i]) < uint64_t(p.size)) made[i] += head[i % p.places] * plane[at[i]];
        }
      }
      write(made.data(), context.outputs[0], group * count, count);
    }
    return 0;
  };
  return parallel(context, p.batches * p.groups, 1, body);
}

}  // namespace

int gather_corners_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? sums<double>(context, true) : sums<float>(context, true);
}

int scatter_corners_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? sums<double>(context, false) : sums<float>(context, false);
}

int corner_products_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? products<double>(context) : products<float>(context);
}

}  // namespace mxcy
