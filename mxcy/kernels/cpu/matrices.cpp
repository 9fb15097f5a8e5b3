#include "matrices.hpp"

#include <algorithm>
#include <cmath>
#include "mxcy/native/launch.hpp"

namespace mxcy {
namespace {

constexpr int64_t COLUMNS = 128;  // right-hand sides that are solved together, so that they stay in cache

template <class T>
void solve(const T* a, T* b, int64_t m, int64_t p, int64_t begin, int64_t end, bool lower, bool transpose) {
  const bool forward = lower != transpose;
  for (int64_t step = 0; step < m; ++step) {
    const int64_t i = forward ? step : m - 1 - step;
    T* row = b + i * p;
    for (int64_t done = 0; done < step; ++done) {
      const int64_t j = forward ? done : m - 1 - done;
      const T factor = transpose ? a[j * m + i] : a[i * m + j];
      const T* known = b + j * p;
      for (int64_t k = begin; k < end; ++k) row[k] -= factor * known[k];
    }
    const T pivot = a[i * m + i];
    for (int64_t k = begin; k < end; ++k) row[k] /= pivot;
  }
}

template <class T>
int solve_all(KernelContext& context) {
  const TriangularParams& p = *static_cast<const TriangularParams*>(context.params);
  const T* a = reinterpret_cast<const T*>(context.inputs[0].data);
  T* b = reinterpret_cast<T*>(context.outputs[0].data);
  const int64_t pieces = (p.p + COLUMNS - 1) / COLUMNS;
  const double unit_ns = 0.3 * double(p.m) * double(p.m) * double(std::min(p.p, COLUMNS)) + 10;
  const int64_t grain = std::max<int64_t>(1, int64_t(20000 / unit_ns));
  return parallel(context, p.count * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t matrix = unit / pieces, first = unit % pieces * COLUMNS;
      solve(a + matrix * p.m * p.m, b + matrix * p.m * p.p, p.m, p.p, first, std::min(first + COLUMNS, p.p),
            p.lower, p.transpose);
    }
    return 0;
  });
}

template <class T>
T dot(const T* x, const T* y, int64_t n) {
  T total = 0;
  for (int64_t k = 0; k < n; ++k) total += x[k] * y[k];
  return total;
}

// row -= tau (row . v) v, where v is 1 followed by `rest`.
template <class T>
void reflect(T* row, const T* rest, int64_t n, T tau) {
  const T w = tau * (row[0] + dot(row + 1, rest, n));
  row[0] -= w;
  for (int64_t k = 0; k < n; ++k) row[1 + k] -= w * rest[k];
}

// Householder reflections from the right, row by row; then Q from the last reflection to the first.
template <class T>
void lq(T* a, T* l, T* vectors, T* taus, int64_t m, int64_t n) {
  for (int64_t k = 0; k < m; ++k) {
    T* row = a + k * n + k;
    const int64_t rest = n - k - 1;
    const T norm = std::sqrt(dot(row + 1, row + 1, rest));
    taus[k] = 0;
    T* v = vectors + k * n;
    std::fill_n(v, rest, T(0));
    if (norm != 0) {
      const T beta = -std::copysign(std::hypot(row[0], norm), row[0]);
      taus[k] = (beta - row[0]) / beta;
      for (int64_t j = 0; j < rest; ++j) v[j] = row[1 + j] / (row[0] - beta);
      for (int64_t i = k + 1; i < m; ++i) reflect(a + i * n + k, v, rest, taus[k]);
      row[0] = beta;
    }
  }
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < m; ++j) l[i * m + j] = j <= i ? a[i * n + j] : T(0);
    T* row = a + i * n;
    std::fill_n(row, n, T(0));
    row[i] = 1;
    for (int64_t k = i; k >= 0; --k) reflect(row + k, vectors + k * n, n - k - 1, taus[k]);
  }
}

template <class T>
int lq_all(KernelContext& context) {
  const Tensor& q = context.outputs[0];
  const int64_t m = q.shape[q.ndim - 2], n = q.shape[q.ndim - 1];
  if (m == 0 || q.size == 0) return 0;
  T* a = reinterpret_cast<T*>(q.data);
  T* l = reinterpret_cast<T*>(context.outputs[1].data);
  const double unit_ns = 1.0 * double(m) * double(m) * double(n) + 50;
  const int64_t grain = std::max<int64_t>(1, int64_t(20000 / unit_ns));
  return parallel(context, q.size / (m * n), grain, [&](int64_t begin, int64_t end) {
    Scratch<T> scratch(context, m * n + m);
    for (int64_t i = begin; i < end; ++i) lq<T>(a + i * m * n, l + i * m * m, scratch, scratch + m * n, m, n);
    return 0;
  });
}

}  // namespace

int solve_triangular_kernel(KernelContext& context) {
  return context.outputs[0].dtype == FLOAT32 ? solve_all<float>(context) : solve_all<double>(context);
}

int lq_kernel(KernelContext& context) {
  return context.outputs[0].dtype == FLOAT32 ? lq_all<float>(context) : lq_all<double>(context);
}

int matrix_loop_kernel(KernelContext& context) {
  const MatrixLoopParams& p = *static_cast<const MatrixLoopParams*>(context.params);
  const int n = context.n_inputs + context.n_outputs;
  char* data[MAX_MATRICES];
  intptr_t steps[3 * MAX_MATRICES];  // from matrix to matrix, then those of the core axes
  int next = n;
  for (int i = 0; i < n; ++i) {
    const Tensor& t = i < context.n_inputs ? context.inputs[i] : context.outputs[i - context.n_inputs];
    data[i] = t.data;
    intptr_t size = ITEMSIZE[t.dtype];
    for (int axis = t.ndim - p.core[i]; axis < t.ndim; ++axis) steps[next++] = t.strides[axis];
    for (int axis = t.ndim - p.core[i]; axis < t.ndim; ++axis) size *= t.shape[axis];
    steps[i] = size;
  }
  const int64_t grain = std::max<int64_t>(1, int64_t(20000 / p.matrix_ns));
  const int code = parallel(context, p.count, grain, [&](int64_t begin, int64_t end) {
    char* args[MAX_MATRICES];
    for (int i = 0; i < n; ++i) args[i] = data[i] + begin * steps[i];
    const intptr_t dimensions[2] = {intptr_t(end - begin), p.extent};
    p.loop(args, dimensions, steps, p.data);
    return (take_fp_flags() & FP_INVALID) && p.failed ? 1 : 0;
  });
  return code == 0 ? 0 : context.failure->fail(FAIL_VALUE, "%s", p.failed);
}

}  // namespace mxcy
