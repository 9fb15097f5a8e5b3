// The gradient of the loss layer SoftmaxOutput by MXNet's rule: probability minus label, scaled.
#include "softmax.hpp"

#include <atomic>
#include "runs.hpp"

namespace mxcy {
namespace {

constexpr int64_t BLOCK = 256;

template <class T> constexpr uint8_t CODE = sizeof(T) == 8 ? FLOAT64 : FLOAT32;

template <class To>
void read(const Tensor& t, int64_t first, int64_t n, To* to, uint8_t code) {
  char* args[2] = {t.data + first * ITEMSIZE[t.dtype], reinterpret_cast<char*>(to)};
  const intptr_t count = n, steps[2] = {ITEMSIZE[t.dtype], sizeof(To)};
  cast_loop(t.dtype, code)(args, &count, steps, nullptr);
}

template <class T>
void write(const Tensor& t, int64_t first, int64_t n, const T* from) {
  char* args[2] = {reinterpret_cast<char*>(const_cast<T*>(from)), t.data + first * ITEMSIZE[t.dtype]};
  const intptr_t count = n, steps[2] = {sizeof(T), ITEMSIZE[t.dtype]};
  cast_loop(CODE<T>, t.dtype)(args, &count, steps, nullptr);
}

// How many labels count; at least one.
int64_t count_valid(KernelContext& context, const Tensor& label, int64_t ignored) {
  std::atomic<int64_t> valid{0};
  auto body = [&](int64_t begin, int64_t end) {
    int64_t labels[BLOCK], found = 0;
    for (int64_t i = begin; i < end; i += BLOCK) {
      const int64_t n = std::min(BLOCK, end - i);
      read(label, i, n, labels, INT64);
      for (int64_t k = 0; k < n; ++k) found += labels[k] != ignored;
    }
    valid += found;
    return 0;
  };
  parallel(context, label.size, GRAIN, body);
  return std::max<int64_t>(1, valid);
}

template <class T>
class Gradient {
 public:
  explicit Gradient(KernelContext& context)
      : context_(context),
        p_(*static_cast<const SoftmaxOutputParams*>(context.params)),
        out_(context.outputs[0]),
        probability_(context.inputs[0]),
        label_(context.inputs[1]),
        head_(p_.has_head_gradient ? &context.inputs[2] : nullptr) {
    int64_t valid = p_.by_valid ? count_valid(context, label_, p_.ignore_label) : 1;
    scale_ = T(p_.scale / double(valid));
    others_ = p_.smooth_alpha == 0 ? T(0) : T(p_.smooth_alpha / double(p_.classes - 1));
    own_ = T(1 - p_.smooth_alpha);
  }

  int run() {
    if (p_.label_is_probability) {
      auto body = [&](int64_t begin, int64_t end) { return difference(begin, end); };
      return parallel(context_, out_.size, GRAIN, body);
    }
    const int64_t blocks = (p_.inner + BLOCK - 1) / BLOCK, cost = p_.classes * std::min(p_.inner, BLOCK);
    auto body = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (p_.inner == 1) sample(i);
        else columns(i / blocks, i % blocks * BLOCK);
      }
      return 0;
    };
    return parallel(context_, p_.count * blocks, std::max<int64_t>(1, GRAIN / 2 / cost), body);
  }

 private:
  // The label holds a probability for every class.
  int difference(int64_t begin, int64_t end) {
    T values[BLOCK], labels[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
      const int64_t n = std::min(BLOCK, end - i);
      read(probability_, i, n, values, CODE<T>);
      read(label_, i, n, labels, CODE<T>);
      for (int64_t k = 0; k < n; ++k) values[k] = (values[k] - labels[k]) * scale_;
      finish(i, n, values);
    }
    return 0;
  }

  // One row of probabilities with one label.
  void sample(int64_t i) {
    int64_t label;
    T values[BLOCK];
    read(label_, i, 1, &label, INT64);
    const bool ignored = p_.use_ignore && label == p_.ignore_label;
    for (int64_t c = 0; c < p_.classes; c += BLOCK) {
      const int64_t n = std::min(BLOCK, p_.classes - c), own = label - c;
      if (ignored) {
        std::fill_n(values, n, T(0));
      } else {
        read(probability_, i * p_.classes + c, n, values, CODE<T>);
        const T exact = own >= 0 && own < n ? (values[own] - own_) * scale_ : T(0);
        for (int64_t k = 0; k < n; ++k) values[k] = (values[k] - others_) * scale_;
        if (own >= 0 && own < n) values[own] = exact;
      }
      finish(i * p_.classes + c, n, values);
    }
  }

  // The classes of a block of neighbouring labels.
  void columns(int64_t i, int64_t first) {
    int64_t labels[BLOCK];
    T values[BLOCK];
    const int64_t n = std::min(BLOCK, p_.inner - first);
    read(label_, i * p_.inner + first, n, labels, INT64);
    for (int64_t c = 0; c < p_.classes; ++c) {
      const int64_t at = (i * p_.classes + c) * p_.inner + first;
      read(probability_, at, n, values, CODE<T>);
      for (int64_t k = 0; k < n; ++k) {
        T target = labels[k] == c ? own_ : others_;
        bool ignored = p_.use_ignore & (labels[k] == p_.ignore_label);
        values[k] = ignored ? T(0) : (values[k] - target) * scale_;
      }
      finish(at, n, values);
    }
  }

  void finish(int64_t at, int64_t n, T* values) {
    if (head_) {
      T factors[BLOCK];
      read(*head_, at, n, factors, CODE<T>);
      for (int64_t k = 0; k < n; ++k) values[k] *= factors[k];
    }
    write(out_, at, n, values);
  }

  KernelContext& context_;
  const SoftmaxOutputParams& p_;
  const Tensor &out_, &probability_, &label_;
  const Tensor* head_;
  T scale_, own_, others_;
};

}  // namespace

int softmax_output_gradient_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? Gradient<double>(context).run()
                                             : Gradient<float>(context).run();
}

}  // namespace mxcy
