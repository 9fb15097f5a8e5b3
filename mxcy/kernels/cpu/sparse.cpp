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

// Where the elements of a matrix are.
struct Csr {
  Csr(const Tensor& columns, const Tensor& starts)
      : indices(numbers(columns)), indptr(numbers(starts)), size(columns.size) {}
  const int64_t *indices, *indptr;
  int64_t size;
};

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

// An element as what it is compared with zero: the sign is the highest bit of half types.
struct Half {
  uint16_t bits;
};
template <class T> bool is_zero(T value) { return value == T(0); }
template <> bool is_zero(Half value) { return (value.bits & 0x7fff) == 0; }

// A block of elements at a time, so that zeros are passed quickly.
template <class T>
int64_t count_row(const char* at, int64_t n) {
  const T* row = reinterpret_cast<const T*>(at);
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += !is_zero(row[i]);
  return count;
}

template <class T>
void fill_row(const char* at, int64_t n, char* data, int64_t* indices, int64_t room) {
  constexpr int64_t BLOCK = 32;
  const T* row = reinterpret_cast<const T*>(at);
  T* to = reinterpret_cast<T*>(data);
  int64_t found = 0;
  for (int64_t begin = 0; begin < n; begin += BLOCK) {
    const int64_t end = std::min(n, begin + BLOCK);
    if (count_row<T>(reinterpret_cast<const char*>(row + begin), end - begin) == 0) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (is_zero(row[i])) continue;
      if (found == room) return;  // more than were counted: NaN does not change, but a race would
      to[found] = row[i];
      indices[found++] = i;
    }
  }
}

using CountRow = int64_t (*)(const char*, int64_t);
using FillRow = void (*)(const char*, int64_t, char*, int64_t*, int64_t);
#define FOR_DTYPES(f)                                                                                     \
  {f<uint8_t>, f<int8_t>,  f<uint8_t>, f<int16_t>, f<uint16_t>, f<int32_t>, f<uint32_t>, f<int64_t>,      \
   f<uint64_t>, f<Half>,   f<Half>,    f<float>,   f<double>,   f<std::complex<float>>,                   \
   f<std::complex<double>>}
constexpr CountRow COUNT_ROW[N_DTYPES] = FOR_DTYPES(count_row);
constexpr FillRow FILL_ROW[N_DTYPES] = FOR_DTYPES(fill_row);

// Puts the elements of the columns [first, last), in the order of the rows.
template <class T>
void put_columns(const CsrParams& p, const int64_t* indices, const int64_t* indptr, const char* from,
                 int64_t first, int64_t last, int64_t* next, char* to, int64_t* rows) {
  const T* data = reinterpret_cast<const T*>(from);
  T* data_t = reinterpret_cast<T*>(to);
  for (int64_t row = 0; row < p.rows; ++row) {
    for (int64_t i = indptr[row]; i < indptr[row + 1]; ++i) {
      const uint64_t column = uint64_t(indices[i] - first);
      if (column >= uint64_t(last - first)) continue;
      const int64_t at = next[column]++;
      rows[at] = row;
      data_t[at] = data[i];
    }
  }
}

using PutColumns = void (*)(const CsrParams&, const int64_t*, const int64_t*, const char*, int64_t, int64_t,
                            int64_t*, char*, int64_t*);

PutColumns put_columns_of(int64_t itemsize) {
  switch (itemsize) {
    case 1: return put_columns<uint8_t>;
    case 2: return put_columns<uint16_t>;
    case 4: return put_columns<uint32_t>;
    case 8: return put_columns<uint64_t>;
    default: return put_columns<std::complex<double>>;
  }
}

// Walks the columns of a row of two matrices in order: body(column, element of the first or -1, of the
// second or -1).
template <class Body>
void for_merged(const Csr& a, const Csr& b, int64_t row, const Body& body) {
  int64_t i = a.indptr[row], j = b.indptr[row];
  const int64_t end = a.indptr[row + 1], last = b.indptr[row + 1];
  while (i < end || j < last) {
    const int64_t left = i < end ? a.indices[i] : INT64_MAX, right = j < last ? b.indices[j] : INT64_MAX;
    body(std::min(left, right), left <= right ? i : -1, right <= left ? j : -1);
    i += left <= right;
    j += right <= left;
  }
}

bool are_rows(const Csr& x, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) {
    if (x.indptr[row] < 0 || x.indptr[row + 1] < x.indptr[row]) return false;
  }
  return x.indptr[rows] <= x.size;
}

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
  const PutColumns put = put_columns_of(itemsize);
  auto body = [&](int64_t first, int64_t last) {
    Scratch<int64_t> next(context, last - first);
    std::copy_n(indptr_t + first, last - first, static_cast<int64_t*>(next));
    put(p, indices, indptr, data.data, first, last, next, data_t, rows_t);
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
  const CountRow count = COUNT_ROW[dense.dtype];
  const int64_t width = p.columns * ITEMSIZE[dense.dtype];
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) counts[row] = count(dense.data + row * width, p.columns);
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
  const FillRow fill = FILL_ROW[dense.dtype];
  const int64_t itemsize = ITEMSIZE[dense.dtype];
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t at = indptr[row];
      fill(dense.data + row * p.columns * itemsize, p.columns, data + at * itemsize, indices + at,
           indptr[row + 1] - at);
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, p.columns)), body);
}

int csr_merge_count_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Csr a(context.inputs[0], context.inputs[1]), b(context.inputs[2], context.inputs[3]);
  int64_t* counts = numbers(context.outputs[0]);
  if (!are_rows(a, p.rows) || !are_rows(b, p.rows)) return wrong_row(context, 0);
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      int64_t count = 0;
      for_merged(a, b, row, [&](int64_t, int64_t i, int64_t j) { count += !p.n || (i >= 0 && j >= 0); });
      counts[row] = count;
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN * p.rows / (a.size + b.size + 1)), body);
}

int csr_merge_kernel(KernelContext& context) {
  const CsrParams& p = params_of(context);
  const Csr a(context.inputs[0], context.inputs[1]), b(context.inputs[2], context.inputs[3]);
  const int64_t* indptr = numbers(context.inputs[4]);
  int64_t *columns = numbers(context.outputs[0]), *of_a = numbers(context.outputs[1]),
          *of_b = numbers(context.outputs[2]);
  auto body = [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      int64_t at = indptr[row];
      for_merged(a, b, row, [&](int64_t column, int64_t i, int64_t j) {
        if (p.n && (i < 0 || j < 0)) return;
        columns[at] = column;
        of_a[at] = i;
        of_b[at++] = j;
      });
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN * p.rows / (a.size + b.size + 1)), body);
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
