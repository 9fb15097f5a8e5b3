// The processor's floating-point status, read and cleared directly.  Through <cfenv> this costs as
// much as a small addition (70 to 90 ns); the register itself is read in about 5 ns and cleared only
// if something is set.
#pragma once
#include "op.hpp"
#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace mxcy {

#if defined(__x86_64__)
// Bits: 1 invalid, 2 denormal, 4 divide, 8 overflow, 16 underflow, 32 inexact; the same in both units.
inline int fp_flags_of_x86(unsigned status) {
  return (status & 4 ? FP_DIVIDE : 0) | (status & 8 ? FP_OVERFLOW : 0) |
         (status & 16 ? FP_UNDERFLOW : 0) | (status & 1 ? FP_INVALID : 0);
}

// Returns the flags raised in this thread since the last call (FP_*), and clears them.
inline int take_fp_flags() {
  constexpr unsigned RAISED = 1 | 4 | 8 | 16;
  unsigned control = _mm_getcsr();
  // feraiseexcept(FE_OVERFLOW), which NumPy's loops call, works through the old x87 unit.
  unsigned short old_unit;
  __asm__ volatile("fnstsw %0" : "=am"(old_unit) : : "memory");
  unsigned status = (control | old_unit) & RAISED;
  if (!status) return 0;
  if (control & RAISED) _mm_setcsr(control & ~0x3fu);
  if (old_unit & RAISED) __asm__ volatile("fnclex" : : : "memory");
  return fp_flags_of_x86(status);
}
#elif defined(__aarch64__)
inline int take_fp_flags() {
  constexpr uint64_t RAISED = 0xf;  // invalid, divide, overflow, underflow
  uint64_t status;
  __asm__ volatile("mrs %0, fpsr" : "=r"(status) : : "memory");
  if (!(status & RAISED)) return 0;
  uint64_t cleared = status & ~RAISED;
  __asm__ volatile("msr fpsr, %0" : : "r"(cleared) : "memory");
  return (status & 2 ? FP_DIVIDE : 0) | (status & 4 ? FP_OVERFLOW : 0) |
         (status & 8 ? FP_UNDERFLOW : 0) | (status & 1 ? FP_INVALID : 0);
}
#else
inline int take_fp_flags() {
  int status = std::fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
  if (!status) return 0;
  std::feclearexcept(FE_ALL_EXCEPT);
  return (status & FE_DIVBYZERO ? FP_DIVIDE : 0) | (status & FE_OVERFLOW ? FP_OVERFLOW : 0) |
         (status & FE_UNDERFLOW ? FP_UNDERFLOW : 0) | (status & FE_INVALID ? FP_INVALID : 0);
}
#endif

// Forgets the flags raised in its lifetime: comparing with NaN raises `invalid`, which is nobody's error.
class KeepFpFlags {
 public:
#if defined(__x86_64__)
  KeepFpFlags() : saved_(_mm_getcsr()) {}
  ~KeepFpFlags() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  KeepFpFlags() { std::fegetexceptflag(&saved_, FE_ALL_EXCEPT); }
  ~KeepFpFlags() { std::fesetexceptflag(&saved_, FE_ALL_EXCEPT); }

 private:
  std::fexcept_t saved_;
#endif
};

// While it lives, subnormal numbers are read and written as zero in this thread, if `wanted`.  Switches that the
// program has set stay.
class FlushSubnormals {
 public:
#if defined(__x86_64__)
  explicit FlushSubnormals(bool wanted) : wanted_(wanted) {
    if (!wanted) return;
    before_ = _mm_getcsr() & FLUSH;
    _mm_setcsr(_mm_getcsr() | FLUSH);
  }
  ~FlushSubnormals() {
    if (wanted_) _mm_setcsr((_mm_getcsr() & ~FLUSH) | before_);
  }

 private:
  static constexpr unsigned FLUSH = 0x8040;  // results and operands
  unsigned before_ = 0;
#elif defined(__aarch64__)
  explicit FlushSubnormals(bool wanted) : wanted_(wanted && !(get() & FLUSH)) {
    if (wanted_) set(get() | FLUSH);
  }
  ~FlushSubnormals() {
    if (wanted_) set(get() & ~FLUSH);
  }

 private:
  static constexpr uint64_t FLUSH = uint64_t(1) << 24;
  static uint64_t get() {
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control) : : "memory");
    return control;
  }
  static void set(uint64_t control) { __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory"); }
#else
  explicit FlushSubnormals(bool wanted) : wanted_(wanted) {}

 private:
#endif
  [[maybe_unused]] bool wanted_;
};

}  // namespace mxcy
