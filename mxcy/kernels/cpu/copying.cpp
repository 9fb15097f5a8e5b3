#include "copying.hpp"

#include "runs.hpp"

namespace mxcy {
namespace {

constexpr int64_t TILE = 32;       // side of the square that a transposing copy holds in cache
constexpr int64_t BLOCK = 512;     // elements of temporaries on the stack
constexpr int64_t MAX_ITEM = 16;

// The axis along which the source is contiguous while the target is contiguous along the last axis;
// -1 if the copy is not a transposition.
int transposing_axis(const Space& space, int64_t target_item, int64_t source_item) {
  int last = space.ndim - 1;
  if (last < 1 || space.row(last)[0] != target_item || space.row(last)[1] == source_item) return -1;
  if (space.row(last)[1] == 0 || space.shape[last] < 8) return -1;
  for (int d = 0; d < last; ++d) {
    if (space.row(d)[1] == source_item && space.shape[d] >= 8) return d;
  }
  return -1;
}

// buffer: `rows` rows of TILE elements, row = position along the source's axis.
template <class T>
void scatter_tile(const char* buffer, char* target, int64_t target_step, int64_t rows, int64_t columns) {
  const T* from = reinterpret_cast<const T*>(buffer);
  for (int64_t r = 0; r < rows; ++r) {
    T* to = reinterpret_cast<T*>(target + r * target_step);
    for (int64_t c = 0; c < columns; ++c) to[c] = from[c * TILE + r];
  }
}

struct Complex128 { double real, imag; };

void scatter_tile(size_t item, const char* buffer, char* target, int64_t step, int64_t rows,
                  int64_t columns) {
  switch (item) {
    case 1: return scatter_tile<uint8_t>(buffer, target, step, rows, columns);
    case 2: return scatter_tile<uint16_t>(buffer, target, step, rows, columns);
    case 4: return scatter_tile<uint32_t>(buffer, target, step, rows, columns);
    case 8: return scatter_tile<uint64_t>(buffer, target, step, rows, columns);
    default: return scatter_tile<Complex128>(buffer, target, step, rows, columns);
  }
}

// Squares of both axes go through a buffer, so that memory is read and written along whole cache lines.
int copy_transposed(KernelContext& context, Space space, int axis, char* target, uint8_t target_dtype,
                    const char* source, uint8_t source_dtype) {
  const CastLoop loop = cast_loop(source_dtype, target_dtype);
  const int64_t item = ITEMSIZE[target_dtype], source_item = ITEMSIZE[source_dtype];
  const int last = space.ndim - 1;
  const int64_t rows = space.shape[axis], columns = space.shape[last];
  const int64_t target_step = space.row(axis)[0], source_step = space.row(last)[1];
  const int64_t row_tiles = (rows + TILE - 1) / TILE, column_tiles = (columns + TILE - 1) / TILE;
  const int64_t tiles = row_tiles * column_tiles;
  space.shape[axis] = space.shape[last] = 1;
  const int64_t outer = space.size / (rows * columns);
  auto body = [&](int64_t begin, int64_t end) {
    alignas(64) char buffer[TILE * TILE * MAX_ITEM];
    Walker walker(space, space.ndim);
    for (int64_t i = begin; i < end; ++i) {
      walker.seek(i / tiles);
      const int64_t r = i % tiles / column_tiles * TILE, c = i % column_tiles * TILE;
      const int64_t height = std::min(TILE, rows - r), width = std::min(TILE, columns - c);
      const char* from = source + walker.offset(1) + r * source_item + c * source_step;
      for (int64_t k = 0; k < width; ++k) {
        char* args[2] = {const_cast<char*>(from) + k * source_step, buffer + k * TILE * item};
        const intptr_t steps[2] = {intptr_t(source_item), intptr_t(item)};
        loop(args, &height, steps, nullptr);
      }
      scatter_tile(item, buffer, target + walker.offset(0) + r * target_step + c * item, target_step,
                   height, width);
    }
    return 0;
  };
  return parallel(context, outer * tiles, GRAIN / (TILE * TILE), body, true);
}

// Element k of a piece of `whole` along the axis, for the pieces of join and split.
Tensor piece_of(const Tensor& whole, const Tensor& piece, int axis, int64_t start) {
  Tensor view = whole;
  view.shape = piece.shape;
  view.size = piece.size;
  view.data = whole.data + start * whole.strides[axis];
  return view;
}

int copy_tensor(KernelContext& context, const Tensor& target, const Tensor& source) {
  if (target.size == 0) return 0;
  return copy_space(context, space_of(target, source), target.data, target.dtype, source.data, source.dtype);
}

// Elements of one size; steps of zero repeat an operand.
template <class T>
void select(const bool* condition, const char* a, int64_t a_step, const char* b, int64_t b_step, char* out,
            int64_t out_step, int64_t n) {
  constexpr int64_t item = sizeof(T);
  if (out_step == item && a_step == item && b_step == item) {
    const T* left = reinterpret_cast<const T*>(a);
    const T* right = reinterpret_cast<const T*>(b);
    T* to = reinterpret_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) {
      T x = left[i], y = right[i];
      to[i] = condition[i] ? x : y;
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(out + i * out_step, condition[i] ? a + i * a_step : b + i * b_step, item);
  }
}

using Select = void (*)(const bool*, const char*, int64_t, const char*, int64_t, char*, int64_t, int64_t);

Select select_of(size_t item) {
  switch (item) {
    case 1: return select<uint8_t>;
    case 2: return select<uint16_t>;
    case 4: return select<uint32_t>;
    case 8: return select<uint64_t>;
    default: return select<Complex128>;
  }
}

}  // namespace

int copy_space(KernelContext& context, const Space& space, char* target, uint8_t target_dtype,
               const char* source, uint8_t source_dtype) {
  if (space.size == 0) return 0;
  int axis = transposing_axis(space, ITEMSIZE[target_dtype], ITEMSIZE[source_dtype]);
  if (axis >= 0) return copy_transposed(context, space, axis, target, target_dtype, source, source_dtype);
  const CastLoop loop = cast_loop(source_dtype, target_dtype);
  const intptr_t steps[2] = {intptr_t(space.inner_stride(1)), intptr_t(space.inner_stride(0))};
  auto body = [&](int64_t begin, int64_t end) {
    for_runs<2>(space, begin, end, [&](const int64_t* offsets, int64_t count) {
      char* args[2] = {const_cast<char*>(source) + offsets[1], target + offsets[0]};
      intptr_t n = count;
      loop(args, &n, steps, nullptr);
    });
    return 0;
  };
  return parallel(context, space.size, GRAIN, body, true);
}

int copy_kernel(KernelContext& context) {
  const Tensor &target = context.outputs[0], &source = context.inputs[0];
  if (target.size == source.size && target.size <= GRAIN && target.c_contiguous() && source.c_contiguous()) {
    char* args[2] = {source.data, target.data};
    const intptr_t n = target.size, steps[2] = {ITEMSIZE[source.dtype], ITEMSIZE[target.dtype]};
    take_fp_flags();  // what other code of this thread has left behind
    cast_loop(source.dtype, target.dtype)(args, &n, steps, nullptr);
    context.failure->fp_flags |= take_fp_flags();
    return 0;
  }
  return copy_tensor(context, target, source);
}

int fill_kernel(KernelContext& context) {
  const FillParams& params = *static_cast<const FillParams*>(context.params);
  Tensor source{};
  source.dtype = params.dtype;
  source.data = const_cast<char*>(params.value);
  return copy_tensor(context, context.outputs[0], source);
}

int where_kernel(KernelContext& context) {
  const Tensor& out = context.outputs[0];
  const Tensor *condition = context.inputs, *a = condition + 1, *b = condition + 2;
  if (out.size == 0) return 0;
  const Space space = space_of(out, *condition, *a, *b);
  const CastLoop to_bool = cast_loop(condition->dtype, BOOL);
  const Select choose = select_of(ITEMSIZE[out.dtype]);
  const int64_t condition_step = space.inner_stride(1), a_step = space.inner_stride(2);
  const int64_t b_step = space.inner_stride(3), out_step = space.inner_stride(0);
  auto body = [&](int64_t begin, int64_t end) {
    bool chosen[BLOCK];
    for_runs<4>(space, begin, end, [&](const int64_t* offsets, int64_t count) {
      for (int64_t i = 0; i < count; i += BLOCK) {
        const intptr_t n = std::min(BLOCK, count - i), steps[2] = {intptr_t(condition_step), 1};
        char* args[2] = {condition->data + offsets[1] + i * condition_step, reinterpret_cast<char*>(chosen)};
        to_bool(args, &n, steps, nullptr);
        choose(chosen, a->data + offsets[2] + i * a_step, a_step, b->data + offsets[3] + i * b_step, b_step,
               out.data + offsets[0] + i * out_step, out_step, n);
      }
    });
    return 0;
  };
  return parallel(context, space.size, GRAIN, body);
}

int sequence_kernel(KernelContext& context) {
  const SequenceParams& p = *static_cast<const SequenceParams*>(context.params);
  const Tensor& out = context.outputs[0];
  const int64_t step = out.strides[0];
  const CastLoop loop = cast_loop(p.integer ? INT64 : FLOAT64, out.dtype);
  auto body = [&](int64_t begin, int64_t end) {
    union { int64_t integers[BLOCK]; double reals[BLOCK]; };
    for (int64_t i = begin; i < end; i += BLOCK) {
      const intptr_t n = std::min(BLOCK, end - i);
      for (int64_t k = 0; k < n; ++k) {
        int64_t term = p.repeat == 1 ? i + k : (i + k) / p.repeat;
        if (p.integer) integers[k] = p.integer_start + term * p.integer_step;
        else reals[k] = p.start + double(term) * p.step;
      }
      if (p.has_last && i + n == out.size) reals[n - 1] = p.last;
      char* args[2] = {reinterpret_cast<char*>(integers), out.data + i * step};
      const intptr_t steps[2] = {8, intptr_t(step)};
      loop(args, &n, steps, nullptr);
    }
    return 0;
  };
  return parallel(context, out.size, GRAIN, body, true);
}

int eye_kernel(KernelContext& context) {
  const int64_t diagonal = static_cast<const EyeParams*>(context.params)->diagonal;
  Tensor out = context.outputs[0];
  FillParams params{};
  params.dtype = BOOL;
  KernelContext part = context;
  part.params = &params;
  part.outputs = &out;
  if (int code = fill_kernel(part)) return code;
  const int64_t row = std::max<int64_t>(0, -diagonal), column = std::max<int64_t>(0, diagonal);
  const int64_t length = std::min(out.shape[0] - row, out.shape[1] - column);
  if (out.size == 0 || length <= 0) return 0;
  int64_t shape[1] = {length}, strides[1] = {out.strides[0] + out.strides[1]};
  out.data += row * out.strides[0] + column * out.strides[1];
  out.ndim = 1;
  out.size = length;
  out.shape = shape;
  out.strides = strides;
  params.value[0] = 1;
  return fill_kernel(part);
}

int join_kernel(KernelContext& context) {
  const int axis = static_cast<const AxisParams*>(context.params)->axis;
  int64_t start = 0;
  for (int i = 0; i < context.n_inputs; ++i) {
    const Tensor& piece = context.inputs[i];
    if (int code = copy_tensor(context, piece_of(context.outputs[0], piece, axis, start), piece)) return code;
    start += piece.shape[axis];
  }
  return 0;
}

int split_kernel(KernelContext& context) {
  const int axis = static_cast<const AxisParams*>(context.params)->axis;
  int64_t start = 0;
  for (int i = 0; i < context.n_outputs; ++i) {
    const Tensor& piece = context.outputs[i];
    if (int code = copy_tensor(context, piece, piece_of(context.inputs[0], piece, axis, start))) return code;
    start += piece.shape[axis];
  }
  return 0;
}

}  // namespace mxcy
