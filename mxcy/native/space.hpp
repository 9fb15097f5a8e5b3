// The common iteration space of several operands: axes without length dropped, sorted so that the
// innermost has the smallest stride of the leading operand, and merged where every operand allows it.
// Negative strides are kept as they are: NumPy's loops take other code for them, and results must be
// NumPy's.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include "small_vector.hpp"

namespace mxcy {

struct Space {
  int ndim = 0;
  int n = 0;                     // operands
  int64_t size = 1;              // elements
  SmallVector<int64_t, 4> shape;     // [ndim]
  SmallVector<int64_t, 12> strides;  // [ndim][n], bytes; 0 where an operand is broadcast

  // Operand k has strides given[k * ndim + axis].
  Space() = default;
  Space(int ndim_, int n_, const int64_t* shape_, const int64_t* given)
      : ndim(ndim_), n(n_), shape(shape_, ndim_), strides(size_t(ndim_) * n_) {
    for (int d = 0; d < ndim; ++d) {
      size *= shape[d];
      for (int k = 0; k < n; ++k) row(d)[k] = given[k * ndim + d];
    }
  }

  int64_t* row(int axis) { return strides.data() + size_t(axis) * n; }
  const int64_t* row(int axis) const { return strides.data() + size_t(axis) * n; }
  int64_t inner_length() const { return ndim ? shape[ndim - 1] : 1; }
  int64_t inner_stride(int k) const { return ndim ? row(ndim - 1)[k] : 0; }

  void drop_unit_axes() {
    int kept = 0;
    for (int d = 0; d < ndim; ++d) {
      if (shape[d] == 1) continue;
      move_axis(d, kept++);
    }
    ndim = kept;
  }

  // Largest stride of operand `leading` first; equal ones keep their order.
  void sort_axes(int leading) {
    SmallVector<int64_t, 8> held(n);
    for (int d = 1; d < ndim; ++d) {
      int64_t length = shape[d], key = magnitude(row(d)[leading]);
      std::memcpy(held.data(), row(d), n * sizeof(int64_t));
      int to = d;
      for (; to > 0 && magnitude(row(to - 1)[leading]) < key; --to) move_axis(to - 1, to);
      shape[to] = length;
      std::memcpy(row(to), held.data(), n * sizeof(int64_t));
    }
  }

  // Merges axes `from` to `to` where an outer step equals a full inner run for every operand.
  void merge_axes() {
    if (ndim == 0) return;
    int kept = 0;
    for (int d = 1; d < ndim; ++d) {
      if (continues(kept, d)) {
        shape[kept] *= shape[d];
        std::memcpy(row(kept), row(d), n * sizeof(int64_t));
      } else {
        move_axis(d, ++kept);
      }
    }
    ndim = kept + 1;
  }

  void normalise(int leading) {
    drop_unit_axes();
    sort_axes(leading);
    merge_axes();
  }

  // Whether operand k alone could be walked with one stride.
  bool linear(int k) const {
    for (int d = 0; d + 1 < ndim; ++d) {
      if (row(d)[k] != row(d + 1)[k] * shape[d + 1]) return false;
    }
    return true;
  }

  // Whether operand k is one element.
  bool single(int k) const { return inner_stride(k) == 0 && linear(k); }

 private:
  static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }
  void move_axis(int from, int to) {
    if (from == to) return;
    shape[to] = shape[from];
    std::memcpy(row(to), row(from), n * sizeof(int64_t));
  }
  bool continues(int outer, int inner) const {
    for (int k = 0; k < n; ++k) {
      if (row(outer)[k] != row(inner)[k] * shape[inner]) return false;
    }
    return true;
  }
};

// Walks the outer axes [0, axes) of a space in row order and keeps every operand's offset.
class Walker {
 public:
  Walker(const Space& space, int axes) : space_(space), axes_(axes), index_(axes), offsets_(space.n) {}

  void seek(int64_t position) {
    std::fill(offsets_.begin(), offsets_.end(), 0);
    for (int d = axes_ - 1; d >= 0; --d) {
      index_[d] = position % space_.shape[d];
      position /= space_.shape[d];
      const int64_t* strides = space_.row(d);
      for (int k = 0; k < space_.n; ++k) offsets_[k] += index_[d] * strides[k];
    }
  }

  void next() {
    for (int d = axes_ - 1; d >= 0; --d) {
      const int64_t* strides = space_.row(d);
      if (++index_[d] < space_.shape[d]) {
        for (int k = 0; k < space_.n; ++k) offsets_[k] += strides[k];
        return;
      }
      index_[d] = 0;
      for (int k = 0; k < space_.n; ++k) offsets_[k] -= (space_.shape[d] - 1) * strides[k];
    }
  }

  int64_t offset(int k) const { return offsets_[k]; }

 private:
  const Space& space_;
  int axes_;
  SmallVector<int64_t, 4> index_;
  SmallVector<int64_t, 8> offsets_;
};

}  // namespace mxcy
