// Running results along one axis (cumsum).
#pragma once
#include <algorithm>
#include <cstdlib>
#include "block_op.hpp"
#include "program.hpp"
#include "space.hpp"

namespace mxcy {

constexpr int64_t SCAN_WIDTH = 2048;  // neighbouring lanes that advance together

// out[i] = out[i - 1] op x[i] along an axis.  Operand 0 is x, operand 1 the result; both have the dtype
// of the loop and may be the same view.
struct AccumulateOp final : BlockOp {
  Loop loop = nullptr;
  void* loop_data = nullptr;
  FailureTest loop_failed = nullptr;
  Space lanes;  // operands x, out
  int64_t length = 0, x_step = 0, out_step = 0;
  float element_ns = 1;

  int execute() override {
    if (lanes.size == 0 || length == 0) return 0;
    if (!locate()) return -1;
    const int64_t inner = lanes.inner_length();
    const bool across = inner > 1 && std::abs(lanes.inner_stride(0)) < std::abs(x_step);
    width_ = across ? std::min(inner, SCAN_WIDTH) : 1;
    blocks_ = (inner + width_ - 1) / width_;
    return for_each(lanes.size / inner * blocks_, element_ns * length * width_, chunk, this);
  }

 private:
  int64_t width_ = 1, blocks_ = 1;

  static int chunk(void* arg, int64_t begin, int64_t end) {
    AccumulateOp& op = *static_cast<AccumulateOp*>(arg);
    Walker outer(op.lanes, std::max(0, op.lanes.ndim - 1));
    Failure mine;
    take_fp_flags();
    for (int64_t unit = begin; unit < end; ++unit) {
      outer.seek(unit / op.blocks_);
      const int64_t first = unit % op.blocks_ * op.width_;
      const int64_t width = std::min(op.width_, op.lanes.inner_length() - first);
      const char* x = op.operands[0].data + outer.offset(0) + first * op.lanes.inner_stride(0);
      char* out = op.operands[1].data + outer.offset(1) + first * op.lanes.inner_stride(1);
      if (width > 1 ? op.across(x, out, width, mine) : op.along(x, out, mine)) return op.report(mine);
    }
    op.collect_fp_flags(mine);
    return 0;
  }

  int call(char** args, const intptr_t* strides, intptr_t n, Failure& mine) {
    loop(args, &n, strides, loop_data);
    if (loop_failed) {
      if (const char* text = loop_failed()) {
        if (flags & OP_NEEDS_GIL) return mine.kind = FAIL_PYTHON, -1;
        return mine.fail(FAIL_VALUE, "%s", text);
      }
    }
    return 0;
  }

  int along(const char* x, char* out, Failure& mine) {
    std::memmove(out, x, operands[0].itemsize());
    if (length == 1) return 0;
    char* args[3] = {out, const_cast<char*>(x) + x_step, out + out_step};
    const intptr_t strides[3] = {out_step, x_step, out_step};
    return call(args, strides, length - 1, mine);
  }

  int across(const char* x, char* out, int64_t width, Failure& mine) {
    const int64_t x_lane = lanes.inner_stride(0), out_lane = lanes.inner_stride(1);
    for (int64_t i = 0; i < width; ++i) {
      std::memmove(out + i * out_lane, x + i * x_lane, operands[0].itemsize());
    }
    for (int64_t i = 1; i < length; ++i) {
      char* args[3] = {out, const_cast<char*>(x) + x_step, out + out_step};
      const intptr_t strides[3] = {out_lane, x_lane, out_lane};
      if (call(args, strides, width, mine)) return -1;
      x += x_step;
      out += out_step;
    }
    return 0;
  }
};

}  // namespace mxcy
