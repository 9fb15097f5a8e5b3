// Conversions of csr matrices and gathering of rows.
#include "sparse.hpp"

#include <algorithm>
#include <complex>
#include <cstring>
#include "half.hpp"
#include "runs.hpp"

namespace mxcy {
namespace {

int64_t* numbers(const Tensor& t) { return reinterpret_cast<int64_t*>(t.data); }

const CsrParams& params_of(const KernelContext& context) {
  return *static_cast<const CsrParams*>(context.params);
}

int wrong_row(KernelContext& context, int64_t row) {
  return context.failure->fail(FAIL_INDEX, "indptr of row %lld is out of range", (long long)row);
}

int wrong_column(KernelContext& context, int64_t index) {
  return context.failure->fail(FAIL_INDEX, "index %lld is out of range for %lld columns", (long long)index,
                               (long long)params_of(context).columns);
}

template <class T>
bool is_zero(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value == T(0);
}

// The sign is the highest bit of both half types.
bool is_zero_half(const char* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & 0x7fff) == 0;
}

using IsZero = bool (*)(const char*);
constexpr IsZero IS_ZERO[N_DTYPES] = {
    is_zero<uint8_t>,  is_zero<int8_t>,   is_zero<uint8_t>,  is_zero<int16_t>, is_zero<uint16_t>,
    is_zero<int32_t>,  is_zero<uint32_t>, is_zero<int64_t>,  is_zero<uint64_t>, is_zero_half,
    is_zero_half,      is_zero<float>,    is_zero<double>,   is_zero<std::complex<float>>,
    is_zero<std::complex<double>>,
};

}  // namespace

int csr_transpose_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Tensor& data = context.inputs[0];
  const int64_t *indices = numbers(context.inputs[1]), *indptr = numbers(context.inputs[2]);
  char* data_t = context.outputs[0].data;
  int64_t *rows_t = numbers(context.outputs[1]), *indptr_t = numbers(context.outputs[2]);
  const int64_t itemsize = ITEMSIZE[data.dtype];
  std::fill_n(indptr_t, p.columns + 1, 0);
  for (int64_t row = 0; row < p.rows; ++row) {
    int64_t begin, end;
    if (!csr_row(data, indptr, row, begin, end)) return wrong_row(context, row);
    for (int64_t i = begin; i < end; ++i) {
      if (uint64_t(indices[i]) >= uint64_t(p.columns)) return wrong_column(context, indices[i]);
      ++indptr_t[indices[i] + 1];
    }
  }
  for (int64_t column = 0; column < p.columns; ++column) indptr_t[column + 1] += indptr_t[column];
  // Every piece puts the elements of its own columns, in the order of the rows.
  auto body = [&](int64_t first, int64_t last) {
    Scratch<int64_t> next(context, last - first);
    std::copy_n(indptr_t + first, last - first, static_cast<int64_t*>(next));
    for (int64_t row = 0; row < p.rows; ++row) {
      for (int64_t i = indptr[row]; i < indptr[row + 1]; ++i) {
        if (indices[i] < first || indices[i] >= last) continue;
        const int64_t at = next[indices[i] - first]++;
        rows_t[at] = row;
        std::memcpy(data_t + at * itemsize, data.data + i * itemsize, itemsize);
      }
    }
    return 0;
  };
  const int64_t pieces = data.size < GRAIN ? 1 : context.runtime->num_workers();
  return parallel(context, p.columns, std::max<int64_t>(1, (p.columns + pieces - 1) / pieces), body);
}

int csr_dense_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Tensor &out = context.outputs[0], &data = context.inputs[0];
  if (out.size == 0) return 0;
  const int64_t *indices = numbers(context.inputs[1]), *indptr = numbers(context.inputs[2]);
  const int64_t itemsize = ITEMSIZE[data.dtype];
  auto body = [&](int64_t first, int64_t last) {
    std::memset(out.data + first * p.columns * itemsize, 0, (last - first) * p.columns * itemsize);
    for (int64_t row = first; row < last; ++row) {
      int64_t begin, end;
      if (!csr_row(data, indptr, row, begin, end)) return wrong_row(context, row);
      for (int64_t i = begin; i < end; ++i) {
        if (uint64_t(indices[i]) >= uint64_t(p.columns)) return wrong_column(context, indices[i]);
        std::memcpy(out.data + (row * p.columns + indices[i]) * itemsize, data.data + i * itemsize, itemsize);
      }
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / p.columns), body);
}

int csr_count_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Tensor& dense = context.inputs[0];
  int64_t* counts = numbers(context.outputs[0]);
  const IsZero zero = IS_ZERO[dense.dtype];
  const int64_t itemsize = ITEMSIZE[dense.dtype];
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const char* at = dense.data + row * p.columns * itemsize;
      int64_t count = 0;
      for (int64_t i = 0; i < p.columns; ++i) count += !zero(at + i * itemsize);
      counts[row] = count;
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, p.columns)), body);
}

int csr_fill_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Tensor& dense = context.inputs[0];
  const int64_t* indptr = numbers(context.inputs[1]);
  char* data = context.outputs[0].data;
  int64_t* indices = numbers(context.outputs[1]);
  const IsZero zero = IS_ZERO[dense.dtype];
  const int64_t itemsize = ITEMSIZE[dense.dtype];
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const char* from = dense.data + row * p.columns * itemsize;
      int64_t at = indptr[row];
      for (int64_t i = 0; i < p.columns && at < indptr[row + 1]; ++i) {
        if (zero(from + i * itemsize)) continue;
        std::memcpy(data + at * itemsize, from + i * itemsize, itemsize);
        indices[at++] = i;
      }
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, p.columns)), body);
}

int gather_rows_kernel(KernelContext& context) {
  const Tensor &out = context.outputs[0], &rows = context.inputs[0], &positions = context.inputs[1];
  if (out.size == 0) return 0;
  const int64_t count = positions.size, have = rows.shape[0];
  const int64_t nbytes = out.nbytes() / count;
  const int64_t* at = numbers(positions);
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      if (at[i] >= have) {
        return context.failure->fail(FAIL_INDEX, "row %lld is out of range for %lld rows", (long long)at[i],
                                     (long long)have);
      }
      if (at[i] < 0) std::memset(out.data + i * nbytes, 0, nbytes);
      else std::memcpy(out.data + i * nbytes, rows.data + at[i] * nbytes, nbytes);
    }
    return 0;
  };
  return parallel(context, count, std::max<int64_t>(1, 4 * GRAIN / (nbytes + 1)), body);
}

}  // namespace mxcy
