// Hawkes processes.  A kind's state is the sum of exp(-decay * age) over its events; between two of its events
// it only decays, so every event costs the same.  One worker does a sample.
#include "hawkes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"

namespace mxcy {
namespace {

// A number and its derivative along a direction.
template <class T>
struct Dual {
  T value, slope;
  Dual(T number = 0, T by = 0) : value(number), slope(by) {}
  friend Dual operator-(Dual a) { return Dual(-a.value, -a.slope); }
  friend Dual operator+(Dual a, Dual b) { return Dual(a.value + b.value, a.slope + b.slope); }
  friend Dual operator-(Dual a, Dual b) { return Dual(a.value - b.value, a.slope - b.slope); }
  friend Dual operator*(Dual a, Dual b) { return Dual(a.value * b.value, a.value * b.slope + a.slope * b.value); }
  friend Dual operator/(Dual a, Dual b) {
    const T ratio = a.value / b.value;
    return Dual(ratio, (a.slope - ratio * b.slope) / b.value);
  }
  friend Dual exp(Dual a) {
    const T power = std::exp(a.value);
    return Dual(power, power * a.slope);
  }
  Dual& operator+=(Dual b) { return *this = *this + b; }
  Dual& operator-=(Dual b) { return *this = *this - b; }
};

// One sample, computed with S: T, or numbers with derivatives.
template <class T, class S = T>
struct Sample {
  const HawkesParams& p;
  std::vector<S> rates, branching, decays, state;
  std::vector<T> lags, last, line;
  const int32_t* marks = nullptr;
  int64_t length = 0;
  T end = 0;

  explicit Sample(const HawkesParams& params)
      : p(params), rates(p.kinds), branching(p.kinds), decays(p.kinds), state(p.kinds), lags(p.steps),
        last(p.kinds), line(p.kinds) {}

  void load_line(const Tensor& in, int64_t n, std::vector<S>& to) {
    read(in, n * p.kinds, p.kinds, line.data());
    std::copy(line.begin(), line.end(), to.begin());
  }

  void load(const Tensor* in, int64_t n) {
    load_line(in[0], n, rates);
    load_line(in[1], 0, branching);
    load_line(in[2], 0, decays);
    load_line(in[3], n, state);
    read(in[4], n * p.steps, p.steps, lags.data());
    marks = reinterpret_cast<const int32_t*>(in[5].data) + n * p.steps;
    T count;
    read(in[6], n, 1, &count);
    read(in[7], n, 1, &end);
    length = std::max<int64_t>(0, std::min(p.steps, int64_t(count)));
    std::fill(last.begin(), last.end(), T(0));
  }

  S faded(int64_t k, T passed) const {
    using std::exp;
    return exp(-decays[k] * S(passed));
  }

  // Calls event(kind, time since its last one, decay over it) before the state changes.
  template <class Event>
  bool visit(const Event& event) {
    T now = 0;
    for (int64_t j = 0; j < length; ++j) {
      const int64_t k = marks[j];
      if (k < 0 || k >= p.kinds) return false;
      now += lags[j];
      const T passed = now - last[k];
      const S left = faded(k, passed);
      event(k, passed, left);
      state[k] = S(1) + state[k] * left;
      last[k] = now;
    }
    return true;
  }

  // The derivatives of the likelihood by rates, branching and decays; `slope`: those of states by decays.
  bool differentiate(std::vector<S> (&found)[3], std::vector<S>& slope) {
    for (auto& values : found) values.assign(p.kinds, S(0));
    slope.assign(p.kinds, S(0));
    auto without = [&](int64_t k, T passed, S left) {
      found[0][k] -= S(passed);
      found[1][k] -= state[k] * (S(1) - left);
      found[2][k] -= branching[k] * (slope[k] * (S(1) - left) + state[k] * S(passed) * left);
    };
    const bool good = visit([&](int64_t k, T passed, S left) {
      const S raised = state[k] * left, rate = rates[k] + branching[k] * decays[k] * raised;
      const S by_decay = slope[k] * left - raised * S(passed);  // of the decayed state
      found[0][k] += S(1) / rate;
      found[1][k] += decays[k] * raised / rate;
      found[2][k] += branching[k] * (raised + decays[k] * by_decay) / rate;
      without(k, passed, left);
      slope[k] = by_decay;
    });
    for (int64_t k = 0; good && k < p.kinds; ++k) {
      const T passed = end - last[k];
      without(k, passed, faded(k, passed));
    }
    return good;
  }
};

int bad_mark(KernelContext& context, int64_t kinds) {
  return context.failure->fail(FAIL_INDEX, "hawkesll(marks): expected kinds from 0 to %lld", (long long)(kinds - 1));
}

template <class T>
int likelihood(KernelContext& context) {
  const HawkesParams& p = *static_cast<const HawkesParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Sample<T> s(p);
    for (int64_t n = begin; n < end; ++n) {
      s.load(context.inputs, n);
      T sum = 0;
      auto passed_without = [&](int64_t k, T passed, T faded) {
        return s.rates[k] * passed + s.branching[k] * s.state[k] * (1 - faded);
      };
      const bool good = s.visit([&](int64_t k, T passed, T faded) {
        const T rate = s.rates[k] + s.branching[k] * s.decays[k] * s.state[k] * faded;
        sum += std::log(rate) - passed_without(k, passed, faded);
      });
      if (!good) return bad_mark(context, p.kinds);
      for (int64_t k = 0; k < p.kinds; ++k) {
        const T passed = s.end - s.last[k], faded = s.faded(k, passed);
        sum -= passed_without(k, passed, faded);
        s.state[k] *= faded;
      }
      write(&sum, context.outputs[0], n, 1);
      write(s.state.data(), context.outputs[1], n * p.kinds, p.kinds);
    }
    return 0;
  };
  return parallel(context, p.samples, 1 + 2000 / (p.steps + p.kinds), body);
}

template <class T>
int likelihood_grad(KernelContext& context) {
  const HawkesParams& p = *static_cast<const HawkesParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Sample<T> s(p);
    std::vector<T> found[3], slope;
    for (int64_t n = begin; n < end; ++n) {
      s.load(context.inputs + 1, n);
      T head;
      read(context.inputs[0], n, 1, &head);
      if (!s.differentiate(found, slope)) return bad_mark(context, p.kinds);
      for (int i = 0; i < 3; ++i) {
        for (T& x : found[i]) x *= head;
        write(found[i].data(), context.outputs[i], n * p.kinds, p.kinds);
      }
    }
    return 0;
  };
  return parallel(context, p.samples, 1 + 1000 / (p.steps + p.kinds), body);
}

// The derivatives of the gradients' products with a direction: along it, those by the same are found.
template <class T>
int likelihood_second(KernelContext& context) {
  const HawkesParams& p = *static_cast<const HawkesParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    Sample<T, Dual<T>> s(p);
    std::vector<Dual<T>> found[3], slope;
    std::vector<T> along[3], made(p.kinds);
    for (auto& values : along) values.resize(p.kinds);
    for (int64_t n = begin; n < end; ++n) {
      s.load(context.inputs + 4, n);
      std::vector<Dual<T>>* moved[3] = {&s.rates, &s.branching, &s.decays};
      for (int i = 0; i < 3; ++i) {
        read(context.inputs[i], n * p.kinds, p.kinds, along[i].data());
        for (int64_t k = 0; k < p.kinds; ++k) (*moved[i])[k].slope = along[i][k];
      }
      T head, by_head = 0;
      read(context.inputs[3], n, 1, &head);
      if (!s.differentiate(found, slope)) return bad_mark(context, p.kinds);
      for (int i = 0; i < 3; ++i) {
        for (int64_t k = 0; k < p.kinds; ++k) {
          by_head += along[i][k] * found[i][k].value;
          made[k] = head * found[i][k].slope;
        }
        write(made.data(), context.outputs[1 + i], n * p.kinds, p.kinds);
      }
      write(&by_head, context.outputs[0], n, 1);
    }
    return 0;
  };
  return parallel(context, p.samples, 1 + 500 / (p.steps + p.kinds), body);
}

}  // namespace

int hawkes_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? likelihood<double>(context) : likelihood<float>(context);
}

int hawkes_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? likelihood_grad<double>(context) : likelihood_grad<float>(context);
}

int hawkes_second_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? likelihood_second<double>(context) : likelihood_second<float>(context);
}

}  // namespace mxcy
