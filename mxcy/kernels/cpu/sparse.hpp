// Matrices in compressed sparse rows, and the rows that row-sparse arrays keep.
//
// A csr matrix is three arrays in C order: `data` and `indices` (int64, the column of each element), and
// `indptr` (int64): row r has the elements indptr[r] to indptr[r + 1].  What a user gives is not trusted:
// kernels fail with an index out of range, and read nothing there.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

struct CsrParams {
  int64_t rows, columns;
  int64_t n;  // columns of the dense factor; of merged matrices whether columns must be in both
};

// out (rows, n) <- data, indices, indptr, dense (columns, n): of float32, float64, int32 or int64
MXCY_DECLARE(int csr_product_kernel(KernelContext& context))
// out (columns, n) <- data, indices, indptr, dense (rows, n): the product of the transposed matrix
MXCY_DECLARE(int csr_back_product_kernel(KernelContext& context))
inline Kernel csr_product_kernel_of_cpu() { return MXCY_PICK(csr_product_kernel); }
inline Kernel csr_back_product_kernel_of_cpu() { return MXCY_PICK(csr_back_product_kernel); }

// data, indices, indptr of the transposed matrix <- data, indices, indptr
int csr_transpose_kernel(KernelContext& context);
// out (rows, columns) <- data, indices, indptr
int csr_dense_kernel(KernelContext& context);
// counts (rows,) of elements that are not zero <- dense (rows, columns)
int csr_count_kernel(KernelContext& context);
// data, indices <- dense (rows, columns), indptr
int csr_fill_kernel(KernelContext& context);
// counts (rows,) of the columns of each row of two matrices, of those in both if `n` is 1
//   <- indices, indptr, indices, indptr, columns of every row in ascending order
int csr_merge_count_kernel(KernelContext& context);
// columns, elements of the first matrix (-1: none), of the second <- the same, indptr of the result
int csr_merge_kernel(KernelContext& context);
// out (k, ...) <- rows, positions (k,) int64: the rows there, zeros where a position is negative
int gather_rows_kernel(KernelContext& context);

// The elements of a row, checked: false if they are not within the arrays.
inline bool csr_row(const Tensor& data, const int64_t* indptr, int64_t row, int64_t& begin, int64_t& end) {
  begin = indptr[row];
  end = indptr[row + 1];
  return 0 <= begin && begin <= end && end <= data.size;
}

}  // namespace mxcy
