// A kernel with its operands as one engine operation, in one block of memory:
// the LaunchOp, its tensors (outputs first), their shapes and strides, the parameters.
#pragma once
#include <atomic>
#include <cstring>
#include <new>
#include "fp_status.hpp"
#include "op.hpp"

namespace mxcy {

class LaunchOp final : public Op {
 public:
  static LaunchOp* make(const Runtime* runtime, Kernel kernel, int n_outputs, int n_inputs, int64_t dims,
                        const void* params, size_t nparams) {
    size_t tensors = size_t(n_outputs + n_inputs) * sizeof(Tensor);
    size_t extra = round_up(tensors) + round_up(size_t(dims) * 2 * sizeof(int64_t)) + nparams;
    void* memory = std::malloc(round_up(sizeof(LaunchOp)) + extra);
    if (!memory) return nullptr;
    LaunchOp* op = new (memory) LaunchOp;
    op->runtime_ = runtime;
    op->kernel_ = kernel;
    op->n_outputs_ = n_outputs;
    op->n_inputs_ = n_inputs;
    char* at = static_cast<char*>(memory) + round_up(sizeof(LaunchOp));
    op->tensors = reinterpret_cast<Tensor*>(at);
    op->next_dims_ = reinterpret_cast<int64_t*>(at + round_up(tensors));
    op->params_ = at + extra - nparams;
    if (nparams) std::memcpy(op->params_, params, nparams);
    return op;
  }

  // Fills tensor i.  dims: ndim extents, then ndim strides.
  void set(int i, Var* var, int64_t offset, int64_t size, int ndim, uint8_t dtype, const int64_t* dims) {
    Tensor& t = tensors[i];
    t.var = var;
    t.offset = offset;
    t.size = size;
    t.ndim = ndim;
    t.dtype = dtype;
    t.shape = next_dims_;
    t.strides = next_dims_ + ndim;
    t.data = nullptr;
    if (ndim) std::memcpy(next_dims_, dims, size_t(ndim) * 2 * sizeof(int64_t));
    next_dims_ += 2 * ndim;
  }

  int run(Failure& failure) noexcept override {
    for (int i = 0; i < n_outputs_ + n_inputs_; ++i) {
      if (!resolve(tensors[i]))
        return failure.fail(FAIL_MEMORY, "%s: no memory for %zu bytes", name, tensors[i].var->nbytes);
    }
    KernelContext context{runtime_, tensors, tensors + n_outputs_, n_outputs_, n_inputs_, params_, &failure};
    try {
      return kernel_(context);
    } catch (const std::bad_alloc&) {
      return failure.fail(FAIL_MEMORY, "%s: out of memory", name);
    }
  }

  bool places(std::vector<Place>& found) override {
    for (int i = 0; i < n_outputs_ + n_inputs_; ++i) found.push_back(Place{&tensors[i].var, &tensors[i].offset});
    return true;
  }

  static void operator delete(void* memory) { std::free(memory); }

  Tensor* tensors;

 private:
  LaunchOp() = default;
  static constexpr size_t round_up(size_t n) { return (n + 15) & ~size_t(15); }

  // An input that nobody has written yet gets memory as well: its contents are undefined, not absent.
  bool resolve(Tensor& t) {
    if (t.size == 0) return true;
    char* base = t.var->data.load(std::memory_order_acquire);
    if (!base) base = runtime_->ensure_data(t.var);
    t.data = base + t.offset;
    return base != nullptr;
  }

  const Runtime* runtime_;
  Kernel kernel_;
  int n_outputs_, n_inputs_;
  int64_t* next_dims_;
  char* params_;
};

// Splits [0, n) over the workers in pieces of at least `grain`; body(begin, end) returns 0 or an error
// code, which ends the loop.  The floating-point flags that the pieces raise are taken from the
// threads that ran them; they are reported only if the kernel asks for them.
template <class Body>
int parallel(KernelContext& context, int64_t n, int64_t grain, const Body& body, bool report_flags = false) {
  struct Shared {
    const Body& body;
    std::atomic<int> flags;
  } shared{body, {0}};
  auto piece = [](void* arg, int64_t begin, int64_t end) -> int {
    Shared& shared = *static_cast<Shared*>(arg);
    take_fp_flags();  // what other code of this thread has left behind
    int code = shared.body(begin, end);
    if (int flags = take_fp_flags()) shared.flags.fetch_or(flags, std::memory_order_relaxed);
    return code;
  };
  int code = n <= grain ? (n > 0 ? piece(&shared, 0, n) : 0)
                        : context.runtime->parallel_for(n, grain, piece, &shared);
  if (report_flags) context.failure->fp_flags |= shared.flags.load(std::memory_order_relaxed);
  return code;
}

// Memory for the duration of a kernel.
template <class T>
class Scratch {
 public:
  Scratch(const KernelContext& context, int64_t n)
      : runtime_(context.runtime), nbytes_(size_t(n) * sizeof(T)) {
    if (nbytes_ && !(data_ = static_cast<T*>(runtime_->scratch_alloc(nbytes_)))) throw std::bad_alloc();
  }
  ~Scratch() {
    if (data_) runtime_->scratch_free(data_, nbytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  operator T*() const { return data_; }

 private:
  const Runtime* runtime_;
  size_t nbytes_;
  T* data_ = nullptr;
};

}  // namespace mxcy
