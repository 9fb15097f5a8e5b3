// Reductions with NumPy's inner loops, split in a fixed tree (tree.hpp).
//
// A reduction has kept axes and reduced axes.  It runs in one of two ways:
//   *along*   the reduced axes are the inner ones: each result is a loop call with stride 0 on the
//             accumulator, which is where NumPy's loops sum pairwise;
//   *across*  the kept axis is the inner one: a vector of accumulators takes one row after the other.
// Either way the reduced elements are cut into leaves whose size depends on the shape only.  A program
// may be fused in front (`map`: x * x), and one behind (`finish`: division by the count, a cast).
#pragma once
#include <algorithm>
#include <optional>
#include "block_op.hpp"
#include "folds.hpp"
#include "program.hpp"
#include "space.hpp"
#include "tree.hpp"

namespace mxcy {

constexpr int64_t LEAF = 4096;          // elements of a leaf, along
constexpr int64_t LEAF_ROWS = 64;       // rows of a leaf, across
constexpr int64_t ACROSS_BYTES = 16384; // of a vector of accumulators
constexpr int64_t FEW = 8;              // kept elements that are not worth a loop call
constexpr int64_t GROUPS = 16;          // of leaves for a worker, where there are few results
constexpr int64_t RESULTS = 512;        // results finished together

inline void copy_item(char* to, const char* from, int itemsize) {
  switch (itemsize) {  // a call of memcpy would cost as much as a short reduction
    case 4: std::memcpy(to, from, 4); return;
    case 8: std::memcpy(to, from, 8); return;
    default: std::memcpy(to, from, itemsize);
  }
}

struct ReduceOp final : BlockOp {
  Program* map = nullptr;     // inputs -> accumulator dtype; null: the only input is read as it is
  Program* finisher = nullptr;  // accumulator -> result; null: they have one dtype
  Loop loop = nullptr;
  void* loop_data = nullptr;
  FailureTest loop_failed = nullptr;
  const Folds* sums = nullptr;  // ours in place of the loop, for neighbours
  int itemsize = 0;           // of the accumulator
  Cell identity{}, initial{};
  bool has_identity = false, has_initial = false, ordered = false;
  float element_ns = 0.2f;
  Space kept;                 // operands: inputs, then the result
  Space reduced;              // operands: inputs
  std::vector<Cell> scalars, finisher_scalars;

  void set_map(Program* program) { map = program, map->retain(); }
  void set_finisher(Program* program) { finisher = program, finisher->retain(); }

  ~ReduceOp() override {
    if (map) map->release();
    if (finisher) finisher->release();
  }

  int execute() override {
    if (kept.size == 0) return 0;
    if (!locate()) return -1;
    plan();
    const int64_t group = 1ll << group_levels_, groups = (leaves_ + group - 1) / group;
    if (groups == 1) return for_each(units_, unit_ns_ * leaves_, whole_units, this);
    WorkingMemory partials(runtime, units_ * groups * vector_bytes());
    if (!partials.get()) return out_of_memory();
    partials_ = partials.get();
    groups_ = groups;
    int rc = for_each(units_ * groups, unit_ns_ * group, parts, this);
    return rc ? rc : for_each(units_, element_ns * width_ * groups, combine_parts, this);
  }

 private:
  bool across_ = false;
  int64_t width_ = 1;       // accumulators of a unit
  int64_t units_ = 0;       // results, or blocks of results
  int64_t blocks_ = 1;      // across: units in a row of results
  int64_t rows_ = 1;        // reduced rows; across: reduced elements
  int64_t row_length_ = 1;  // along: reduced elements of a row
  int64_t leaves_ = 1, pieces_ = 1, rows_per_leaf_ = 1, groups_ = 1;
  int group_levels_ = 62;
  float unit_ns_ = 1;       // of one leaf of one unit
  char* partials_ = nullptr;

  int n_inputs() const { return int(operands.size()) - 1; }
  int64_t vector_bytes() const { return (width_ * itemsize + 63) & ~int64_t(63); }
  static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

  bool prefer_across() const {
    if (kept.ndim == 0 || reduced.ndim == 0) return false;
    const int64_t kept_length = kept.inner_length();
    if (magnitude(kept.inner_stride(0)) < magnitude(reduced.inner_stride(0))) {
      return kept_length > FEW || kept_length >= reduced.inner_length();
    }
    return kept_length > 4 * FEW && reduced.size <= FEW;
  }

  void plan() {
    across_ = reduced.size > 0 && prefer_across();
    int64_t leaf_elements;
    if (across_) {
      int64_t widest = map ? BLOCK : ACROSS_BYTES / itemsize;
      int64_t length = kept.inner_length();
      blocks_ = (length + widest - 1) / widest;
      width_ = (length + blocks_ - 1) / blocks_;
      units_ = kept.size / length * blocks_;
      rows_ = reduced.size;
      rows_per_leaf_ = LEAF_ROWS;
      leaves_ = (rows_ + LEAF_ROWS - 1) / LEAF_ROWS;
      leaf_elements = std::min(rows_, LEAF_ROWS) * width_;
    } else {
      units_ = kept.size;
      row_length_ = reduced.inner_length();
      rows_ = reduced.size ? reduced.size / row_length_ : 0;
      pieces_ = std::max<int64_t>(1, (row_length_ + LEAF - 1) / LEAF);
      rows_per_leaf_ = pieces_ > 1 ? 1 : std::max<int64_t>(1, LEAF / std::max<int64_t>(1, row_length_));
      leaves_ = (rows_ * pieces_ + rows_per_leaf_ - 1) / rows_per_leaf_;
      leaf_elements = std::min(reduced.size, LEAF);
    }
    leaves_ = std::max<int64_t>(1, leaves_);
    if (ordered) leaves_ = 1, rows_per_leaf_ = std::max<int64_t>(1, rows_), pieces_ = 1;
    unit_ns_ = element_ns * leaf_elements + 10;
    if (!ordered && units_ < 4 * runtime->num_workers() && unit_ns_ * leaves_ * units_ >= MIN_PARALLEL_NS) {
      const int64_t most = std::max<int64_t>(1, GROUPS * runtime->num_workers() / units_);
      group_levels_ = 0;
      while (unit_ns_ * (1ll << group_levels_) < MIN_CHUNK_NS || (leaves_ >> group_levels_) > most) ++group_levels_;
    }
  }

  // --- one chunk of work ------------------------------------------------------------------------------
  // What a thread needs while it works on this reduction.
  struct Worker {
    ReduceOp& op;
    Failure failure;
    int64_t own, buffer_bytes;
    WorkingMemory scratch;
    std::optional<Registers> registers;
    Walker outer, inner;

    explicit Worker(ReduceOp& o, int64_t leaves)
        : op(o), own(o.map ? o.map->scratch_bytes(BLOCK) : 0), buffer_bytes(BLOCK * 16 + SLOT_SKEW),
          scratch(o.runtime, own + (o.map ? buffer_bytes : 0) + tree_levels(leaves) * o.vector_bytes()),
          outer(o.kept, o.across_ ? o.kept.ndim - 1 : o.kept.ndim),
          inner(o.reduced, o.across_ ? o.reduced.ndim : std::max(0, o.reduced.ndim - 1)) {
      if (op.map && scratch.get()) registers.emplace(*op.map, op.scalars.data(), scratch.get(), BLOCK);
    }
    bool ready() const { return scratch.get() != nullptr; }
    char* buffer() const { return scratch.get() + own; }
    char* stack() const { return scratch.get() + own + (op.map ? buffer_bytes : 0); }

    // acc[i] = acc[i] op x[i]; acc_step 0 reduces into one.
    int combine(char* acc, int64_t acc_step, const char* x, int64_t x_step, intptr_t n) {
      char* args[3] = {acc, const_cast<char*>(x), acc};
      const intptr_t strides[3] = {acc_step, x_step, acc_step};
      op.loop(args, &n, strides, op.loop_data);
      if (op.loop_failed) {
        if (const char* text = op.loop_failed()) {
          if (op.flags & OP_NEEDS_GIL) return failure.kind = FAIL_PYTHON, -1;
          return failure.fail(FAIL_VALUE, "%s", text);
        }
      }
      return 0;
    }

    // Runs the map over n elements whose first is `first` elements into the row, to `out`.
    int mapped(const Space& row, int64_t first, intptr_t n, char* out) {
      for (int k = 0; k < op.n_inputs(); ++k) {
        const int64_t step = row.inner_stride(k);
        registers->set(k, op.operands[k].data + outer.offset(k) + inner.offset(k) + first * step, step);
      }
      registers->set(op.n_inputs(), out, op.itemsize);
      return registers->run(n, failure);
    }

    char* element(int64_t first, int64_t step) const {
      return op.operands[0].data + outer.offset(0) + inner.offset(0) + first * step;
    }

    // Along: n elements of the current row into one accumulator.
    int add_stretch(char* acc, bool& empty, bool from_identity, int64_t first, int64_t n) {
      const int64_t step = op.reduced.inner_stride(0), piece = op.map ? BLOCK : n;
      for (; n > 0; first += piece, n -= piece) {
        intptr_t count = std::min(n, piece);
        const char* x = op.map ? buffer() : element(first, step);
        const int64_t x_step = op.map ? op.itemsize : step;
        if (op.map && mapped(op.reduced, first, count, buffer())) return -1;
        if (empty) {
          empty = false;
          copy_item(acc, from_identity ? op.identity.bytes : x, op.itemsize);
          if (!from_identity) x += x_step, --count;
        }
        if (op.sums && x_step == op.itemsize)
          op.sums->sum(x, count, acc);
        else if (count > 0 && combine(acc, 0, x, x_step, count))
          return -1;
      }
      return 0;
    }

    // Only the first leaf begins with the identity, as in NumPy: 1 times a complex infinity is no number.
    int leaf_along(int64_t leaf, char* acc) {
      bool empty = true;
      const bool from_identity = op.has_identity && (op.sums || leaf == 0);
      if (op.pieces_ > 1) {
        const int64_t piece = leaf % op.pieces_;
        inner.seek(leaf / op.pieces_);
        return add_stretch(acc, empty, from_identity, piece * LEAF, std::min(LEAF, op.row_length_ - piece * LEAF));
      }
      const int64_t first = leaf * op.rows_per_leaf_, end = std::min(op.rows_, first + op.rows_per_leaf_);
      if (op.rows_ == 1) return add_stretch(acc, empty, from_identity, 0, op.row_length_);
      inner.seek(first);
      for (int64_t row = first; row < end; ++row, inner.next()) {
        if (add_stretch(acc, empty, from_identity, 0, op.row_length_)) return -1;
      }
      return 0;
    }

    int leaf_across(int64_t leaf, char* acc, int64_t column, int64_t width) {
      const int64_t first = leaf * op.rows_per_leaf_, end = std::min(op.rows_, first + op.rows_per_leaf_);
      const int64_t step = op.kept.inner_stride(0), item = op.itemsize;
      inner.seek(first);
      if (op.sums && !op.map && step == item && op.reduced.ndim == 1) {
        const int64_t row_step = op.reduced.inner_stride(0);
        const char* x = element(column, step);
        std::memcpy(acc, x, width * item);
        op.sums->sum_rows(x + row_step, row_step, end - first - 1, width, acc);
        return 0;
      }
      for (int64_t row = first; row < end; ++row, inner.next()) {
        if (op.map) {
          char* to = row == first ? acc : buffer();
          if (mapped(op.kept, column, width, to)) return -1;
          if (row != first && combine(acc, item, buffer(), item, width)) return -1;
        } else if (row == first) {
          copy_row(acc, element(column, step), step, width);
        } else if (combine(acc, item, element(column, step), step, width)) {
          return -1;
        }
        if (row == 0 && op.has_identity && !op.sums && combine(acc, item, op.identity.bytes, 0, width)) return -1;
      }
      return 0;
    }

    void copy_row(char* to, const char* from, int64_t step, int64_t n) const {
      if (step == op.itemsize) {
        std::memcpy(to, from, n * step);
        return;
      }
      for (; n > 0; --n, to += op.itemsize, from += step) std::memcpy(to, from, op.itemsize);
    }

    // Leaves [first, first + n) of the unit at `outer`, into stack()[0].
    int tree(int64_t unit, int64_t first, int64_t n) {
      const int64_t bytes = op.vector_bytes();
      if (!op.across_) {
        return run_tree(n, stack(), bytes, [&](int64_t i, char* at) { return leaf_along(first + i, at); },
                        [&](char* left, const char* right) { return combine(left, 0, right, 0, 1); });
      }
      const int64_t column = unit % op.blocks_ * op.width_;
      const int64_t width = std::min(op.width_, op.kept.inner_length() - column);
      const int64_t item = op.itemsize;
      return run_tree(
          n, stack(), bytes, [&](int64_t i, char* at) { return leaf_across(first + i, at, column, width); },
          [&](char* left, const char* right) { return combine(left, item, right, item, width); });
    }

    void seek(int64_t unit) { outer.seek(unit / op.blocks_); }

    // Turns n accumulators of consecutive results into results.
    int deliver(char* acc, char* out, int64_t out_step, intptr_t n) {
      const bool from_identity = op.across_ && op.has_identity && op.sums;  // others began with it
      const Cell& start = op.has_initial ? op.initial : op.identity;
      if ((op.has_initial || from_identity) && combine(acc, op.itemsize, start.bytes, 0, n)) return -1;
      if (!op.finisher) {
        const int item = op.itemsize;
        for (intptr_t i = 0; i < n; ++i) copy_item(out + i * out_step, acc + i * item, item);
        return 0;
      }
      WorkingMemory space(op.runtime, op.finisher->scratch_bytes(BLOCK));
      if (!space.get()) return failure.fail(FAIL_MEMORY, "%s: out of memory", op.name);
      Registers last(*op.finisher, op.finisher_scalars.data(), space.get(), BLOCK);
      for (intptr_t i = 0; i < n; i += BLOCK) {
        last.set(0, acc + i * op.itemsize, op.itemsize);
        last.set(op.finisher->n_inputs, out + i * out_step, out_step);
        if (last.run(std::min<intptr_t>(BLOCK, n - i), failure)) return -1;
      }
      return 0;
    }

    char* result(int64_t column) const {
      const int k = op.n_inputs();
      return op.operands[k].data + outer.offset(k) + column * op.kept.inner_stride(k);
    }
  };

  // Units [begin, end), from the first leaf to the results.
  static int whole_units(void* arg, int64_t begin, int64_t end) {
    ReduceOp& op = *static_cast<ReduceOp*>(arg);
    Worker worker(op, op.leaves_);
    if (!worker.ready()) return op.out_of_memory();
    take_fp_flags();
    int rc = op.across_ ? op.units_across(worker, begin, end) : op.units_along(worker, begin, end);
    op.collect_fp_flags(worker.failure);
    return rc ? op.report(worker.failure) : 0;
  }

  int units_across(Worker& worker, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      worker.seek(unit);
      if (reduced.size && worker.tree(unit, 0, leaves_)) return -1;
      if (deliver_block(worker, unit, worker.stack())) return -1;
    }
    return 0;
  }

  // Results are finished in runs, so that a division or a cast is not a loop call for each.
  int units_along(Worker& worker, int64_t begin, int64_t end) {
    alignas(16) char held[RESULTS * 16];
    const int out = n_inputs();
    const bool linear = kept.linear(out);
    const int64_t most = linear ? RESULTS : 1, out_step = linear ? kept.inner_stride(out) : 0;
    worker.seek(begin);
    for (int64_t first = begin; first < end; first += most) {
      const int64_t count = std::min(most, end - first);
      char* target = worker.result(0);
      for (int64_t i = 0; i < count; ++i) {
        if (reduced.size == 0) {
          std::memcpy(held + i * itemsize, identity.bytes, itemsize);
        } else if (leaves_ == 1) {
          if (worker.leaf_along(0, held + i * itemsize)) return -1;
        } else {
          if (worker.tree(first + i, 0, leaves_)) return -1;
          std::memcpy(held + i * itemsize, worker.stack(), itemsize);
        }
        worker.outer.next();
      }
      if (worker.deliver(held, target, out_step, count)) return -1;
    }
    return 0;
  }

  int deliver_block(Worker& worker, int64_t unit, char* acc) {
    const int64_t column = across_ ? unit % blocks_ * width_ : 0;
    const int64_t width = across_ ? std::min(width_, kept.inner_length() - column) : 1;
    return worker.deliver(acc, worker.result(column), across_ ? kept.inner_stride(n_inputs()) : 0, width);
  }

  // Groups of leaves of few units, to `partials_`.
  static int parts(void* arg, int64_t begin, int64_t end) {
    ReduceOp& op = *static_cast<ReduceOp*>(arg);
    const int64_t group = 1ll << op.group_levels_;
    Worker worker(op, group);
    if (!worker.ready()) return op.out_of_memory();
    take_fp_flags();
    for (int64_t part = begin; part < end; ++part) {
      const int64_t unit = part / op.groups_, first = part % op.groups_ * group;
      worker.seek(unit);
      if (worker.tree(unit, first, std::min(group, op.leaves_ - first))) return op.report(worker.failure);
      std::memcpy(op.partials_ + part * op.vector_bytes(), worker.stack(), op.width_ * op.itemsize);
    }
    op.collect_fp_flags(worker.failure);
    return 0;
  }

  static int combine_parts(void* arg, int64_t begin, int64_t end) {
    ReduceOp& op = *static_cast<ReduceOp*>(arg);
    Worker worker(op, op.groups_);
    if (!worker.ready()) return op.out_of_memory();
    const int64_t bytes = op.vector_bytes(), step = op.across_ ? op.itemsize : 0;
    take_fp_flags();
    for (int64_t unit = begin; unit < end; ++unit) {
      const char* parts = op.partials_ + unit * op.groups_ * bytes;
      const int64_t column = unit % op.blocks_ * op.width_;
      const int64_t width = op.across_ ? std::min(op.width_, op.kept.inner_length() - column) : 1;
      int rc = run_tree(
          op.groups_, worker.stack(), bytes,
          [&](int64_t i, char* at) { return std::memcpy(at, parts + i * bytes, op.width_ * op.itemsize), 0; },
          [&](char* left, const char* right) { return worker.combine(left, step, right, step, width); });
      worker.seek(unit);
      if (rc || op.deliver_block(worker, unit, worker.stack())) return op.report(worker.failure);
    }
    op.collect_fp_flags(worker.failure);
    return 0;
  }
};

}  // namespace mxcy
