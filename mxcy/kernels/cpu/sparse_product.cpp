// The product of a csr matrix and a dense one; compiled once for each instruction set.  A row of the result
// is the sum of rows of the dense factor, held in registers a block of columns at a time, in the order of the
// elements: so it does not depend on the number of threads.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "sparse.hpp"

#include <algorithm>
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int BLOCK = 4;  // vectors of sums

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(64)));
  static constexpr int lanes = 64 / sizeof(T);
};

// Sums of `width` vectors of columns from `first` on.
template <class T, int width>
MXCY_INLINE void add_columns(const T* data, const int64_t* indices, int64_t begin, int64_t end, const T* dense,
                             int64_t n, T* out) {
  using V = typename Vector<T>::type;
  constexpr int lanes = Vector<T>::lanes;
  V sums[width] = {};
  for (int64_t p = begin; p < end; ++p) {
    const T* row = dense + indices[p] * n;
    for (int k = 0; k < width; ++k) {
      V values;
      std::memcpy(&values, row + k * lanes, sizeof values);
      sums[k] += data[p] * values;
    }
  }
  std::memcpy(out, sums, sizeof sums);
}

template <class T>
void product_row(const T* data, const int64_t* indices, int64_t begin, int64_t end, const T* dense, int64_t n,
                 T* out) {
  constexpr int lanes = Vector<T>::lanes;
  int64_t j = 0;
  for (; j + BLOCK * lanes <= n; j += BLOCK * lanes) {
    add_columns<T, BLOCK>(data, indices, begin, end, dense + j, n, out + j);
  }
  for (; j + lanes <= n; j += lanes) add_columns<T, 1>(data, indices, begin, end, dense + j, n, out + j);
  const int64_t rest = n - j;
  if (rest == 0) return;
  T sums[lanes] = {};
  for (int64_t p = begin; p < end; ++p) {
    const T* row = dense + indices[p] * n + j;
    for (int64_t k = 0; k < rest; ++k) sums[k] += data[p] * row[k];
  }
  std::copy_n(sums, rest, out + j);
}

// One column: four sums, so that they do not wait for each other.
template <class T>
T product_number(const T* data, const int64_t* indices, int64_t begin, int64_t end, const T* dense) {
  T sums[4] = {};
  int64_t p = begin;
  for (; p + 4 <= end; p += 4) {
    for (int k = 0; k < 4; ++k) sums[k] += data[p + k] * dense[indices[p + k]];
  }
  for (; p < end; ++p) sums[0] += data[p] * dense[indices[p]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

bool all_below(const int64_t* indices, int64_t begin, int64_t end, int64_t limit) {
  uint64_t largest = 0;
  for (int64_t i = begin; i < end; ++i) largest = std::max(largest, uint64_t(indices[i]));
  return begin == end || largest < uint64_t(limit);
}

template <class T>
int product(KernelContext& context) {
  const CsrParams& p = *static_cast<const CsrParams*>(context.params);
  const Tensor& data = context.inputs[0];
  const auto* indices = reinterpret_cast<const int64_t*>(context.inputs[1].data);
  const auto* indptr = reinterpret_cast<const int64_t*>(context.inputs[2].data);
  const auto* dense = reinterpret_cast<const T*>(context.inputs[3].data);
  const auto* values = reinterpret_cast<const T*>(data.data);
  T* out = reinterpret_cast<T*>(context.outputs[0].data);
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      int64_t begin, end;
      if (!csr_row(data, indptr, row, begin, end)) {
        return context.failure->fail(FAIL_INDEX, "indptr of row %lld is out of range", (long long)row);
      }
      if (!all_below(indices, begin, end, p.columns)) {
        return context.failure->fail(FAIL_INDEX, "an index in row %lld is out of range for %lld columns",
                                     (long long)row, (long long)p.columns);
      }
      if (p.n == 1) {
        out[row] = product_number(values, indices, begin, end, dense);
        continue;
      }
      product_row(values, indices, begin, end, dense, p.n, out + row * p.n);
    }
    return 0;
  };
  const int64_t work = 8 + (data.size / std::max<int64_t>(1, p.rows) + 1) * p.n;  // of a row, on average
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / work), body);
}

// Every element adds a row of the dense factor to a row of the result, in the order of the elements; threads
// share the columns of the result, so that it does not depend on their number.
template <class T>
int back_product(KernelContext& context) {
  const CsrParams& p = *static_cast<const CsrParams*>(context.params);
  const Tensor& data = context.inputs[0];
  const auto* values = reinterpret_cast<const T*>(data.data);
  const auto* indices = reinterpret_cast<const int64_t*>(context.inputs[1].data);
  const auto* indptr = reinterpret_cast<const int64_t*>(context.inputs[2].data);
  const auto* dense = reinterpret_cast<const T*>(context.inputs[3].data);
  T* out = reinterpret_cast<T*>(context.outputs[0].data);
  std::memset(out, 0, context.outputs[0].nbytes());
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = 0; row < p.rows; ++row) {
      int64_t begin, end;
      if (!csr_row(data, indptr, row, begin, end)) {
        return context.failure->fail(FAIL_INDEX, "indptr of row %lld is out of range", (long long)row);
      }
      if (!all_below(indices, begin, end, p.columns)) {
        return context.failure->fail(FAIL_INDEX, "an index in row %lld is out of range for %lld columns",
                                     (long long)row, (long long)p.columns);
      }
      const T* from = dense + row * p.n;
      for (int64_t i = begin; i < end; ++i) {
        T* to = out + indices[i] * p.n;
        const T value = values[i];
        for (int64_t k = first; k < last; ++k) to[k] += value * from[k];
      }
    }
    return 0;
  };
  const bool small = data.size * p.n < GRAIN;
  return parallel(context, p.n, small ? p.n : Vector<T>::lanes, body);
}

}  // namespace

int csr_back_product_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  switch (context.outputs[0].dtype) {
    case FLOAT64: return back_product<double>(context);
    case INT32: return back_product<int32_t>(context);
    case INT64: return back_product<int64_t>(context);
    default: return back_product<float>(context);
  }
}

int csr_product_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  switch (context.outputs[0].dtype) {
    case FLOAT64: return product<double>(context);
    case INT32: return product<int32_t>(context);
    case INT64: return product<int64_t>(context);
    default: return product<float>(context);
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
