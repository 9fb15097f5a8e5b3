// Moving the steps of sequences that differ in length; whole blocks of elements, whatever their type.
#include "sequence.hpp"

#include <algorithm>
#include <cstring>
#include <vector>
#include "runs.hpp"

namespace mxcy {
namespace {

std::vector<int64_t> lengths_of(const KernelContext& context, const SequenceParams& p) {
  const int64_t whole = p.mode == SEQUENCE_BACK ? p.steps : p.in_steps;
  const int64_t least = p.mode == SEQUENCE_LAST || p.mode == SEQUENCE_BACK ? 1 : 0;
  std::vector<int64_t> lengths(p.batch, whole);
  if (!p.has_length) return lengths;
  const Tensor& t = context.inputs[1];
  char* args[2] = {t.data, reinterpret_cast<char*>(lengths.data())};
  const intptr_t count = p.batch, steps[2] = {ITEMSIZE[t.dtype], 8};
  cast_loop(t.dtype, INT64)(args, &count, steps, nullptr);
  for (int64_t& n : lengths) n = std::max(least, std::min(n, whole));
  return lengths;
}

// Which step of the input becomes this one; -1 for the constant.
int64_t source(int mode, int64_t step, int64_t length) {
  switch (mode) {
    case SEQUENCE_MASK: return step < length ? step : -1;
    case SEQUENCE_REVERSE: return step < length ? length - 1 - step : step;
    case SEQUENCE_LAST: return length - 1;
    default: return step == length - 1 ? 0 : -1;
  }
}

}  // namespace

int sequence_kernel(KernelContext& context) {
  const SequenceParams& p = *static_cast<const SequenceParams*>(context.params);
  const Tensor &out = context.outputs[0], &x = context.inputs[0];
  if (out.size == 0) return 0;
  const std::vector<int64_t> lengths = lengths_of(context, p);
  const int64_t item = ITEMSIZE[out.dtype], block = p.inner * item;
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t step = p.batch_first ? i % p.steps : i / p.batch;
      const int64_t sample = p.batch_first ? i / p.steps : i % p.batch;
      const int64_t from = source(p.mode, step, lengths[sample]);
      char* to = out.data + i * block;
      if (from >= 0) {
        const int64_t at = p.batch_first ? sample * p.in_steps + from : from * p.batch + sample;
        std::memcpy(to, x.data + at * block, block);
      } else {
        for (int64_t k = 0; k < p.inner; ++k) std::memcpy(to + k * item, p.value, item);
      }
    }
    return 0;
  };
  return parallel(context, p.steps * p.batch, std::max<int64_t>(1, GRAIN / std::max<int64_t>(1, p.inner)), body);
}

}  // namespace mxcy
