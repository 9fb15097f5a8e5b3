#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#include "sampling.hpp"

#include <algorithm>
#include <cmath>
#include "casts.hpp"
#include "mxcy/native/launch.hpp"
#include "philox.hpp"

namespace mxcy {
namespace {

using MXCY_ISA::philox;

constexpr int64_t SAMPLES = 256;  // of a piece
constexpr double TWO_PI = 6.283185307179586;

// The random numbers of one element.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t stream, uint64_t element)
      : key_{uint32_t(seed), uint32_t(seed >> 32)},
        counter_{uint32_t(element), uint32_t(element >> 32) & 0xffff, uint32_t(stream), uint32_t(stream >> 32)} {}

  // In (0, 1).
  double uniform() {
    if (used_ == 2) {
      // The block's number shares a word with the element's upper bits, which need 16 at most.
      uint32_t block[4][1] = {{counter_[0]}, {counter_[1] | block_++ << 16}, {counter_[2]}, {counter_[3]}};
      philox<1>(block, key_[0], key_[1]);
      for (int i = 0; i < 4; ++i) words_[i] = block[i][0];
      used_ = 0;
    }
    const uint64_t word = uint64_t(words_[2 * used_]) << 32 | words_[2 * used_ + 1];
    ++used_;
    return (double(word >> 12) + 0.5) * 0x1p-52;
  }

  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(TWO_PI * uniform());
  }

 private:
  uint32_t key_[2], counter_[4], words_[4];
  uint32_t block_ = 0;
  int used_ = 2;
};

// Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).
double gamma(Draws& draws, double shape) {
  if (shape == 0) return 0;  // what the distribution tends to
  if (!(shape > 0)) return NAN;
  if (shape < 1) {
    const double whole = gamma(draws, shape + 1);
    return whole * std::pow(draws.uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = draws.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(draws.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

// Small means: as many factors as keep the product above exp(-mean).  Others: transformed rejection with
// squeeze, Hoermann, "The transformed rejection method for generating Poisson random variables" (1993).
double poisson(Draws& draws, double mean) {
  if (!(mean >= 0) || std::isinf(mean)) return NAN;
  if (mean < 10) {
    const double limit = std::exp(-mean);
    double product = draws.uniform(), count = 0;
    for (; product > limit; ++count) product *= draws.uniform();
    return count;
  }
  const double root = std::sqrt(mean), log_mean = std::log(mean), b = 0.931 + 2.53 * root;
  const double a = -0.059 + 0.02483 * b, inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = draws.uniform() - 0.5, v = draws.uniform(), us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double accepted = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (accepted <= k * log_mean - mean - std::lgamma(k + 1)) return k;
  }
}

double draw(int distribution, Draws& draws, double a, double b) {
  switch (distribution) {
    case SAMPLED_UNIFORM: return a + (b - a) * draws.uniform();
    case SAMPLED_NORMAL: return a + b * draws.normal();
    case SAMPLED_EXPONENTIAL: return -std::log(draws.uniform()) / a;
    case SAMPLED_GAMMA: return b * gamma(draws, a);
    case SAMPLED_POISSON: return poisson(draws, a);
    case SAMPLED_NEGATIVE_BINOMIAL: return poisson(draws, gamma(draws, a) * (1 - b) / b);
    default: return poisson(draws, b == 0 ? a : gamma(draws, 1 / b) * b * a);
  }
}

void store(const double* values, const Tensor& out, int64_t at, intptr_t n) {
  const intptr_t item = ITEMSIZE[out.dtype], steps[2] = {sizeof(double), item};
  char* args[2] = {reinterpret_cast<char*>(const_cast<double*>(values)), out.data + at * item};
  cast_loop(FLOAT64, out.dtype)(args, &n, steps, nullptr);
}

}  // namespace

int sampling_kernel(KernelContext& context) {
  const SamplingParams& p = *static_cast<const SamplingParams*>(context.params);
  const Tensor& out = context.outputs[0];
  const double* given[2] = {nullptr, nullptr};
  for (int i = 0; i < context.n_inputs; ++i) given[i] = reinterpret_cast<const double*>(context.inputs[i].data);
  const int64_t pieces = (out.size + SAMPLES - 1) / SAMPLES;
  return parallel(context, pieces, 4, [&](int64_t begin, int64_t end) {
    double values[SAMPLES];
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * SAMPLES, n = std::min(SAMPLES, out.size - first);
      for (int64_t i = 0; i < n; ++i) {
        const int64_t at = first + i, parameter = at / p.each;
        Draws draws(p.seed, p.stream, uint64_t(at));
        values[i] = draw(p.distribution, draws, given[0] ? given[0][parameter] : p.a,
                         given[1] ? given[1][parameter] : p.b);
      }
      store(values, out, first, n);
    }
    return 0;
  });
}

int multinomial_kernel(KernelContext& context) {
  const MultinomialParams& p = *static_cast<const MultinomialParams*>(context.params);
  const Tensor& out = context.outputs[0];
  const double* probabilities = reinterpret_cast<const double*>(context.inputs[0].data);
  const int64_t rows = out.size / std::max<int64_t>(p.each, 1);
  const int64_t grain = std::max<int64_t>(1, 20000 / (p.classes + 50 * p.each + 1));
  return parallel(context, rows, grain, [&](int64_t begin, int64_t end) {
    Scratch<double> sums(context, p.classes), chosen(context, 2 * p.each);
    double* logarithms = chosen + p.each;
    for (int64_t row = begin; row < end; ++row) {
      const double* weights = probabilities + row * p.classes;
      double total = 0;
      for (int64_t c = 0; c < p.classes; ++c) sums[c] = total += weights[c];
      for (int64_t k = 0; k < p.each; ++k) {
        Draws draws(p.seed, p.stream, uint64_t(row * p.each + k));
        const int64_t found = std::upper_bound(sums + 0, sums + p.classes, draws.uniform()) - sums;
        const int64_t c = std::min(found, p.classes - 1);
        chosen[k] = double(c);
        logarithms[k] = std::log(weights[c]);
      }
      store(chosen, out, row * p.each, p.each);
      if (context.n_outputs > 1) store(logarithms, context.outputs[1], row * p.each, p.each);
    }
    return 0;
  });
}

}  // namespace mxcy
