// Hawkes processes.  A kind's state is the sum of exp(-decay * age) over its events; between two of its events
// it only decays, so every event costs the same.  One worker does a sample.
#include "hawkes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"

namespace mxcy {
namespace {

// One sample; `first` is the position of the rates among the inputs.
template <class T>
struct Sample {
  const HawkesParams& p;
  std::vector<T> rates, branching, decays, state, lags, last;
  const int32_t* marks = nullptr;
  int64_t length = 0;
  T end = 0;

  explicit Sample(const HawkesParams& params)
      : p(params), rates(p.kinds), branching(p.kinds), decays(p.kinds), state(p.kinds), lags(p.steps),
        last(p.kinds) {}

  void load(const Tensor* in, int64_t n) {
    read(in[0], n * p.kinds, p.kinds, rates.data());
    read(in[1], 0, p.kinds, branching.data());
    read(in[2], 0, p.kinds, decays.data());
    read(in[3], n * p.kinds, p.kinds, state.data());
    read(in[4], n * p.steps, p.steps, lags.data());
    marks = reinterpret_cast<const int32_t*>(in[5].data) + n * p.steps;
    T count;
    read(in[6], n, 1, &count);
    read(in[7], n, 1, &end);
    length = std::max<int64_t>(0, std::min(p.steps, int64_t(count)));
    std::fill(last.begin(), last.end(), T(0));
  }

  // Calls event(kind, time since its last one, decay over it) before the state changes.
  template <class Event>
  bool visit(const Event& event) {
    T now = 0;
    for (int64_t j = 0; j < length; ++j) {
      const int64_t k = marks[j];
      if (k < 0 || k >= p.kinds) return false;
      now += lags[j];
      const T passed = now - last[k], faded = std::exp(-decays[k] * passed);
      event(k, passed, faded);
      state[k] = 1 + state[k] * faded;
      last[k] = now;
    }
    return true;
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
        const T passed = s.end - s.last[k], faded = std::exp(-s.decays[k] * passed);
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
    std::vector<T> found[3], slope(p.kinds);  // of rates, branching and decays; of the state by the decay
    for (int64_t n = begin; n < end; ++n) {
      s.load(context.inputs + 1, n);
      T head;
      read(context.inputs[0], n, 1, &head);
      for (auto& line : found) line.assign(p.kinds, T(0));
      std::fill(slope.begin(), slope.end(), T(0));
      auto without = [&](int64_t k, T passed, T faded) {
        found[0][k] -= passed;
        found[1][k] -= s.state[k] * (1 - faded);
        found[2][k] -= s.branching[k] * (slope[k] * (1 - faded) + s.state[k] * passed * faded);
      };
      const bool good = s.visit([&](int64_t k, T passed, T faded) {
        const T raised = s.state[k] * faded, rate = s.rates[k] + s.branching[k] * s.decays[k] * raised;
        const T by_decay = slope[k] * faded - raised * passed;  // of the decayed state
        found[0][k] += 1 / rate;
        found[1][k] += s.decays[k] * raised / rate;
        found[2][k] += s.branching[k] * (raised + s.decays[k] * by_decay) / rate;
        without(k, passed, faded);
        slope[k] = by_decay;
      });
      if (!good) return bad_mark(context, p.kinds);
      for (int64_t k = 0; k < p.kinds; ++k) {
        const T passed = s.end - s.last[k];
        without(k, passed, std::exp(-s.decays[k] * passed));
      }
      for (int i = 0; i < 3; ++i) {
        for (T& x : found[i]) x *= head;
        write(found[i].data(), context.outputs[i], n * p.kinds, p.kinds);
      }
    }
    return 0;
  };
  return parallel(context, p.samples, 1 + 1000 / (p.steps + p.kinds), body);
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

}  // namespace mxcy
