// Batch normalisation; compiled once for each instruction set.
//
// Both passes have one form.  From operands a and b (forward both are x; backward the gradient and x) come
// the sums of u and u w with u = a - a0, w = b - b0, and then the result (a - a0) ka + (b - b0) kb + kc.  One
// worker does all of a channel, so that the second pass finds it in the cache, and results do not depend on
// the number of workers.  Forward, a0 is near the mean: the variance does not cancel.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "batch_norm.hpp"

#include <algorithm>
#include <vector>
#include "lines.hpp"
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t CHUNK = 4096;  // elements converted at a time
constexpr int FLUSH = 64;        // vectors added before sums move on to double

// What is done to one channel: factors of the second pass and origins of both.
template <class T>
struct Factors {
  T a0 = 0, b0 = 0, ka = 0, kb = 0, kc = 0;
};
struct Sums {
  double u = 0, uw = 0;
};

// `lanes` elements at p, the others `fill`; may read on as far as `end`.
template <class T>
MXCY_INLINE Real<T> load_lanes(const T* p, int64_t lanes, const T* end, T fill) {
  if (p + LANES<T> > end) return load_part(p, lanes, fill);
  Real<T> v = load_vector(p), number;
  for (int i = 0; i < LANES<T>; ++i) number[i] = T(i);
  return number < T(lanes) ? v : Real<T>{} + fill;
}

// The operands a and b, b being a if there is one alone, as lines of one channel after the other.
template <class T, bool TWO>
class Operands {
 public:
  Operands(const KernelContext& context, const BatchNormParams& p, const Tensor& a, const Tensor& b)
      : p_(p), a_(a), b_(b), room_(context, 2 * (CHUNK + LANES<T>)) {}

  // Calls body(first element, a, b, n, readable) for contiguous pieces of channel c.
  template <class Body>
  void pieces(int64_t c, const Body& body) {
    for (int64_t i = 0; i < p_.outer; ++i) {
      const int64_t line = (i * p_.channels + c) * p_.inner;
      for (int64_t k = 0; k < p_.inner; k += CHUNK) read(line + k, std::min(CHUNK, p_.inner - k), body);
    }
  }
  // The same for rows of neighbouring channels [c, c + n) where the channels come last.
  template <class Body>
  void rows(int64_t c, int64_t n, const Body& body) {
    for (int64_t i = 0; i < p_.outer; ++i) read(i * p_.channels + c, n, body);
  }

 private:
  template <class Body>
  MXCY_INLINE void read(int64_t first, int64_t n, const Body& body) {
    const T* a = read_elements<T>(a_, first, n, room_);
    const T* b = TWO ? read_elements<T>(b_, first, n, room_ + CHUNK + LANES<T>) : a;
    const bool direct = a_.dtype == CODE<T>;
    const int64_t readable = direct ? a_.size - first : CHUNK + LANES<T>;
    body(first, a, b, n, readable);
  }

  const BatchNormParams& p_;
  const Tensor &a_, &b_;
  Scratch<T> room_;
};

template <class T, bool TWO>
Sums sums_of_channel(Operands<T, TWO>& operands, int64_t c, const Factors<T>& f) {
  Sums total;
  Real<T> u_sum{}, uw_sum{};
  int count = 0;
  auto flush = [&] {
    total.u += sum_lanes<T>(u_sum);
    total.uw += sum_lanes<T>(uw_sum);
    u_sum = uw_sum = Real<T>{};
    count = 0;
  };
  auto add = [&](Real<T> a, Real<T> b) {
    const Real<T> u = a - f.a0, w = TWO ? b - f.b0 : u;
    u_sum += u;
    uw_sum += u * w;
    if (++count == FLUSH) flush();
  };
  operands.pieces(c, [&](int64_t, const T* a, const T* b, int64_t n, int64_t readable) {
    int64_t i = 0;
    for (; i + LANES<T> <= n; i += LANES<T>) add(load_vector(a + i), load_vector(b + i));
    if (i < n) {
      add(load_lanes(a + i, n - i, a + readable, f.a0), load_lanes(b + i, n - i, b + readable, f.b0));
    }
  });
  flush();
  return total;
}

template <class T, bool TWO>
void write_channel(Operands<T, TWO>& operands, int64_t c, const Factors<T>& f, const Tensor& out, T* room) {
  operands.pieces(c, [&](int64_t first, const T* a, const T* b, int64_t n, int64_t) {
    T* to = place_of<T>(out, first, room);
    for (int64_t i = 0; i < n; ++i) {
      to[i] = TWO ? (a[i] - f.a0) * f.ka + ((b[i] - f.b0) * f.kb + f.kc) : (a[i] - f.a0) * f.ka + f.kc;
    }
    write_elements<T>(out, first, n, room);
  });
}

// Factors of neighbouring channels as vectors.
template <class T, int V>
struct FactorVectors {
  Real<T> a0[V], b0[V], ka[V], kb[V], kc[V];
  FactorVectors(const Factors<T>* f, int64_t n) {
    for (int v = 0; v < V; ++v) {
      for (int k = 0; k < LANES<T>; ++k) {
        const Factors<T> own = v * LANES<T> + k < n ? f[v * LANES<T> + k] : Factors<T>();
        a0[v][k] = own.a0, b0[v][k] = own.b0, ka[v][k] = own.ka, kb[v][k] = own.kb, kc[v][k] = own.kc;
      }
    }
  }
};

template <class T, bool TWO, int V>
void sums_of_channels(Operands<T, TWO>& operands, int64_t c, int64_t n, const Factors<T>* factors, Sums* to) {
  constexpr int lanes = LANES<T>;
  const FactorVectors<T, V> f(factors, n);
  Real<T> u_sum[V] = {}, uw_sum[V] = {};
  int count = 0;
  auto flush = [&] {
    for (int64_t k = 0; k < n; ++k) {
      to[k].u += u_sum[k / lanes][k % lanes];
      to[k].uw += uw_sum[k / lanes][k % lanes];
    }
    for (int v = 0; v < V; ++v) u_sum[v] = uw_sum[v] = Real<T>{};
    count = 0;
  };
  operands.rows(c, n, [&](int64_t, const T* a, const T* b, int64_t, int64_t readable) {
    for (int v = 0; v < V; ++v) {
      const int64_t left = std::max<int64_t>(0, std::min<int64_t>(lanes, n - v * lanes));
      const bool whole = left == lanes;
      Real<T> x = whole ? load_vector(a + v * lanes) : load_lanes(a + v * lanes, left, a + readable, T(0));
      Real<T> u = x - f.a0[v], w = u;
      if (TWO) {
        x = whole ? load_vector(b + v * lanes) : load_lanes(b + v * lanes, left, b + readable, T(0));
        w = x - f.b0[v];
      }
      u_sum[v] += u;
      uw_sum[v] += u * w;
    }
    if (++count == FLUSH) flush();
  });
  flush();
}

template <class T, bool TWO, int V>
void write_channels(Operands<T, TWO>& operands, int64_t c, int64_t n, const Factors<T>* factors,
                    const Tensor& out, T* room) {
  constexpr int lanes = LANES<T>;
  const FactorVectors<T, V> f(factors, n);
  operands.rows(c, n, [&](int64_t first, const T* a, const T* b, int64_t, int64_t readable) {
    T* to = place_of<T>(out, first, room);
    for (int v = 0; v * lanes < n; ++v) {
      const int64_t left = std::min<int64_t>(lanes, n - v * lanes);
      const T *pa = a + v * lanes, *pb = b + v * lanes;
      if (left == lanes) {
        Real<T> y = (load_vector(pa) - f.a0[v]) * f.ka[v] + f.kc[v];
        if (TWO) y += (load_vector(pb) - f.b0[v]) * f.kb[v];
        store_vector(to + v * lanes, y);
      } else {
        Real<T> y = (load_lanes(pa, left, a + readable, T(0)) - f.a0[v]) * f.ka[v] + f.kc[v];
        if (TWO) y += (load_lanes(pb, left, b + readable, T(0)) - f.b0[v]) * f.kb[v];
        store_part(to + v * lanes, left, y);
      }
    }
    write_elements<T>(out, first, n, room);
  });
}

// Runs `plan` over all channels: plan.origin(c, operands) gives the origins, plan.finish(c, sums, factors)
// takes the sums and sets the factors of the second pass.
template <class T, bool TWO, int V, class Plan>
int run_rows(KernelContext& context, const BatchNormParams& p, const Tensor& a, const Tensor& b,
             const Tensor& out, Plan& plan) {
  constexpr int64_t width = V * LANES<T>;
  auto body = [&](int64_t begin, int64_t end) {
    Operands<T, TWO> operands(context, p, a, b);
    Scratch<T> room(context, width);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t c = block * width, n = std::min(width, p.channels - c);
      Factors<T> factors[width];
      Sums sums[width];
      for (int64_t k = 0; k < n; ++k) factors[k] = plan.origin(c + k);
      if (plan.needs_sums) sums_of_channels<T, TWO, V>(operands, c, n, factors, sums);
      for (int64_t k = 0; k < n; ++k) plan.finish(c + k, sums[k], factors[k]);
      write_channels<T, TWO, V>(operands, c, n, factors, out, room);
    }
    return 0;
  };
  const int64_t cost = std::max<int64_t>(1, p.outer * width);
  return parallel(context, (p.channels + width - 1) / width, std::max<int64_t>(1, GRAIN / cost), body);
}

template <class T, bool TWO, class Plan>
int run_channels(KernelContext& context, const BatchNormParams& p, const Tensor& a, const Tensor& b,
                 const Tensor& out, Plan& plan) {
  if (p.inner == 1) {
    if (p.channels >= 16 * LANES<T>) return run_rows<T, TWO, 4>(context, p, a, b, out, plan);
    if (p.channels >= 4 * LANES<T>) return run_rows<T, TWO, 2>(context, p, a, b, out, plan);
    return run_rows<T, TWO, 1>(context, p, a, b, out, plan);
  }
  auto body = [&](int64_t begin, int64_t end) {
    Operands<T, TWO> operands(context, p, a, b);
    Scratch<T> room(context, CHUNK);
    for (int64_t c = begin; c < end; ++c) {
      Factors<T> factors = plan.origin(c);
      Sums sums;
      if (plan.needs_sums) sums = sums_of_channel<T, TWO>(operands, c, factors);
      plan.finish(c, sums, factors);
      write_channel<T, TWO>(operands, c, factors, out, room);
    }
    return 0;
  };
  const int64_t cost = std::max<int64_t>(1, p.outer * p.inner);
  return parallel(context, p.channels, std::max<int64_t>(1, GRAIN / cost), body);
}

// Parameters of all channels as double.
std::vector<double> numbers(const Tensor& t) {
  std::vector<double> values(t.size);
  read_all(t, values.data(), FLOAT64);
  return values;
}

void put(const std::vector<double>& values, const Tensor& t) { write_all(values.data(), FLOAT64, t); }

template <class T>
struct Forward {
  const BatchNormParams& p;
  const Tensor& x;
  std::vector<double> gamma, beta, mean, variance, deviation;
  bool needs_sums;

  // Near the mean: that of some elements.
  Factors<T> origin(int64_t c) const {
    Factors<T> f;
    if (!needs_sums) return f;
    double sum = 0;
    const int64_t lines = std::min<int64_t>(16, p.outer), each = std::min<int64_t>(16, p.inner);
    T room[16];
    for (int64_t i = 0; i < lines; ++i) {
      const T* line = read_elements<T>(x, (i * p.channels + c) * p.inner, each, room);
      for (int64_t k = 0; k < each; ++k) sum += line[k];
    }
    f.a0 = T(sum / double(lines * each));
    return f;
  }

  void finish(int64_t c, const Sums& sums, Factors<T>& f) {
    if (needs_sums) {
      const double n = double(p.outer * p.inner), off = sums.u / n;
      mean[c] = double(f.a0) + off;
      variance[c] = std::max(0.0, sums.uw / n - off * off);
      if (sums.uw != sums.uw) variance[c] = sums.uw;
      deviation[c] = 1 / std::sqrt(variance[c] + p.eps);
    }
    f.a0 = T(mean[c]);
    f.ka = T((p.fix_gamma ? 1 : gamma[c]) * deviation[c]);
    f.kc = T(beta[c] - (mean[c] - double(f.a0)) * double(f.ka));  // a0 is the mean rounded
  }
};

template <class T>
struct Backward {
  const BatchNormParams& p;
  std::vector<double> gamma, mean, deviation, g_gamma, g_beta;
  bool trained;
  bool needs_sums = true;

  Factors<T> origin(int64_t c) const {
    Factors<T> f;
    f.b0 = T(mean[c]);
    return f;
  }

  void finish(int64_t c, const Sums& sums, Factors<T>& f) {
    const double n = double(p.outer * p.inner), scale = (p.fix_gamma ? 1 : gamma[c]) * deviation[c];
    g_beta[c] = sums.u;
    g_gamma[c] = p.fix_gamma ? 0 : sums.uw * deviation[c];
    f.ka = T(scale);
    if (trained) {
      f.kb = T(-scale * deviation[c] * deviation[c] * sums.uw / n);
      f.kc = T(-scale * sums.u / n);
    }
  }
};

template <class T>
int forward(KernelContext& context) {
  const BatchNormParams& p = *static_cast<const BatchNormParams*>(context.params);
  const Tensor *to = context.outputs, *from = context.inputs;
  const Tensor* moving = p.by_batch ? to + 4 : from + 3;
  std::vector<double> old_mean = numbers(moving[0]), old_variance = numbers(moving[1]);
  const bool sums = p.by_batch && from[0].size > 0;
  Forward<T> plan{p,        from[0],      numbers(from[1]), numbers(from[2]),
                  old_mean, old_variance, old_mean,         sums};
  // Rounded as it will be saved, so that `again` finds the same numbers.
  for (int64_t c = 0; c < p.channels; ++c) plan.deviation[c] = T(1 / std::sqrt(old_variance[c] + p.eps));
  int code = from[0].size ? run_channels<T, false>(context, p, from[0], from[0], to[0], plan) : 0;
  put(plan.mean, to[1]);
  put(plan.deviation, to[2]);
  put({double(p.by_batch)}, to[3]);
  if (p.by_batch) {
    for (int64_t c = 0; c < p.channels; ++c) {
      old_mean[c] = old_mean[c] * p.momentum + plan.mean[c] * (1 - p.momentum);
      old_variance[c] = old_variance[c] * p.momentum + plan.variance[c] * (1 - p.momentum);
    }
    put(old_mean, moving[0]);
    put(old_variance, moving[1]);
  }
  return code;
}

template <class T>
int again(KernelContext& context) {
  const BatchNormParams& p = *static_cast<const BatchNormParams*>(context.params);
  const Tensor* from = context.inputs;
  const bool sums = numbers(from[5])[0] != 0 && from[0].size > 0;
  Forward<T> plan{p,                from[0], numbers(from[1]), numbers(from[2]), numbers(from[3]),
                  numbers(from[4]), numbers(from[4]), sums};
  return from[0].size ? run_channels<T, false>(context, p, from[0], from[0], context.outputs[0], plan) : 0;
}

template <class T>
int backward(KernelContext& context) {
  const BatchNormParams& p = *static_cast<const BatchNormParams*>(context.params);
  const Tensor *to = context.outputs, *from = context.inputs;
  const std::vector<double> zeros(p.channels);
  Backward<T> plan{p, numbers(from[2]), numbers(from[3]), numbers(from[4]), zeros, zeros,
                   numbers(from[5])[0] != 0};
  int code = from[0].size ? run_channels<T, true>(context, p, from[0], from[1], to[0], plan) : 0;
  put(plan.g_gamma, to[1]);
  put(plan.g_beta, to[2]);
  return code;
}

}  // namespace

int batch_norm_kernel(KernelContext& context) {
  return context.outputs[0].dtype == FLOAT64 ? forward<double>(context) : forward<float>(context);
}

int batch_norm_again_kernel(KernelContext& context) {
  return context.outputs[0].dtype == FLOAT64 ? again<double>(context) : again<float>(context);
}

int batch_norm_grad_kernel(KernelContext& context) {
  return context.outputs[0].dtype == FLOAT64 ? backward<double>(context) : backward<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
