// Moving the steps of sequences that differ in length.
#pragma once
#include "op.hpp"

namespace mxcy {

enum SequenceMode : int {
  SEQUENCE_MASK,     // steps within the length as they are, the others a constant
  SEQUENCE_REVERSE,  // steps within the length in reverse, the others as they are
  SEQUENCE_LAST,     // one step: the last one within the length
  SEQUENCE_BACK      // the opposite: one step at the last place within the length, a constant elsewhere
};

// Arrays in C order: (steps, batch, inner), or (batch, steps, inner) with `batch_first`.  The result has
// `steps`, the input `in_steps`.
struct SequenceParams {
  int64_t steps, in_steps, batch, inner;
  int mode;
  bool batch_first, has_length;
  char value[16];  // one element
};

// out <- x, [length]
int sequence_kernel(KernelContext& context);

}  // namespace mxcy
