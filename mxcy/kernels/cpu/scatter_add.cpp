// Adding values to places that may coincide, with one result for any number of threads: the points are
// sorted by destination (stably), and every destination adds its values in their order.
#include <complex>
#include <numeric>
#include "half.hpp"
#include "indexing.hpp"
#include "points.hpp"

namespace mxcy {
namespace {

constexpr int64_t BLOCK = 512;
constexpr int DIGIT_BITS = 11;
constexpr int64_t FEW = 16;  // elements of a destination below which the points are not sorted

// Sorts `order` by keys[order[i]], stably; keys are in [0, limit).
void sort_by_key(KernelContext& context, const int64_t* keys, int64_t limit, int64_t* order, int64_t n) {
  std::iota(order, order + n, 0);
  if (n < 256) {
    std::stable_sort(order, order + n, [&](int64_t a, int64_t b) { return keys[a] < keys[b]; });
    return;
  }
  Scratch<int64_t> other(context, n);
  int64_t *from = order, *to = other;
  for (int shift = 0; limit > 1 && shift < 63 && (limit - 1) >> shift; shift += DIGIT_BITS) {
    int64_t starts[(1 << DIGIT_BITS) + 1] = {};
    constexpr int64_t mask = (1 << DIGIT_BITS) - 1;
    for (int64_t i = 0; i < n; ++i) ++starts[((keys[i] >> shift) & mask) + 1];
    for (int64_t d = 0; d < mask; ++d) starts[d + 1] += starts[d];
    for (int64_t i = 0; i < n; ++i) to[starts[(keys[from[i]] >> shift) & mask]++] = from[i];
    std::swap(from, to);
  }
  if (from != order) std::copy_n(from, n, order);
}

// What a sum is held in.
template <class T> struct Accumulator { using type = T; };
template <> struct Accumulator<Float16> { using type = float; };
template <> struct Accumulator<BFloat16> { using type = float; };

template <class T>
T element(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class Sum, class T>
Sum plus(Sum sum, T value) {
  if constexpr (std::is_same_v<T, bool>) return sum | value;
  else if constexpr (std::is_integral_v<T>)
    return Sum(std::make_unsigned_t<T>(sum) + std::make_unsigned_t<T>(value));
  else return sum + static_cast<Sum>(value);
}

// Adds the values at offsets[order[begin..end)] to one run of the destination.
template <class T>
void add_run(char* x, int64_t x_step, const char* v, int64_t v_step, int64_t count, const int64_t* offsets,
             const int64_t* order, int64_t begin, int64_t end) {
  using Sum = typename Accumulator<T>::type;
  Sum sums[BLOCK];
  for (int64_t i = 0; i < count; i += BLOCK) {
    const int64_t n = std::min(BLOCK, count - i);
    for (int64_t k = 0; k < n; ++k) sums[k] = static_cast<Sum>(element<T>(x + (i + k) * x_step));
    for (int64_t p = begin; p < end; ++p) {
      const char* from = v + offsets[order[p]] + i * v_step;
      if (v_step == int64_t(sizeof(T))) {
        for (int64_t k = 0; k < n; ++k) sums[k] = plus(sums[k], element<T>(from + k * sizeof(T)));
      } else {
        for (int64_t k = 0; k < n; ++k) sums[k] = plus(sums[k], element<T>(from + k * v_step));
      }
    }
    for (int64_t k = 0; k < n; ++k) {
      T value = static_cast<T>(sums[k]);
      std::memcpy(x + (i + k) * x_step, &value, sizeof value);
    }
  }
}

using AddRun = void (*)(char*, int64_t, const char*, int64_t, int64_t, const int64_t*, const int64_t*,
                        int64_t, int64_t);
constexpr AddRun ADD_RUN[N_DTYPES] = {
    add_run<bool>,     add_run<int8_t>,  add_run<uint8_t>,  add_run<int16_t>,  add_run<uint16_t>,
    add_run<int32_t>,  add_run<uint32_t>, add_run<int64_t>, add_run<uint64_t>, add_run<Float16>,
    add_run<BFloat16>, add_run<float>,   add_run<double>,   add_run<std::complex<float>>,
    add_run<std::complex<double>>,
};

// The plain loop over points, for destinations of so few elements that sorting would cost more.
template <class T>
void add_points(char* x, const char* v, const int64_t* x_offsets, const int64_t* v_offsets, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    char* to = x + x_offsets[i];
    T sum = plus(element<T>(to), element<T>(v + v_offsets[i]));
    std::memcpy(to, &sum, sizeof sum);
  }
}

using AddPoints = void (*)(char*, const char*, const int64_t*, const int64_t*, int64_t);
// Half types keep their sums in float, so they are always sorted.
constexpr AddPoints ADD_POINTS[N_DTYPES] = {
    add_points<bool>,     add_points<int8_t>,  add_points<uint8_t>, add_points<int16_t>, add_points<uint16_t>,
    add_points<int32_t>,  add_points<uint32_t>, add_points<int64_t>, add_points<uint64_t>, nullptr,
    nullptr,              add_points<float>,   add_points<double>,  add_points<std::complex<float>>,
    add_points<std::complex<double>>,
};

// Position of every point in the indexed axes taken as one.
int64_t point_keys(const IndexParams& params, const Points& points, int64_t* keys) {
  int64_t limit = 1;
  for (int k = 0; k < params.n_indexed; ++k) limit *= points.axis_size(k);
  points.read(0, points.count(), [&](int k, int64_t at, int64_t* index, int64_t n) {
    normalise_indices(index, n, points.axis_size(k), params.mode);
    for (int64_t i = 0; i < n; ++i) keys[at + i] = (k ? keys[at + i] * points.axis_size(k) : 0) + index[i];
  });
  return limit;
}

// Everything but the indexed axes: a row of elements for each destination.
Space unindexed_axes(const IndexParams& params, const Tensor& x, const Tensor& v) {
  const int n_inner = x.ndim - params.n_outer - params.n_indexed, n_rest = params.n_outer + n_inner;
  std::vector<int64_t> shape(n_rest), strides(2 * size_t(n_rest));
  for (int d = 0; d < n_rest; ++d) {
    int in_x = d < params.n_outer ? d : d + params.n_indexed,
        in_v = d < params.n_outer ? d : d + v.ndim - n_rest;
    shape[d] = x.shape[in_x];
    strides[d] = x.strides[in_x];
    strides[n_rest + d] = v.strides[in_v];
  }
  Space rest(n_rest, 2, shape.data(), strides.data());
  rest.normalise(0);
  return rest;
}

// Point after point, a block of them at a time, so that their offsets stay in the cache.
int add_in_order(KernelContext& context, const IndexParams& params, const Points& points, const Space& rest) {
  const Tensor &x = context.outputs[0], &v = context.inputs[0];
  const int64_t n = points.count();
  const AddPoints add = ADD_POINTS[x.dtype];
  int64_t indexed[INDEX_BLOCK], plain[INDEX_BLOCK];
  if (params.mode >= MODE_RAISE) {  // nothing is added if an index is wrong
    for (int64_t i = 0; i < n; i += INDEX_BLOCK) {
      if (!points.indexed_offsets(i, std::min(n, i + INDEX_BLOCK), indexed)) return points.fail(*context.failure);
    }
  }
  int flags = 0;
  for (int64_t i = 0; i < n; i += INDEX_BLOCK) {
    const int64_t end = std::min(n, i + INDEX_BLOCK);
    points.indexed_offsets(i, end, indexed);
    points.plain_offsets(i, end, plain);
    take_fp_flags();
    for_runs<2>(rest, 0, rest.size, [&](const int64_t* offsets, int64_t count) {
      for (int64_t k = 0; k < count; ++k) {
        add(x.data + offsets[0] + k * rest.inner_stride(0), v.data + offsets[1] + k * rest.inner_stride(1),
            indexed, plain, end - i);
      }
    });
    flags |= take_fp_flags();
  }
  context.failure->fp_flags |= flags;
  return 0;
}

}  // namespace

int scatter_add_kernel(KernelContext& context) {
  const IndexParams& params = *static_cast<const IndexParams*>(context.params);
  const Tensor &x = context.outputs[0], &v = context.inputs[0];
  if (v.size == 0) return 0;
  const Points points(params, x, v, context.inputs + 1);
  const int64_t n = points.count();
  take_fp_flags();  // of indices that are NaN
  const Space rest = unindexed_axes(params, x, v);
  if (rest.size < FEW && ADD_POINTS[x.dtype]) return add_in_order(context, params, points, rest);
  Scratch<int64_t> indexed(context, n), plain(context, n);
  if (!points.indexed_offsets(0, n, indexed)) return points.fail(*context.failure);
  points.plain_offsets(0, n, plain);
  take_fp_flags();
  Scratch<int64_t> keys(context, n), order(context, n);
  sort_by_key(context, keys, point_keys(params, points, keys), order, n);
  std::vector<int64_t> starts;  // of the destinations in `order`
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || keys[order[i]] != keys[order[i - 1]]) starts.push_back(i);
  }
  const int64_t destinations = starts.size();
  starts.push_back(n);

  const int64_t pieces = (rest.size + BLOCK - 1) / BLOCK;
  const AddRun add = ADD_RUN[x.dtype];
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t destination = i / pieces, first = i % pieces * BLOCK;
      char* to = x.data + indexed[order[starts[destination]]];
      for_runs<2>(rest, first, std::min(rest.size, first + BLOCK),
                  [&](const int64_t* offsets, int64_t count) {
                    add(to + offsets[0], rest.inner_stride(0), v.data + offsets[1], rest.inner_stride(1),
                        count, plain, order, starts[destination], starts[destination + 1]);
                  });
    }
    return 0;
  };
  const int64_t work = v.size / (destinations * pieces) + 16;  // of one piece, on average
  return parallel(context, destinations * pieces, std::max<int64_t>(1, GRAIN / work), body, true);
}

}  // namespace mxcy
