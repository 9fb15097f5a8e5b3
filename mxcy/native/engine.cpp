// Dependency tracking: which operation may run.  The model and the locks are described in engine.hpp.
#include "engine.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

namespace mxcy {

PythonOp::~PythonOp() { engine::callbacks.decref(callable); }

namespace engine {

Engine* const self = new Engine;  // never destroyed: threads may outlive the interpreter
std::atomic<float> inline_limit{20000};
std::atomic<bool> hook_on{false};
std::atomic<size_t> notice_count{0};
MXCY_THREAD Links* current = nullptr;
MXCY_THREAD int worker_lane = -1;
Recorder recorder = nullptr;

namespace {

// --- accesses ----------------------------------------------------------------------------------

void change(Var* var, uint64_t by) {  // mutex held, so there is no other writer
  var->state.store(var->state.load(std::memory_order_relaxed) + by, std::memory_order_release);
}

uint64_t unit(const Access& a) { return a.write ? ONE_WRITE : ONE_READ; }

bool conflicts(const Var* var, bool write) { return var->active_write || (write && var->active_reads); }

bool is_free(const Var* var, bool for_write) { return !var->head && !conflicts(var, for_write); }

void activate(Access* a) {
  if (a->write)
    a->var->active_write = true;
  else
    ++a->var->active_reads;
}

void append(Var* var, Access* a) {
  a->queued = true;
  a->next = nullptr;
  (var->tail ? var->tail->next : var->head) = a;
  var->tail = a;
}

void unlink(Var* var, Access* a) {
  Access* before = nullptr;
  for (Access* x = var->head; x != a; x = x->next) before = x;
  (before ? before->next : var->head) = a->next;
  if (var->tail == a) var->tail = before;
  a->queued = false;
}

void signal(Waiter* waiter) {
  waiter->done = true;
  waiter->cv.notify_one();  // under the mutex: the waiter's stack frame may go as soon as it is released
}

void granted(Access* a) {
  if (a->waiter) {
    signal(a->waiter);
  } else if (--a->links->waits == 0) {
    if (a->links->leader)
      return;  // it runs with another one
    if (!a->links->by_pusher)
      make_ready(a->links);
    else if (a->links->waiter)
      signal(a->links->waiter);
  }
}

void grant_next(Var* var) {
  while (Access* a = var->head) {
    if (conflicts(var, a->write)) return;
    var->head = a->next;
    if (!var->head) var->tail = nullptr;
    a->queued = false;
    if (!a->waiter) activate(a);
    granted(a);
  }
}

void release_access(Access& a) {
  Var* var = a.var;
  if (a.write)
    var->active_write = false;
  else
    --var->active_reads;
  change(var, 0 - unit(a));
  grant_next(var);
}

// How an operation that this thread is running holds the variable, if any does.
const Access* held_by_this_thread(const Var* var) {
  const Access* found = nullptr;
  for (const Links* l = current; l; l = l->outer)
    for (int i = 0; i < l->count; ++i)
      if (l->access[i].var == var && (!found || l->access[i].write)) found = &l->access[i];
  return found;
}

// Whether an access by this thread would wait for an operation that itself waits for one that this thread is
// running: from what is queued on the variables of those, through all that is queued behind it.
bool waits_for_this_thread(const Var* target, bool for_write) {
  std::vector<const Access*> queues;
  std::unordered_set<const Links*> blocked;
  for (const Links* l = current; l; l = l->outer)
    for (int i = 0; i < l->count; ++i) queues.push_back(l->access[i].var->head);
  while (!queues.empty()) {
    const Access* queued = queues.back();
    queues.pop_back();
    for (; queued; queued = queued->next) {
      const Links* l = queued->links;
      if (!l || !blocked.insert(l).second) continue;
      for (int i = 0; i < l->count; ++i) {
        const Access& a = l->access[i];
        if (a.var == target && (a.write || for_write)) return true;
        queues.push_back(a.queued ? a.next : a.var->head);
      }
    }
  }
  return false;
}

// Whether an operation that is ready runs in the thread that pushes it.
bool runs_here(const Links* l, bool borrows, bool wants_result) {
  const Op* op = l->op;
  if (self->exiting || borrows) return true;
  if (op->lane == LANE_IO) return false;
  if ((op->flags & (OP_NEEDS_GIL | OP_HERE)) || error_of_inputs(l)) return true;
  return wants_result || op->cost_ns <= inline_limit.load(std::memory_order_relaxed);
}

void add_running(Links* l) {
  l->previous = nullptr;
  l->next = self->running;
  if (l->next) l->next->previous = l;
  self->running = l;
}

void remove_running(Links* l) {
  (l->previous ? l->previous->next : self->running) = l->next;
  if (l->next) l->next->previous = l->previous;
  if (self->paused) self->parked.notify_all();
}

void add_waiter(Waiter& w) {
  w.next = self->waiters;
  self->waiters = &w;
  block_begin(w);
}

void remove_waiter(Waiter& w) {
  Waiter** at = &self->waiters;
  while (*at && *at != &w) at = &(*at)->next;
  if (*at) *at = w.next;
  block_end(w);
}

void close_epochs(uint64_t epoch) {
  --self->epochs[epoch - self->first_epoch];
  bool moved = false;
  while (self->epochs.size() > 1 && self->epochs.front() == 0) {
    self->epochs.pop_front();
    ++self->first_epoch;
    moved = true;
  }
  if (!moved) return;
  for (Waiter* w = self->waiters; w; w = w->next)
    if (w->epoch && w->epoch <= self->first_epoch && !w->done) signal(w);
}

}  // namespace

// --- pushing -----------------------------------------------------------------------------------

bool has_exports(const Request& r) {
  for (int i = 0; i < r.n_writes; ++i)
    if (r.writes[i]->exports_read.load(std::memory_order_relaxed) ||
        r.writes[i]->exports_write.load(std::memory_order_relaxed))
      return true;
  for (int i = 0; i < r.n_reads; ++i)
    if (r.reads[i]->exports_write.load(std::memory_order_relaxed)) return true;
  return false;
}

// Marks the accesses to what this thread holds already; false if one would need more than is held.
static bool borrow(Links* l, bool& any) {
  for (int i = 0; i < l->count; ++i) {
    const Access* held = held_by_this_thread(l->access[i].var);
    if (!held) continue;
    if (l->access[i].write && !held->write) return false;
    l->access[i].borrowed = any = true;
  }
  return true;
}

// One that borrows runs before the operation around it ends; false if it has to wait for that end.
static bool can_run_inside(const Links* l) {
  for (int i = 0; i < l->count; ++i) {
    const Access& a = l->access[i];
    if (!a.borrowed && !is_free(a.var, a.write) && waits_for_this_thread(a.var, a.write)) return false;
  }
  return true;
}

static bool is_free(const Links* l) {
  return std::all_of(l->access, l->access + l->count,
                     [](const Access& a) { return a.borrowed || is_free(a.var, a.write); });
}

Outcome submit(Links* l, Waiter& waiter, bool wants_result) {
  bool borrows = false;
  if (current && !borrow(l, borrows)) return MISUSE;
  std::unique_lock<std::mutex> lock(self->mutex);
  if (borrows && !can_run_inside(l)) return NEVER;
  if (self->abandoned && !is_free(l)) return ABANDONED;
  l->sequence = self->next_sequence++;
  l->epoch = self->first_epoch + self->epochs.size() - 1;
  ++self->epochs.back();
  for (int i = 0; i < l->count; ++i) {
    Access& a = l->access[i];
    if (a.write) ++a.var->version;
    if (a.borrowed) continue;
    change(a.var, unit(a));
    if (is_free(a.var, a.write)) {
      activate(&a);
    } else {
      append(a.var, &a);
      ++l->waits;
    }
  }
  if (l->waits == 0 && runs_here(l, borrows, wants_result)) {
    start(l);
    return RUN_HERE;
  }
  // At exit threads run their own operations, but one inside another may depend on the outer one's end.
  if (l->waits && (borrows || (self->exiting && !current))) {
    l->by_pusher = true;
    l->waiter = &waiter;
    waiter.links = l;
    add_waiter(waiter);
    wake(lock);
    return SUSPENDED;
  }
  l->admitted = true;
  ++self->pending;
  self->pending_bytes += l->bytes;
  if (wants_result) {
    l->waiter = &waiter;
    waiter.links = l;
    add_waiter(waiter);
  }
  if (l->waits == 0) make_ready(l);
  wake(lock);
  return QUEUED;
}

void start(Links* l) {
  add_running(l);
  l->outer = current;
  current = l;
}

void enter(Links* l) {
  std::lock_guard<std::mutex> lock(self->mutex);
  l->waiter = nullptr;
  start(l);
}

void withdraw(Links* l) {
  std::unique_lock<std::mutex> lock(self->mutex);
  for (int i = 0; i < l->count; ++i) {
    Access& a = l->access[i];
    if (a.borrowed) continue;
    if (a.queued) {
      unlink(a.var, &a);
      change(a.var, 0 - unit(a));
      grant_next(a.var);
    } else {
      release_access(a);
    }
  }
  close_epochs(l->epoch);
  wake(lock);
  dispose(l);
}

static bool room(size_t bytes) {
  return self->pending == 0 ||
         (self->pending < self->bound_operations && self->pending_bytes + bytes <= self->bound_bytes);
}

bool has_room(size_t bytes) {
  if (current || worker_lane >= 0) return true;  // what it waits for might wait for this thread
  std::lock_guard<std::mutex> lock(self->mutex);
  return room(bytes);
}

bool wait_for_room(size_t bytes, int milliseconds) {
  std::unique_lock<std::mutex> lock(self->mutex);
  ++self->waiting_for_room;
  auto limit = std::chrono::milliseconds(milliseconds);
  bool there = self->room.wait_for(lock, limit, [&] { return room(bytes); });
  --self->waiting_for_room;
  return there;
}

// --- completing --------------------------------------------------------------------------------

// The error that keeps an operation from running: of the first of its inputs that has one, or null.
Error* error_of_inputs(const Links* l) {
  if (l->op->flags & OP_SKIP_ERRORS) return nullptr;
  for (int i = 0; i < l->count; ++i) {
    const Access& a = l->access[i];
    bool input = !a.write || a.also_read || !(l->op->flags & OP_OVERWRITES);
    if (input && a.var->error) return a.var->error;
  }
  return nullptr;
}

bool inherits_error(Links* l, Result& result) {
  result.inherited = error_of_inputs(l);  // only a writer changes it, and none runs beside this operation
  if (result.inherited) result.inherited->refs.fetch_add(1, std::memory_order_relaxed);
  return result.inherited;
}

// The error that an operation leaves behind: an owned reference, or null.
Error* outcome(Links* l, Result& result) {
  if (result.inherited) return result.inherited;
  Error* error = nullptr;
  if (result.status)
    error = make_error(result.failure, l->op->name, result.exception);
  else if (result.failure.fp_flags)
    error = fp_error(l, result.failure);
  if (!error) return nullptr;
  error->sequence = l->sequence;
  error->site = l->site;
  l->site.code = nullptr;
  return error;
}

void complete(Links* l, Result& result, Error* error) {
  if (error && !result.inherited) remember_unseen(error);
  if (!error && result.failure.fp_flags) add_notice(l, result.failure);
  bool overwrites = l->op->flags & OP_OVERWRITES;
  for (int i = 0; i < l->count; ++i) {
    Access& a = l->access[i];
    if (a.write && (overwrites || (error && !a.var->error))) assign_error(a.var, error);
    if (!a.borrowed) release_access(a);
  }
  current = l->outer;
  remove_running(l);
  close_epochs(l->epoch);
  if (l->admitted) {
    --self->pending;
    self->pending_bytes -= l->bytes;
    if (self->waiting_for_room) self->room.notify_all();
  }
  if (l->waiter) {
    if (error && !result.inherited) {
      error->refs.fetch_add(1, std::memory_order_relaxed);
      l->waiter->error = error;
    }
    signal(l->waiter);
  }
}

Error* finish(Links* l, Result& result) {
  Error* error = outcome(l, result);
  {
    std::unique_lock<std::mutex> lock(self->mutex);
    complete(l, result, error);
    wake(lock);
  }
  dispose(l);
  return error;
}

// --- waiting -----------------------------------------------------------------------------------

Outcome wait_begin(Waiter& w, Var* var, bool for_write) {
  if (current && held_by_this_thread(var)) return RUN_HERE;
  std::unique_lock<std::mutex> lock(self->mutex);
  if (is_free(var, for_write)) return RUN_HERE;
  if (current && waits_for_this_thread(var, for_write)) return NEVER;
  w.access.waiter = &w;
  w.access.var = var;
  w.access.write = for_write;
  append(var, &w.access);
  add_waiter(w);
  wake(lock);
  return QUEUED;
}

bool wait_all_begin(Waiter& w) {
  std::unique_lock<std::mutex> lock(self->mutex);
  if (self->epochs.size() == 1 && self->epochs.front() == 0) return true;
  if (self->epochs.back() != 0) self->epochs.push_back(0);
  w.epoch = self->first_epoch + self->epochs.size() - 1;
  add_waiter(w);
  wake(lock);
  return false;
}

bool wait_slice(Waiter& w, int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  std::unique_lock<std::mutex> lock(self->mutex);
  while (!w.done && std::chrono::steady_clock::now() < end && lend_hand(w, lock)) {}
  if (!w.done) w.cv.wait_until(lock, end, [&] { return w.done; });
  if (w.done) remove_waiter(w);
  return w.done;
}

void wait_cancel(Waiter& w) {
  std::unique_lock<std::mutex> lock(self->mutex);
  if (w.access.queued) {
    unlink(w.access.var, &w.access);
    grant_next(w.access.var);
  }
  if (w.links && !w.done) w.links->waiter = nullptr;
  remove_waiter(w);
  wake(lock);
}

// --- limits ------------------------------------------------------------------------------------

int io_threads(int at_least) {
  std::lock_guard<std::mutex> lock(self->mutex);
  LaneState& lane = self->lanes[LANE_IO];
  lane.target = std::max(lane.target, at_least);
  return lane.target;
}

void set_bounds(size_t operations, size_t nbytes) {
  std::lock_guard<std::mutex> lock(self->mutex);
  if (operations) self->bound_operations = operations;
  if (nbytes) self->bound_bytes = nbytes;
  self->room.notify_all();
}

// --- fork --------------------------------------------------------------------------------------

bool runs_in_this_thread(const Links* l) {
  for (const Links* x = current; x; x = x->outer)
    if (x == l) return true;
  return false;
}

// In the child: what other threads were waiting for or running is gone with them.
void forget_other_threads() {
  for (Waiter* w = self->waiters; w; w = w->next) {
    if (w->access.queued) {
      unlink(w->access.var, &w->access);
      grant_next(w->access.var);
    }
  }
  self->waiters = nullptr;
  for (Links *l = self->running, *next; l; l = next) {
    next = l->next;
    if (runs_in_this_thread(l)) continue;
    Result result;
    const char* text = "%s: its thread does not exist in the forked process";
    result.status = result.failure.fail(FAIL_RUNTIME, text, l->op->name);
    Links* innermost = current;
    part(l);
    l->waiter = nullptr;
    Error* error = outcome(l, result);
    complete(l, result, error);
    if (error) error_release(error);
    current = innermost;
  }
}

}  // namespace engine
}  // namespace mxcy
