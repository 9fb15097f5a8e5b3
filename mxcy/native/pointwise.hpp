// Runs a pointwise program over broadcast, strided operands.
//
// Two ways to cut the space into blocks.  *Rows*: the innermost axis is long (or there are few rows), so a
// block is a piece of a row and every operand is passed with its own stride.  *Runs*: rows are short (an
// array of shape (n, 3) and one of shape (3,)), so a block is a run of elements across rows; operands that
// one stride cannot describe are gathered into a buffer first and results are scattered from one.
#pragma once
#include <algorithm>
#include <cstdlib>
#include "gather.hpp"
#include "block_op.hpp"
#include "program.hpp"
#include "spare.hpp"

namespace mxcy {

constexpr int64_t SHORT_ROW = 32;
constexpr int64_t COLUMN_BLOCK = 128;  // of a row, when rows are taken column by column
constexpr int64_t CACHE_LINE = 64, CACHED_BYTES = 1 << 18;

struct PointwiseOp final : BlockOp {
  Program* program = nullptr;
  Space space;                 // operands: inputs, then outputs
  std::vector<Cell> scalars;
  uint64_t lines = 0;  // inputs of shape (1,) beside a result of that shape, of which NumPy converts a row
  int64_t block = 0, blocks_per_row = 0, rows = 0;
  bool by_columns = false;

  ~PointwiseOp() override {
    if (program) program->release();
  }
  // With the GIL held.
  static void* operator new(size_t) { return spare().take(); }
  static void operator delete(void* memory) { spare().give_back(memory); }
  Fusion* fusion() noexcept override;  // fused.hpp

  bool by_rows() const {
    const int64_t inner = space.inner_length();
    return space.ndim <= 1 || inner >= SHORT_ROW || space.size < SHORT_ROW * inner;
  }

  int execute() override {
    if (space.size == 0) return 0;
    if (!locate()) return -1;
    block = program->block();
    int64_t inner = space.inner_length();
    if (by_rows()) {
      by_columns = reads_across();
      block = std::min(by_columns ? COLUMN_BLOCK : block, inner);
      blocks_per_row = (inner + block - 1) / block;
      rows = space.size / inner;
      return for_each(rows * blocks_per_row, program->cost_ns * block, run_rows, this);
    }
    block = BLOCK / repeating() * repeating();
    int64_t units = (space.size + block - 1) / block;
    return for_each(units, (program->cost_ns + 0.5f) * block, run_runs, this);
  }

  // Operands that are one element, converted once for all of the operation, as in NumPy.
  void mark_singles(Registers& registers) const {
    for (int k = 0; program->casts && k < program->n_inputs; ++k) {
      if (space.single(k) && !(k < 64 && lines >> k & 1)) registers.set_single(k);
    }
  }

 private:
  static Spare<PointwiseOp>& spare() {
    static Spare<PointwiseOp> pieces;
    return pieces;
  }

  // Whether an input is stored along another axis than the result (a transpose), so that neighbours in a
  // row lie on different cache lines.  Then the same piece of all rows is taken before the next piece:
  // the lines are used up while they are in the cache.
  bool reads_across() const {
    for (int k = 0; k < program->n_inputs; ++k) {
      const int64_t inner = std::abs(space.inner_stride(k));
      if (inner < CACHE_LINE || space.size * inner < CACHED_BYTES) continue;
      for (int d = 0; d + 1 < space.ndim; ++d) {
        const int64_t outer = std::abs(space.row(d)[k]);
        if (outer && outer < inner) return true;
      }
    }
    return false;
  }

  // Elements of the inner axes that fit a block: blocks that are a multiple of it begin at a row.
  int64_t repeating() const {
    int64_t product = 1;
    for (int d = space.ndim - 1; d > 0 && product * space.shape[d] <= BLOCK; --d) product *= space.shape[d];
    return product;
  }

  static int run_rows(void* arg, int64_t begin, int64_t end) {
    PointwiseOp& op = *static_cast<PointwiseOp*>(arg);
    const Program& program = *op.program;
    WorkingMemory scratch(op.runtime, program.scratch_bytes(op.block));
    if (!scratch.get()) return op.out_of_memory();
    Registers registers(program, op.scalars.data(), scratch.get(), op.block);
    op.mark_singles(registers);
    Failure mine;
    take_fp_flags();
    const FlushSubnormals flush(program.flushes);
    Walker walker(op.space, op.space.ndim ? op.space.ndim - 1 : 0);
    int64_t row = op.by_columns ? begin % op.rows : begin / op.blocks_per_row;
    int64_t piece = op.by_columns ? begin / op.rows : begin % op.blocks_per_row;
    const int64_t inner = op.space.inner_length();
    walker.seek(row);
    for (int64_t unit = begin; unit < end; ++unit) {
      int64_t first = piece * op.block;
      for (int k = 0; k < op.space.n; ++k) {
        // NumPy takes one element as an array of one, but not where it converts operands: some of its loops
        // round scalars otherwise.
        const bool as_array = op.space.ndim == 0 && program.steps.size() == 1;
        const int64_t step = as_array ? op.operands[k].itemsize() : op.space.inner_stride(k);
        registers.set(k, op.operands[k].data + walker.offset(k) + first * step, step);
      }
      if (registers.run(std::min(inner - first, op.block), mine)) return op.report(mine);
      if (op.by_columns) {
        walker.next();  // from the last row to the first
        if (++row == op.rows) row = 0, ++piece;
      } else if (++piece == op.blocks_per_row) {
        piece = 0;
        walker.next();
      }
    }
    op.collect_fp_flags(mine);
    return 0;
  }

  static int run_runs(void* arg, int64_t begin, int64_t end) {
    PointwiseOp& op = *static_cast<PointwiseOp*>(arg);
    Failure mine;
    return op.runs(begin, end, mine) ? op.report(mine) : 0;
  }

  int runs(int64_t begin, int64_t end, Failure& mine) {
    const int64_t own = program->scratch_bytes(block), buffer = block * 16 + SLOT_SKEW;
    WorkingMemory scratch(runtime, own + space.n * buffer);
    if (!scratch.get()) return mine.fail(FAIL_MEMORY, "%s: out of memory", name);
    Registers registers(*program, scalars.data(), scratch.get(), block);
    mark_singles(registers);
    std::vector<Strided> strided;
    std::vector<char> linear(space.n), gathered(space.n);
    for (int k = 0; k < space.n; ++k) {
      strided.emplace_back(space, k, operands[k].itemsize());
      linear[k] = space.linear(k);
      if (!linear[k]) registers.set(k, scratch.get() + own + k * buffer, operands[k].itemsize());
    }
    take_fp_flags();
    const FlushSubnormals flush(program->flushes);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t first = unit * block, count = space.size - first < block ? space.size - first : block;
      for (int k = 0; k < space.n; ++k) {
        if (linear[k]) {
          int64_t step = space.inner_stride(k);
          registers.set(k, operands[k].data + first * step, step);
        } else if (k < program->n_inputs && !gathered[k]) {
          copy_elements<true>(strided[k], operands[k].data, registers.pointer(k), first, count);
          gathered[k] = block % strided[k].period == 0 && count == block;
        }
      }
      if (registers.run(count, mine)) return -1;
      for (int k = program->n_inputs; k < space.n; ++k) {
        if (linear[k]) continue;
        copy_elements<false>(strided[k], operands[k].data, registers.pointer(k), first, count);
      }
    }
    collect_fp_flags(mine);
    return 0;
  }
};

}  // namespace mxcy
