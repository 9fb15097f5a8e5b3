// The likelihood of events whose rates rise after each of them.
#pragma once
#include "op.hpp"

namespace mxcy {

struct HawkesParams {
  int64_t samples, kinds, steps;
};

// likelihoods (samples), states (samples, kinds) <- rates (samples, kinds), branching (kinds), decays (kinds),
//   states, lags (samples, steps), marks of int32, lengths (samples), ends (samples)
int hawkes_kernel(KernelContext& context);
// gradients of rates, and for every sample of branching and of decays (samples, kinds)
//   <- that of the likelihoods, and all inputs
int hawkes_grad_kernel(KernelContext& context);
// derivatives by the likelihoods' head gradient (samples), by rates, and for every sample by branching and by decays
//   (samples, kinds), of the products of the gradients with three directions
//   <- directions (samples, kinds), the head gradient, and all inputs
int hawkes_second_kernel(KernelContext& context);

}  // namespace mxcy
