// What one call pushed, kept to be run at once for other arrays of the same shapes (_replay.pyx).
#pragma once
#include <memory>
#include <vector>
#include "op.hpp"

namespace mxcy {

class Replay {
 public:
  // `vars` are those of the call's operands and results, which take other values at each run.  Returns false
  // if one of the operations (taken over) cannot run with others, or a result is not written.
  bool keep(const std::vector<Op*>& ops, const std::vector<Var*>& vars, size_t first_result) {
    for (Op* op : ops) ops_.emplace_back(op);
    std::vector<bool> found(vars.size());
    for (Op* op : ops) {
      std::vector<Place> places;
      if ((op->flags & OP_NEEDS_GIL) || op->lane != LANE_CPU || !op->places(places)) return false;
      cost_ns_ += op->cost_ns;
      for (const Place& place : places)
        for (size_t i = 0; i < vars.size(); ++i) {
          if (*place.var != vars[i]) continue;
          bound_.push_back(Bound{place, *place.offset, i});
          found[i] = true;
        }
    }
    for (size_t i = first_result; i < vars.size(); ++i)
      if (!found[i]) return false;
    return !ops.empty();
  }

  float cost_ns() const { return cost_ns_; }

  // With operands and results that nobody else uses now.  `name` is that of the last one with flags.
  int run(Var* const* vars, const int64_t* offsets, Failure& failure, const char*& name) noexcept {
    for (const Bound& b : bound_) {
      *b.place.var = vars[b.which];
      *b.place.offset = b.offset + offsets[b.which];
    }
    for (const std::unique_ptr<Op>& op : ops_) {
      const uint64_t before = failure.fp_flags;
      if (int status = op->run(failure)) return status;
      if (failure.fp_flags != before) name = op->name;
    }
    return 0;
  }

 private:
  struct Bound {
    Place place;
    int64_t offset;  // from that of the operand
    size_t which;
  };
  std::vector<std::unique_ptr<Op>> ops_;
  std::vector<Bound> bound_;
  float cost_ns_ = 0;
};

}  // namespace mxcy
