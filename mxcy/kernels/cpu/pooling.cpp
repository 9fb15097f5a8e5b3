// Pooling; compiled once for each instruction set.
//
// A row of results is made in two steps, as windows are products of intervals: first the rows of the input
// that the windows cover are combined element by element into one padded row, then neighbours in that row.
// Both steps run over contiguous elements: with a step between windows the row is first parted into its
// phases (elements 0, s, 2s, ...; 1, s + 1, ...).  With channels last, rows are `inner` times as long and
// the second step runs over channels.  Small planes go another way (pooling_lanes.hpp), and so do maxima of
// small windows (pooling_rows.hpp, pooling_around.hpp).
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "pooling.hpp"

#include <algorithm>
#include <vector>
#include "lines.hpp"
#include "pooling_around.hpp"
#include "pooling_lanes.hpp"
#include "pooling_rows.hpp"
#include "pooling_windows.hpp"
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

// The geometry that all kernels share, and the rows of one window of the leading two axes.
struct Windows {
  const PoolParams& p;
  const int64_t row, out_row, plane, out_plane;  // elements
  const int64_t padded;                          // positions of the padded row
  const int64_t used;                            // positions of a row that windows reach
  const int64_t step, phase;                     // phases of the padded row, and the length of one

  explicit Windows(const PoolParams& params)
      : p(params),
        row(p.in[2] * p.inner),
        out_row(p.out[2] * p.inner),
        plane(p.in[0] * p.in[1] * row),
        out_plane(p.out[0] * p.out[1] * out_row),
        padded((p.out[2] - 1) * p.stride[2] + p.kernel[2]),
        used(std::max<int64_t>(0, std::min(p.in[2], padded - p.pad[2]))),
        step(p.inner == 1 ? p.stride[2] : 1),
        phase(round_up((padded + step - 1) / step)) {}

  static int64_t round_up(int64_t n) { return (n + 15) / 16 * 16 + 16; }
  int64_t room() const { return std::max(round_up(padded * p.inner), phase * step); }

  // Calls body(number of the row in the window, its first element within the plane).
  template <class Body>
  int64_t rows(int64_t window, const Body& body) const {
    const Interval d = interval(p, 0, window / p.out[1]), h = interval(p, 1, window % p.out[1]);
    int64_t number = 0;
    for (int64_t i = d.begin; i < d.end; ++i) {
      for (int64_t j = h.begin; j < h.end; ++j) body(number++, (i * p.in[1] + j) * row);
    }
    return d.counted * h.counted;
  }
};

// Parts a padded row into phases, one after the other.
template <class T>
void part(const T* from, int64_t n, int64_t step, int64_t phase, T* to) {
  for (int64_t first = 0; first < step; ++first) {
    T* line = to + first * phase;
    const int64_t count = (n - first + step - 1) / step;
    if (step == 2) {
      for (int64_t i = 0; i < count; ++i) line[i] = from[2 * i + first];
    } else {
      for (int64_t i = 0; i < count; ++i) line[i] = from[step * i + first];
    }
  }
}

// What a window's k-th neighbours are, for the results of a whole row: calls body(to, from, n) for runs.
template <class Body>
void neighbours(const Windows& w, int64_t k, const Body& body) {
  const PoolParams& p = w.p;
  if (p.inner == 1) {
    body(0, k % w.step * w.phase + k / w.step, p.out[2]);
  } else {
    for (int64_t i = 0; i < p.out[2]; ++i) body(i * p.inner, (i * p.stride[2] + k) * p.inner, p.inner);
  }
}

template <class T, class Join>
MXCY_INLINE void join_lines(T* to, const T* from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = Join::join(to[i], from[i]);
}

// Divides every sum of a row of windows by the window's size: `size` times that along the last axis.
template <class T>
void divide(const PoolParams& p, T size, const T* sizes, const T* from, T* to) {
  if (p.inner == 1) {
    for (int64_t i = 0; i < p.out[2]; ++i) to[i] = from[i] / (size * sizes[i]);
    return;
  }
  for (int64_t i = 0; i < p.out[2]; ++i) {
    const T whole = size * sizes[i];
    for (int64_t c = i * p.inner; c < (i + 1) * p.inner; ++c) to[c] = from[c] / whole;
  }
}

template <class T>
std::vector<T> sizes_along_last(const PoolParams& p) {
  std::vector<T> sizes(p.out[2]);
  for (int64_t i = 0; i < p.out[2]; ++i) sizes[i] = T(std::max<int64_t>(1, interval(p, 2, i).counted));
  return sizes;
}

// --- results --------------------------------------------------------------------------------------------
template <class T, class Join, int power>
class Pooling {
 public:
  explicit Pooling(KernelContext& context)
      : context_(context), p_(*static_cast<const PoolParams*>(context.params)), w_(p_),
        x_(context.inputs[0]), out_(context.outputs[0]), sizes_(sizes_along_last<T>(p_)) {
    lines_ = p_.inner == 1 && p_.out[2] == 1;
    whole_ = p_.inner > 1 && power == 1 && p_.kernel[0] == 1 && p_.kernel[1] == 1 &&
             p_.pad[0] + p_.pad[1] + p_.pad[2] == 0 && w_.padded <= p_.in[2];
  }

  int run() {
    if (is_whole(p_)) return planes();
    const int64_t windows = p_.out[0] * p_.out[1];
    const int64_t cost = w_.row * p_.kernel[0] * p_.kernel[1] + w_.out_row * p_.kernel[2];
    auto body = [&](int64_t begin, int64_t end) {
      Scratch<T> scratch(context_, 3 * w_.room() + w_.row + w_.out_row);
      T *row = scratch, *phases = row + w_.room(), *line = phases + w_.room();
      T* result = line + w_.room() + w_.row;
      std::fill(row, row + w_.room(), Join::start);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = i * w_.out_row;
        T* out = place_of<T>(out_, at, result);
        const T size = combine(i / windows * w_.plane, i % windows, row, phases, line, out);
        finish(out, size);
        write_elements<T>(out_, at, w_.out_row, result);
      }
      return 0;
    };
    return parallel(context_, p_.outer * windows, std::max<int64_t>(1, GRAIN / std::max<int64_t>(cost, 1)),
                    body);
  }

 private:
  // One window over everything.
  int planes() {
    const bool grouped = power == 1 && x_.dtype == CODE<T> && out_.dtype == CODE<T>;
    auto body = [&](int64_t begin, int64_t end) {
      Scratch<T> line(context_, x_.dtype == CODE<T> ? 0 : w_.plane);
      int64_t first = begin;
      // The last plane goes the other way: what is read beyond a plane is the next one.
      for (; grouped && first + LANES<T> <= std::min(end, p_.outer - 1); first += LANES<T>) join_planes(first);
      for (int64_t i = first; i < end; ++i) {
        T room, *out = place_of<T>(out_, i, &room);
        *out = join_all(read_elements<T>(x_, i * w_.plane, w_.plane, line), w_.plane, true);
        finish(out, T(1));
        write_elements<T>(out_, i, 1, &room);
      }
      return 0;
    };
    return parallel(context_, p_.outer, std::max<int64_t>(1, GRAIN / w_.plane), body);
  }

  // As many planes as a vector has lanes: one vector of each, then those are joined across.
  void join_planes(int64_t first) {
    constexpr int lanes = LANES<T>;
    const int64_t n = w_.plane, whole = n / lanes * lanes;
    const Real<T> start = Real<T>{} + Join::start;
    Integer<T> rest;
    for (int k = 0; k < lanes; ++k) rest[k] = k < n - whole ? -1 : 0;
    T rows[lanes * lanes];
    for (int k = 0; k < lanes; ++k) {
      const T* x = reinterpret_cast<const T*>(x_.data) + (first + k) * n;
      Real<T> a = start, b = start;
      int64_t i = 0;
      for (; i + 2 * lanes <= n; i += 2 * lanes) {
        a = Join::join(a, load_vector(x + i));
        b = Join::join(b, load_vector(x + i + lanes));
      }
      if (i < whole) a = Join::join(a, load_vector(x + i));
      if (whole < n) b = Join::join(b, rest != 0 ? load_vector(x + whole) : start);
      store_vector(rows + k * lanes, Join::join(a, b));
    }
    T* out = reinterpret_cast<T*>(out_.data) + first;
    for (int k = 0; k < lanes; ++k) {
      T joined = rows[k * lanes];
      for (int j = 1; j < lanes; ++j) joined = Join::join(joined, rows[k * lanes + j]);
      out[k] = p_.mode == POOL_AVG ? joined / sizes_[0] : joined;
    }
  }

  // One row of results before they are divided; returns by how much, but for the last axis.
  T combine(int64_t plane, int64_t window, T* row, T* phases, T* line, T* out) {
    const T* from = row;
    int64_t size = 0;
    if (whole_) {  // the input's row will do
      size = w_.rows(window, [&](int64_t, int64_t at) { from = read_elements<T>(x_, plane + at, w_.row, line); });
    } else {
      T* to = row + p_.pad[2] * p_.inner;
      const int64_t n = w_.used * p_.inner;
      bool any = false;
      size = w_.rows(window, [&](int64_t number, int64_t at) {
        const T* x = read_elements<T>(x_, plane + at, n, line);
        if (number == 0) {
          for (int64_t i = 0; i < n; ++i) to[i] = Join::join(Join::start, raised<power>(x[i]));
        } else {
          for (int64_t i = 0; i < n; ++i) to[i] = Join::join(to[i], raised<power>(x[i]));
        }
        any = true;
      });
      if (!any) std::fill(to, to + n, Join::start);
    }
    if (lines_) {
      out[0] = join_all(from, p_.kernel[2], false);
      return T(size);
    }
    if (w_.step > 1) {
      part(row, w_.padded, w_.step, w_.phase, phases);
      from = phases;
    }
    std::fill(out, out + w_.out_row, Join::start);
    for (int64_t k = 0; k < p_.kernel[2]; ++k) {
      neighbours(w_, k, [&](int64_t to, int64_t at, int64_t n) { join_lines<T, Join>(out + to, from + at, n); });
    }
    return T(size);
  }

  // All elements of a line, in four vectors side by side.
  T join_all(const T* x, int64_t n, bool raise) {
    constexpr int lanes = LANES<T>;
    Real<T> parts[4];
    for (Real<T>& part : parts) part = Real<T>{} + Join::start;
    int64_t i = 0;
    auto value = [&](const T* at) __attribute__((always_inline)) {
      const Real<T> v = load_vector(at);
      return raise ? raised<power>(v) : v;
    };
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      for (int k = 0; k < 4; ++k) parts[k] = Join::join(parts[k], value(x + i + k * lanes));
    }
    for (; i + lanes <= n; i += lanes) parts[0] = Join::join(parts[0], value(x + i));
    T joined[LANES<T>];
    store_vector(joined, Join::join(Join::join(parts[0], parts[1]), Join::join(parts[2], parts[3])));
    for (int width = lanes / 2; width; width /= 2) {
      for (int k = 0; k < width; ++k) joined[k] = Join::join(joined[k], joined[k + width]);
    }
    for (; i < n; ++i) joined[0] = Join::join(joined[0], raise ? raised<power>(x[i]) : x[i]);
    return joined[0];
  }

  void finish(T* out, T size) {
    if (p_.mode == POOL_AVG) {
      divide(p_, size > 0 ? size : T(1), sizes_.data(), out, out);
    } else if constexpr (power == 2) {
      for (int64_t i = 0; i < w_.out_row; ++i) out[i] = std::sqrt(out[i]);
    } else if constexpr (power == 3) {
      for (int64_t i = 0; i < w_.out_row; ++i) out[i] = std::cbrt(out[i]);
    }
  }

  KernelContext& context_;
  const PoolParams& p_;
  const Windows w_;
  const Tensor &x_, &out_;
  std::vector<T> sizes_;
  bool whole_, lines_;
};

// --- the gradient of sums and averages ----------------------------------------------------------------------
template <class T>
int spread_whole(KernelContext& context, T size) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  const Tensor &g_x = context.outputs[0], &g_out = context.inputs[0];
  auto body = [&](int64_t begin, int64_t end) {
    Scratch<T> line(context, g_x.dtype == CODE<T> ? 0 : p.in[2]);
    for (int64_t i = begin; i < end; ++i) {
      T room, *to = place_of<T>(g_x, i * p.in[2], line);
      const T g = *read_elements<T>(g_out, i, 1, &room);
      std::fill(to, to + p.in[2], p.mode == POOL_AVG ? g / size : g);
      write_elements<T>(g_x, i * p.in[2], p.in[2], line);
    }
    return 0;
  };
  return parallel(context, p.outer, std::max<int64_t>(1, GRAIN / p.in[2]), body);
}

// Whether rows of windows are long, and each is two or three wide and two from the next: then neighbours in
// the result are sums of neighbours, written in pairs.
inline bool in_pairs(const PoolParams& p) {
  return p.inner == 1 && p.stride[2] == 2 && (p.kernel[2] == 2 || p.kernel[2] == 3) && p.out[2] >= 12;
}

template <class T>
void spread_pairs(const T* __restrict g, int64_t n, bool three, T* __restrict row) {
  row[0] = row[1] = g[0];
  if (three) {
    for (int64_t i = 1; i < n; ++i) {
      row[2 * i] = g[i - 1] + g[i];
      row[2 * i + 1] = g[i];
    }
    row[2 * n] = g[n - 1];
  } else {
    for (int64_t i = 1; i < n; ++i) row[2 * i] = row[2 * i + 1] = g[i];
  }
}

template <class T>
int spread(KernelContext& context) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  if (suits_strips<T>(context) && are_tiles(p)) return Strips<T, 2, 2>(context).spread_tiles();
  const bool pairs = in_pairs(p);
  if (!pairs && Lanes<T>::suit(p)) return Lanes<T>(context).spread();
  const Windows w(p);
  const Tensor &g_x = context.outputs[0], &g_out = context.inputs[0];
  const std::vector<T> sizes = sizes_along_last<T>(p);
  if (is_whole(p)) return spread_whole<T>(context, sizes[0]);
  auto one_row = [&](int64_t plane, int64_t window, T* line, T* row, T* total) {
    const T* g = read_elements<T>(g_out, plane * w.out_plane + window * w.out_row, w.out_row, line);
    const T size = T(w.rows(window, [](int64_t, int64_t) {}));
    if (p.mode == POOL_AVG) {
      divide(p, size > 0 ? size : T(1), sizes.data(), g, line);
      g = line;
    }
    if (pairs) {
      spread_pairs(g, p.out[2], p.kernel[2] == 3, row);
    } else {
      std::fill(row, row + w.padded * p.inner, T(0));
    }
    for (int64_t k = pairs ? p.kernel[2] : 0; k < p.kernel[2]; ++k) {
      if (p.inner == 1 && p.stride[2] == 1) {
        join_lines<T, Total<T>>(row + k, g, p.out[2]);
      } else if (p.inner == 1) {
        for (int64_t i = 0; i < p.out[2]; ++i) row[i * p.stride[2] + k] += g[i];
      } else {
        neighbours(w, k, [&](int64_t from, int64_t to, int64_t n) {
          join_lines<T, Total<T>>(row + to, g + from, n);
        });
      }
    }
    w.rows(window, [&](int64_t, int64_t at) {
      join_lines<T, Total<T>>(total + at, row + p.pad[2] * p.inner, w.used * p.inner);
    });
  };
  auto body = [&](int64_t begin, int64_t end) {
    Scratch<T> scratch(context, w.room() + w.out_row + (g_x.dtype == CODE<T> ? 0 : w.plane));
    T *row = scratch, *line = row + w.room(), *room = line + w.out_row;
    for (int64_t i = begin; i < end; ++i) {
      T* total = place_of<T>(g_x, i * w.plane, room);
      std::fill(total, total + w.plane, T(0));
      for (int64_t window = 0; window < p.out[0] * p.out[1]; ++window) one_row(i, window, line, row, total);
      write_elements<T>(g_x, i * w.plane, w.plane, room);
    }
    return 0;
  };
  return parallel(context, p.outer, std::max<int64_t>(1, GRAIN / 2 / w.plane), body);
}

// --- where the largest elements are ---------------------------------------------------------------------------
// For a row of windows: which row of the window and which neighbour holds the first largest element.
template <class T>
class Largest {
 public:
  using I = Position<T>;

  Largest(KernelContext& context, const Windows& w)
      : w_(w), real_(context, 2 * w.room() + w.row + w.out_row), whole_(context, 2 * w.room() + 2 * w.out_row) {
    std::fill(values(), values() + w.room(), LOWEST<T>);
    std::fill(rows(), rows() + w.room(), I(-1));
  }

  // Calls body(position in the row of results, element within the plane).
  template <class Body>
  void find(const Tensor& x, int64_t plane, int64_t window, bool positive, const Body& body) {
    const PoolParams& p = w_.p;
    starts_.clear();
    first_step(x, plane, window);
    const T* value = values();
    const I* row = rows();
    if (w_.step > 1) {
      part(value, w_.padded, w_.step, w_.phase, value_phases());
      part(row, w_.padded, w_.step, w_.phase, row_phases());
      value = value_phases();
      row = row_phases();
    }
    std::fill(best(), best() + w_.out_row, LOWEST<T>);
    std::fill(best_row(), best_row() + w_.out_row, I(-1));
    for (int64_t k = 0; k < p.kernel[2]; ++k) {
      neighbours(w_, k, [&](int64_t to, int64_t from, int64_t n) {
        choose(best() + to, best_row() + to, best_column() + to, value + from, row + from, I(k), n);
      });
    }
    for (int64_t i = 0; i < p.out[2]; ++i) {
      const int64_t left = (i * p.stride[2] - p.pad[2]) * p.inner;
      for (int64_t c = 0; c < p.inner; ++c) {
        const int64_t to = i * p.inner + c, number = best_row()[to];
        if (number >= 0 && (!positive || best()[to] > 0)) body(to, starts_[number] + left + best_column()[to] * p.inner + c);
      }
    }
  }

 private:
  T* values() { return real_; }
  T* value_phases() { return real_ + w_.room(); }
  T* line() { return value_phases() + w_.room(); }
  T* best() { return line() + w_.row; }
  I* rows() { return whole_; }
  I* row_phases() { return whole_ + w_.room(); }
  I* best_row() { return row_phases() + w_.room(); }
  I* best_column() { return best_row() + w_.out_row; }

  void first_step(const Tensor& x, int64_t plane, int64_t window) {
    const PoolParams& p = w_.p;
    T* value = values() + p.pad[2] * p.inner;
    I* row = rows() + p.pad[2] * p.inner;
    const int64_t n = w_.used * p.inner;
    std::fill(value, value + n, LOWEST<T>);
    std::fill(row, row + n, I(-1));
    w_.rows(window, [&](int64_t number, int64_t at) {
      starts_.push_back(at);
      const T* from = read_elements<T>(x, plane + at, n, line());
      for (int64_t i = 0; i < n; ++i) {
        const bool better = from[i] > value[i];
        row[i] = better ? I(number) : row[i];
        value[i] = better ? from[i] : value[i];
      }
    });
  }

  // Of equal elements the first one counts, row by row.
  static void choose(T* best, I* row, I* column, const T* value, const I* from, I k, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const bool better = (value[i] > best[i]) | ((value[i] == best[i]) & (from[i] < row[i]));
      best[i] = better ? value[i] : best[i];
      row[i] = better ? from[i] : row[i];
      column[i] = better ? k : column[i];
    }
  }

  const Windows& w_;
  Scratch<T> real_;
  Scratch<I> whole_;
  std::vector<int64_t> starts_;  // of the rows of the window
};

template <class T>
int max_gradient(KernelContext& context) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  if (suits_strips<T>(context)) {
    return with_strips<T>(context, [](auto strips) { return strips.max_gradient(); });
  }
  if (Lanes<T>::suit(p)) return Lanes<T>(context).max_gradient();
  const Windows w(p);
  const Tensor &g_x = context.outputs[0], &g_out = context.inputs[0], &x = context.inputs[1];
  auto body = [&](int64_t begin, int64_t end) {
    Largest<T> largest(context, w);
    Scratch<T> scratch(context, w.out_row + (g_x.dtype == CODE<T> ? 0 : w.plane));
    T *line = scratch, *room = line + w.out_row;
    for (int64_t i = begin; i < end; ++i) {
      T* total = place_of<T>(g_x, i * w.plane, room);
      std::fill(total, total + w.plane, T(0));
      for (int64_t window = 0; window < p.out[0] * p.out[1]; ++window) {
        const T* g = read_elements<T>(g_out, i * w.out_plane + window * w.out_row, w.out_row, line);
        largest.find(x, i * w.plane, window, p.positive,
                     [&](int64_t from, int64_t to) { total[to] += g[from]; });
      }
      write_elements<T>(g_x, i * w.plane, w.plane, room);
    }
    return 0;
  };
  return parallel(context, p.outer, std::max<int64_t>(1, GRAIN / 2 / w.plane), body);
}

template <class T>
int max_pick(KernelContext& context) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  if (Lanes<T>::suit(p)) return Lanes<T>(context).max_pick();
  const Windows w(p);
  const Tensor &out = context.outputs[0], &values = context.inputs[0], &x = context.inputs[1];
  auto body = [&](int64_t begin, int64_t end) {
    Largest<T> largest(context, w);
    Scratch<T> scratch(context, w.out_row + (values.dtype == CODE<T> ? 0 : w.plane));
    T *line = scratch, *room = line + w.out_row;
    for (int64_t i = begin; i < end; ++i) {
      const T* from = read_elements<T>(values, i * w.plane, w.plane, room);
      for (int64_t window = 0; window < p.out[0] * p.out[1]; ++window) {
        const int64_t at = i * w.out_plane + window * w.out_row;
        T* row = place_of<T>(out, at, line);
        std::fill(row, row + w.out_row, T(0));
        largest.find(x, i * w.plane, window, false,
                     [&](int64_t to, int64_t place) { row[to] = from[place]; });
        write_elements<T>(out, at, w.out_row, line);
      }
    }
    return 0;
  };
  return parallel(context, p.outer, std::max<int64_t>(1, GRAIN / 2 / w.plane), body);
}

template <class T>
int pool(KernelContext& context) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  if (p.mode != POOL_POWER && suits_strips<T>(context)) {
    if (Around<T>::suit(p)) return Around<T>(context).pool();
    return with_strips<T>(context, [&](auto strips) {
      return p.mode == POOL_MAX ? strips.template pool<Maximum<T>>() : strips.template pool<Total<T>>();
    });
  }
  if (Lanes<T>::suit(p)) return Lanes<T>(context).pool();
  if (p.mode == POOL_MAX) return Pooling<T, Maximum<T>, 1>(context).run();
  if (p.mode == POOL_POWER && p.power == 2) return Pooling<T, Total<T>, 2>(context).run();
  if (p.mode == POOL_POWER && p.power == 3) return Pooling<T, Total<T>, 3>(context).run();
  return Pooling<T, Total<T>, 1>(context).run();
}

}  // namespace

int pooling_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? pool<double>(context) : pool<float>(context);
}

int pooling_spread_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? spread<double>(context) : spread<float>(context);
}

int pooling_max_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? max_gradient<double>(context) : max_gradient<float>(context);
}

int pooling_max_pick_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? max_pick<double>(context) : max_pick<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
