// Recurrent cells; compiled once for each instruction set.  A row is one sample; half types are computed in
// float, a row at a time.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "rnn_cells.hpp"

#include <algorithm>
#include <vector>
#include "lines.hpp"
#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <class T>
MXCY_INLINE Real<T> sigmoid(Real<T> x) {
  return T(1) / (T(1) + exp_vector<T>(-x));
}

// 1 - 2 / (exp(2 x) + 1); near 0, where that cancels, the series.
template <class T>
MXCY_INLINE Real<T> tanh_vector(Real<T> x) {
  const Real<T> square = x * x, far = T(1) - T(2) / (exp_vector<T>(x * T(2)) + T(1));
  const Real<T> near = x * (T(1) + square * (T(-1) / 3 + square * (T(2) / 15 - square * (T(17) / 315))));
  return square < T(sizeof(T) == 8 ? 1e-4 : 1e-2) ? near : far;
}

// The operands of one sample, as rows of T.
template <class T>
class Rows {
 public:
  Rows(KernelContext& context, const CellParams& p, int64_t widest)
      : context_(context), p_(p), widest_(widest), room_(context, widest * (context.n_inputs + context.n_outputs)) {}

  void read(int64_t row) {
    row_ = row;
    for (int k = 0; k < context_.n_inputs; ++k) {
      const int64_t n = width(context_.inputs[k]);
      in[k] = read_elements<T>(context_.inputs[k], row * n, n, room_ + k * widest_);
    }
    for (int k = 0; k < context_.n_outputs; ++k) {
      out[k] = place_of<T>(context_.outputs[k], row * width(context_.outputs[k]), room_of(k));
    }
  }

  void write() {
    for (int k = 0; k < context_.n_outputs; ++k) {
      const int64_t n = width(context_.outputs[k]);
      write_elements<T>(context_.outputs[k], row_ * n, n, room_of(k));
    }
  }

  const T* in[8];
  T* out[3];

 private:
  int64_t width(const Tensor& t) const { return t.size / p_.batch; }
  T* room_of(int output) { return room_ + (context_.n_inputs + output) * widest_; }

  KernelContext& context_;
  const CellParams& p_;
  int64_t widest_, row_ = 0;
  Scratch<T> room_;
};

// Up to a vector of each of some rows, and back: body(load, store, i) for i in steps of a vector.
template <class T>
struct Part {
  int64_t n;
  MXCY_INLINE Real<T> load(const T* p) const { return n == LANES<T> ? load_vector(p) : load_part(p, n, T(0)); }
  MXCY_INLINE void store(T* p, Real<T> v) const {
    if (n == LANES<T>) store_vector(p, v);
    else store_part(p, n, v);
  }
};

template <class T, class Body>
MXCY_INLINE void each_part(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + LANES<T> <= size; i += LANES<T>) body(Part<T>{LANES<T>}, i);
  if (i < size) body(Part<T>{size - i}, i);
}

template <class T, class Body>
int each_row(KernelContext& context, const CellParams& p, const Body& body) {
  auto rows = [&](int64_t begin, int64_t end) {
    Rows<T> r(context, p, 4 * p.size);
    for (int64_t i = begin; i < end; ++i) {
      r.read(i);
      body(r);
      r.write();
    }
    return 0;
  };
  return parallel(context, p.batch, std::max<int64_t>(1, GRAIN / 16 / std::max<int64_t>(1, p.size)), rows);
}

template <class T>
void lstm(const CellParams& p, Rows<T>& r) {
  const int64_t n = p.size;
  each_part<T>(n, [&](Part<T> part, int64_t i) {
    auto sum = [&](int gate) { return part.load(r.in[0] + gate * n + i) + part.load(r.in[1] + gate * n + i); };
    const Real<T> in = sigmoid<T>(sum(0)), forget = sigmoid<T>(sum(1)), out = sigmoid<T>(sum(3));
    const Real<T> value = tanh_vector<T>(sum(2));
    Real<T> cell = forget * part.load(r.in[2] + i) + in * value;
    if (p.clips) {
      const Real<T> low = Real<T>{} + T(p.low), high = Real<T>{} + T(p.high);
      const Real<T> clipped = cell > high ? high : cell < low ? low : cell;
      cell = p.clips_nan ? (cell == cell ? clipped : low) : clipped;
    }
    part.store(r.out[1] + i, in);
    part.store(r.out[1] + n + i, forget);
    part.store(r.out[1] + 2 * n + i, value);
    part.store(r.out[1] + 3 * n + i, out);
    part.store(r.out[2] + i, cell);
    part.store(r.out[0] + i, out * tanh_vector<T>(cell));
  });
}

template <class T>
void lstm_grad(const CellParams& p, Rows<T>& r) {
  const int64_t n = p.size;
  each_part<T>(n, [&](Part<T> part, int64_t i) {
    const T* gates = r.in[2];
    const Real<T> in = part.load(gates + i), forget = part.load(gates + n + i);
    const Real<T> value = part.load(gates + 2 * n + i), out = part.load(gates + 3 * n + i);
    const Real<T> cell = part.load(r.in[3] + i), before = part.load(r.in[4] + i), bent = tanh_vector<T>(cell);
    const Real<T> g = part.load(r.in[0] + i) + part.load(r.in[1] + i);
    Real<T> g_cell = part.load(r.in[5] + i) + part.load(r.in[6] + i) + g * out * (T(1) - bent * bent);
    if (p.clips) g_cell = cell >= T(p.high) ? Real<T>{} : cell <= T(p.low) ? Real<T>{} : g_cell;
    part.store(r.out[0] + i, g_cell * value * in * (T(1) - in));
    part.store(r.out[0] + n + i, g_cell * before * forget * (T(1) - forget));
    part.store(r.out[0] + 2 * n + i, g_cell * in * (T(1) - value * value));
    part.store(r.out[0] + 3 * n + i, g * bent * out * (T(1) - out));
    part.store(r.out[1] + i, g_cell * forget);
  });
}

template <class T>
void gru(const CellParams& p, Rows<T>& r) {
  const int64_t n = p.size;
  each_part<T>(n, [&](Part<T> part, int64_t i) {
    auto sum = [&](int gate) { return part.load(r.in[0] + gate * n + i) + part.load(r.in[1] + gate * n + i); };
    const Real<T> reset = sigmoid<T>(sum(0)), update = sigmoid<T>(sum(1));
    const Real<T> recurrent = part.load(r.in[1] + 2 * n + i);
    const Real<T> fresh = tanh_vector<T>(part.load(r.in[0] + 2 * n + i) + reset * recurrent);
    part.store(r.out[1] + i, reset);
    part.store(r.out[1] + n + i, update);
    part.store(r.out[1] + 2 * n + i, fresh);
    part.store(r.out[1] + 3 * n + i, recurrent);
    part.store(r.out[0] + i, fresh + update * (part.load(r.in[2] + i) - fresh));
  });
}

template <class T>
void gru_grad(const CellParams& p, Rows<T>& r) {
  const int64_t n = p.size;
  each_part<T>(n, [&](Part<T> part, int64_t i) {
    const T* gates = r.in[2];
    const Real<T> reset = part.load(gates + i), update = part.load(gates + n + i);
    const Real<T> fresh = part.load(gates + 2 * n + i), recurrent = part.load(gates + 3 * n + i);
    const Real<T> g = part.load(r.in[0] + i) + part.load(r.in[1] + i) + part.load(r.in[4] + i);
    const Real<T> g_fresh = g * (T(1) - update) * (T(1) - fresh * fresh);
    const Real<T> g_update = g * (part.load(r.in[3] + i) - fresh) * update * (T(1) - update);
    const Real<T> g_reset = g_fresh * recurrent * reset * (T(1) - reset);
    for (int k = 0; k < 2; ++k) {
      part.store(r.out[k] + i, g_reset);
      part.store(r.out[k] + n + i, g_update);
      part.store(r.out[k] + 2 * n + i, k ? g_fresh * reset : g_fresh);
    }
    part.store(r.out[2] + i, g * update);
  });
}

template <class T>
void plain(const CellParams& p, Rows<T>& r) {
  each_part<T>(p.size, [&](Part<T> part, int64_t i) {
    const Real<T> sum = part.load(r.in[0] + i) + part.load(r.in[1] + i);
    part.store(r.out[0] + i, p.mode == CELL_TANH ? tanh_vector<T>(sum) : sum > T(0) ? sum : Real<T>{});
  });
}

template <class T>
void plain_grad(const CellParams& p, Rows<T>& r) {
  each_part<T>(p.size, [&](Part<T> part, int64_t i) {
    const Real<T> g = part.load(r.in[0] + i) + part.load(r.in[1] + i), h = part.load(r.in[2] + i);
    part.store(r.out[0] + i, p.mode == CELL_TANH ? g * (T(1) - h * h) : h > T(0) ? g : Real<T>{});
  });
}

template <class T>
int forward(KernelContext& context) {
  const CellParams& p = *static_cast<const CellParams*>(context.params);
  return each_row<T>(context, p, [&](Rows<T>& r) {
    if (p.mode == CELL_LSTM) lstm(p, r);
    else if (p.mode == CELL_GRU) gru(p, r);
    else plain(p, r);
  });
}

template <class T>
int backward(KernelContext& context) {
  const CellParams& p = *static_cast<const CellParams*>(context.params);
  return each_row<T>(context, p, [&](Rows<T>& r) {
    if (p.mode == CELL_LSTM) lstm_grad(p, r);
    else if (p.mode == CELL_GRU) gru_grad(p, r);
    else plain_grad(p, r);
  });
}

}  // namespace

int cell_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? forward<double>(context) : forward<float>(context);
}

int cell_grad_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? backward<double>(context) : backward<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
