// Elements of one type read and written as another, a contiguous line at a time, for kernels that compute in
// float (or in double for float64).  Included by files that are compiled once for each instruction set.
#pragma once
#include "casts.hpp"
#include "launch.hpp"

namespace mxcy {
namespace MXCY_ISA {

template <class T> constexpr uint8_t CODE = sizeof(T) == 8 ? FLOAT64 : FLOAT32;

// n elements of an array in C order from element `first` on: where they are, or converted into `room`.
template <class T>
inline const T* read_elements(const Tensor& t, int64_t first, int64_t n, T* room) {
  char* at = t.data + first * ITEMSIZE[t.dtype];
  if (t.dtype == CODE<T>) return reinterpret_cast<const T*>(at);
  char* args[2] = {at, reinterpret_cast<char*>(room)};
  const intptr_t count = n, steps[2] = {ITEMSIZE[t.dtype], sizeof(T)};
  cast_loop(t.dtype, CODE<T>)(args, &count, steps, nullptr);
  return room;
}

// Where to put n elements from element `first` on: their own place, or `room`.
template <class T>
inline T* place_of(const Tensor& t, int64_t first, T* room) {
  return t.dtype == CODE<T> ? reinterpret_cast<T*>(t.data) + first : room;
}

// Writes what was put into `room`; nothing to do where it was put in its own place.
template <class T>
inline void write_elements(const Tensor& t, int64_t first, int64_t n, const T* room) {
  if (t.dtype == CODE<T>) return;
  char* args[2] = {reinterpret_cast<char*>(const_cast<T*>(room)), t.data + first * ITEMSIZE[t.dtype]};
  const intptr_t count = n, steps[2] = {sizeof(T), ITEMSIZE[t.dtype]};
  cast_loop(CODE<T>, t.dtype)(args, &count, steps, nullptr);
}

// The same for any type of numbers, such as parameters that have a type of their own.
template <class T>
inline void read_all(const Tensor& t, T* to, uint8_t code) {
  char* args[2] = {t.data, reinterpret_cast<char*>(to)};
  const intptr_t count = t.size, steps[2] = {ITEMSIZE[t.dtype], sizeof(T)};
  cast_loop(t.dtype, code)(args, &count, steps, nullptr);
}

template <class T>
inline void write_all(const T* from, uint8_t code, const Tensor& t) {
  char* args[2] = {reinterpret_cast<char*>(const_cast<T*>(from)), t.data};
  const intptr_t count = t.size, steps[2] = {sizeof(T), ITEMSIZE[t.dtype]};
  cast_loop(code, t.dtype)(args, &count, steps, nullptr);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
