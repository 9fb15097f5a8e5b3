// Connectionist temporal classification (Graves et al., 2006): minus the logarithm of the probability of all
// alignments of a label sequence, and its gradient.
#pragma once
#include "op.hpp"

namespace mxcy {

// Data (steps, batch, classes) before softmax, labels (batch, label_room), all in C order.
struct CtcParams {
  int64_t steps, batch, classes, label_room;
  bool blank_last, has_data_lengths, has_label_lengths;
};

// loss <- data, labels, [data lengths], [label lengths]
int ctc_kernel(KernelContext& context);
// g_data <- data, g_loss, labels, [data lengths], [label lengths]
int ctc_grad_kernel(KernelContext& context);

}  // namespace mxcy
