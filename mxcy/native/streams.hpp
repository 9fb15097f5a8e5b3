// Copies and sums of memory that others read next: written past the caches, so that its old content is not
// read first. Below `STREAMED` bytes they write as usual.
#pragma once
#include <cstddef>
#include "isa.hpp"

namespace mxcy {

constexpr size_t STREAMED = 1 << 18;

// out = data, bytes that do not overlap.
MXCY_DECLARE(void stream_copy(char* out, const char* data, size_t bytes))
// out = a + b; out may be a or b.
MXCY_DECLARE(void stream_add_floats(float* out, const float* a, const float* b, size_t count))
MXCY_DECLARE(void stream_add_doubles(double* out, const double* a, const double* b, size_t count))

}  // namespace mxcy
