// Ten rounds of Philox4x32 on N counters side by side (Salmon et al., SC 2011).
// In a namespace of each instruction set and file: its code must not be shared between them.
#pragma once
#include <cstdint>
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

template <int N>
inline void philox(uint32_t (*x)[N], uint32_t key_low, uint32_t key_high) {
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < N; ++i) {
      uint64_t a = uint64_t(0xD2511F53) * x[0][i], b = uint64_t(0xCD9E8D57) * x[2][i];
      uint32_t next = uint32_t(b >> 32) ^ x[1][i] ^ key_low, other = uint32_t(a >> 32) ^ x[3][i] ^ key_high;
      x[0][i] = next;
      x[1][i] = uint32_t(b);
      x[2][i] = other;
      x[3][i] = uint32_t(a);
    }
    key_low += 0x9E3779B9;
    key_high += 0xBB67AE85;
  }
}

}  // namespace
}  // namespace MXCY_ISA
}  // namespace mxcy
