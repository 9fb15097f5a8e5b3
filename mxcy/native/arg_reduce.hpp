// The position of the first largest or smallest element along reduced axes, in NumPy's order: NaN comes
// before everything, complex numbers compare by real part, then imaginary part.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <vector>
#include "block_op.hpp"
#include "folds.hpp"
#include "half.hpp"
#include "program.hpp"
#include "space.hpp"

namespace mxcy {

constexpr int64_t ARG_WIDTH = 1024;   // neighbouring lanes that are scanned together
constexpr int64_t ARG_STRETCH = 2048; // elements whose extreme is found before their position
constexpr int64_t ARG_PIECE = 65536;  // elements of a lane that one worker scans

struct ArgReduceOp : BlockOp {
  Space kept;     // operands: x, the result
  Space reduced;  // operand x; axes in their own order, because positions count in it
  Loop store_loop = nullptr;  // int64 -> dtype of the result
  Loop extreme = nullptr;     // numpy.maximum or minimum of real numbers; null: none
  void* extreme_data = nullptr;
  const Folds* folds = nullptr;  // ours for neighbours, of some dtypes
};

template <class T>
struct Real {
  T value;
  static Real load(const char* p) {
    Real x;
    std::memcpy(&x.value, p, sizeof x.value);
    return x;
  }
  bool nan() const { return value != value; }
  bool operator<(const Real& other) const { return value < other.value; }
  bool operator==(const Real& other) const { return value == other.value; }
};

template <class Stored>
struct Half {
  float value;
  static Half load(const char* p) {
    Stored stored;
    std::memcpy(&stored, p, sizeof stored);
    return {float(stored)};
  }
  bool nan() const { return value != value; }
  bool operator<(const Half& other) const { return value < other.value; }
  bool operator==(const Half& other) const { return value == other.value; }
};

template <class T>
struct Complex {
  T real, imaginary;
  static Complex load(const char* p) {
    Complex x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  bool nan() const { return real != real || imaginary != imaginary; }
  bool operator<(const Complex& other) const {
    return real < other.real || (real == other.real && imaginary < other.imaginary);
  }
  bool operator==(const Complex& other) const { return real == other.real && imaginary == other.imaginary; }
};

template <class E, bool LARGEST>
struct ArgReduce final : ArgReduceOp {
  struct Best {
    E value;
    int64_t position;
  };
  static bool better(const E& x, const E& best) {
    return (LARGEST ? best < x : x < best) || (x.nan() && !best.nan());
  }

  int execute() override {
    if (kept.size == 0) return 0;
    if (!locate()) return -1;
    const int64_t inner = kept.inner_length();
    const bool across = kept.ndim && reduced.ndim && inner > 8 &&
                        std::abs(kept.inner_stride(0)) < std::abs(reduced.inner_stride(0));
    width_ = across ? std::min(inner, ARG_WIDTH) : 1;
    blocks_ = (inner + width_ - 1) / width_;
    pieces_ = across || reduced.ndim > 1 ? 1 : (reduced.size + ARG_PIECE - 1) / ARG_PIECE;
    const int64_t units = kept.size / inner * blocks_;
    if (!across && pieces_ > 1 && units < 4 * runtime->num_workers()) {
      partials_.resize(units * pieces_);
      for_each(units * pieces_, ARG_PIECE * 0.5f, scan_pieces, this);
      for (int64_t unit = 0; unit < units; ++unit) deliver_pieces(unit);
      return 0;
    }
    return for_each(units, reduced.size * width_ * 0.7f + 20, across ? scan_across : scan_along, this);
  }

 private:
  int64_t width_ = 1, blocks_ = 1, pieces_ = 1;
  std::vector<Best> partials_;

  // One row of a lane: elements that are `step` apart, the first of which has number `number`.
  // NumPy's loop finds the extreme of a stretch several elements at a time; only a stretch with a better
  // one is looked through for its position.
  void scan(const char* x, int64_t step, int64_t n, int64_t number, Best& best) const {
    if (folds && step == int64_t(sizeof(E))) {
      for (; n > 0; n -= ARG_PIECE, x += ARG_PIECE * step, number += ARG_PIECE) {
        const int64_t at = folds->position(x, std::min(n, ARG_PIECE), LARGEST);
        const E value = E::load(x + at * step);
        if (better(value, best.value)) best = {value, number + at};
      }
      return;
    }
    if (!extreme || n < 64) return search(x, step, n, number, best);
    const int itemsize = operands[0].itemsize();
    for (; n > 0; n -= ARG_STRETCH, x += ARG_STRETCH * step, number += ARG_STRETCH) {
      const intptr_t count = std::min(n, ARG_STRETCH), strides[3] = {0, intptr_t(step), 0};
      alignas(16) char found[16];
      std::memcpy(found, x, itemsize);
      char* args[3] = {found, const_cast<char*>(x), found};
      extreme(args, &count, strides, extreme_data);
      const E value = E::load(found);
      if (!better(value, best.value)) continue;
      if (value.nan()) search(x, step, count, number, best);
      else best = {value, number + first_equal(x, step, count, value)};
    }
  }

  // The place of a value that is there.  The inner loop has no exit, so that it becomes vector code.
  static int64_t first_equal(const char* x, int64_t step, int64_t n, const E& value) {
    constexpr int64_t LOOK = 32;
    for (int64_t i = 0;; i += LOOK) {
      bool found = false;
      if (step == int64_t(sizeof(E)) && i + LOOK <= n) {
        for (int64_t k = 0; k < LOOK; ++k) found |= E::load(x + (i + k) * int64_t(sizeof(E))) == value;
        if (!found) continue;
      }
      for (int64_t k = i;; ++k) {
        if (E::load(x + k * step) == value) return k;
      }
    }
  }

  static void search(const char* x, int64_t step, int64_t n, int64_t number, Best& best) {
    for (int64_t i = 0; i < n; ++i, x += step) {
      E value = E::load(x);
      if (better(value, best.value)) best = {value, number + i};
    }
  }

  void lane(const char* x, Walker& rows, Best& best) const {
    const int64_t length = reduced.inner_length(), step = reduced.inner_stride(0);
    best = {E::load(x), 0};
    rows.seek(0);
    for (int64_t number = 0; number < reduced.size; number += length, rows.next()) {
      scan(x + rows.offset(0), step, length, number, best);
    }
  }

  void store(int64_t* positions, int64_t n, char* to, int64_t step) const {
    char* args[2] = {reinterpret_cast<char*>(positions), to};
    const intptr_t count = n, strides[2] = {sizeof(int64_t), intptr_t(step)};
    store_loop(args, &count, strides, nullptr);
  }

  static int scan_along(void* arg, int64_t begin, int64_t end) {
    ArgReduce& op = *static_cast<ArgReduce*>(arg);
    Walker lanes(op.kept, op.kept.ndim), rows(op.reduced, std::max(0, op.reduced.ndim - 1));
    lanes.seek(begin);
    for (int64_t unit = begin; unit < end; ++unit, lanes.next()) {
      Best best;
      op.lane(op.operands[0].data + lanes.offset(0), rows, best);
      op.store(&best.position, 1, op.operands[1].data + lanes.offset(1), 0);
    }
    return 0;
  }

  static int scan_pieces(void* arg, int64_t begin, int64_t end) {
    ArgReduce& op = *static_cast<ArgReduce*>(arg);
    Walker lanes(op.kept, op.kept.ndim);
    const int64_t step = op.reduced.inner_stride(0);
    for (int64_t part = begin; part < end; ++part) {
      lanes.seek(part / op.pieces_);
      const int64_t first = part % op.pieces_ * ARG_PIECE;
      const char* x = op.operands[0].data + lanes.offset(0) + first * step;
      op.partials_[part] = {E::load(x), first};
      op.scan(x, step, std::min(ARG_PIECE, op.reduced.size - first), first, op.partials_[part]);
    }
    return 0;
  }

  void deliver_pieces(int64_t unit) {
    Best best = partials_[unit * pieces_];
    for (int64_t i = 1; i < pieces_; ++i) {
      const Best& other = partials_[unit * pieces_ + i];
      if (better(other.value, best.value)) best = other;
    }
    Walker lanes(kept, kept.ndim);
    lanes.seek(unit);
    store(&best.position, 1, operands[1].data + lanes.offset(1), 0);
  }

  static int scan_across(void* arg, int64_t begin, int64_t end) {
    ArgReduce& op = *static_cast<ArgReduce*>(arg);
    Walker lanes(op.kept, op.kept.ndim - 1), rows(op.reduced, op.reduced.ndim);
    std::vector<E> best(op.width_);
    std::vector<int64_t> positions(op.width_);
    const int64_t step = op.kept.inner_stride(0), out_step = op.kept.inner_stride(1);
    for (int64_t unit = begin; unit < end; ++unit) {
      lanes.seek(unit / op.blocks_);
      const int64_t first = unit % op.blocks_ * op.width_;
      const int64_t width = std::min(op.width_, op.kept.inner_length() - first);
      const char* x = op.operands[0].data + lanes.offset(0) + first * step;
      for (int64_t i = 0; i < width; ++i) best[i] = E::load(x + i * step), positions[i] = 0;
      rows.seek(0);
      for (int64_t number = 0; number < op.reduced.size; ++number, rows.next()) {
        const char* row = x + rows.offset(0);
        for (int64_t i = 0; i < width; ++i, row += step) {
          E value = E::load(row);
          if (better(value, best[i])) best[i] = value, positions[i] = number;
        }
      }
      op.store(positions.data(), width, op.operands[1].data + lanes.offset(1) + first * out_step, out_step);
    }
    return 0;
  }
};

template <class E>
ArgReduceOp* new_arg_reduce_of(bool largest) {
  if (largest) return new ArgReduce<E, true>;
  return new ArgReduce<E, false>;
}

inline ArgReduceOp* new_arg_reduce(int dtype, bool largest) {
  switch (dtype) {
    case INT8: return new_arg_reduce_of<Real<int8_t>>(largest);
    case INT16: return new_arg_reduce_of<Real<int16_t>>(largest);
    case UINT16: return new_arg_reduce_of<Real<uint16_t>>(largest);
    case INT32: return new_arg_reduce_of<Real<int32_t>>(largest);
    case UINT32: return new_arg_reduce_of<Real<uint32_t>>(largest);
    case INT64: return new_arg_reduce_of<Real<int64_t>>(largest);
    case UINT64: return new_arg_reduce_of<Real<uint64_t>>(largest);
    case FLOAT16: return new_arg_reduce_of<Half<Float16>>(largest);
    case BFLOAT16: return new_arg_reduce_of<Half<BFloat16>>(largest);
    case FLOAT32: return new_arg_reduce_of<Real<float>>(largest);
    case FLOAT64: return new_arg_reduce_of<Real<double>>(largest);
    case COMPLEX64: return new_arg_reduce_of<Complex<float>>(largest);
    case COMPLEX128: return new_arg_reduce_of<Complex<double>>(largest);
    default: return new_arg_reduce_of<Real<uint8_t>>(largest);  // and bool, whose bytes are 0 and 1
  }
}

}  // namespace mxcy
