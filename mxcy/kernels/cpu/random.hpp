// Random numbers from the counter-based generator Philox4x32-10 (Salmon et al., SC 2011).
//
// An array is filled from (seed, stream): the seed is the key, the stream number the upper half of the
// counter, and block b of four 32-bit words has b as its lower half.  Which words make element i depends
// on i and the distribution alone, so neither the number of threads nor the split of the work shows.
// Blocks are taken in groups of 16: word w of block l of a group stands at position 16 w + l of the
// group's 64 words, which lets one vector hold 16 blocks.  The arithmetic behind the distributions is
// compiled without fused multiplication, so that every instruction set gives the same numbers.
#pragma once
#include "isa.hpp"
#include "op.hpp"

namespace mxcy {

enum Distribution : int { UNIFORM, NORMAL, EXPONENTIAL, BERNOULLI, INTEGERS };

struct RandomParams {
  uint64_t seed, stream;
  int distribution;
  double a, b;       // low, high | mean, deviation | scale | value where true
  double below;      // largest value of the output's type below `high`
  uint64_t limit;    // BERNOULLI: of 2^32; INTEGERS: how many, 0 for 2^64
  int64_t first;     // INTEGERS: the smallest
};

MXCY_DECLARE(int random_kernel(KernelContext& context))  // out in C order
// One block, for tests against known answers.
MXCY_DECLARE(void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words))

inline Kernel random_kernel_of_cpu() { return MXCY_PICK(random_kernel); }
inline void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words) {
  MXCY_PICK(philox_block)(counter, key, words);
}

}  // namespace mxcy
