// An operation for tests and measurements of the engine: integer arithmetic that no other order of
// operations gives, with a run time and an outcome to choose.
#pragma once
#include <algorithm>
#include <cstdint>
#include <ctime>

#include "op.hpp"

namespace mxcy::testing {

inline int64_t clock_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// Every write becomes 3 * itself + k + the sum of the reads, element by element, modulo 2^64.
// With `overwrites` the old value counts as 0.
struct Mix final : Op {
  static constexpr int MOST = 8;
  const Runtime* runtime = nullptr;
  Var* writes[MOST];
  Var* reads[MOST];
  int n_writes = 0, n_reads = 0;
  uint64_t k = 0;
  int64_t grain = 0;  // of parallel_for; 0: one loop in this thread
  int64_t spin_ns = 0;
  int failure_kind = FAIL_NONE;
  int fp_flags = 0;

  int apply(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      uint64_t sum = k;
      for (int r = 0; r < n_reads; ++r) sum += at(reads[r])[i];
      for (int w = 0; w < n_writes; ++w) {
        uint64_t* out = at(writes[w]) + i;
        *out = (flags & OP_OVERWRITES ? 0 : 3 * *out) + sum;
      }
    }
    return 0;
  }

  // As many as the smallest operand has.
  int64_t words() const {
    size_t least = n_writes ? writes[0]->nbytes : 0;
    for (int w = 0; w < n_writes; ++w) least = std::min(least, writes[w]->nbytes);
    for (int r = 0; r < n_reads; ++r) least = std::min(least, reads[r]->nbytes);
    return int64_t(least / sizeof(uint64_t));
  }

  static uint64_t* at(Var* var) {
    return reinterpret_cast<uint64_t*>(var->data.load(std::memory_order_relaxed));
  }

  int run(Failure& failure) noexcept override {
    for (int w = 0; w < n_writes; ++w)
      if (!runtime->ensure_data(writes[w])) return failure.fail(FAIL_MEMORY, "%s: out of memory", name);
    for (int64_t until = spin_ns ? clock_ns() + spin_ns : 0; until && clock_ns() < until;) {
    }
    if (failure_kind) return failure.fail(failure_kind, "%s(k): expected success, got %d", name, int(k));
    failure.fp_flags = fp_flags;
    int64_t n = words();
    if (!grain) return apply(0, n);
    auto body = [](void* op, int64_t begin, int64_t end) { return static_cast<Mix*>(op)->apply(begin, end); };
    return runtime->parallel_for(n, grain, body, this);
  }
};

}  // namespace mxcy::testing
