// Copies between a strided operand and a plain run of its elements, for stretches of a space whose rows
// are too short to be worth a loop call each.
#pragma once
#include <cstdint>
#include <vector>
#include "space.hpp"
#include "strided.hpp"

namespace mxcy {

struct Bytes16 {
  uint64_t low, high;
};

// One operand's part of a space.
struct Strided {
  std::vector<int64_t> shape, strides;
  int itemsize;
  int64_t period;  // elements after which the content repeats because all outer strides are 0

  Strided(const Space& space, int k, int itemsize_) : itemsize(itemsize_), period(1) {
    for (int d = 0; d < space.ndim; ++d) {
      shape.push_back(space.shape[d]);
      strides.push_back(space.row(d)[k]);
    }
    int first = 0;
    while (first < space.ndim && strides[first] == 0) ++first;
    for (int d = first; d < space.ndim; ++d) period *= shape[d];
  }
};

// Elements [position, position + count) in row order; `flat` is the plain side.
template <class T, bool GATHER>
void copy_run(const Strided& operand, char* base, char* plain, int64_t position, int64_t count) {
  T* flat = reinterpret_cast<T*>(plain);
  const int last = int(operand.shape.size()) - 1;
  const int64_t length = operand.shape[last], step = operand.strides[last];
  int64_t index[MAX_NDIM];
  for (int d = last; d >= 0; --d) {
    index[d] = position % operand.shape[d];
    position /= operand.shape[d];
    base += index[d] * operand.strides[d];
  }
  while (count > 0) {
    int64_t run = length - index[last] < count ? length - index[last] : count;
    char* p = base;
    for (int64_t i = 0; i < run; ++i, p += step) {
      if (GATHER) std::memcpy(flat + i, p, sizeof(T));
      else std::memcpy(p, flat + i, sizeof(T));
    }
    flat += run;
    count -= run;
    if (count == 0) return;
    base -= index[last] * step;
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      base += operand.strides[d];
      if (++index[d] < operand.shape[d]) break;
      base -= operand.shape[d] * operand.strides[d];
      index[d] = 0;
    }
  }
}

template <bool GATHER>
void copy_elements(const Strided& operand, char* base, char* flat, int64_t position, int64_t count) {
  switch (operand.itemsize) {
    case 1: return copy_run<uint8_t, GATHER>(operand, base, flat, position, count);
    case 2: return copy_run<uint16_t, GATHER>(operand, base, flat, position, count);
    case 4: return copy_run<uint32_t, GATHER>(operand, base, flat, position, count);
    case 8: return copy_run<uint64_t, GATHER>(operand, base, flat, position, count);
    default: return copy_run<Bytes16, GATHER>(operand, base, flat, position, count);
  }
}

}  // namespace mxcy
