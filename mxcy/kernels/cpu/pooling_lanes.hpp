// Pooling of many small planes: as many as a vector has lanes are interleaved, so that every position is one
// vector, whatever the windows.
#pragma once
#include "lines.hpp"
#include "pooling_windows.hpp"
#include "runs.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <class T>
class Lanes {
 public:
  static constexpr int64_t LIMIT = 4096;  // positions of a plane
  using I = Integer<T>;

  static bool suit(const PoolParams& p) {
    return p.inner == 1 && !is_whole(p) && p.outer >= LANES<T> && p.in[0] * p.in[1] * p.in[2] <= LIMIT;
  }

  explicit Lanes(KernelContext& context)
      : context_(context),
        p_(*static_cast<const PoolParams*>(context.params)),
        plane_(p_.in[0] * p_.in[1] * p_.in[2]),
        out_plane_(p_.out[0] * p_.out[1] * p_.out[2]) {}

  int pool() {
    if (p_.mode == POOL_MAX) return joined<Maximum<T>, 1>();
    if (p_.mode == POOL_POWER && p_.power == 2) return joined<Total<T>, 2>();
    if (p_.mode == POOL_POWER && p_.power == 3) return joined<Total<T>, 3>();
    return joined<Total<T>, 1>();
  }

  int spread() {
    return run(out_plane_, 0, plane_, [&](const T* g, const T*, T* to) {
      std::fill(to, to + plane_ * LANES<T>, T(0));
      windows([&](int64_t at, const Interval* window, int64_t size) {
        const Real<T> share = load_vector(g + at * LANES<T>) / T(p_.mode == POOL_AVG ? size : 1);
        positions(window, [&](int64_t place, int) {
          store_vector(to + place * LANES<T>, load_vector(to + place * LANES<T>) + share);
        });
      });
    });
  }

  int max_gradient() {
    return run(out_plane_, plane_, plane_, [&](const T* g, const T* x, T* to) {
      std::fill(to, to + plane_ * LANES<T>, T(0));
      windows([&](int64_t at, const Interval* window, int64_t) {
        const Real<T> head = load_vector(g + at * LANES<T>);
        const I best = largest(x, window, p_.positive);
        positions(window, [&](int64_t place, int number) {
          const Real<T> old = load_vector(to + place * LANES<T>);
          store_vector(to + place * LANES<T>, best == number ? old + head : old);
        });
      });
    });
  }

  int max_pick() {
    return run(plane_, plane_, out_plane_, [&](const T* values, const T* x, T* to) {
      windows([&](int64_t at, const Interval* window, int64_t) {
        const I best = largest(x, window, false);
        Real<T> found{};
        positions(window, [&](int64_t place, int number) {
          found = best == number ? load_vector(values + place * LANES<T>) : found;
        });
        store_vector(to + at * LANES<T>, found);
      });
    });
  }

 private:
  template <class Join, int power>
  int joined() {
    return run(plane_, 0, out_plane_, [&](const T* x, const T*, T* to) {
      windows([&](int64_t at, const Interval* window, int64_t size) {
        Real<T> found = Real<T>{} + Join::start;
        positions(window, [&](int64_t place, int) {
          found = Join::join(found, raised<power>(load_vector(x + place * LANES<T>)));
        });
        if (p_.mode == POOL_AVG) found /= T(size);
        if constexpr (power > 1) {
          for (int i = 0; i < LANES<T>; ++i) found[i] = power == 2 ? std::sqrt(found[i]) : std::cbrt(found[i]);
        }
        store_vector(to + at * LANES<T>, found);
      });
    });
  }

  // Interleaves groups of planes of up to two inputs, and parts the result: work(first, second, result).
  template <class Work>
  int run(int64_t first, int64_t second, int64_t result, const Work& work) {
    constexpr int64_t lanes = LANES<T>;
    const int64_t groups = (p_.outer + lanes - 1) / lanes, longest = std::max(first, std::max(second, result));
    auto body = [&](int64_t begin, int64_t end) {
      Scratch<T> room(context_, (first + second + result) * lanes + longest);
      T *a = room, *b = a + first * lanes, *to = b + second * lanes, *line = to + result * lanes;
      for (int64_t group = begin; group < end; ++group) {
        const int64_t plane = group * lanes, n = std::min(lanes, p_.outer - plane);
        interleave(context_.inputs[0], plane, n, first, a, line);
        if (second) interleave(context_.inputs[1], plane, n, second, b, line);
        work(a, b, to);
        for (int64_t k = 0; k < n; ++k) {
          T* out = place_of<T>(context_.outputs[0], (plane + k) * result, line);
          for (int64_t i = 0; i < result; ++i) out[i] = to[i * lanes + k];
          write_elements<T>(context_.outputs[0], (plane + k) * result, result, line);
        }
      }
      return 0;
    };
    const int64_t cost = std::max<int64_t>(1, (plane_ + out_plane_) * lanes);
    return parallel(context_, groups, std::max<int64_t>(1, GRAIN / cost), body);
  }

  static void interleave(const Tensor& t, int64_t plane, int64_t n, int64_t length, T* to, T* line) {
    constexpr int64_t lanes = LANES<T>;
    if (n == lanes && t.dtype == CODE<T>) {
      const T* from = reinterpret_cast<const T*>(t.data) + plane * length;
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t k = 0; k < lanes; ++k) to[i * lanes + k] = from[k * length + i];
      }
      return;
    }
    std::fill(to, to + length * lanes, T(0));
    for (int64_t k = 0; k < n; ++k) {
      const T* from = read_elements<T>(t, (plane + k) * length, length, line);
      for (int64_t i = 0; i < length; ++i) to[i * lanes + k] = from[i];
    }
  }

  // Calls body(number of the window, its three intervals, its size).
  template <class Body>
  void windows(const Body& body) const {
    Interval window[3];
    int64_t at = 0;
    for (int64_t d = 0; d < p_.out[0]; ++d) {
      window[0] = interval(p_, 0, d);
      for (int64_t h = 0; h < p_.out[1]; ++h) {
        window[1] = interval(p_, 1, h);
        for (int64_t w = 0; w < p_.out[2]; ++w) {
          window[2] = interval(p_, 2, w);
          const int64_t size = window[0].counted * window[1].counted * window[2].counted;
          body(at++, window, std::max<int64_t>(1, size));
        }
      }
    }
  }

  // Calls body(place in the plane, number in the window) for all positions of a window.
  template <class Body>
  void positions(const Interval* window, const Body& body) const {
    int number = 0;
    for (int64_t d = window[0].begin; d < window[0].end; ++d) {
      for (int64_t h = window[1].begin; h < window[1].end; ++h) {
        const int64_t row = (d * p_.in[1] + h) * p_.in[2];
        for (int64_t w = window[2].begin; w < window[2].end; ++w) body(row + w, number++);
      }
    }
  }

  // The number of the first largest element of a window in every lane, of those above zero if only they
  // count; -1 for none.
  I largest(const T* x, const Interval* window, bool positive) const {
    Real<T> best = Real<T>{} + (positive ? T(0) : LOWEST<T>);
    I found = I{} - 1;
    positions(window, [&](int64_t place, int number) {
      const Real<T> v = load_vector(x + place * LANES<T>);
      found = v > best ? I{} + number : found;
      best = v > best ? v : best;
    });
    return found;
  }

  KernelContext& context_;
  const PoolParams& p_;
  const int64_t plane_, out_plane_;
};

}  // namespace
}  // namespace MXCY_ISA
}  // namespace mxcy
