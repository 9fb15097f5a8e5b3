// The largest elements of small square windows and where they are, and their means, a vector of windows at a
// time.
//
// Windows are two or three wide and one or two from the next.  Forward, the rows that a window covers are
// joined element by element, then neighbours in that row.  Backward, the number of the element that is taken
// is found for a row of windows; every row of the input then adds the gradients of the windows that have
// taken its elements.  With a step of two, rows are parted into even and odd places, so that in both
// directions vectors of neighbouring windows read neighbouring elements.
#pragma once
#include "lines.hpp"
#include "pooling_windows.hpp"
#include "runs.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

// p[FIRST], p[FIRST + 2], ...: as many as a vector has lanes.
template <class T, int FIRST>
MXCY_INLINE Real<T> every_second(const T* p) {
#if defined(__AVX512F__)
  Integer<T> places;
  for (int i = 0; i < LANES<T>; ++i) places[i] = 2 * i + FIRST;
  return __builtin_shuffle(load_vector(p), load_vector(p + LANES<T>), places);
#else
  T lanes[LANES<T>];
  for (int i = 0; i < LANES<T>; ++i) lanes[i] = p[2 * i + FIRST];
  return load_vector(lanes);
#endif
}

// Elements of two vectors in turn.
template <class T>
MXCY_INLINE void store_in_turn(Real<T> even, Real<T> odd, T* to) {
#if defined(__AVX512F__)
  Integer<T> low, high;
  for (int i = 0; i < LANES<T>; ++i) {
    low[i] = i / 2 + i % 2 * LANES<T>;
    high[i] = low[i] + LANES<T> / 2;
  }
  store_vector(to, __builtin_shuffle(even, odd, low));
  store_vector(to + LANES<T>, __builtin_shuffle(even, odd, high));
#else
  for (int i = 0; i < LANES<T>; ++i) to[2 * i] = even[i], to[2 * i + 1] = odd[i];
#endif
}

template <class T, int K, int S>
class Strips {
 public:
  explicit Strips(KernelContext& context)
      : context_(context),
        p_(*static_cast<const PoolParams*>(context.params)),
        width_(p_.in[2]),
        plane_(p_.in[1] * p_.in[2]),
        out_width_(p_.out[2]),
        out_plane_(p_.out[1] * p_.out[2]),
        used_(std::max<int64_t>(0, std::min(width_, (out_width_ - 1) * S + K - p_.pad[2]))),
        pitch_(round_up(std::max(width_ + p_.pad[2], (out_width_ - 1) * S + K)) + 2 * L) {
    for (int i = 0; i < L; ++i) lane_[i] = i;
  }

  template <class Join>
  int pool() {
    const T* x = reinterpret_cast<const T*>(context_.inputs[0].data);
    T* out = reinterpret_cast<T*>(context_.outputs[0].data);
    const T* end = x + context_.inputs[0].size;
    const int64_t rows = std::min(p_.out[1], std::max<int64_t>(1, STRIP / pitch_));
    return each_plane(rows * pitch_ + 3 * pitch_, [&](int64_t begin, int64_t stop, T* room) {
      T *joined = room, *line = joined + rows * pitch_, *spare = line + pitch_, *sizes = spare + pitch_;
      std::fill_n(room, (rows + 2) * pitch_, Join::start);
      std::fill_n(sizes, pitch_, T(1));
      for (int64_t i = 0; i < out_width_; ++i) sizes[i] = extent(2, i);
      for (int64_t i = begin; i < stop; ++i) {
        for (int64_t first = 0; first < p_.out[1]; first += rows) {
          const int64_t last = std::min(p_.out[1], first + rows);
          for (int64_t h = first; h < last; ++h) {
            join_rows<Join>(x + i * plane_, h, end, spare, joined + (h - first) * pitch_);
          }
          for (int64_t h = first; h < last; ++h) {
            T* to = out + i * out_plane_ + h * out_width_;
            const bool fits = h * out_width_ + round_up(out_width_) <= out_plane_;
            join_neighbours<Join>(joined + (h - first) * pitch_, extent(1, h), sizes, fits ? to : line);
            if (!fits) std::memcpy(to, line, size_t(out_width_) * sizeof(T));
          }
        }
      }
    });
  }

  // Of sums or means over windows that lie side by side and fill the plane: every share goes to two rows.
  int spread_tiles() {
    const T* g = reinterpret_cast<const T*>(context_.inputs[0].data);
    T* to = reinterpret_cast<T*>(context_.outputs[0].data);
    const T *end = g + context_.inputs[0].size, size = p_.mode == POOL_AVG ? T(K * K) : T(1);
    return each_plane(2 * pitch_, [&](int64_t begin, int64_t stop, T* room) {
      T *spare = room, *line = room + pitch_;
      for (int64_t i = begin; i < stop; ++i) {
        for (int64_t y = 0; y < p_.in[1]; ++y) {
          const T* from = whole_row(g + i * out_plane_ + y / S * out_width_, out_width_, end, spare);
          T* row = to + i * plane_ + y * width_;
          const bool fits = y * width_ + round_up(width_) <= plane_;
          for (int64_t k = 0; k < out_width_; k += L) {
            const Real<T> share = load_vector(from + k) / size;
            store_in_turn<T>(share, share, (fits ? row : line) + 2 * k);
          }
          if (!fits) std::memcpy(row, line, size_t(width_) * sizeof(T));
        }
      }
    });
  }

  int max_gradient() {
    const T* g = reinterpret_cast<const T*>(context_.inputs[0].data);
    const T* x = reinterpret_cast<const T*>(context_.inputs[1].data);
    T* to = reinterpret_cast<T*>(context_.outputs[0].data);
    const T *g_end = g + context_.inputs[0].size, *x_end = x + context_.inputs[1].size;
    return each_plane((2 * RING + 6) * pitch_, [&](int64_t begin, int64_t stop, T* room) {
      State state(room, pitch_);
      for (int64_t i = begin; i < stop; ++i) {
        int64_t loaded = 0, written = 0;  // rows of the input
        for (int64_t h = 0; h < p_.out[1]; ++h) {
          const int64_t top = h * S - p_.pad[1], bottom = std::min(top + K, p_.in[1]);
          for (loaded = std::max(loaded, top); loaded < bottom; ++loaded) {
            load_row(x + i * plane_ + loaded * width_, x_end, state, loaded);
          }
          find(whole_row(g + i * out_plane_ + h * out_width_, out_width_, g_end, state.spare), top, bottom, state);
          for (int64_t y = std::max<int64_t>(top, 0); y < bottom; ++y) take(state, y, Number(y - top) * K);
          const int64_t done = h + 1 == p_.out[1] ? p_.in[1] : std::min(p_.in[1], top + S);
          for (; written < done; ++written) write_row(state, written, to + i * plane_);
        }
      }
    });
  }

 private:
  static constexpr int64_t L = LANES<T>, STRIP = 4096, RING = 4;
  using I = Integer<T>;
  using Number = Position<T>;  // an element of I
  static int64_t round_up(int64_t n) { return (n + 2 * L - 1) / (2 * L) * (2 * L); }

  // Some rows of the input and of its gradient, and one of windows: their numbers and gradients.
  struct State {
    State(T* room, int64_t row) : pitch(row), x(room), sums(x + RING * row), chosen(sums + RING * row + L),
        heads(chosen + row + L), spare(heads + row), line(spare + row) {
      std::fill_n(x, RING * row, LOWEST<T>);
      std::fill(sums, line + row, T(0));
      for (int64_t i = -L; i < row; i += L) choose(i, I{} - 1);
    }
    T* phase(T* rows, int64_t y, int64_t number) const { return rows + y % RING * pitch + number * (pitch / 2); }
    void choose(int64_t at, I numbers) { std::memcpy(chosen + at, &numbers, sizeof numbers); }
    I choice(int64_t at) const {
      I numbers;
      std::memcpy(&numbers, chosen + at, sizeof numbers);
      return numbers;
    }
    int64_t pitch;
    T *x, *sums, *chosen, *heads, *spare, *line;
  };

  template <class Body>
  int each_plane(int64_t room, const Body& body) {
    return parallel(context_, p_.outer, std::max<int64_t>(1, GRAIN / (plane_ + out_plane_)),
                    [&](int64_t begin, int64_t end) {
                      Scratch<T> scratch(context_, room);
                      body(begin, end, static_cast<T*>(scratch));
                      return 0;
                    });
  }

  // A row from which whole vectors may be read: `spare` if the array ends too early.
  static const T* whole_row(const T* row, int64_t n, const T* end, T* spare) {
    if (row + round_up(n) <= end) return row;
    std::memcpy(spare, row, size_t(n) * sizeof(T));
    return spare;
  }

  // --- forward ---
  // Of a window along an axis, as means count it.
  T extent(int axis, int64_t window) const {
    return T(p_.mode == POOL_AVG ? std::max<int64_t>(1, interval(p_, axis, window).counted) : 1);
  }

  template <class Join>
  void join_rows(const T* plane, int64_t h, const T* end, T* spare, T* row) const {
    const int64_t top = h * S - p_.pad[1];
    const int64_t first = std::max<int64_t>(top, 0), last = std::min(top + K, p_.in[1]);
    const T* rows[K];
    for (int64_t y = first; y < last; ++y) rows[y - first] = plane + y * width_;
    // Only the last row that is read may come too near to the end.
    if (last > first) rows[last - first - 1] = whole_row(rows[last - first - 1], width_, end, spare);
    const bool near_end = last - first > 1 && rows[last - first - 2] + round_up(width_) > end;
    T* to = row + p_.pad[2];
    for (int64_t i = 0; i < used_; i += L) {
      Real<T> found = Real<T>{} + Join::start;
      for (int64_t k = 0; k < last - first; ++k) {
        const Real<T> v = near_end ? load_part(rows[k] + i, used_ - i, Join::start) : load_vector(rows[k] + i);
        found = Join::join(found, v);
      }
      store_vector(to + i, lane_ + Number(i) < Number(used_) ? found : Real<T>{} + Join::start);
    }
  }

  template <class Join>
  void join_neighbours(const T* row, T size, const T* sizes, T* to) const {
    for (int64_t i = 0; i < out_width_; i += L) {
      const T* from = row + i * S;
      Real<T> found;
      if constexpr (S == 1) {
        found = Join::join(load_vector(from), load_vector(from + 1));
        if (K == 3) found = Join::join(found, load_vector(from + 2));
      } else {
        found = Join::join(every_second<T, 0>(from), every_second<T, 1>(from));
        if (K == 3) found = Join::join(found, every_second<T, 0>(from + 2));
      }
      if constexpr (std::is_same_v<Join, Total<T>>) found /= size * load_vector(sizes + i);
      store_vector(to + i, found);
    }
  }

  // --- backward ---
  // Position q of a padded row is element q / S of phase q % S.
  void load_row(const T* row, const T* end, const State& s, int64_t y) const {
    const T* from = whole_row(row, width_, end, s.spare);
    const Real<T> none = Real<T>{} + LOWEST<T>;
    const int64_t pad = p_.pad[2];
    if constexpr (S == 1) {
      T* to = s.phase(s.x, y, 0) + pad;
      for (int64_t i = 0; i < used_; i += L) {
        store_vector(to + i, lane_ + Number(i) < Number(used_) ? load_vector(from + i) : none);
      }
    } else {
      T* even = s.phase(s.x, y, pad % 2) + pad / 2;
      T* odd = s.phase(s.x, y, (pad + 1) % 2) + (pad + 1) / 2;
      for (int64_t i = 0; i < used_; i += 2 * L) {
        const I place = 2 * lane_ + Number(i);
        store_vector(even + i / 2, place < Number(used_) ? every_second<T, 0>(from + i) : none);
        store_vector(odd + i / 2, place + 1 < Number(used_) ? every_second<T, 1>(from + i) : none);
      }
    }
  }

  // Which element each window of a row takes, K * (its row) + (its column), and its gradient.
  void find(const T* g, int64_t top, int64_t bottom, State& s) const {
    for (int64_t i = 0; i < out_width_; i += L) {
      Real<T> best = Real<T>{} + LOWEST<T>;
      I found = I{} - 1;
      for (int64_t y = std::max<int64_t>(top, 0); y < bottom; ++y) {
        const Number first = Number(y - top) * K;
#pragma GCC unroll 3
        for (int k = 0; k < K; ++k) {
          const Real<T> v = load_vector(s.phase(s.x, y, k % S) + i + k / S);
          found = v > best ? I{} + (first + k) : found;
          best = v > best ? v : best;
        }
      }
      if (p_.positive) found = best > T(0) ? found : I{} - 1;
      s.choose(i, lane_ + Number(i) < Number(out_width_) ? found : I{} - 1);
      store_vector(s.heads + i, load_vector(g + i));
    }
  }

  // Adds to a row of the input's gradient, whose first element in a window has this number.
  void take(const State& s, int64_t y, Number first) const {
    constexpr int64_t REACH = (K - 1) / S;
#pragma GCC unroll 2
    for (int phase = 0; phase < S; ++phase) {
      T* to = s.phase(s.sums, y, phase);
      for (int64_t i = 0; i < out_width_ + REACH; i += L) {
        Real<T> sum = load_vector(to + i);
#pragma GCC unroll 3
        for (int k = (K - 1 - phase) / S * S + phase; k >= 0; k -= S) {  // windows from left to right
          const int64_t window = i - k / S;
          sum = s.choice(window) == first + k ? sum + load_vector(s.heads + window) : sum;
        }
        store_vector(to + i, sum);
      }
    }
  }

  void write_row(const State& s, int64_t y, T* plane) const {
    const bool fits = y * width_ + round_up(width_) <= plane_;
    T* to = fits ? plane + y * width_ : s.line;
    const int64_t pad = p_.pad[2];
    if constexpr (S == 1) {
      const T* from = s.phase(s.sums, y, 0) + pad;
      for (int64_t i = 0; i < width_; i += L) store_vector(to + i, load_vector(from + i));
    } else {
      const T* even = s.phase(s.sums, y, pad % 2) + pad / 2;
      const T* odd = s.phase(s.sums, y, (pad + 1) % 2) + (pad + 1) / 2;
      for (int64_t i = 0; i < width_; i += 2 * L) {
        store_in_turn<T>(load_vector(even + i / 2), load_vector(odd + i / 2), to + i);
      }
    }
    if (!fits) std::memcpy(plane + y * width_, to, size_t(width_) * sizeof(T));
    std::fill_n(s.phase(s.sums, y, 0), pitch_, T(0));
  }

  KernelContext& context_;
  const PoolParams& p_;
  const int64_t width_, plane_, out_width_, out_plane_;
  const int64_t used_;   // positions of a row that windows reach
  const int64_t pitch_;  // of rows in memory of our own
  I lane_;
};

// Whether windows are two or three wide and high, and one or two from the next.
template <class T>
bool suits_strips(const KernelContext& context) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  for (int i = 0; i < context.n_inputs; ++i) {
    if (context.inputs[i].dtype != CODE<T>) return false;
  }
  const bool plain = p.inner == 1 && p.in[0] == 1 && p.kernel[0] == 1 && p.pad[0] == 0 && p.in[1] > 0 &&
                     p.out[1] > 0 && p.out[2] > 0 && context.outputs[0].dtype == CODE<T>;
  return plain && p.kernel[1] == p.kernel[2] && p.stride[1] == p.stride[2] && p.stride[2] <= 2 &&
         (p.kernel[2] == 2 || p.kernel[2] == 3) && std::max(p.pad[1], p.pad[2]) < p.kernel[2];
}

// Whether windows of two by two fill the plane without a rest.
inline bool are_tiles(const PoolParams& p) {
  return p.kernel[2] == 2 && p.stride[2] == 2 && p.pad[1] + p.pad[2] == 0 && p.in[1] == 2 * p.out[1] &&
         p.in[2] == 2 * p.out[2];
}

template <class T, class Work>
int with_strips(KernelContext& context, const Work& work) {
  const PoolParams& p = *static_cast<const PoolParams*>(context.params);
  if (p.kernel[2] == 2) return p.stride[2] == 1 ? work(Strips<T, 2, 1>(context)) : work(Strips<T, 2, 2>(context));
  return p.stride[2] == 1 ? work(Strips<T, 3, 1>(context)) : work(Strips<T, 3, 2>(context));
}

}  // namespace
}  // namespace MXCY_ISA
}  // namespace mxcy
