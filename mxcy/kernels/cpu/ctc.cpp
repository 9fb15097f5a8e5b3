// CTC by forward and backward variables, in logarithms and double.
#include "ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>
#include "runs.hpp"

namespace mxcy {
namespace {

constexpr double NEVER = -std::numeric_limits<double>::infinity();

double log_sum(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == NEVER ? a : a + std::log1p(std::exp(b - a));
}

template <class To>
std::vector<To> numbers(const Tensor& t, uint8_t code) {
  std::vector<To> values(t.size);
  char* args[2] = {t.data, reinterpret_cast<char*>(values.data())};
  const intptr_t count = t.size, steps[2] = {ITEMSIZE[t.dtype], sizeof(To)};
  cast_loop(t.dtype, code)(args, &count, steps, nullptr);
  return values;
}

// Labels and lengths, from input `first` on.
struct Targets {
  std::vector<int64_t> labels, data_lengths, label_lengths;

  Targets(const KernelContext& context, const CtcParams& p, int first)
      : labels(numbers<int64_t>(context.inputs[first], INT64)),
        data_lengths(p.batch, p.steps),
        label_lengths(p.batch, p.label_room) {
    if (p.has_data_lengths) data_lengths = numbers<int64_t>(context.inputs[++first], INT64);
    if (p.has_label_lengths) label_lengths = numbers<int64_t>(context.inputs[++first], INT64);
    const int64_t padding = p.blank_last ? -1 : 0;
    for (int64_t n = 0; n < p.batch; ++n) {
      data_lengths[n] = std::clamp<int64_t>(data_lengths[n], 0, p.steps);
      label_lengths[n] = std::clamp<int64_t>(label_lengths[n], 0, p.label_room);
      if (p.has_label_lengths) continue;
      const auto begin = labels.begin() + n * p.label_room;
      label_lengths[n] = std::find(begin, begin + p.label_room, padding) - begin;
    }
  }
};

// One sample: its labels with blanks between them, and the logarithms of the classes' probabilities.
class Sample {
 public:
  Sample(KernelContext& context, const CtcParams& p, const Targets& targets, int64_t n)
      : p_(p), steps_(targets.data_lengths[n]), log_p_(size_t(steps_) * p.classes) {
    const int64_t blank = p.blank_last ? p.classes - 1 : 0, length = targets.label_lengths[n];
    states_.assign(2 * length + 1, blank);
    for (int64_t i = 0; i < length; ++i) {
      const int64_t label = targets.labels[n * p.label_room + i];
      states_[2 * i + 1] = std::clamp<int64_t>(label, 0, p.classes - 1);
    }
    const Tensor& x = context.inputs[0];
    for (int64_t t = 0; t < steps_; ++t) {
      double* row = log_p_.data() + t * p.classes;
      char* args[2] = {x.data + (t * p.batch + n) * p.classes * ITEMSIZE[x.dtype], reinterpret_cast<char*>(row)};
      const intptr_t count = p.classes, strides[2] = {ITEMSIZE[x.dtype], 8};
      cast_loop(x.dtype, FLOAT64)(args, &count, strides, nullptr);
      const double top = *std::max_element(row, row + p.classes);
      double sum = 0;
      for (int64_t c = 0; c < p.classes; ++c) sum += std::exp(row[c] - top);
      for (int64_t c = 0; c < p.classes; ++c) row[c] -= top + std::log(sum);
    }
  }

  // Minus the logarithm of the probability; 0 if there are too few steps for the labels, as MXNet has it.
  double loss() {
    if (!fits()) return 0;
    run_forward();
    return -total();
  }

  // Calls put(step, class, value) for the gradient.
  template <class Put>
  void gradient(const Put& put) {
    if (!fits()) return;
    run_forward();
    run_backward();
    const double whole = total();
    std::vector<double> mass(p_.classes);
    for (int64_t t = 0; t < steps_; ++t) {
      std::fill(mass.begin(), mass.end(), 0);
      for (int64_t s = 0; s < count(); ++s) {
        mass[states_[s]] += std::exp(at(alpha_, t, s) + at(beta_, t, s) - whole);
      }
      for (int64_t c = 0; c < p_.classes; ++c) put(t, c, std::exp(log_p_[t * p_.classes + c]) - mass[c]);
    }
  }

 private:
  int64_t count() const { return states_.size(); }
  double log_p(int64_t t, int64_t s) const { return log_p_[t * p_.classes + states_[s]]; }
  double& at(std::vector<double>& table, int64_t t, int64_t s) { return table[t * count() + s]; }
  bool skips(int64_t s) const { return s % 2 == 1 && s >= 2 && states_[s] != states_[s - 2]; }

  bool fits() const {
    int64_t needed = count() / 2;
    for (int64_t s = 3; s < count(); s += 2) needed += states_[s] == states_[s - 2];
    return steps_ > 0 && needed <= steps_;
  }

  double total() {
    const double last = at(alpha_, steps_ - 1, count() - 1);
    return count() > 1 ? log_sum(last, at(alpha_, steps_ - 1, count() - 2)) : last;
  }

  // alpha: all ways to be in a state after a step; beta: all ways to go on from there.
  void run_forward() {
    alpha_.assign(steps_ * count(), NEVER);
    for (int64_t s = 0; s < std::min<int64_t>(2, count()); ++s) at(alpha_, 0, s) = log_p(0, s);
    for (int64_t t = 1; t < steps_; ++t) {
      for (int64_t s = 0; s < count(); ++s) {
        double sum = at(alpha_, t - 1, s);
        if (s >= 1) sum = log_sum(sum, at(alpha_, t - 1, s - 1));
        if (skips(s)) sum = log_sum(sum, at(alpha_, t - 1, s - 2));
        at(alpha_, t, s) = sum + log_p(t, s);
      }
    }
  }

  void run_backward() {
    beta_.assign(steps_ * count(), NEVER);
    for (int64_t s = std::max<int64_t>(0, count() - 2); s < count(); ++s) at(beta_, steps_ - 1, s) = 0;
    for (int64_t t = steps_ - 2; t >= 0; --t) {
      for (int64_t s = 0; s < count(); ++s) {
        double sum = at(beta_, t + 1, s) + log_p(t + 1, s);
        if (s + 1 < count()) sum = log_sum(sum, at(beta_, t + 1, s + 1) + log_p(t + 1, s + 1));
        if (s + 2 < count() && skips(s + 2)) sum = log_sum(sum, at(beta_, t + 1, s + 2) + log_p(t + 1, s + 2));
        at(beta_, t, s) = sum;
      }
    }
  }

  const CtcParams& p_;
  int64_t steps_;
  std::vector<int64_t> states_;
  std::vector<double> log_p_, alpha_, beta_;
};

void put_number(const Tensor& t, int64_t i, double value) {
  char* args[2] = {reinterpret_cast<char*>(&value), t.data + i * ITEMSIZE[t.dtype]};
  const intptr_t one = 1, steps[2] = {8, ITEMSIZE[t.dtype]};
  cast_loop(FLOAT64, t.dtype)(args, &one, steps, nullptr);
}

int64_t grain_of(const CtcParams& p) {
  return std::max<int64_t>(1, GRAIN / 16 / std::max<int64_t>(1, p.steps * (p.classes + 2 * p.label_room)));
}

}  // namespace

int ctc_kernel(KernelContext& context) {
  const CtcParams& p = *static_cast<const CtcParams*>(context.params);
  if (context.outputs[0].size == 0) return 0;
  const Targets targets(context, p, 1);
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      put_number(context.outputs[0], n, Sample(context, p, targets, n).loss());
    }
    return 0;
  };
  return parallel(context, p.batch, grain_of(p), body);
}

int ctc_grad_kernel(KernelContext& context) {
  const CtcParams& p = *static_cast<const CtcParams*>(context.params);
  const Tensor& out = context.outputs[0];
  if (out.size == 0) return 0;
  std::memset(out.data, 0, out.nbytes());
  const std::vector<double> heads = numbers<double>(context.inputs[1], FLOAT64);
  const Targets targets(context, p, 2);
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Sample(context, p, targets, n).gradient([&](int64_t t, int64_t c, double value) {
        put_number(out, (t * p.batch + n) * p.classes + c, heads[n] * value);
      });
    }
    return 0;
  };
  return parallel(context, p.batch, grain_of(p), body);
}

}  // namespace mxcy
