// A pointwise program: a short list of inner loops over registers, run block by block so that what
// passes from one loop to the next stays in the first-level cache.
//
// A loop has the signature of NumPy's inner loops (PyUFuncGenericFunction); most of them are NumPy's.
// Registers are numbered: inputs, outputs, run-time scalars, constants, temporaries.  Scalars and
// constants are cells of 16 bytes read with stride 0; temporaries are block buffers shared by values
// whose lives do not overlap.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>
#include "fp_status.hpp"
#include "op.hpp"

namespace mxcy {

using Loop = void (*)(char** args, const intptr_t* dimensions, const intptr_t* strides, void* data);
// Asks whether a loop that ran in this thread failed; clears it.  Text of static duration, or null.
using FailureTest = const char* (*)();

constexpr int MAX_STEP_ARGS = 12;
constexpr int64_t BLOCK = 1024;         // elements of a temporary
constexpr int64_t SINGLE_BLOCK = 16384; // elements of one loop call when nothing passes between loops
constexpr int SLOT_SKEW = 192;          // keeps equal offsets of two temporaries off the same 4 KiB alias

struct Step {
  Loop loop;
  void* data;
  FailureTest failed;   // null: the loop cannot fail
  uint8_t n_args = 0;
  bool python = false;  // may set the Python error indicator: runs with the GIL
  bool clears = false;  // clears the floating-point status, as NumPy's comparisons do
  bool casts = false;   // converts a register to another dtype, to a temporary
  uint8_t part = 0;     // operation that it belongs to, in a program of several
  std::array<uint16_t, MAX_STEP_ARGS> args;
};

struct alignas(16) Cell {
  char bytes[16];
};

struct Program {
  std::atomic<int32_t> refs{1};
  int n_inputs = 0, n_outputs = 0, n_scalars = 0, n_constants = 0, n_temporaries = 0;
  std::vector<Step> steps;
  std::vector<uint8_t> dtypes;         // of inputs and outputs
  std::vector<Cell> constants;
  std::vector<int> slots;         // of each temporary: its buffer
  std::vector<uint8_t> temporary_itemsizes;
  int n_slots = 0, slot_itemsize = 0;
  std::vector<int32_t> last_read;      // of each input: the last step that reads it, or -1
  std::vector<int32_t> first_written;  // of each output: the step that writes it
  float cost_ns = 1;                   // of one element
  bool python = false;
  bool casts = false;                  // some step does
  bool flushes = false;                // subnormal numbers count as zero

  // Estimated time of one thread for so many elements of the result.  The cost of cheap steps is that of memory,
  // for which arrays in the second-level cache do not wait.
  float serial_ns(int64_t size, int itemsize) const {
    const bool cached = size * itemsize <= 512 << 10 && steps.size() == 1 && cost_ns <= 0.12f * itemsize;
    return 60 + (cached ? 0.4f : 1.0f) * cost_ns * size;
  }

  int first_scalar() const { return n_inputs + n_outputs; }
  int first_constant() const { return first_scalar() + n_scalars; }
  int first_temporary() const { return first_constant() + n_constants; }
  int n_registers() const { return first_temporary() + n_temporaries; }
  int64_t block() const { return steps.size() == 1 && n_slots == 0 ? SINGLE_BLOCK : BLOCK; }
  int64_t slot_bytes(int64_t block) const {
    return ((block * slot_itemsize + 63) & ~int64_t(63)) + SLOT_SKEW;
  }
  int64_t scratch_bytes(int64_t block) const { return n_slots ? n_slots * slot_bytes(block) : 0; }

  void add_step(Loop loop, void* data, FailureTest failed, bool may_raise, bool clears) {
    steps.push_back(Step{loop, data, failed, 0, may_raise, clears && !steps.empty(), 0, {}});
    python = python || may_raise;
  }
  void mark_cast() { steps.back().casts = casts = true; }
  void add_argument(int r) { steps.back().args[steps.back().n_args++] = uint16_t(r); }

  void retain() { refs.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
};

// 64-byte aligned working memory for the time of one call: on the stack if small, else from the pool.
class WorkingMemory {
 public:
  WorkingMemory(const Runtime* runtime, int64_t nbytes) : runtime_(runtime), nbytes_(nbytes) {
    if (nbytes <= int64_t(sizeof small_)) p_ = small_;
    else p_ = static_cast<char*>(runtime->scratch_alloc(nbytes));
  }
  ~WorkingMemory() {
    if (p_ && p_ != small_) runtime_->scratch_free(p_, nbytes_);
  }
  WorkingMemory(const WorkingMemory&) = delete;
  WorkingMemory& operator=(const WorkingMemory&) = delete;
  char* get() const { return p_; }  // null when there was no memory

 private:
  const Runtime* runtime_;
  int64_t nbytes_;
  char* p_;
  alignas(64) char small_[4096];
};

// The registers of one running program: where each is and how far apart its elements are.
class Registers {
 public:
  // `scratch` has program.scratch_bytes(block) bytes.
  Registers(const Program& program, const Cell* scalars, char* scratch, int64_t block) : program_(program) {
    int n = program.n_registers();
    if (n > INLINE) {
      heap_.resize(2 * size_t(n));
      pointers_ = reinterpret_cast<char**>(heap_.data());
      strides_ = heap_.data() + n;
    }
    int r = program.first_scalar();
    for (int i = 0; i < program.n_scalars; ++i, ++r) set(r, const_cast<char*>(scalars[i].bytes), 0);
    for (int i = 0; i < program.n_constants; ++i, ++r) {
      set(r, const_cast<char*>(program.constants[i].bytes), 0);
    }
    int64_t slot_bytes = program.slot_bytes(block);
    for (int i = 0; i < program.n_temporaries; ++i, ++r) {
      set(r, scratch + program.slots[i] * slot_bytes, program.temporary_itemsizes[i]);
    }
  }
  void set(int r, char* p, intptr_t stride) { pointers_[r] = p, strides_[r] = stride; }
  char*& pointer(int r) { return pointers_[r]; }
  // Input k is one element for all of the operation: what it is converted to is one element, too, as in NumPy,
  // whose loops compute some of those otherwise (a power of 2 is a square).
  void set_single(int k) {
    if (k < 64) singles_ |= uint64_t(1) << k;
  }

  // Runs all steps over n elements.  Returns 0, or -1 with the failure set.  Floating-point flags stay in
  // the register, except those that a step would clear, and those of a program with several parts: they go
  // to failure.fp_flags.
  int run(intptr_t n, Failure& failure) {
    int part = 0;
    auto keep_flags = [&] { failure.fp_flags |= uint64_t(take_fp_flags()) << 4 * part; };
    for (const Step& step : program_.steps) {
      if (step.part != part) {
        keep_flags();
        part = step.part;
      }
      char* args[MAX_STEP_ARGS];
      intptr_t strides[MAX_STEP_ARGS];
      for (int i = 0; i < step.n_args; ++i) {
        args[i] = pointers_[step.args[i]];
        strides[i] = strides_[step.args[i]];
      }
      if (step.clears) keep_flags();
      if (step.casts && is_single(step.args[0]) && gets_cell(step.args[1])) {
        args[1] = pointers_[step.args[1]];
        const intptr_t one = 1;
        step.loop(args, &one, strides, step.data);
      } else {
        step.loop(args, &n, strides, step.data);
      }
      if (step.failed) {
        if (const char* text = step.failed()) {
          return step.python ? (failure.kind = FAIL_PYTHON, -1) : failure.fail(FAIL_VALUE, "%s", text);
        }
      }
    }
    if (part) keep_flags();
    return 0;
  }

 private:
  static constexpr int INLINE = 24;
  bool is_single(int r) const { return r < program_.n_inputs && r < 64 && singles_ >> r & 1; }

  // Gives temporary r a cell in the place of its block, which results may share that are written while it is read.
  bool gets_cell(int r) {
    if (strides_[r] == 0) return true;  // since an earlier block
    if (n_cells_ == int(cells_.size())) return false;
    set(r, cells_[n_cells_++].bytes, 0);
    return true;
  }

  const Program& program_;
  uint64_t singles_ = 0;
  int n_cells_ = 0;
  std::array<Cell, 4> cells_;
  char* inline_pointers_[INLINE];
  intptr_t inline_strides_[INLINE];
  std::vector<intptr_t> heap_;
  char** pointers_ = inline_pointers_;
  intptr_t* strides_ = inline_strides_;
};

}  // namespace mxcy
