// Which instruction set a kernel that is compiled several times uses in this process.
//
// Such a file defines its entry points inside `namespace mxcy::MXCY_ISA` (setup.py, MULTI_ISA);
// the caller picks one of the namespaces base, avx2, avx512 by `instruction_set()`.
// MXCY_ISA=base|avx2|avx512 in the environment lowers the choice.
#pragma once
#include <cstdlib>
#include <cstring>

namespace mxcy {

enum InstructionSet { ISA_BASE = 0, ISA_AVX2 = 1, ISA_AVX512 = 2 };

#if defined(__x86_64__)
#define MXCY_HAS_X86_ISAS 1
inline InstructionSet detect_instruction_set() {
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512cd");
  InstructionSet best = avx512 ? ISA_AVX512 : avx2 ? ISA_AVX2 : ISA_BASE;
  const char* wanted = std::getenv("MXCY_ISA");
  if (wanted && !std::strcmp(wanted, "base")) return ISA_BASE;
  if (wanted && !std::strcmp(wanted, "avx2") && best > ISA_AVX2) return ISA_AVX2;
  return best;
}
#else
inline InstructionSet detect_instruction_set() { return ISA_BASE; }
#endif

inline InstructionSet instruction_set() {
  static const InstructionSet found = detect_instruction_set();
  return found;
}

// MXCY_PICK(name): the name of the chosen instruction set, for a symbol that every one of them defines.
#ifdef MXCY_HAS_X86_ISAS
#define MXCY_PICK(name)                                                                      \
  (::mxcy::instruction_set() == ::mxcy::ISA_AVX512 ? ::mxcy::avx512::name                    \
   : ::mxcy::instruction_set() == ::mxcy::ISA_AVX2 ? ::mxcy::avx2::name                      \
                                                   : ::mxcy::base::name)
// Declares it in each namespace.
#define MXCY_DECLARE(...)                                                                    \
  namespace base { __VA_ARGS__; }                                                            \
  namespace avx2 { __VA_ARGS__; }                                                            \
  namespace avx512 { __VA_ARGS__; }
#else
#define MXCY_PICK(name) (::mxcy::base::name)
#define MXCY_DECLARE(...) namespace base { __VA_ARGS__; }
#endif

}  // namespace mxcy
