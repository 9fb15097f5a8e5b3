// Operations that run as one.  Nothing waits in order to be fused: a worker that has taken an operation looks
// what already waits for its results, and takes along what can run in the same pass.
//
// Those that follow keep their places in the queues of their variables, so whatever is pushed meanwhile comes
// behind them as ever.  When the pass is over each one is finished in turn, as if it had run by itself: that
// grants the next one's accesses, takes errors to it, and wakes who waits.  So an operation may join if
// everything in front of it belongs to the batch.
#include "engine.hpp"

#include <algorithm>

namespace mxcy::engine {

bool fuses = false;

namespace {

constexpr int MOST_LOOKS = 64;         // queued accesses to look at, as everybody waits for the mutex
constexpr size_t MOST_READY = 64;      // operations to look at that wait for a worker

bool is_active(const Access& a) { return !a.queued && !a.borrowed; }

class Gathering {
 public:
  explicit Gathering(Batch& batch) : batch_(batch), first_(batch.members[0]) {}

  void run() {
    int looks = MOST_LOOKS;
    for (size_t i = 0; i < batch_.members.size(); ++i) {
      const Links* l = batch_.members[i];
      for (int k = 0; k < l->count; ++k) {
        if (!l->access[k].write) continue;
        for (const Access* a = l->access[k].var->head; a; a = a->next) {
          if (looks-- == 0) return;
          if (a->links && may_join(a->links)) join(a->links);
        }
      }
    }
  }

 private:
  Batch& batch_;
  Links* first_;

  // Not by `leader`, which outlives the first one in those that are still to be finished.
  bool is_member(const Links* l) const {
    return std::find(batch_.members.begin(), batch_.members.end(), l) != batch_.members.end();
  }

  bool suits(const Links* l) const {
    const Op* op = l->op;
    return !l->leader && !l->by_pusher && (op->flags & OP_FUSES) && op->lane == LANE_CPU &&
           op->priority >= first_->op->priority && !error_of_inputs(l);
  }

  bool may_join(Links* l) {
    if (!suits(l)) return false;
    for (int k = 0; k < l->count; ++k)
      if (l->access[k].queued && !comes_next(l->access[k])) return false;
    return true;
  }

  // Whether an access will be granted as soon as the batch is finished.
  bool comes_next(const Access& a) {
    for (const Access* x = a.var->head; x != &a; x = x->next) {
      if (x->waiter) return false;
      if ((a.write || x->write) && !is_member(x->links)) return false;
    }
    return holds_all(a.var, a.write) || (bring_ready(a.var) && holds_all(a.var, a.write));
  }

  // Whether all accesses that keep another one from being granted are the batch's own.
  bool holds_all(const Var* var, bool for_write) const {
    uint32_t reads = 0, writes = 0;
    for (const Links* l : batch_.members)
      for (int k = 0; k < l->count; ++k)
        if (l->access[k].var == var && is_active(l->access[k])) ++(l->access[k].write ? writes : reads);
    return writes == uint32_t(var->active_write) && (!for_write || reads == var->active_reads);
  }

  // Takes along those that hold the variable but still wait for a worker.
  bool bring_ready(const Var* var) {
    const std::vector<Links*>& heap = self->lanes[LANE_CPU].heap;
    if (heap.size() > MOST_READY) return false;
    std::vector<Links*> found;
    for (Links* l : heap)
      for (int k = 0; k < l->count; ++k)
        if (l->access[k].var == var) found.push_back(l);
    for (Links* l : found)
      if (!suits(l) || !join(l)) return false;
    return !found.empty();
  }

  bool join(Links* l) {
    if (!batch_.fusion->add(l->op)) return false;
    take_ready(l);
    l->leader = first_;
    batch_.members.back()->follower = l;
    batch_.members.push_back(l);
    return true;
  }
};

bool is_awaited(const Links* l) {
  for (int k = 0; k < l->count; ++k)
    if (l->access[k].write && l->access[k].var->head) return true;
  return false;
}

// Variables that the batch writes and nobody else holds: no array, no other operation, nobody who waits.
std::vector<Var*> unreachable(const std::vector<Links*>& members) {
  std::vector<Var*> found;
  for (const Links* l : members)
    for (int k = 0; k < l->count; ++k) {
      Var* var = l->access[k].var;
      if (!l->access[k].write || std::find(found.begin(), found.end(), var) != found.end()) continue;
      int holders = 0;
      for (const Links* m : members)
        for (int j = 0; j < m->count; ++j) holders += m->access[j].var == var;
      if (var->refs.load(std::memory_order_acquire) == holders) found.push_back(var);
    }
  return found;
}

#ifdef MXCY_DEBUG
// Each variable once, written if any member writes it.
template <class Visit>
void each_variable(const std::vector<Links*>& members, Visit visit) {
  std::vector<std::pair<Var*, bool>> all;
  for (const Links* l : members)
    for (int k = 0; k < l->count; ++k) {
      const Access& a = l->access[k];
      auto at = std::find_if(all.begin(), all.end(), [&](auto& entry) { return entry.first == a.var; });
      if (at == all.end())
        all.emplace_back(a.var, a.write);
      else
        at->second = at->second || a.write;
    }
  for (auto [var, write] : all) visit(var, write);
}
#endif

// The time of one pass, shared out by what the operations would take.
void record_batch(const std::vector<Links*>& members, int64_t begin, int64_t end) {
  double whole = 0, done = 0;
  for (const Links* l : members) whole += l->op->cost_ns;
  for (const Links* l : members) {
    const int64_t from = begin + int64_t((end - begin) * done / whole);
    done += l->op->cost_ns;
    record_event(l->op, from, begin + int64_t((end - begin) * done / whole));
  }
}

bool run(Batch& batch, Failure& failure) {
  const std::vector<Var*> unread = unreachable(batch.members);
#ifdef MXCY_DEBUG
  each_variable(batch.members, [&](Var* var, bool write) { check_enter(var, write, "batch"); });
#endif
  const bool timed = hook_on.load(std::memory_order_relaxed);
  const int64_t begin = timed ? now_ns() : 0;
  const bool ran = batch.fusion->run(unread.data(), int(unread.size()), failure);
  if (timed && ran) record_batch(batch.members, begin, now_ns());
#ifdef MXCY_DEBUG
  each_variable(batch.members, [](Var* var, bool write) { check_leave(var, write); });
#endif
  return ran;
}

}  // namespace

bool gather(Links* first, Batch& batch) {
  if (!fuses || !(first->op->flags & OP_FUSES) || !is_awaited(first) || error_of_inputs(first)) return false;
  batch.fusion.reset(first->op->fusion());
  if (!batch.fusion) return false;
  first->leader = first;
  batch.members = {first};
  Gathering(batch).run();
  if (batch.members.size() > 1) return true;
  first->leader = nullptr;
  batch.fusion.reset();
  return false;
}

void part(Links* first) {
  for (Links *l = first->follower, *next; l; l = next) {
    next = l->follower;
    l->leader = l->follower = nullptr;
    if (l->waits == 0) make_ready(l);
  }
  first->leader = first->follower = nullptr;
}

bool run_batch(Batch& batch) {
  Failure failure;
  if (!run(batch, failure)) {
    std::unique_lock<std::mutex> lock(self->mutex);
    part(batch.members[0]);
    wake(lock);
    return false;
  }
  for (size_t i = 0; i < batch.members.size(); ++i) {
    Links* l = batch.members[i];
    Result result;
    if (!inherits_error(l, result)) {
      result.failure = failure;
      result.failure.fp_flags = failure.fp_flags >> 4 * i & 15;
      result.status = failure.kind == FAIL_NONE ? 0 : -1;
    }
    Error* error = outcome(l, result);
    {
      std::unique_lock<std::mutex> lock(self->mutex);
      complete(l, result, error);
      if (i + 1 < batch.members.size()) start(batch.members[i + 1]);
      wake(lock);
    }
    dispose(l);
    if (error) error_release(error);
  }
  return true;
}

}  // namespace mxcy::engine
