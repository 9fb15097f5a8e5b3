// Blocks of elements of one type read and written as another, for kernels that compute in float (or in
// double for float64).
#pragma once
#include "runs.hpp"

namespace mxcy {

template <class T> constexpr uint8_t CODE = sizeof(T) == 8 ? FLOAT64 : FLOAT32;

template <class T>
inline void read(const Tensor& t, int64_t first, int64_t n, T* to) {
  char* args[2] = {t.data + first * ITEMSIZE[t.dtype], reinterpret_cast<char*>(to)};
  const intptr_t count = n, steps[2] = {ITEMSIZE[t.dtype], sizeof(T)};
  cast_loop(t.dtype, CODE<T>)(args, &count, steps, nullptr);
}

template <class T>
inline void write(const T* from, const Tensor& t, int64_t first, int64_t n) {
  char* args[2] = {reinterpret_cast<char*>(const_cast<T*>(from)), t.data + first * ITEMSIZE[t.dtype]};
  const intptr_t count = n, steps[2] = {sizeof(T), ITEMSIZE[t.dtype]};
  cast_loop(CODE<T>, t.dtype)(args, &count, steps, nullptr);
}

}  // namespace mxcy
