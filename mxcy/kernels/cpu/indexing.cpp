#include "indexing.hpp"

#include "points.hpp"

namespace mxcy {
namespace {

// Types that stand for all elements of a size where only bits are moved.
uint8_t bits_dtype(uint8_t dtype) {
  switch (ITEMSIZE[dtype]) {
    case 1: return UINT8;
    case 2: return UINT16;
    case 4: return UINT32;
    case 8: return UINT64;
    default: return COMPLEX128;
  }
}

// The axes that both sides share, before and after the indexed ones. Operand 0 is x, 1 the other side.
struct Sides {
  Space outer, inner;
  Sides(const IndexParams& params, const Tensor& x, const Tensor& v) {
    int n_inner = x.ndim - params.n_outer - params.n_indexed;
    outer = common(params.n_outer, x.shape, x.strides, v.strides);
    inner = common(n_inner, x.shape + x.ndim - n_inner, x.strides + x.ndim - n_inner,
                   v.strides + v.ndim - n_inner);
  }

 private:
  static Space common(int ndim, const int64_t* shape, const int64_t* x, const int64_t* v) {
    std::vector<int64_t> strides(2 * size_t(ndim));
    std::copy_n(x, ndim, strides.data());
    std::copy_n(v, ndim, strides.data() + ndim);
    Space space(ndim, 2, shape, strides.data());
    space.normalise(0);
    return space;
  }
};

// Moves the inner part of one point; `put` says from the other side into x.
template <bool put>
class Mover {
 public:
  Mover(const Space& inner, uint8_t dtype)
      : inner_(inner), item_(ITEMSIZE[dtype]), loop_(cast_loop(bits_dtype(dtype), bits_dtype(dtype))) {}

  void move(char* x, char* v, int64_t begin, int64_t end) const {
    for_runs<2>(inner_, begin, end, [&](const int64_t* offsets, int64_t count) {
      char* args[2] = {put ? v + offsets[1] : x + offsets[0], put ? x + offsets[0] : v + offsets[1]};
      const intptr_t x_step = inner_.inner_stride(0), v_step = inner_.inner_stride(1);
      const intptr_t n = count, steps[2] = {put ? v_step : x_step, put ? x_step : v_step};
      loop_(args, &n, steps, nullptr);
    });
  }

  void move_points(char* x, char* v, const int64_t* x_offsets, const int64_t* v_offsets,
                   int64_t count) const {
    if (inner_.size == 1) return move_elements(x, v, x_offsets, v_offsets, count);
    const int64_t length = inner_.inner_length(), nbytes = length * item_;
    if (inner_.ndim == 1 && inner_.inner_stride(0) == item_ && inner_.inner_stride(1) == item_) {
      for (int64_t i = 0; i < count; ++i) {
        std::memcpy(put ? x + x_offsets[i] : v + v_offsets[i], put ? v + v_offsets[i] : x + x_offsets[i],
                    nbytes);
      }
      return;
    }
    for (int64_t i = 0; i < count; ++i) move(x + x_offsets[i], v + v_offsets[i], 0, inner_.size);
  }

 private:
  void move_elements(char* x, char* v, const int64_t* x_offsets, const int64_t* v_offsets,
                     int64_t count) const {
    switch (item_) {
      case 1: return move_items<1>(x, v, x_offsets, v_offsets, count);
      case 2: return move_items<2>(x, v, x_offsets, v_offsets, count);
      case 4: return move_items<4>(x, v, x_offsets, v_offsets, count);
      case 8: return move_items<8>(x, v, x_offsets, v_offsets, count);
      default: return move_items<16>(x, v, x_offsets, v_offsets, count);
    }
  }

  template <int item>
  static void move_items(char* x, char* v, const int64_t* x_offsets, const int64_t* v_offsets,
                         int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(put ? x + x_offsets[i] : v + v_offsets[i], put ? v + v_offsets[i] : x + x_offsets[i], item);
    }
  }

  const Space& inner_;
  const int64_t item_;
  const CastLoop loop_;
};

// Offsets of all points on both sides.
struct AllPoints {
  Scratch<int64_t> indexed, plain;
  bool good = true;
  AllPoints(KernelContext& context, const Points& points)
      : indexed(context, points.count()), plain(context, points.count()) {
    good = points.indexed_offsets(0, points.count(), indexed);
    points.plain_offsets(0, points.count(), plain);
    take_fp_flags();
  }
};

int gather_once(KernelContext& context, const Tensor& x, const Tensor& v, const Points& points,
                const Mover<false>& mover, int64_t inner) {
  auto body = [&](int64_t begin, int64_t end) {
    int64_t indexed[INDEX_BLOCK], plain[INDEX_BLOCK];
    for (int64_t i = begin; i < end; i += INDEX_BLOCK) {
      int64_t stop = std::min(end, i + INDEX_BLOCK);
      if (!points.indexed_offsets(i, stop, indexed)) return 1;
      points.plain_offsets(i, stop, plain);
      mover.move_points(x.data, v.data, indexed, plain, stop - i);
    }
    return 0;
  };
  int code = parallel(context, points.count(), std::max<int64_t>(1, GRAIN / (4 + inner)), body);
  return code ? points.fail(*context.failure) : 0;
}

}  // namespace

int gather_kernel(KernelContext& context) {
  const IndexParams& params = *static_cast<const IndexParams*>(context.params);
  const Tensor &v = context.outputs[0], &x = context.inputs[0];
  if (v.size == 0) return 0;
  const Sides sides(params, x, v);
  const Points points(params, x, v, context.inputs + 1);
  const Mover<false> mover(sides.inner, x.dtype);
  if (sides.outer.size == 1) return gather_once(context, x, v, points, mover, sides.inner.size);
  const AllPoints all(context, points);
  if (!all.good) return points.fail(*context.failure);
  const int64_t per_outer = points.count() * sides.inner.size;
  auto body = [&](int64_t begin, int64_t end) {
    Walker walker(sides.outer, sides.outer.ndim);
    walker.seek(begin);
    for (int64_t i = begin; i < end; ++i, walker.next()) {
      mover.move_points(x.data + walker.offset(0), v.data + walker.offset(1), all.indexed, all.plain,
                        points.count());
    }
    return 0;
  };
  return parallel(context, sides.outer.size, std::max<int64_t>(1, GRAIN / per_outer), body);
}

// Duplicates are written in order, so pieces must not divide the points.
int scatter_kernel(KernelContext& context) {
  const IndexParams& params = *static_cast<const IndexParams*>(context.params);
  const Tensor &x = context.outputs[0], &v = context.inputs[0];
  if (v.size == 0) return 0;
  const Sides sides(params, x, v);
  const Points points(params, x, v, context.inputs + 1);
  const Mover<true> mover(sides.inner, x.dtype);
  const AllPoints all(context, points);
  if (!all.good) return points.fail(*context.failure);
  if (sides.outer.size == 1 && sides.inner.size > 1024) {
    auto body = [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < points.count(); ++i) {
        mover.move(x.data + all.indexed[i], v.data + all.plain[i], begin, end);
      }
      return 0;
    };
    return parallel(context, sides.inner.size, std::max<int64_t>(512, GRAIN / points.count()), body);
  }
  auto body = [&](int64_t begin, int64_t end) {
    Walker walker(sides.outer, sides.outer.ndim);
    walker.seek(begin);
    for (int64_t i = begin; i < end; ++i, walker.next()) {
      mover.move_points(x.data + walker.offset(0), v.data + walker.offset(1), all.indexed, all.plain,
                        points.count());
    }
    return 0;
  };
  return parallel(context, sides.outer.size,
                  std::max<int64_t>(1, GRAIN / (points.count() * sides.inner.size)), body);
}

namespace {

// One element of every line of x: moved to the other side, or from it.
template <bool put>
int move_picked(KernelContext& context, const Tensor& x, const Tensor& v, const Tensor& index) {
  const PickParams& params = *static_cast<const PickParams*>(context.params);
  if (v.size == 0) return 0;
  const int64_t length = x.shape[params.axis], axis_step = x.strides[params.axis];
  std::vector<int64_t> strides(3 * size_t(v.ndim));
  std::copy_n(v.strides, v.ndim, strides.data());
  std::copy_n(x.strides, x.ndim, strides.data() + v.ndim);  // as many axes, v's of length 1 at the axis
  broadcast_strides(index, v.ndim, v.shape, strides.data() + 2 * v.ndim);
  Space space(v.ndim, 3, v.shape, strides.data());
  space.normalise(1);
  const int64_t v_step = space.inner_stride(0), x_step = space.inner_stride(1);
  const int64_t item = ITEMSIZE[x.dtype];
  auto body = [&](int64_t begin, int64_t end) {
    int64_t found[INDEX_BLOCK];
    int code = 0;
    for_runs<3>(space, begin, end, [&](const int64_t* offsets, int64_t count) {
      for (int64_t i = 0; i < count; i += INDEX_BLOCK) {
        const int64_t n = std::min(INDEX_BLOCK, count - i), index_step = space.inner_stride(2);
        read_indices(index, offsets[2] + i * index_step, index_step, n, found);
        if (!normalise_indices(found, n, length, params.mode)) {
          code = 1;
          return;
        }
        for (int64_t k = 0; k < n; ++k) {
          char* inside = x.data + offsets[1] + (i + k) * x_step + found[k] * axis_step;
          char* outside = v.data + offsets[0] + (i + k) * v_step;
          if (put) std::memcpy(inside, outside, item);
          else std::memcpy(outside, inside, item);
        }
      }
    });
    return code;
  };
  if (!parallel(context, space.size, GRAIN / 4, body)) return 0;
  return context.failure->fail(FAIL_INDEX, "an index is out of bounds for axis %d with size %lld",
                               params.axis, (long long)length);
}

}  // namespace

int pick_kernel(KernelContext& context) {
  return move_picked<false>(context, context.inputs[0], context.outputs[0], context.inputs[1]);
}

int place_kernel(KernelContext& context) {
  return move_picked<true>(context, context.outputs[0], context.inputs[0], context.inputs[1]);
}

int one_hot_kernel(KernelContext& context) {
  const OneHotParams& params = *static_cast<const OneHotParams*>(context.params);
  const Tensor &out = context.outputs[0], &index = context.inputs[0];
  if (out.size == 0) return 0;
  Tensor rows = out;
  rows.ndim = out.ndim - 1;
  const int64_t depth = out.shape[rows.ndim], step = out.strides[rows.ndim], item = ITEMSIZE[out.dtype];
  const Space space = space_of(rows, index);
  const CastLoop fill = cast_loop(bits_dtype(out.dtype), bits_dtype(out.dtype));
  auto body = [&](int64_t begin, int64_t end) {
    int64_t found[INDEX_BLOCK];
    for_runs<2>(space, begin, end, [&](const int64_t* offsets, int64_t count) {
      for (int64_t i = 0; i < count; i += INDEX_BLOCK) {
        const int64_t n = std::min(INDEX_BLOCK, count - i), index_step = space.inner_stride(1);
        read_indices(index, offsets[1] + i * index_step, index_step, n, found);
        for (int64_t k = 0; k < n; ++k) {
          char* row = out.data + offsets[0] + (i + k) * space.inner_stride(0);
          char* args[2] = {const_cast<char*>(params.off), row};
          const intptr_t length = depth, steps[2] = {0, intptr_t(step)};
          fill(args, &length, steps, nullptr);
          if (found[k] >= 0 && found[k] < depth) std::memcpy(row + found[k] * step, params.on, item);
        }
      }
    });
    return 0;
  };
  return parallel(context, space.size, std::max<int64_t>(1, GRAIN / depth), body);
}

}  // namespace mxcy
