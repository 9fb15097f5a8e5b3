// The few functions of cuBLAS that we call, found at run time.
#pragma once
#include "op.hpp"

namespace mxcy::blas {

bool open(const char* path);  // whether the library is there, with all that we need

// out = a * b over a batch; a LibraryOp's function. integers: transposed a, transposed b, m, n, k, ld a,
// step a, ld b, step b, ld out, step out, batch, type of data, type of computing, dtype.
int gemm(void* stream, char** addresses, const int64_t* integers, Failure& failure);

}  // namespace mxcy::blas
