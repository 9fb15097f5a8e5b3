// The largest of the 3x3 elements around each element of small planes.
//
// Several planes are taken as one line, as they lie in memory: neighbours above and below are a width away,
// those on the left and on the right next to it, and bits say which of them are in the same plane.  Rows by
// themselves would leave most of a vector empty.
#pragma once
#include "launch.hpp"
#include "pooling.hpp"
#include "pooling_windows.hpp"
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <class T>
class Around {
 public:
  explicit Around(KernelContext& context)
      : context_(context),
        p_(*static_cast<const PoolParams*>(context.params)),
        width_(p_.in[2]),
        plane_(p_.in[1] * p_.in[2]),
        together_(std::max<int64_t>(1, RUN / plane_)),
        length_((together_ * plane_ + L - 1) / L * L) {}

  static bool suit(const PoolParams& p) {
    for (int axis = 1; axis < 3; ++axis) {
      if (p.kernel[axis] != 3 || p.stride[axis] != 1 || p.pad[axis] != 1 || p.in[axis] != p.out[axis]) return false;
    }
    return p.mode == POOL_MAX && p.in[1] * p.in[2] <= MOST;
  }

  int pool() const {
    const T* x = reinterpret_cast<const T*>(context_.inputs[0].data);
    T* out = reinterpret_cast<T*>(context_.outputs[0].data);
    const T* end = x + context_.inputs[0].size;
    return parallel(context_, p_.outer, std::max<int64_t>(1, GRAIN / (2 * plane_)), [&](int64_t begin, int64_t stop) {
      Scratch<T> room(context_, 3 * length_ + 2 * width_ + 3 * L);
      T *sides = room, *joined = sides + length_ + L, *spare = joined + length_ + L;
      mark_sides(sides);
      std::fill_n(joined - L, L, LOWEST<T>);
      std::fill_n(spare, length_ + 2 * width_ + L, LOWEST<T>);
      for (int64_t i = begin; i < stop; i += together_) {
        const int64_t n = std::min(together_, stop - i) * plane_;
        const T* from = x + i * plane_;
        if (i == 0 || from + length_ + width_ > end) {  // the first and the last elements have others on one side
          const int64_t before = i == 0 ? 0 : width_;
          std::memcpy(spare + width_ - before, from - before, size_t(before + n) * sizeof(T));
          std::memcpy(spare + width_ + n, from + n, size_t(std::min(width_, end - from - n)) * sizeof(T));
          from = spare + width_;
        }
        join_rows(from, n, sides, joined);
        join_columns(joined, n, sides, out + i * plane_);
      }
      return 0;
    });
  }

 private:
  static constexpr int64_t L = LANES<T>, RUN = 512, MOST = 1024;
  using I = Integer<T>;
  using Number = Position<T>;
  enum : int { ABOVE = 1, BELOW = 2, LEFT = 4, RIGHT = 8 };

  void mark_sides(T* to) const {
    std::fill_n(to, length_, T(0));
    for (int64_t plane = 0; plane < together_; ++plane) {
      for (int64_t y = 0; y < p_.in[1]; ++y) {
        const Number row = (y > 0 ? ABOVE : 0) | (y + 1 < p_.in[1] ? BELOW : 0);
        for (int64_t x = 0; x < width_; ++x, ++to) {
          const Number bits = row | (x > 0 ? LEFT : 0) | (x + 1 < width_ ? RIGHT : 0);
          std::memcpy(to, &bits, sizeof bits);
        }
      }
    }
  }

  static MXCY_INLINE I load_sides(const T* at) {
    I found;
    std::memcpy(&found, at, sizeof found);
    return found;
  }

  // A neighbour where there is one on this side.
  static MXCY_INLINE Real<T> there(I sides, Number side, const T* at) {
    return (sides & side) != 0 ? load_vector(at) : Real<T>{} + LOWEST<T>;
  }

  void join_rows(const T* x, int64_t n, const T* sides, T* to) const {
    for (int64_t i = 0; i < n; i += L) {
      const I here = load_sides(sides + i);
      Real<T> found = Maximum<T>::join(Real<T>{} + LOWEST<T>, there(here, ABOVE, x + i - width_));
      found = Maximum<T>::join(found, load_vector(x + i));
      store_vector(to + i, Maximum<T>::join(found, there(here, BELOW, x + i + width_)));
    }
  }

  void join_columns(const T* x, int64_t n, const T* sides, T* to) const {
    for (int64_t i = 0; i < n; i += L) {
      const I here = load_sides(sides + i);
      Real<T> found = Maximum<T>::join(there(here, LEFT, x + i - 1), load_vector(x + i));
      found = Maximum<T>::join(found, there(here, RIGHT, x + i + 1));
      if (i + L <= n) store_vector(to + i, found);
      else store_part(to + i, n - i, found);
    }
  }

  KernelContext& context_;
  const PoolParams& p_;
  const int64_t width_, plane_;
  const int64_t together_;  // planes
  const int64_t length_;    // of their elements, in whole vectors
};

}  // namespace
}  // namespace MXCY_ISA
}  // namespace mxcy
