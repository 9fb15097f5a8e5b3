// What follows a product or a layer element by element: pointwise programs that run over a part of the result
// as soon as it is final, in the worker that has it in its cache.
//
// The result is seen as rows and columns, in C order; an operand of a program has its shape, or repeats along
// rows, along columns, or after some rows. A program runs over a whole result where that is as good: where
// rows are short, loops would be called for few elements at a time.
#pragma once
#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>
#include "finisher.hpp"
#include "fused.hpp"

namespace mxcy {

constexpr int64_t EPILOGUE_ELEMENTS = 16384;  // that one program takes before the next: they stay in the cache

class Epilogue final : public Finisher {
 public:
  struct Reach {
    int64_t row, column;  // bytes from one to the next
    int64_t period;       // rows after which the operand begins again
  };

  // Rows of fewer than `least` columns are left until all of the result is there.
  Epilogue(int64_t rows, int64_t columns, int64_t least)
      : rows_(rows), columns_(columns), at_once_(columns < least) {}

  // Takes an operation over; `reach` has one entry for each of its operands, of which the result is number
  // `place`.
  void add(PointwiseOp* op, const Reach* reach, int place) {
    Stage stage{std::unique_ptr<PointwiseOp>(op), {reach, reach + op->operands.size()}, true, place};
    for (const Reach& r : stage.reach)
      stage.flat = stage.flat && r.row == columns_ * r.column && (r.row == 0 || r.period >= rows_);
    cost_ns += op->cost_ns;
    stages_.push_back(std::move(stage));
  }

  // What to give to the kernel: null if it need not report parts.
  Finisher* finisher() { return at_once_ ? nullptr : this; }

  void places(std::vector<Place>& found) {
    for (Stage& stage : stages_) stage.op->places(found);
  }

  // Before the kernel runs: finds memory.
  bool begin(Failure& failure) {
    failed_.store(false, std::memory_order_relaxed);
    for (Stage& stage : stages_) {
      stage.op->fp_flags.store(0, std::memory_order_relaxed);
      if (!stage.op->locate(failure)) return false;
    }
    return true;
  }

  void finish(int64_t row, int64_t rows, int64_t column, int64_t columns) noexcept override {
    const int64_t most = std::max<int64_t>(EPILOGUE_ELEMENTS / columns, 1);
    take_fp_flags();  // of the kernel
    try {
      for (int64_t i = 0; i < rows; i += most)
        for (const Stage& stage : stages_) run(stage, row + i, std::min(most, rows - i), column, columns);
    } catch (const std::bad_alloc&) {
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  void expect(int64_t row, int64_t rows, int64_t column, int64_t columns) const noexcept override {
    for (const Stage& stage : stages_) {
      for (int k = 0; k < stage.op->program->n_inputs; ++k) {
        const Reach& r = stage.reach[k];
        const Operand& operand = stage.op->operands[k];
        if (k == stage.place || r.column == 0 || r.period < rows_) continue;  // what repeats is there
        const char* at = operand.data + row * r.row + column * r.column;
        for (int64_t i = 0; i < rows; ++i, at += r.row)
          for (int64_t b = 0; b < columns * r.column; b += CACHE_LINE) __builtin_prefetch(at + b);
      }
    }
  }

  // After the kernel has run. `name`, if given, becomes that of the first program with flags.
  int end(Failure& failure, const char** name) {
    if (failed_.load(std::memory_order_relaxed)) {
      return failure.fail(FAIL_MEMORY, "%s: out of memory", stages_[0].op->name);
    }
    for (Stage& stage : stages_) {
      const uint64_t before = failure.fp_flags;
      if (!at_once_) failure.fp_flags |= stage.op->fp_flags.load(std::memory_order_relaxed);
      else if (int status = stage.op->run(failure)) return status;
      if (!name || failure.fp_flags == before) continue;
      *name = stage.op->name;
      name = nullptr;
    }
    return 0;
  }

  float cost_ns = 0;

 private:
  struct Stage {
    std::unique_ptr<PointwiseOp> op;
    std::vector<Reach> reach;
    bool flat;  // whether whole rows lie one behind the other in all operands
    int place;
  };

  void run(const Stage& stage, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    PointwiseOp& op = *stage.op;
    const bool flat = stage.flat && columns == columns_;
    const int64_t length = flat ? rows * columns : columns, block = std::min(op.program->block(), length);
    WorkingMemory scratch(op.runtime, op.program->scratch_bytes(block));
    if (!scratch.get()) throw std::bad_alloc();
    Registers registers(*op.program, op.scalars.data(), scratch.get(), block);
    op.mark_singles(registers);
    Failure mine;
    const FlushSubnormals flush(op.program->flushes);
    for (const int64_t end = flat ? row + 1 : row + rows; row < end; ++row) {
      for (int64_t first = 0; first < length; first += block) {
        for (size_t k = 0; k < stage.reach.size(); ++k) {
          const Reach& r = stage.reach[k];
          const int64_t line = r.row ? row % r.period * r.row : 0;
          registers.set(int(k), op.operands[k].data + line + (column + first) * r.column, r.column);
        }
        registers.run(std::min(block, length - first), mine);  // programs of graphs cannot fail
      }
    }
    op.collect_fp_flags(mine);
  }

  int64_t rows_, columns_;
  bool at_once_;
  std::vector<Stage> stages_;
  std::atomic<bool> failed_{false};
};

// A product or a layer with its epilogue.
struct FinishedOp final : Op {
  std::unique_ptr<Op> first;
  std::unique_ptr<Epilogue> epilogue;

  FinishedOp(Op* op, Epilogue* then) : first(op), epilogue(then) {
    name = op->name;
    cost_ns = op->cost_ns + then->cost_ns;
  }
  bool places(std::vector<Place>& found) override {
    if (!first->places(found)) return false;
    epilogue->places(found);
    return true;
  }
  // Errors and flags are those of the one that raises them first.
  int run(Failure& failure) noexcept override {
    name = first->name;
    if (!epilogue->begin(failure)) return -1;
    const uint64_t before = failure.fp_flags;
    if (int status = first->run(failure)) return status;
    return epilogue->end(failure, failure.fp_flags == before ? &name : nullptr);
  }
};

}  // namespace mxcy
