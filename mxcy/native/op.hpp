// An operation, as the engine sees it.  Kernels derive from Op; run() is called by a worker or by the
// pushing thread, when every variable that it reads or writes has been granted: once if the operation was
// pushed, as often as its segment runs if it was recorded (segment.hpp), and never twice at the same time.
#pragma once
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>
#include "dtype.hpp"
#include "var.hpp"

namespace mxcy {

// Which exception a failing kernel stands for.
enum FailureKind : int {
  FAIL_NONE = 0, FAIL_VALUE, FAIL_TYPE, FAIL_INDEX, FAIL_MEMORY, FAIL_FLOATING_POINT, FAIL_RUNTIME,
  FAIL_ZERO_DIVISION, FAIL_OVERFLOW,
  FAIL_PYTHON  // the Python error indicator of this thread is set; the engine fetches it
};

struct Failure {
  int kind = FAIL_NONE;
  // Floating-point status raised by the kernel: FP_* below (not a failure).  Of operations that run as one
  // program four bits each, the first in the lowest.
  uint64_t fp_flags = 0;
  char text[256];
  int fail(int k, const char* format, ...) __attribute__((format(printf, 3, 4))) {
    kind = k;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return -1;
  }
};

// Same bits as numpy's NPY_FPE_*.
enum { FP_DIVIDE = 1, FP_OVERFLOW = 2, FP_UNDERFLOW = 4, FP_INVALID = 8 };

enum Lane : uint8_t { LANE_CPU = 0, LANE_IO = 1, LANE_PYTHON = 2 };

enum OpFlags : uint8_t {
  OP_NEEDS_GIL = 1,   // run() must be called with the GIL held (Python callables, loops that raise)
  OP_OVERWRITES = 2,  // replaces all of every written variable: a stored error is cleared
  OP_SKIP_ERRORS = 4, // runs although an input carries an error (deletion, profiling)
  OP_FUSES = 8,       // has a fusion()
  OP_HERE = 16,       // runs in the pushing thread if it is ready, whatever it costs
  OP_SHARED = 32      // somebody looks out for work: split it, however short it is
};

struct Op;

// Operations that run as one.  All have OP_FUSES and one class.
struct Fusion {
  static constexpr int MOST = 16;
  virtual ~Fusion() = default;
  // Takes an operation in, whose inputs are written by those before it or by none of them.  False: it
  // cannot run with them.  Called with the engine's lock held.
  virtual bool add(Op* op) noexcept = 0;
  // Runs all as if one after the other.  `unreachable` (n of them) are written variables that nobody else
  // will read: they may stay unwritten.  False: it could not, and has written nothing.
  virtual bool run(Var* const* unreachable, int n, Failure& failure) noexcept = 0;
};

// Where an operation keeps one of its operands; the offset is in bytes.
struct Place {
  Var** var;
  int64_t* offset;
};

struct Op {
  const char* name = "operation";  // static storage duration
  float cost_ns = 1e9f;            // estimated serial run time; decides between inline and queued
  int32_t priority = 0;            // larger runs first within a lane
  uint8_t lane = LANE_CPU;
  uint8_t flags = 0;
  size_t bytes = 0;                // memory that is held while it is pending, for back-pressure

  // Set by push(), owned by the engine.
  struct Links* links = nullptr;

  virtual ~Op() = default;
  // Runs without the GIL unless OP_NEEDS_GIL.  Returns 0, or -1 with `failure` filled in.
  virtual int run(Failure& failure) noexcept = 0;
  // A fusion of this operation alone; null if it must run by itself.
  virtual Fusion* fusion() noexcept { return nullptr; }
  // Lists all operands, so that it can run with others of the same shapes.  False: it can not.
  virtual bool places(std::vector<Place>&) { return false; }
};

// One operand of a kernel.  shape and strides (bytes) point into the operation's own storage.
struct Tensor {
  Var* var;
  int64_t offset;  // bytes from var->data
  int64_t size;    // elements
  int64_t* shape;
  int64_t* strides;
  int32_t ndim;
  uint8_t dtype;
  char* data;      // var->data + offset, set by the engine side helper `resolve` when the kernel runs

  int64_t nbytes() const { return size * ITEMSIZE[dtype]; }
  bool c_contiguous() const {
    int64_t expected = ITEMSIZE[dtype];
    if (size == 0) return true;
    for (int i = ndim - 1; i >= 0; --i) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }
};

// body of parallel_for: handles [begin, end); non-zero stops the loop and is returned.
using LoopBody = int (*)(void* arg, int64_t begin, int64_t end);

// What the GPU runtime (native/device.cpp) lends to the engine when the first GPU is opened.
struct DeviceHooks {
  char* (*allocate)(int16_t context, size_t nbytes) = nullptr;
  void (*release)(int16_t context, char* data, size_t nbytes) = nullptr;
  // Waits for the work enqueued on the GPU of `var` (nullptr: on all), without the GIL.
  int (*wait)(const Var* var, Failure& failure) = nullptr;
};

// Functions of the engine that kernels need, so that a kernel's object file links to nothing.
// Every extension module gets this table from mxcy._engine at import (see _engine.pxd).
struct Runtime {
  int (*parallel_for)(int64_t n, int64_t grain, LoopBody body, void* arg);
  int (*num_workers)();
  // Allocates var->data if it is null (64-byte aligned, from the pool); nullptr when out of memory.
  char* (*ensure_data)(Var* var);
  // Scratch memory from the same pool.
  void* (*scratch_alloc)(size_t nbytes);
  void (*scratch_free)(void* p, size_t nbytes);
  DeviceHooks* device;
};

// A kernel over tensors: outputs first, then inputs, then a small block of plain parameters.
struct KernelContext {
  const Runtime* runtime;
  Tensor* outputs;
  Tensor* inputs;
  int n_outputs, n_inputs;
  const void* params;
  Failure* failure;
};
using Kernel = int (*)(KernelContext& context);

}  // namespace mxcy
