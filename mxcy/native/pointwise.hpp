// Runs a pointwise program over broadcast, strided operands.
//
// Two ways to cut the space into blocks.  *Rows*: the innermost axis is long (or there are few rows), so a
// block is a piece of a row and every operand is passed with its own stride.  *Runs*: rows are short (an
// array of shape (n, 3) and one of shape (3,)), so a block is a run of elements across rows; operands that
// one stride cannot describe are gathered into a buffer first and results are scattered from one.
#pragma once
#include "gather.hpp"
#include "block_op.hpp"
#include "program.hpp"

namespace mxcy {

constexpr int64_t SHORT_ROW = 32;

struct PointwiseOp final : BlockOp {
  Program* program;
  Space space;                 // operands: inputs, then outputs
  std::vector<Cell> scalars;
  int64_t block = 0, blocks_per_row = 0;

  ~PointwiseOp() override { program->release(); }

  bool by_rows() const {
    const int64_t inner = space.inner_length();
    return space.ndim <= 1 || inner >= SHORT_ROW || space.size < SHORT_ROW * inner;
  }

  int run(Failure& f) noexcept override {
    failure = &f;
    if (space.size == 0) return 0;
    if (!locate()) return -1;
    block = program->block();
    int64_t inner = space.inner_length();
    if (by_rows()) {
      if (block > inner) block = inner;
      blocks_per_row = (inner + block - 1) / block;
      int64_t units = space.size / inner * blocks_per_row;
      return finish(for_each(units, program->cost_ns * block, run_rows, this));
    }
    block = BLOCK / repeating() * repeating();
    int64_t units = (space.size + block - 1) / block;
    return finish(for_each(units, (program->cost_ns + 0.5f) * block, run_runs, this));
  }

 private:
  // Elements of the inner axes that fit a block: blocks that are a multiple of it begin at a row.
  int64_t repeating() const {
    int64_t product = 1;
    for (int d = space.ndim - 1; d > 0 && product * space.shape[d] <= BLOCK; --d) product *= space.shape[d];
    return product;
  }

  static int run_rows(void* arg, int64_t begin, int64_t end) {
    PointwiseOp& op = *static_cast<PointwiseOp*>(arg);
    const Program& program = *op.program;
    Scratch scratch(op.runtime, program.scratch_bytes(op.block));
    if (!scratch.get()) return op.out_of_memory();
    Registers registers(program, op.scalars.data(), scratch.get(), op.block);
    Failure mine;
    take_fp_flags();
    Walker walker(op.space, op.space.ndim ? op.space.ndim - 1 : 0);
    walker.seek(begin / op.blocks_per_row);
    int64_t piece = begin % op.blocks_per_row, inner = op.space.inner_length();
    for (int64_t unit = begin; unit < end; ++unit) {
      int64_t first = piece * op.block;
      for (int k = 0; k < op.space.n; ++k) {
        int64_t step = op.space.inner_stride(k);
        registers.set(k, op.operands[k].data + walker.offset(k) + first * step, step);
      }
      if (registers.run(inner - first < op.block ? inner - first : op.block, mine)) return op.report(mine);
      if (++piece == op.blocks_per_row) {
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
    Scratch scratch(runtime, own + space.n * buffer);
    if (!scratch.get()) return mine.fail(FAIL_MEMORY, "%s: out of memory", name);
    Registers registers(*program, scalars.data(), scratch.get(), block);
    std::vector<Strided> strided;
    std::vector<char> linear(space.n), gathered(space.n);
    for (int k = 0; k < space.n; ++k) {
      strided.emplace_back(space, k, operands[k].itemsize());
      linear[k] = space.linear(k);
      if (!linear[k]) registers.set(k, scratch.get() + own + k * buffer, operands[k].itemsize());
    }
    take_fp_flags();
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
