// What the operations of the block machine have in common: operands, splitting over the workers,
// and collecting failures and floating-point flags from all of them.
#pragma once
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>
#include "fp_status.hpp"
#include "op.hpp"
#include "small_vector.hpp"

namespace mxcy {

struct Operand {
  Var* var;
  int64_t offset;  // bytes from var->data
  uint8_t dtype;
  char* data = nullptr;  // set when the operation runs

  int itemsize() const { return ITEMSIZE[dtype]; }
};

constexpr float MIN_CHUNK_NS = 20000;    // work of a chunk that is worth handing to another worker
constexpr float MIN_PARALLEL_NS = 50000; // below this an operation is not split
constexpr float MIN_SHARED_NS = 5000;    // work of a chunk where somebody is looking out for it

struct BlockOp : Op {
  const Runtime* runtime = nullptr;
  SmallVector<Operand, 4> operands;
  std::atomic<uint64_t> fp_flags{0};
  Failure* failure = nullptr;
  std::atomic<bool> failed{false};

  void add(Var* var, int64_t offset, uint8_t dtype) { operands.push_back(Operand{var, offset, dtype}); }

  bool places(std::vector<Place>& found) override {
    for (Operand& operand : operands) found.push_back(Place{&operand.var, &operand.offset});
    return true;
  }

  // What the operation does; may throw std::bad_alloc, in any thread.
  virtual int execute() = 0;

  int run(Failure& f) noexcept final {
    failure = &f;
    fp_flags.store(0, std::memory_order_relaxed);
    failed.store(false, std::memory_order_relaxed);
    try {
      const int rc = execute();
      f.fp_flags |= fp_flags.load(std::memory_order_relaxed);
      return rc;
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
  }

  // Finds the buffers; allocates those that nothing has been written to yet.
  bool locate() { return locate(*failure); }
  bool locate(Failure& f) {
    for (Operand& operand : operands) {
      char* p = runtime->ensure_data(operand.var);
      if (!p) return f.fail(FAIL_MEMORY, "%s: no memory for %zu bytes", name, operand.var->nbytes), false;
      operand.data = p + operand.offset;
    }
    return true;
  }

  int out_of_memory() {
    Failure mine;
    return mine.fail(FAIL_MEMORY, "%s: out of memory", name), report(mine);
  }

  // Called by a chunk that failed, in any thread; the first one counts.
  int report(const Failure& mine) {
    if (!failed.exchange(true)) {
      failure->kind = mine.kind;
      std::memcpy(failure->text, mine.text, sizeof mine.text);
    }
    return -1;
  }

  // At the end of a chunk; `mine` holds what was saved from loops that clear the status.
  void collect_fp_flags(const Failure& mine) {
    if (uint64_t flags = mine.fp_flags | take_fp_flags()) fp_flags.fetch_or(flags, std::memory_order_relaxed);
  }

  // body(arg, begin, end) over n units of unit_ns each, on all workers if that pays.
  int for_each(int64_t n, float unit_ns, LoopBody body, void* arg) {
    Guarded guarded{this, body, arg};
    const bool splits = n * unit_ns >= MIN_PARALLEL_NS || (flags & OP_SHARED);
    if (n <= 1 || !splits || (flags & OP_NEEDS_GIL) || runtime->num_workers() < 2) {
      return n > 0 ? body(arg, 0, n) : 0;
    }
    const float chunk_ns = flags & OP_SHARED ? MIN_SHARED_NS : MIN_CHUNK_NS;
    int64_t grain = int64_t(std::ceil(chunk_ns / std::fmax(unit_ns, 1e-3f)));
    return runtime->parallel_for(n, grain, Guarded::call, &guarded);
  }

 private:
  // No exception may leave a worker's function.
  struct Guarded {
    BlockOp* op;
    LoopBody body;
    void* arg;
    static int call(void* self, int64_t begin, int64_t end) {
      const Guarded& g = *static_cast<Guarded*>(self);
      try {
        return g.body(g.arg, begin, end);
      } catch (const std::bad_alloc&) {
        return g.op->out_of_memory();
      }
    }
  };
};

}  // namespace mxcy
