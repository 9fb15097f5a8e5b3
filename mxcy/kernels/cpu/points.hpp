// Index arrays as byte offsets, block by block.
#pragma once
#include "indexing.hpp"
#include "runs.hpp"

namespace mxcy {

constexpr int64_t INDEX_BLOCK = 256;

// Brings indices of an axis with n elements into [0, n).  False if one cannot be (MODE_RAISE, MODE_STRICT).
inline bool normalise_indices(int64_t* index, int64_t count, int64_t n, int mode) {
  if (mode == MODE_CLIP) {
    const uint64_t limit = uint64_t(n);
    for (int64_t i = 0; i < count; ++i) {
      if (__builtin_expect(uint64_t(index[i]) >= limit, 0)) index[i] = index[i] < 0 ? 0 : n - 1;
    }
    return true;
  }
  if (mode == MODE_WRAP) {
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = index[i] % n;
      index[i] = rest + (rest < 0 ? n : 0);
    }
    return true;
  }
  const int64_t turn = mode == MODE_RAISE ? n : 0;
  bool good = true;
  for (int64_t i = 0; i < count; ++i) {
    int64_t found = index[i] + (index[i] < 0 ? turn : 0);
    good &= found >= 0 && found < n;
    index[i] = found;
  }
  return good;
}

// Reads `count` indices of any type as int64.
inline void read_indices(const Tensor& index, int64_t offset, int64_t step, int64_t count, int64_t* to) {
  char* args[2] = {index.data + offset, reinterpret_cast<char*>(to)};
  const intptr_t n = count, steps[2] = {intptr_t(step), 8};
  cast_loop(index.dtype, INT64)(args, &n, steps, nullptr);
}

// The points that the index arrays name, in C order of their common shape.
class Points {
 public:
  // x: the indexed side, v: the other one, as described in indexing.hpp.
  Points(const IndexParams& params, const Tensor& x, const Tensor& v, const Tensor* indices)
      : params_(params), x_(x), indices_(indices) {
    int ndim = v.ndim - (x.ndim - params.n_indexed), n = params.n_indexed + 1;
    const int64_t* shape = v.shape + params.n_outer;
    std::vector<int64_t> strides(size_t(n) * ndim);
    for (int k = 0; k < params.n_indexed; ++k) {
      broadcast_strides(indices[k], ndim, shape, strides.data() + size_t(k) * ndim);
    }
    std::copy_n(v.strides + params.n_outer, ndim, strides.data() + size_t(params.n_indexed) * ndim);
    space_ = Space(ndim, n, shape, strides.data());
    space_.drop_unit_axes();
    space_.merge_axes();
  }

  int64_t count() const { return space_.size; }
  int64_t axis_size(int k) const { return x_.shape[params_.n_outer + k]; }

  // For the points [begin, end): calls body(k, at, indices, n) for every index array k with its values
  // for the points from `at` on.
  template <class Body>
  void read(int64_t begin, int64_t end, const Body& body) const {
    const int64_t length = space_.inner_length();
    Walker walker(space_, std::max(space_.ndim - 1, 0));
    walker.seek(begin / length);
    int64_t position = begin % length, index[INDEX_BLOCK];
    for (int64_t at = begin; at < end;) {
      int64_t n = std::min({length - position, end - at, INDEX_BLOCK});
      for (int k = 0; k < params_.n_indexed; ++k) {
        int64_t step = space_.inner_stride(k);
        read_indices(indices_[k], walker.offset(k) + position * step, step, n, index);
        body(k, at, index, n);
      }
      at += n;
      position += n;
      if (position == length && at < end) {
        walker.next();
        position = 0;
      }
    }
  }

  // Byte offsets on the indexed side for the points [begin, end).  False if an index is out of range.
  bool indexed_offsets(int64_t begin, int64_t end, int64_t* offsets) const {
    bool good = true;
    read(begin, end, [&](int k, int64_t at, int64_t* index, int64_t n) {
      good &= normalise_indices(index, n, axis_size(k), params_.mode);
      int64_t stride = x_.strides[params_.n_outer + k], *to = offsets + (at - begin);
      if (k == 0) {
        for (int64_t i = 0; i < n; ++i) to[i] = index[i] * stride;
      } else {
        for (int64_t i = 0; i < n; ++i) to[i] += index[i] * stride;
      }
    });
    return good;
  }

  // Byte offsets on the other side.
  void plain_offsets(int64_t begin, int64_t end, int64_t* offsets) const {
    const int64_t length = space_.inner_length(), step = space_.inner_stride(params_.n_indexed);
    Walker walker(space_, std::max(space_.ndim - 1, 0));
    walker.seek(begin / length);
    int64_t position = begin % length;
    for (int64_t i = 0; i < end - begin;) {
      const int64_t run = std::min(length - position, end - begin - i);
      int64_t at = walker.offset(params_.n_indexed) + position * step;
      for (int64_t k = 0; k < run; ++k, at += step) offsets[i + k] = at;
      i += run;
      position = 0;
      if (i < end - begin) walker.next();
    }
  }

  // Finds the first index out of range and fails with it.
  int fail(Failure& failure) const {
    bool found = false;
    const int64_t lowest = params_.mode == MODE_STRICT ? 0 : -1;
    read(0, count(), [&](int k, int64_t, int64_t* index, int64_t n) {
      for (int64_t i = 0; i < n && !found; ++i) {
        if (index[i] >= lowest * axis_size(k) && index[i] < axis_size(k)) continue;
        found = true;
        failure.fail(FAIL_INDEX, "index %lld is out of bounds for axis %d with size %lld",
                     (long long)index[i], params_.axes[k], (long long)axis_size(k));
      }
    });
    return -1;
  }

 private:
  const IndexParams& params_;
  const Tensor& x_;
  const Tensor* indices_;
  Space space_;
};

}  // namespace mxcy
