// Draws from distributions that reject or that have parameters of their own for every sample.
//
// Element i draws from a Philox sequence of its own: the counter is (i, number of the block) and the stream.
// So neither the number of threads nor the values of other elements show.
#pragma once
#include "mxcy/native/op.hpp"

namespace mxcy {

enum Sampled : int {
  SAMPLED_UNIFORM, SAMPLED_NORMAL, SAMPLED_EXPONENTIAL, SAMPLED_GAMMA, SAMPLED_POISSON,
  SAMPLED_NEGATIVE_BINOMIAL, SAMPLED_GENERALIZED_NEGATIVE_BINOMIAL
};

struct SamplingParams {
  uint64_t seed, stream;
  int distribution;
  double a, b;   // the parameters, where no inputs give them
  int64_t each;  // elements of the output for every element of the inputs
};

struct MultinomialParams {
  uint64_t seed, stream;
  int64_t classes, each;
};

// Output in C order of any dtype; inputs: none, or one or two float64 arrays in C order.
int sampling_kernel(KernelContext& context);
// Outputs: classes (any dtype) and perhaps the logarithms of their probabilities (float64), in C order.
// Input: probabilities (rows, classes), float64.
int multinomial_kernel(KernelContext& context);

}  // namespace mxcy
