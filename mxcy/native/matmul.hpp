// Matrix products through the inner loop of numpy.matmul (a generalised ufunc, which calls BLAS with the
// right flags for the strides that it is given), cut into blocks of the result for the workers.
//
// NumPy's OpenBLAS has one thread count for the whole process, and its own threads would fight the
// workers, so it is set to one while products of ours run and restored afterwards (BlasThreads).
#pragma once
#include <algorithm>
#include <mutex>
#include "block_op.hpp"
#include "program.hpp"
#include "space.hpp"

namespace mxcy {

constexpr float PRODUCT_BLOCK_NS = 40000;  // a result that takes less is not cut
constexpr int64_t BLOCK_ALIGN = 64;         // rows; BLAS treats the rows of a block alike, as in the whole
// Rows are cut, so that a worker has its part of the result in one piece, as loops over elements cut it, and
// finds it in its cache; blocks of so many columns a row are cut across, as each worker packs all columns of B.
constexpr int64_t LONG_BLOCK = 8;

// Holds BLAS at one thread while at least one guard lives.
class BlasThreads {
 public:
  using Get = int (*)();
  using Set = void (*)(int);
  static void use(Get get, Set set) { state().get = get, state().set = set; }

  BlasThreads() {
    State& s = state();
    if (!s.set) return;
    std::lock_guard<std::mutex> lock(s.mutex);
    if (s.users++ == 0) {
      s.held = s.get();
      if (s.held != 1) s.set(1);
    }
  }
  ~BlasThreads() {
    State& s = state();
    if (!s.set) return;
    std::lock_guard<std::mutex> lock(s.mutex);
    if (--s.users == 0 && s.held != 1) s.set(s.held);
  }

 private:
  struct State {
    Get get = nullptr;
    Set set = nullptr;
    std::mutex mutex;  // guards users, held
    int users = 0, held = 1;
  };
  static State& state() {
    static State* s = new State;  // never destroyed: workers may outlive static destructors
    return *s;
  }
};

struct MatmulOp final : BlockOp {
  Loop loop = nullptr;
  void* loop_data = nullptr;
  Space batch;                   // operands: a, b, result
  int64_t m = 0, n = 0, p = 0;   // (m, n) times (n, p)
  int64_t a_m = 0, a_n = 0, b_n = 0, b_p = 0, out_m = 0, out_p = 0;  // strides in bytes
  float product_ns = 0;          // of one of the batch

  int execute() override {
    if (batch.size == 0 || m == 0 || p == 0) return 0;
    if (!locate()) return -1;
    cut();
    BlasThreads one_thread;
    return for_each(batch.size * row_blocks_ * column_blocks_,
                           product_ns / (row_blocks_ * column_blocks_) + 20, chunk, this);
  }

 private:
  int64_t row_blocks_ = 1, column_blocks_ = 1;

  // Blocks of one result: as many as workers, if there are not enough results to keep them busy.
  void cut() {
    const int64_t workers = runtime->num_workers();
    const int64_t wanted = std::min(workers, int64_t(product_ns / PRODUCT_BLOCK_NS) + 1);
    if (batch.size >= 2 * workers) return;
    while (row_blocks_ * column_blocks_ < wanted) {
      int64_t rows = m / row_blocks_, columns = p / column_blocks_;
      if (std::max(rows, columns) < 2 * BLOCK_ALIGN) return;
      if (rows >= 2 * BLOCK_ALIGN && rows * LONG_BLOCK >= columns) row_blocks_ *= 2;
      else column_blocks_ *= 2;
    }
  }

  static int64_t block_length(int64_t length, int64_t blocks) {
    const int64_t even = (length + blocks - 1) / blocks;
    return blocks == 1 ? length : (even + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
  }

  static int chunk(void* arg, int64_t begin, int64_t end) {
    MatmulOp& op = *static_cast<MatmulOp*>(arg);
    take_fp_flags();
    if (op.row_blocks_ * op.column_blocks_ == 1) op.whole(begin, end);
    else op.blocks(begin, end);
    op.collect_fp_flags(Failure());
    return 0;
  }

  // Products [begin, end) of the batch; those along its inner axis in one call.
  void whole(int64_t begin, int64_t end) {
    Walker walker(batch, batch.ndim);
    const int64_t inner = batch.inner_length();
    while (begin < end) {
      const int64_t run = std::min(end - begin, inner - begin % inner);
      walker.seek(begin);
      call(run, walker, 0, m, 0, p);
      begin += run;
    }
  }

  void blocks(int64_t begin, int64_t end) {
    Walker walker(batch, batch.ndim);
    const int64_t per_product = row_blocks_ * column_blocks_;
    const int64_t rows = block_length(m, row_blocks_), columns = block_length(p, column_blocks_);
    for (int64_t unit = begin; unit < end; ++unit) {
      walker.seek(unit / per_product);
      const int64_t row = unit % per_product / column_blocks_ * rows;
      const int64_t column = unit % column_blocks_ * columns;
      if (row >= m || column >= p) continue;
      call(1, walker, row, std::min(rows, m - row), column, std::min(columns, p - column));
    }
  }

  void call(intptr_t count, const Walker& at, int64_t row, intptr_t rows, int64_t column, intptr_t columns) {
    char* args[3] = {operands[0].data + at.offset(0) + row * a_m,
                     operands[1].data + at.offset(1) + column * b_p,
                     operands[2].data + at.offset(2) + row * out_m + column * out_p};
    const intptr_t dimensions[4] = {count, rows, n, columns};
    const intptr_t strides[9] = {batch.inner_stride(0), batch.inner_stride(1), batch.inner_stride(2),
                                 a_m, a_n, b_n, b_p, out_m, out_p};
    loop(args, dimensions, strides, loop_data);
  }
};

}  // namespace mxcy
