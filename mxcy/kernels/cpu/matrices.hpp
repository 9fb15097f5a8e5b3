// Decompositions of matrices: NumPy's own LAPACK loops (generalised ufuncs), and what has no such loop.
// Every operand is contiguous; its last axes are the matrix, the axes before are the batch.
#pragma once
#include "mxcy/native/op.hpp"

namespace mxcy {

using MatrixLoop = void (*)(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data);

constexpr int MAX_MATRICES = 4;

struct MatrixLoopParams {
  MatrixLoop loop;
  void* data;
  int64_t count;              // matrices in the batch
  int64_t extent;             // of the square matrices
  int core[MAX_MATRICES];     // number of core axes of each operand, inputs first
  float matrix_ns;
  const char* failed;         // what it means when a loop raises "invalid"; null: nothing
};

struct TriangularParams {
  int64_t count, m, p;
  bool lower, transpose;
};

// context.outputs, then context.inputs, as many as the loop has.
int matrix_loop_kernel(KernelContext& context);
// outputs[0] (count, m, p) becomes the solution of op(A) X = outputs[0]; inputs[0]: A (count, m, m).
int solve_triangular_kernel(KernelContext& context);
// A (m, n) = L Q: outputs are Q (m, n), which holds A before, and L (m, m); m <= n.  Golub and Van Loan, 5.2.
int lq_kernel(KernelContext& context);

}  // namespace mxcy
