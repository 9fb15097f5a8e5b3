// Softmax and its gradient; compiled once for each instruction set.
//
// Two ways through an array.  *Lines*: the axis is the fast one (or nothing is), so each line along it is
// read into a buffer, worked on in vectors, and written.  *Columns*: another axis is contiguous, or lines
// are short, so 64 neighbouring lines are worked on side by side.  Buffers are float, or double for double; conversions of
// other types and strides happen on the way in and out, so memory is passed once.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include <vector>
#include "softmax.hpp"

#include "runs.hpp"
#include "vectors.hpp"

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int64_t COLUMNS = 64, SHORT_LINE = 24;

template <class T> constexpr uint8_t CODE = sizeof(T) == 8 ? FLOAT64 : FLOAT32;

// One operand as lines along the axis: the space's operand k, its type, the step along the axis.
struct Lines {
  char* data;
  uint8_t dtype;
  int64_t step;
};

template <class T>
void read_line(const Lines& from, int64_t offset, int64_t step, int64_t n, T* to) {
  char* args[2] = {from.data + offset, reinterpret_cast<char*>(to)};
  const intptr_t count = n, steps[2] = {intptr_t(step), sizeof(T)};
  cast_loop(from.dtype, CODE<T>)(args, &count, steps, nullptr);
}

template <class T>
void write_line(const T* from, const Lines& to, int64_t offset, int64_t step, int64_t n) {
  char* args[2] = {reinterpret_cast<char*>(const_cast<T*>(from)), to.data + offset};
  const intptr_t count = n, steps[2] = {sizeof(T), intptr_t(step)};
  cast_loop(CODE<T>, to.dtype)(args, &count, steps, nullptr);
}

// Calls body(vector, lanes, position) over a line; lanes beyond the end hold `fill`.
template <class T, class Body>
MXCY_INLINE void each_vector(const T* x, int64_t n, T fill, const Body& body) {
  int64_t i = 0;
  for (; i + LANES<T> <= n; i += LANES<T>) body(load_vector(x + i), int64_t(LANES<T>), i);
  if (i < n) body(load_part(x + i, n - i, fill), n - i, i);
}

template <class T>
MXCY_INLINE void put(T* p, int64_t lanes, Real<T> v) {
  if (lanes == LANES<T>) store_vector(p, v);
  else store_part(p, lanes, v);
}

template <class T>
void softmax_line(const SoftmaxParams& params, const T* x, T* out, int64_t n) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const T sign = params.negate ? T(-1) : T(1), scale = T(params.inverse_temperature);
  Real<T> best = Real<T>{} + lowest;
  each_vector<T>(x, n, sign * lowest, [&](Real<T> v, int64_t, int64_t) {
    v *= sign;
    best = v > best ? v : best;
  });
  const T top = max_lanes<T>(best);
  Sum<T> sum;
  each_vector<T>(x, n, sign * lowest, [&](Real<T> v, int64_t lanes, int64_t i) {
    v = (v * sign - top) * scale;
    Real<T> e = exp_vector<T>(v);
    sum.add(e);  // the padding adds zero
    put<T>(out + i, lanes, params.logarithm ? v : e);
  });
  const double total = sum.total();
  const T factor = T(1 / total), shift = T(std::log(total));
  each_vector<T>(out, n, T(0), [&](Real<T> v, int64_t lanes, int64_t i) {
    put<T>(out + i, lanes, params.logarithm ? v - shift : v * factor);
  });
}

template <class T>
void gradient_line(const SoftmaxParams& params, const T* y, const T* g, T* out, int64_t n) {
  const T scale = T(params.inverse_temperature) * (params.negate ? -1 : 1);
  Sum<T> sum;
  each_vector<T>(g, n, T(0), [&](Real<T> v, int64_t lanes, int64_t i) {
    if (!params.logarithm) v *= lanes == LANES<T> ? load_vector(y + i) : load_part(y + i, lanes, T(0));
    sum.add(v);
  });
  const T total = T(sum.total());
  each_vector<T>(g, n, T(0), [&](Real<T> v, int64_t lanes, int64_t i) {
    Real<T> value = lanes == LANES<T> ? load_vector(y + i) : load_part(y + i, lanes, T(0));
    Real<T> result = params.logarithm ? v - exp_vector<T>(value) * total : value * (v - total);
    put<T>(out + i, lanes, result * scale);
  });
}

// The same over COLUMNS lines side by side; x is n rows of COLUMNS.
template <class T>
void softmax_columns(const SoftmaxParams& params, T* x, int64_t n) {
  constexpr int vectors = COLUMNS / LANES<T>;
  const T sign = params.negate ? T(-1) : T(1), scale = T(params.inverse_temperature);
  for (int c = 0; c < vectors; ++c) {
    T* column = x + c * LANES<T>;
    Real<T> top = Real<T>{} - std::numeric_limits<T>::infinity();
    for (int64_t i = 0; i < n; ++i) {
      Real<T> v = load_vector(column + i * COLUMNS) * sign;
      top = v > top ? v : top;
    }
    Real<T> near = {}, far = {};
    for (int64_t i = 0; i < n; ++i) {
      Real<T> v = (load_vector(column + i * COLUMNS) * sign - top) * scale, e = exp_vector<T>(v);
      near += e;
      if (i % 64 == 63) {
        far += near;
        near = Real<T>{};
      }
      store_vector(column + i * COLUMNS, params.logarithm ? v : e);
    }
    far += near;
    Real<T> last = T(1) / far;
    if (params.logarithm) {
      for (int k = 0; k < LANES<T>; ++k) last[k] = std::log(far[k]);
    }
    for (int64_t i = 0; i < n; ++i) {
      Real<T> v = load_vector(column + i * COLUMNS);
      store_vector(column + i * COLUMNS, params.logarithm ? v - last : v * last);
    }
  }
}

template <class T>
void gradient_columns(const SoftmaxParams& params, const T* y, T* g, int64_t n) {
  const T scale = T(params.inverse_temperature) * (params.negate ? -1 : 1);
  for (int64_t c = 0; c < COLUMNS; c += LANES<T>) {
    Real<T> near = {}, far = {};
    for (int64_t i = 0; i < n; ++i) {
      Real<T> v = load_vector(g + i * COLUMNS + c);
      near += params.logarithm ? v : v * load_vector(y + i * COLUMNS + c);
      if (i % 64 == 63) {
        far += near;
        near = Real<T>{};
      }
    }
    far += near;
    for (int64_t i = 0; i < n; ++i) {
      Real<T> v = load_vector(g + i * COLUMNS + c), value = load_vector(y + i * COLUMNS + c);
      Real<T> result = params.logarithm ? v - exp_vector<T>(value) * far : value * (v - far);
      store_vector(g + i * COLUMNS + c, result * scale);
    }
  }
}

// The axes beside the softmax's own, for out, the inputs and the lengths.
struct Layout {
  std::vector<Lines> lines;  // out, inputs
  Space space;
  int64_t n;
  const Tensor* length = nullptr;

  Layout(const KernelContext& context, const SoftmaxParams& params) {
    const Tensor& out = context.outputs[0];
    const int n_lines = 1 + context.n_inputs - int(params.has_length), ndim = out.ndim - 1;
    n = out.shape[params.axis];
    std::vector<int64_t> shape, strides;
    for (int d = 0; d <= ndim; ++d) {
      if (d != params.axis) shape.push_back(out.shape[d]);
    }
    for (int k = 0; k < n_lines; ++k) {
      const Tensor& t = k ? context.inputs[k - 1] : out;
      lines.push_back({t.data, t.dtype, t.strides[params.axis]});
      for (int d = 0; d <= ndim; ++d) {
        if (d != params.axis) strides.push_back(t.strides[d]);
      }
    }
    if (params.has_length) {
      length = &context.inputs[context.n_inputs - 1];
      strides.resize(strides.size() + ndim);
      broadcast_strides(*length, ndim, shape.data(), strides.data() + size_t(n_lines) * ndim);
    }
    space = Space(ndim, n_lines + int(params.has_length), shape.data(), strides.data());
    space.normalise(0);
  }

  int64_t valid(int64_t offset) const {
    if (!length) return n;
    int64_t found;
    char* args[2] = {length->data + offset, reinterpret_cast<char*>(&found)};
    const intptr_t one = 1, steps[2] = {0, 8};
    cast_loop(length->dtype, INT64)(args, &one, steps, nullptr);
    return std::max<int64_t>(0, std::min(found, n));
  }

  // Short lines go side by side as well: vectors along one would be mostly empty.  However many there are, so
  // that a line's result does not depend on the others.
  bool by_columns() const {
    const int64_t item = ITEMSIZE[lines[0].dtype];
    if (length || n <= SHORT_LINE) return !length;
    return space.inner_length() >= 8 && space.inner_stride(0) == item && lines[0].step != item;
  }
};

// body(buffers) turns inputs into the output: buffers[0] is the output's and, in columns, the last input's.
template <class T, class LineBody>
int run_lines(KernelContext& context, const Layout& layout, const LineBody& line_body) {
  const int64_t n = layout.n, room = (n + 15) / 16 * 16;
  const int n_lines = layout.lines.size();
  auto direct = [&](int k) {
    return layout.lines[k].dtype == CODE<T> && layout.lines[k].step == int64_t(sizeof(T));
  };
  auto body = [&](int64_t begin, int64_t end) {
    Scratch<T> scratch(context, room * n_lines);
    Walker walker(layout.space, layout.space.ndim);
    walker.seek(begin);
    for (int64_t i = begin; i < end; ++i, walker.next()) {
      T* buffers[3] = {};
      const int64_t valid = layout.valid(layout.length ? walker.offset(n_lines) : 0);
      for (int k = 0; k < n_lines; ++k) {
        const Lines& lines = layout.lines[k];
        buffers[k] = direct(k) ? reinterpret_cast<T*>(lines.data + walker.offset(k)) : scratch + k * room;
        if (k && !direct(k)) read_line<T>(lines, walker.offset(k), lines.step, valid, buffers[k]);
      }
      if (valid) line_body(buffers, valid);
      std::fill(buffers[0] + valid, buffers[0] + n, T(0));
      if (!direct(0)) write_line<T>(buffers[0], layout.lines[0], walker.offset(0), layout.lines[0].step, n);
    }
    return 0;
  };
  return parallel(context, layout.space.size, std::max<int64_t>(1, GRAIN / 4 / n), body);
}

template <class T, class ColumnBody>
int run_columns(KernelContext& context, const Layout& layout, const ColumnBody& column_body) {
  const int64_t n = layout.n, inner = layout.space.inner_length(), pieces = (inner + COLUMNS - 1) / COLUMNS;
  const int n_inputs = layout.lines.size() - 1;
  auto body = [&](int64_t begin, int64_t end) {
    Scratch<T> scratch(context, n * COLUMNS * n_inputs);
    Walker walker(layout.space, std::max(0, layout.space.ndim - 1));
    for (int64_t i = begin; i < end; ++i) {
      walker.seek(i / pieces);
      const int64_t first = i % pieces * COLUMNS, width = std::min(COLUMNS, inner - first);
      T* buffers[2] = {scratch, scratch + n * COLUMNS};
      for (int k = 1; k <= n_inputs; ++k) {
        const int64_t step = layout.space.inner_stride(k);
        for (int64_t j = 0; j < n; ++j) {
          T* row = buffers[k - 1] + j * COLUMNS;
          read_line<T>(layout.lines[k], walker.offset(k) + j * layout.lines[k].step + first * step, step,
                       width, row);
          std::fill(row + width, row + COLUMNS, T(0));
        }
      }
      column_body(buffers, n);
      const Lines& out = layout.lines[0];
      const int64_t step = layout.space.inner_stride(0);
      for (int64_t j = 0; j < n; ++j) {
        write_line<T>(buffers[n_inputs - 1] + j * COLUMNS, out, walker.offset(0) + j * out.step + first * step,
                      step, width);
      }
    }
    return 0;
  };
  return parallel(context, layout.space.size / inner * pieces,
                  std::max<int64_t>(1, GRAIN / 4 / (n * COLUMNS)), body);
}

template <class T>
int softmax_in(KernelContext& context) {
  const SoftmaxParams& params = *static_cast<const SoftmaxParams*>(context.params);
  const Layout layout(context, params);
  if (layout.by_columns()) {
    return run_columns<T>(context, layout, [&](T** x, int64_t n) { softmax_columns<T>(params, x[0], n); });
  }
  return run_lines<T>(context, layout, [&](T** x, int64_t n) { softmax_line<T>(params, x[1], x[0], n); });
}

template <class T>
int gradient_in(KernelContext& context) {
  const SoftmaxParams& params = *static_cast<const SoftmaxParams*>(context.params);
  const Layout layout(context, params);
  if (layout.by_columns()) {
    return run_columns<T>(context, layout,
                          [&](T** x, int64_t n) { gradient_columns<T>(params, x[0], x[1], n); });
  }
  return run_lines<T>(context, layout,
                      [&](T** x, int64_t n) { gradient_line<T>(params, x[1], x[2], x[0], n); });
}

bool in_double(const KernelContext& context) {
  return context.outputs[0].dtype == FLOAT64 || context.inputs[0].dtype == FLOAT64;
}

}  // namespace

int softmax_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? softmax_in<double>(context) : softmax_in<float>(context);
}

int softmax_gradient_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return in_double(context) ? gradient_in<double>(context) : gradient_in<float>(context);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
