// Element types of mxcy arrays: one small integer each, the same in C++, Cython and dtypes.py.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mxcy {

enum DType : uint8_t {
  BOOL = 0, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64,
  FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64, COMPLEX128,
  N_DTYPES
};

inline constexpr uint8_t ITEMSIZE[N_DTYPES] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8, 8, 16};

}  // namespace mxcy
