// A segment: operations that were recorded once and run again and again, as one operation of the engine.
//
// Their order among themselves is known when they are recorded, so none of them has entries in the queues of
// variables: the segment as a whole reads and writes what they read and write.  They are sorted into
// waves: an operation belongs to the wave after those of all that it has to wait for, because one of the two
// writes what the other one reads or writes.  The operations of a wave do not touch each other's data.
// Waves run one after the other; those with several operations that are worth it spread over the workers,
// and a large operation that is alone in its wave spreads by itself.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include "op.hpp"

namespace mxcy {

constexpr float WORTH_SHARING_NS = 8000;  // of the smaller one of two operations
// Beside an operation that takes more of its wave there is little to share: it spreads by itself, sooner if
// the workers are not held up by the others.
constexpr float MOST_OF_A_WAVE = 0.8f;

class Segment {
 public:
  struct Piece {
    std::unique_ptr<Op> op;
    std::string note;  // what an exception says of where it comes from
    int wave = 0;
  };

  void retain() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // Adds an operation; takes it over.  All adding comes before the first run.
  void add(Op* op, Var** reads, int n_reads, Var** writes, int n_writes, const char* note) {
    int wave = 0;
    for (int i = 0; i < n_reads; ++i) {
      Use& use = uses_[reads[i]];
      wave = std::max(wave, use.written + 1);
      if (use.written < 0) input(reads[i], use);
    }
    for (int i = 0; i < n_writes; ++i) {
      Use& use = uses_[writes[i]];
      wave = std::max({wave, use.written + 1, use.read + 1});
      if (use.written < 0) {
        if (!(op->flags & OP_OVERWRITES)) input(writes[i], use);
        outputs_.push_back(writes[i]);
      }
    }
    for (int i = 0; i < n_reads; ++i) {
      Use& use = uses_[reads[i]];
      use.read = std::max(use.read, wave);
    }
    for (int i = 0; i < n_writes; ++i) uses_[writes[i]].written = wave;
    cost_ns_ += op->cost_ns;
    pieces_.push_back(Piece{std::unique_ptr<Op>(op), note, wave});
  }

  // Says that nobody cares what a variable holds: it counts as overwritten.
  void forget(Var* var) {
    auto same = [var](Var* other) { return other == var; };
    inputs_.erase(std::remove_if(inputs_.begin(), inputs_.end(), same), inputs_.end());
    if (std::none_of(outputs_.begin(), outputs_.end(), same)) outputs_.push_back(var);
  }

  // Gives the operations away, in the order in which they were added.
  std::vector<Op*> take() {
    std::vector<Op*> found;
    for (Piece& piece : pieces_) found.push_back(piece.op.release());
    pieces_.clear();
    return found;
  }

  // Called once, after the last operation has been added.
  void finish() {
    auto earlier = [](const Piece& a, const Piece& b) { return a.wave < b.wave; };
    std::stable_sort(pieces_.begin(), pieces_.end(), earlier);
    for (size_t begin = 0; begin < pieces_.size();) {
      size_t end = begin, large = 0;
      float longest = 0, all = 0;
      for (; end < pieces_.size() && pieces_[end].wave == pieces_[begin].wave; ++end) {
        const float cost = pieces_[end].op->cost_ns;
        large += cost >= WORTH_SHARING_NS;
        longest = std::max(longest, cost), all += cost;
      }
      const bool shared = large > 1 && longest < MOST_OF_A_WAVE * all;
      if (shared) {  // the longest first, so that short ones fill up what is left
        auto longer = [](const Piece& a, const Piece& b) { return a.op->cost_ns > b.op->cost_ns; };
        std::stable_sort(pieces_.begin() + begin, pieces_.begin() + end, longer);
      }
      if (shared || waves_.empty() || waves_.back().shared)
        waves_.push_back(Wave{begin, end, shared});
      else
        waves_.back().end = end;
      begin = end;
    }
    std::unordered_map<Var*, Use>().swap(uses_);
  }

  // What the whole reads before it writes it, and all that it writes.
  const std::vector<Var*>& inputs() const { return inputs_; }
  const std::vector<Var*>& outputs() const { return outputs_; }
  float cost_ns() const { return cost_ns_; }
  size_t size() const { return pieces_.size(); }

  // Runs all operations; `name` becomes that of the first one with floating-point flags, or that failed.
  int run(const Runtime* runtime, Failure& failure, const char*& name) noexcept {
    for (const Wave& wave : waves_) {
      int status = wave.shared ? share(wave, runtime, failure, name) : in_order(wave, failure, name);
      if (status) return status;
    }
    return 0;
  }

 private:
  struct Use {  // the last waves that read and wrote a variable
    int read = -1, written = -1;
    bool is_input = false;
  };
  struct Wave {
    size_t begin, end;
    bool shared;
  };
  struct Shared {
    Segment& segment;
    const Wave& wave;
    std::mutex mutex;  // guards the two below
    Failure& failure;
    const char*& name;
  };

  ~Segment() = default;

  void input(Var* var, Use& use) {
    if (!use.is_input) inputs_.push_back(var);
    use.is_input = true;
  }

  static int run_piece(Piece& piece, Failure& failure, const char*& name) {
    const bool flagged = failure.fp_flags != 0;
    const int status = piece.op->run(failure);
    if (!flagged && failure.fp_flags) name = piece.op->name;
    if (!status) return 0;
    name = piece.op->name;
    const size_t length = strnlen(failure.text, sizeof failure.text);
    if (failure.kind != FAIL_PYTHON && !piece.note.empty())
      std::snprintf(failure.text + length, sizeof failure.text - length, "\x1f%s", piece.note.c_str());
    return status;
  }

  int in_order(const Wave& wave, Failure& failure, const char*& name) {
    for (size_t i = wave.begin; i < wave.end; ++i)
      if (int status = run_piece(pieces_[i], failure, name)) return status;
    return 0;
  }

  int share(const Wave& wave, const Runtime* runtime, Failure& failure, const char*& name) {
    Shared shared{*this, wave, {}, failure, name};
    auto body = [](void* arg, int64_t begin, int64_t end) -> int {
      Shared& shared = *static_cast<Shared*>(arg);
      for (int64_t i = begin; i < end; ++i) {
        Failure mine;
        const char* its_name = nullptr;
        const int status = run_piece(shared.segment.pieces_[shared.wave.begin + i], mine, its_name);
        if (!status && !mine.fp_flags) continue;
        std::lock_guard<std::mutex> lock(shared.mutex);
        if (!shared.failure.fp_flags || (status && !shared.failure.kind)) shared.name = its_name;
        shared.failure.fp_flags |= mine.fp_flags;
        if (!status) continue;
        if (!shared.failure.kind) {
          shared.failure.kind = mine.kind;
          std::memcpy(shared.failure.text, mine.text, sizeof mine.text);
        }
        return status;
      }
      return 0;
    };
    return runtime->parallel_for(int64_t(wave.end - wave.begin), 1, body, &shared);
  }

  std::atomic<int32_t> refs_{1};
  std::vector<Piece> pieces_;
  std::vector<Wave> waves_;
  std::unordered_map<Var*, Use> uses_;
  std::vector<Var*> inputs_, outputs_;
  float cost_ns_ = 0;
};

// One run of a segment.
struct SegmentOp final : Op {
  Segment* segment;
  const Runtime* runtime;
  SegmentOp(Segment* s, const Runtime* r, const char* label) : segment(s), runtime(r) {
    segment->retain();
    name = label;
    cost_ns = segment->cost_ns();
    flags = OP_OVERWRITES;  // what it does not overwrite is among its inputs
  }
  ~SegmentOp() override { segment->release(); }
  int run(Failure& failure) noexcept override { return segment->run(runtime, failure, name); }
};

}  // namespace mxcy
