// Walking operands of any strides in runs, and copying between them.
#pragma once
#include <vector>
#include <algorithm>
#include <cstring>
#include "casts.hpp"
#include "launch.hpp"
#include "space.hpp"

namespace mxcy {

// Pieces of this many elements are worth a worker.
constexpr int64_t GRAIN = 1 << 15;

// Strides of a tensor that is broadcast to a shape with at least as many axes.
inline void broadcast_strides(const Tensor& t, int ndim, const int64_t* shape, int64_t* strides) {
  for (int d = 0; d < ndim; ++d) {
    int own = d - (ndim - t.ndim);
    strides[d] = own < 0 || (t.shape[own] == 1 && shape[d] != 1) ? 0 : t.strides[own];
  }
}

// The space of `target` and of operands broadcast to its shape, in the order of the target's memory.
template <class... Tensors>
Space space_of(const Tensor& target, const Tensors&... others) {
  constexpr int n = 1 + sizeof...(others);
  std::vector<int64_t> strides(size_t(n) * target.ndim);
  int64_t* at = strides.data();
  for (const Tensor* t : {&target, &others...}) {
    broadcast_strides(*t, target.ndim, target.shape, at);
    at += target.ndim;
  }
  Space space(target.ndim, n, target.shape, strides.data());
  space.normalise(0);
  return space;
}

// Calls body(offsets, count) for runs along the innermost axis that together cover the elements
// [begin, end); offsets[k] is operand k's distance from its first element.
template <int N, class Body>
void for_runs(const Space& space, int64_t begin, int64_t end, const Body& body) {
  const int64_t length = space.inner_length();
  Walker walker(space, std::max(space.ndim - 1, 0));
  walker.seek(begin / length);
  int64_t position = begin % length;
  while (begin < end) {
    int64_t count = std::min(length - position, end - begin);
    int64_t offsets[N];
    for (int k = 0; k < N; ++k) offsets[k] = walker.offset(k) + position * space.inner_stride(k);
    body(offsets, count);
    begin += count;
    position = 0;
    if (begin < end) walker.next();
  }
}

// Copies with conversion; operand 0 of the space is the target, 1 the source.
int copy_space(KernelContext& context, const Space& space, char* target, uint8_t target_dtype,
               const char* source, uint8_t source_dtype);

}  // namespace mxcy
