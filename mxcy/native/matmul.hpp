// Matrix products: by packed panels that the workers share, or past a large matrix (products.hpp), or through the inner loop of
// numpy.matmul (a generalised ufunc, which calls BLAS with the right flags for the strides that it is given),
// cut into blocks of the result for the workers.
//
// NumPy's OpenBLAS has one thread count for the whole process, and its own threads would fight the
// workers, so it is set to one while products of ours run and restored afterwards (BlasThreads).
#pragma once
#include <algorithm>
#include <mutex>
#include "block_op.hpp"
#include "finisher.hpp"
#include "products.hpp"
#include "program.hpp"
#include "space.hpp"

namespace mxcy {

constexpr float PRODUCT_BLOCK_NS = 40000;  // a result that takes less is not cut
constexpr float SHARED_NS = 400000;         // from here on workers share what is packed
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
  const PackedLoops* packed = nullptr;  // instead of `loop`
  ThinPlan thin = nullptr;              // instead of both
  Finisher* finisher = nullptr;         // of the result, which is in C order then, with columns of its own

  int execute() override {
    if (batch.size == 0 || m == 0 || p == 0) return 0;
    if (!locate()) return -1;
    if (thin) return thin_products();
    const int64_t workers = runtime->num_workers();
    if (packed && product_ns >= SHARED_NS && workers > 1 && batch.size < 2 * workers) return shared_products();
    cut();
    BlasThreads one_thread;
    return for_each(batch.size * row_blocks_ * column_blocks_,
                           product_ns / (row_blocks_ * column_blocks_) + 20, chunk, this);
  }

 private:
  int64_t row_blocks_ = 1, column_blocks_ = 1;

  // Rows and columns from `c` on are final.
  void finish(const char* c, int64_t rows, int64_t columns) {
    if (!finisher) return;
    collect_fp_flags(Failure());
    const int64_t place = (c - operands[2].data) / operands[2].itemsize();
    finisher->finish(place / p, rows, place % p, columns);
  }

  // --- packed products, each by all workers ---

  class Memory {
   public:
    Memory(const Runtime* runtime, size_t nbytes) : runtime_(runtime), nbytes_(nbytes) {
      data = static_cast<char*>(runtime->scratch_alloc(nbytes));
      if (!data) throw std::bad_alloc();
    }
    ~Memory() { runtime_->scratch_free(data, nbytes_); }
    Memory(const Memory&) = delete;
    char* data;

   private:
    const Runtime* runtime_;
    size_t nbytes_;
  };

  int shared_products() {
    Walker walker(batch, batch.ndim);
    for (int64_t i = 0; i < batch.size; ++i) {
      walker.seek(i);
      if (int rc = one_packed(walker, 0, m, 0, p, runtime->num_workers())) return rc;
    }
    return 0;
  }

  struct Step {
    MatmulOp* op;
    PackedProduct product;
  };

  // Of a part of one result; with one piece this thread does it all.
  int one_packed(const Walker& at, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t workers) {
    Step step{this, {}};
    PackedProduct& q = step.product;
    q.a = operands[0].data + at.offset(0) + row * a_m;
    q.b = operands[1].data + at.offset(1) + column * b_p;
    q.c = operands[2].data + at.offset(2) + row * out_m + column * out_p;
    q.m = rows, q.n = n, q.p = columns;
    q.a_m = a_m, q.a_n = a_n, q.b_n = b_n, q.b_p = b_p, q.c_m = out_m;
    if (out_p != operands[2].itemsize()) {  // B' A' = C'
      std::swap(q.a, q.b), std::swap(q.m, q.p);
      std::swap(q.a_m, q.b_p), std::swap(q.a_n, q.b_n), q.c_m = out_p;
    }
    packed->plan(q, workers);
    Memory memory(runtime, q.bytes);
    q.packed = memory.data;
    do {
      // Packing an element takes about 0.3 ns.
      const float panel_ns = workers == 1 ? 0 : 0.3f * q.depth * q.columns / q.panels;
      const float share = float(q.depth) / n * q.columns / q.p;
      const float unit_ns = workers == 1 ? 0 : product_ns * share / q.units;
      if (int rc = for_each(q.panels, panel_ns, pack_chunk, &step)) return rc;
      if (int rc = for_each(q.units, unit_ns, unit_chunk, &step)) return rc;
    } while (packed->next(q));
    return 0;
  }

  static int pack_chunk(void* arg, int64_t begin, int64_t end) {
    const Step& step = *static_cast<Step*>(arg);
    step.op->packed->pack(step.product, begin, end);
    return 0;
  }

  static int unit_chunk(void* arg, int64_t begin, int64_t end) {
    const Step& step = *static_cast<Step*>(arg);
    MatmulOp& op = *step.op;
    const PackedProduct& q = step.product;
    Memory scratch(op.runtime, op.packed->scratch_bytes);
    take_fp_flags();
    if (!op.finisher || q.k + q.depth < q.n) {
      op.packed->run(q, begin, end, scratch.data);
    } else {
      for (int64_t unit = begin; unit < end; ++unit) {
        op.packed->run(q, unit, unit + 1, scratch.data);
        const ProductPart part = op.packed->part(q, unit);
        op.finish(q.c + part.row * q.c_m + (q.column + part.column) * op.out_p, part.rows, part.columns);
      }
    }
    op.collect_fp_flags(Failure());
    return 0;
  }

  // --- thin products, each by all workers ---

  struct ThinStep {
    MatmulOp* op;
    ThinProduct product;
    bool turned;  // B' A' = C'
  };

  int thin_products() {
    Walker walker(batch, batch.ndim);
    for (int64_t i = 0; i < batch.size; ++i) {
      walker.seek(i);
      if (int rc = one_thin(walker)) return rc;
    }
    return 0;
  }

  int one_thin(const Walker& at) {
    ThinStep step{this, {}, false};
    ThinProduct& q = step.product;
    q.a = operands[0].data + at.offset(0), q.b = operands[1].data + at.offset(1);
    q.c = operands[2].data + at.offset(2);
    q.m = m, q.n = n, q.p = p;
    q.a_m = a_m, q.a_n = a_n, q.b_n = b_n, q.b_p = b_p, q.c_m = out_m, q.c_p = out_p;
    step.turned = n > THIN_SIDE ? p < m : out_p != operands[2].itemsize();
    if (step.turned) {
      std::swap(q.a, q.b), std::swap(q.m, q.p);
      std::swap(q.a_m, q.b_p), std::swap(q.a_n, q.b_n), std::swap(q.c_m, q.c_p);
    }
    thin(q);
    q.streams = q.streams && !finisher;  // what is read again should be in the cache
    Memory memory(runtime, q.bytes);
    q.packed = memory.data;
    // Packing an element takes about 0.5 ns, and all packed ones go with all elements of the result.
    const float packed_ns = 0.5f * float(q.bytes / size_t(operands[0].itemsize()));
    if (int rc = for_each(q.pack_units, packed_ns / q.pack_units, thin_pack_chunk, &step)) return rc;
    return for_each(q.units, product_ns / q.units, thin_chunk, &step);
  }

  static int thin_pack_chunk(void* arg, int64_t begin, int64_t end) {
    const ThinStep& step = *static_cast<ThinStep*>(arg);
    step.product.pack(step.product, begin, end);
    return 0;
  }

  static int thin_chunk(void* arg, int64_t begin, int64_t end) {
    const ThinStep& step = *static_cast<ThinStep*>(arg);
    const ThinProduct& q = step.product;
    Memory scratch(step.op->runtime, q.scratch_bytes);
    take_fp_flags();
    if (!step.op->finisher) {
      q.run(q, begin, end, scratch.data);
    } else {
      for (int64_t unit = begin; unit < end; ++unit) {
        q.run(q, unit, unit + 1, scratch.data);
        step.op->finish_thin(q, unit, step.turned);
      }
    }
    step.op->collect_fp_flags(Failure());
    return 0;
  }

  void finish_thin(const ThinProduct& q, int64_t unit, bool turned) {
    const int64_t row = unit * q.unit_rows, column = unit * q.unit_columns;  // one of them is 0
    int64_t rows = q.unit_rows ? std::min(q.unit_rows, q.m - row) : q.m;
    int64_t columns = q.unit_columns ? std::min(q.unit_columns, q.p - column) : q.p;
    if (turned) std::swap(rows, columns);
    finish(q.c + row * q.c_m + column * q.c_p, rows, columns);
  }

  // --- products in blocks, each by one worker ---

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
      const int64_t run = packed ? 1 : std::min(end - begin, inner - begin % inner);
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
    if (packed) {
      one_packed(at, row, rows, column, columns, 1);
      return;
    }
    char* args[3] = {operands[0].data + at.offset(0) + row * a_m,
                     operands[1].data + at.offset(1) + column * b_p,
                     operands[2].data + at.offset(2) + row * out_m + column * out_p};
    const intptr_t dimensions[4] = {count, rows, n, columns};
    const intptr_t strides[9] = {batch.inner_stride(0), batch.inner_stride(1), batch.inner_stride(2),
                                 a_m, a_n, b_n, b_p, out_m, out_p};
    loop(args, dimensions, strides, loop_data);
    for (intptr_t i = 0; i < count; ++i) finish(args[2] + i * strides[2], rows, columns);
  }
};

}  // namespace mxcy
