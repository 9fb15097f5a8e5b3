// Copies, conversions, fills and selections.
#pragma once
#include "op.hpp"

namespace mxcy {

struct FillParams {
  alignas(16) char value[16];
  uint8_t dtype;
};

// start + (i / repeat) * step, computed in int64 or in double; the last element can be given.
struct SequenceParams {
  double start, step, last;
  int64_t integer_start, integer_step, repeat;
  bool integer, has_last;
};

struct EyeParams { int64_t diagonal; };
struct AxisParams { int axis; };

int copy_kernel(KernelContext& context);      // out <- in, broadcast
int fill_kernel(KernelContext& context);      // FillParams
int where_kernel(KernelContext& context);     // out <- condition, a, b; a and b of out's dtype
int sequence_kernel(KernelContext& context);  // SequenceParams; out is 1-d
int eye_kernel(KernelContext& context);       // EyeParams; out is 2-d
int join_kernel(KernelContext& context);      // AxisParams; one output, pieces of it as inputs
int split_kernel(KernelContext& context);     // AxisParams; one input, pieces of it as outputs

}  // namespace mxcy
