// Normalisation of rows; compiled once for each instruction set.
//
// A row stays in the cache for its three passes: mean, variance about it, result.  Gradients of the parameters
// are summed in a number of pieces that the shape alone decides, so that they do not depend on the workers.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "row_norm.hpp"

#include <algorithm>
#include <vector>
#include "lines.hpp"
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t PIECES = 64;

// The sum of value(i) over i < n, by vectors where value can give them: value(i, vector) and value(i).
template <class T, class Vector, class Scalar>
MXCY_INLINE double sum_of(int64_t n, const Vector& vector, const Scalar& scalar) {
  constexpr int lanes = LANES<T>;
  double total = 0;
  int64_t i = 0;
  while (i + lanes <= n) {
    Real<T> parts[4] = {};
    const int64_t end = std::min(n, i + 256 * lanes);
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      for (int k = 0; k < 4; ++k) vector(i + k * lanes, parts[k]);
    }
    for (; i + lanes <= end; i += lanes) vector(i, parts[0]);
    const Real<T> sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    total += sum_lanes<T>(sum);
  }
  for (; i < n; ++i) total += scalar(i);
  return total;
}

template <class T>
std::vector<T> numbers(const Tensor& t) {
  std::vector<T> values(t.size);
  read_all(t, values.data(), CODE<T>);
  return values;
}

template <class T>
void put_one(const Tensor& t, int64_t i, T value) {
  T* place = place_of<T>(t, i, &value);
  *place = value;
  write_elements<T>(t, i, 1, &value);
}

template <class T>
T get_one(const Tensor& t, int64_t i) {
  T room;
  return *read_elements<T>(t, i, 1, &room);
}

template <class T>
int forward(KernelContext& context) {
  const RowNormParams& p = *static_cast<const RowNormParams*>(context.params);
  const Tensor &out = context.outputs[0], &x = context.inputs[0];
  const std::vector<T> gamma = numbers<T>(context.inputs[1]), beta = numbers<T>(context.inputs[2]);
  const int64_t run = p.n / p.each;
  auto body = [&](int64_t begin, int64_t end) {
    Scratch<T> room(context, 2 * p.n);
    for (int64_t r = begin; r < end; ++r) {
      const T* from = read_elements<T>(x, r * p.n, p.n, room);
      T* to = place_of<T>(out, r * p.n, room + p.n);
      const double mean = sum_of<T>(p.n, [&](int64_t i, Real<T>& sum) { sum += load_vector(from + i); },
                                    [&](int64_t i) { return from[i]; }) / double(p.n);
      const T middle = T(mean);
      const double squares = sum_of<T>(
          p.n,
          [&](int64_t i, Real<T>& sum) {
            const Real<T> d = load_vector(from + i) - middle;
            sum += d * d;
          },
          [&](int64_t i) { return (from[i] - middle) * (from[i] - middle); });
      const double off = mean - double(middle), deviation = std::sqrt(squares / double(p.n) - off * off + p.eps);
      const T scale = T(1 / deviation), shift = T(-off / deviation);
      const T *g = gamma.data() + r % p.periods * p.each, *b = beta.data() + r % p.periods * p.each;
      if (run == 1) {
        for (int64_t i = 0; i < p.n; ++i) to[i] = ((from[i] - middle) * scale + shift) * g[i] + b[i];
      } else {
        for (int64_t k = 0; k < p.each; ++k) {
          const T factor = scale * g[k], last = b[k] + shift * g[k];
          for (int64_t i = k * run; i < (k + 1) * run; ++i) to[i] = (from[i] - middle) * factor + last;
        }
      }
      write_elements<T>(out, r * p.n, p.n, room + p.n);
      put_one<T>(context.outputs[1], r, middle);
      put_one<T>(context.outputs[2], r, T(deviation));
    }
    return 0;
  };
  return parallel(context, p.rows, std::max<int64_t>(1, GRAIN / 2 / std::max<int64_t>(1, p.n)), body);
}

template <class T>
class Backward {
 public:
  explicit Backward(KernelContext& context)
      : context_(context), p_(*static_cast<const RowNormParams*>(context.params)), run_(p_.n / p_.each),
        gamma_(numbers<T>(context.inputs[2])) {}

  int run() {
    const int64_t pieces = std::min(PIECES, p_.rows), parameters = p_.periods * p_.each;
    std::vector<T> sums(size_t(pieces) * 2 * parameters);
    auto body = [&](int64_t begin, int64_t end) {
      Scratch<T> room(context_, 3 * p_.n);
      for (int64_t piece = begin; piece < end; ++piece) {
        T* own = sums.data() + piece * 2 * parameters;
        const int64_t last = p_.rows * (piece + 1) / pieces;
        for (int64_t r = p_.rows * piece / pieces; r < last; ++r) row(r, room, own, own + parameters);
      }
      return 0;
    };
    const int64_t each = std::max<int64_t>(1, p_.rows / std::max<int64_t>(1, pieces) * p_.n);
    int code = parallel(context_, pieces, std::max<int64_t>(1, GRAIN / 4 / each), body);
    std::vector<double> total(2 * parameters);
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const T* own = sums.data() + piece * 2 * parameters;
      for (int64_t k = 0; k < 2 * parameters; ++k) total[k] += own[k];
    }
    write_all(total.data(), FLOAT64, context_.outputs[1]);
    write_all(total.data() + parameters, FLOAT64, context_.outputs[2]);
    return code;
  }

 private:
  void row(int64_t r, T* room, T* g_gamma, T* g_beta) {
    const int64_t n = p_.n, first = r % p_.periods * p_.each;
    const T* g = read_elements<T>(context_.inputs[0], r * n, n, room);
    const T* x = read_elements<T>(context_.inputs[1], r * n, n, room + n);
    T* to = place_of<T>(context_.outputs[0], r * n, room + 2 * n);
    const T mean = get_one<T>(context_.inputs[3], r), scale = 1 / get_one<T>(context_.inputs[4], r);
    const T* gamma = gamma_.data() + first;
    T sum, product;  // of g gamma, and of that with the normalised x
    if (run_ == 1) {
      row_sums(g, x, gamma, mean, scale, g_gamma + first, g_beta + first, &sum, &product);
    } else {
      run_sums(g, x, gamma, mean, scale, g_gamma + first, g_beta + first, &sum, &product);
    }
    const T less = sum / T(n), slope = product / T(n) * scale;
    if (run_ == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = (g[i] * gamma[i] - less - (x[i] - mean) * slope) * scale;
    } else {
      for (int64_t k = 0; k < p_.each; ++k) {
        for (int64_t i = k * run_; i < (k + 1) * run_; ++i) {
          to[i] = (g[i] * gamma[k] - less - (x[i] - mean) * slope) * scale;
        }
      }
    }
    write_elements<T>(context_.outputs[0], r * n, n, room + 2 * n);
  }

  // A parameter for every element.
  void row_sums(const T* g, const T* x, const T* gamma, T mean, T scale, T* g_gamma, T* g_beta, T* sum,
                T* product) {
    Real<T> products{}, zero{};
    double second = 0;
    int count = 0;
    const double first = sum_of<T>(
        p_.n,
        [&](int64_t i, Real<T>& total) {
          const Real<T> head = load_vector(g + i), hat = (load_vector(x + i) - mean) * scale;
          const Real<T> own = head * load_vector(gamma + i);
          store_vector(g_gamma + i, load_vector(g_gamma + i) + head * hat);
          store_vector(g_beta + i, load_vector(g_beta + i) + head);
          total += own;
          products += own * hat;
          if (++count == 64) {
            second += sum_lanes<T>(products);
            products = zero;
            count = 0;
          }
        },
        [&](int64_t i) {
          const T hat = (x[i] - mean) * scale;
          g_gamma[i] += g[i] * hat;
          g_beta[i] += g[i];
          second += g[i] * gamma[i] * hat;
          return g[i] * gamma[i];
        });
    *sum = T(first);
    *product = T(second + sum_lanes<T>(products));
  }

  // A parameter for every run of elements.
  void run_sums(const T* g, const T* x, const T* gamma, T mean, T scale, T* g_gamma, T* g_beta, T* sum,
                T* product) {
    double first = 0, second = 0;
    for (int64_t k = 0; k < p_.each; ++k) {
      const T *head = g + k * run_, *line = x + k * run_;
      const double heads = sum_of<T>(run_, [&](int64_t i, Real<T>& total) { total += load_vector(head + i); },
                                     [&](int64_t i) { return head[i]; });
      const double products = scale * sum_of<T>(
          run_,
          [&](int64_t i, Real<T>& total) { total += load_vector(head + i) * (load_vector(line + i) - mean); },
          [&](int64_t i) { return head[i] * (line[i] - mean); });
      g_gamma[k] += T(products);
      g_beta[k] += T(heads);
      first += gamma[k] * heads;
      second += gamma[k] * products;
    }
    *sum = T(first);
    *product = T(second);
  }

  KernelContext& context_;
  const RowNormParams& p_;
  const int64_t run_;
  const std::vector<T> gamma_;
};

// --- neighbouring channels ------------------------------------------------------------------------------------
constexpr int64_t BLOCK = 128;  // positions worked on side by side

template <class T>
void power(T* values, int64_t n, double exponent) {
  if (exponent == -0.75) {
    for (int64_t i = 0; i < n; ++i) {
      const T root = std::sqrt(values[i]);
      values[i] = 1 / (root * std::sqrt(root));
    }
  } else if (exponent == -0.5) {
    for (int64_t i = 0; i < n; ++i) values[i] = 1 / std::sqrt(values[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) values[i] = std::pow(values[i], T(exponent));
  }
}

template <class T>
class Neighbours {
 public:
  explicit Neighbours(KernelContext& context)
      : context_(context), p_(*static_cast<const ChannelSumParams*>(context.params)), reach_((p_.size - 1) / 2) {}

  // work(block): fills block.out[c] from block.a[c] and block.b[c], lines of `n` positions.
  template <class Work>
  int run(int inputs, const Work& work) {
    const int64_t blocks = (p_.inner + BLOCK - 1) / BLOCK, channels = p_.channels;
    auto body = [&](int64_t begin, int64_t end) {
      Scratch<T> room(context_, (5 * channels + 1) * BLOCK);
      for (int64_t item = begin; item < end; ++item) {
        const int64_t outer = item / blocks, first = item % blocks * BLOCK, n = std::min(BLOCK, p_.inner - first);
        T* lines[5];
        for (int k = 0; k < 5; ++k) lines[k] = room + k * channels * BLOCK;
        for (int k = 0; k < inputs; ++k) load(context_.inputs[k], outer, first, n, lines[k]);
        work(lines, n);
        store(lines[4], outer, first, n, room + 5 * channels * BLOCK);
      }
      return 0;
    };
    const int64_t cost = channels * std::min(BLOCK, p_.inner) * 4;
    return parallel(context_, p_.outer * blocks, std::max<int64_t>(1, GRAIN / cost), body);
  }

  // sums[c] <- the sum of values[j] over the neighbours j of c.
  void sum(const T* values, T* sums, int64_t n) const {
    for (int64_t c = 0; c < p_.channels; ++c) {
      T* to = sums + c * BLOCK;
      const int64_t low = std::max<int64_t>(0, c - reach_), high = std::min(p_.channels - 1, c + reach_);
      std::copy_n(values + low * BLOCK, n, to);
      for (int64_t j = low + 1; j <= high; ++j) {
        for (int64_t i = 0; i < n; ++i) to[i] += values[j * BLOCK + i];
      }
    }
  }

  int plain() {
    return run(1, [&](T** lines, int64_t n) { sum(lines[0], lines[4], n); });
  }

  int normalise() {
    return run(1, [&](T** lines, int64_t n) {
      scales(lines[0], lines[2], lines[3], n);
      each(n, [&](int64_t i) { lines[4][i] = lines[0][i] * lines[3][i]; });
    });
  }

  // g p - 2 alpha beta / size x sum(g x p / s), with s the base of the power p = s^-beta.
  int gradient() {
    const T factor = T(-2 * p_.alpha * p_.beta / double(p_.size));
    return run(2, [&](T** lines, int64_t n) {
      T *g = lines[0], *x = lines[1], *base = lines[2], *scale = lines[3];
      scales(x, base, scale, n);
      each(n, [&](int64_t i) {
        base[i] = g[i] * x[i] * scale[i] / base[i];
        g[i] *= scale[i];
      });
      sum(base, lines[4], n);
      each(n, [&](int64_t i) { lines[4][i] = g[i] + factor * x[i] * lines[4][i]; });
    });
  }

 private:
  template <class Body>
  void each(int64_t n, const Body& body) const {
    for (int64_t c = 0; c < p_.channels; ++c) {
      for (int64_t i = 0; i < n; ++i) body(c * BLOCK + i);
    }
  }

  // The bases of the powers, and the powers.
  void scales(const T* x, T* base, T* scale, int64_t n) const {
    const T knorm = T(p_.knorm), factor = T(p_.alpha / double(p_.size));
    each(n, [&](int64_t i) { scale[i] = x[i] * x[i]; });
    sum(scale, base, n);
    each(n, [&](int64_t i) { base[i] = knorm + factor * base[i]; });
    for (int64_t c = 0; c < p_.channels; ++c) {
      std::copy_n(base + c * BLOCK, n, scale + c * BLOCK);
      power(scale + c * BLOCK, n, -p_.beta);
    }
  }

  void load(const Tensor& t, int64_t outer, int64_t first, int64_t n, T* lines) const {
    for (int64_t c = 0; c < p_.channels; ++c) {
      T* line = lines + c * BLOCK;
      const T* from = read_elements<T>(t, (outer * p_.channels + c) * p_.inner + first, n, line);
      if (from != line) std::copy_n(from, n, line);
    }
  }

  void store(const T* lines, int64_t outer, int64_t first, int64_t n, T* room) const {
    for (int64_t c = 0; c < p_.channels; ++c) {
      const int64_t at = (outer * p_.channels + c) * p_.inner + first;
      std::copy_n(lines + c * BLOCK, n, place_of<T>(context_.outputs[0], at, room));
      write_elements<T>(context_.outputs[0], at, n, room);
    }
  }

  KernelContext& context_;
  const ChannelSumParams& p_;
  const int64_t reach_;
};

bool in_double(const KernelContext& context) { return context.outputs[0].dtype == FLOAT64; }

}  // namespace

int row_norm_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? forward<double>(context) : forward<float>(context);
}

int row_norm_grad_kernel(KernelContext& context) {
  return in_double(context) ? Backward<double>(context).run() : Backward<float>(context).run();
}

int lrn_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? Neighbours<double>(context).normalise() : Neighbours<float>(context).normalise();
}

int lrn_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? Neighbours<double>(context).gradient() : Neighbours<float>(context).gradient();
}

int channel_sum_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? Neighbours<double>(context).plain() : Neighbours<float>(context).plain();
}

}  // namespace MXCY_ISA
}  // namespace mxcy
