// What operations leave behind besides data: errors, floating-point notices, Python references that
// cannot be dropped yet, and the profiler's events.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "engine.hpp"

namespace mxcy::engine {

namespace {

// Like the engine, these are never destroyed: daemon threads may still run when the process exits.
std::mutex graveyard_mutex;  // guards graveyard
std::vector<_object*>& graveyard = *new std::vector<_object*>;
std::atomic<size_t> buried{0};

std::mutex events_mutex;  // guards events
std::vector<Event>& events = *new std::vector<Event>;
constexpr size_t MOST_EVENTS = size_t(1) << 20;  // later ones are dropped until somebody takes these

struct FpFlag {
  int flag, shift;
  const char* text;
};
constexpr FpFlag FP_FLAGS[] = {{FP_DIVIDE, 0, "divide by zero"},
                               {FP_OVERFLOW, 3, "overflow"},
                               {FP_UNDERFLOW, 6, "underflow"},
                               {FP_INVALID, 9, "invalid value"}};

int action_of(int mask, int shift) { return (mask >> shift) & 7; }

bool same_source(const Notice* a, const Notice* b) {
  return a->flags == b->flags && a->name == b->name && a->site.code == b->site.code &&
         a->site.lasti == b->site.lasti && a->fp.mask == b->fp.mask && a->fp.handler == b->fp.handler;
}

void delete_notice(Notice* notice) {
  if (notice->site.code) bury(notice->site.code);
  if (notice->fp.handler) bury(notice->fp.handler);
  delete notice;
}

}  // namespace

// --- errors ------------------------------------------------------------------------------------

Error* make_error(const Failure& failure, const char* name, _object* exception) {
  Error* error = new Error;
  error->kind = failure.kind ? failure.kind : int(FAIL_RUNTIME);
  error->name = name;
  error->exception = exception;
  error->text[0] = 0;
  if (failure.kind && failure.kind != FAIL_PYTHON) std::memcpy(error->text, failure.text, sizeof error->text);
  return error;
}

Error* fp_error(const Links* l, const Failure& failure) {
  for (const FpFlag& f : FP_FLAGS) {
    if (!(failure.fp_flags & f.flag) || action_of(l->fp.mask, f.shift) != FP_RAISE) continue;
    Failure as_failure;
    as_failure.fail(FAIL_FLOATING_POINT, "%s encountered in %s", f.text, l->op->name);
    return make_error(as_failure, l->op->name, nullptr);
  }
  return nullptr;
}

void error_release(Error* error) {
  if (error->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (error->exception) bury(error->exception);
  if (error->site.code) bury(error->site.code);
  delete error;
}

void assign_error(Var* var, Error* error) {
  if (error) error->refs.fetch_add(1, std::memory_order_relaxed);
  if (var->error) error_release(var->error);
  var->error = error;
  uint64_t state = var->state.load(std::memory_order_relaxed) & ~ERROR_BIT;
  var->state.store(error ? state | ERROR_BIT : state, std::memory_order_release);
}

void fail_inline(const Request& r, Error* error) {
  std::lock_guard<std::mutex> lock(self->mutex);
  error->sequence = self->next_sequence++;
  for (int i = 0; i < r.n_writes; ++i) assign_error(r.writes[i], error);
}

Error* error_of(Var* var) {
  if (!(var->state.load(std::memory_order_acquire) & ERROR_BIT)) return nullptr;
  std::lock_guard<std::mutex> lock(self->mutex);
  if (var->error) var->error->refs.fetch_add(1, std::memory_order_relaxed);
  return var->error;
}

void set_error(Var* var, Error* error) {
  std::lock_guard<std::mutex> lock(self->mutex);
  assign_error(var, error);
  if (error) error_release(error);
}

void remember_unseen(Error* error) {
  std::vector<Error*>& list = self->unseen;
  if (list.size() >= 64) {
    auto seen = std::partition(list.begin(), list.end(), [](Error* e) { return !e->seen.load(); });
    for (auto e = seen; e != list.end(); ++e) error_release(*e);
    list.erase(seen, list.end());
  }
  error->refs.fetch_add(1, std::memory_order_relaxed);
  list.push_back(error);
}

bool leave_unseen(Var* var) {
  std::lock_guard<std::mutex> lock(self->mutex);
  const std::vector<Error*>& list = self->unseen;
  if (!var->error) return false;
  var->error->seen.store(false);
  if (std::find(list.begin(), list.end(), var->error) == list.end()) remember_unseen(var->error);
  return true;
}

std::vector<Error*> take_unseen() {
  std::vector<Error*> taken;
  {
    std::lock_guard<std::mutex> lock(self->mutex);
    taken.swap(self->unseen);
  }
  auto seen = std::partition(taken.begin(), taken.end(), [](Error* e) { return !e->seen.load(); });
  for (auto e = seen; e != taken.end(); ++e) error_release(*e);
  taken.erase(seen, taken.end());
  std::sort(taken.begin(), taken.end(), [](Error* a, Error* b) { return a->sequence < b->sequence; });
  return taken;
}

Counters count() {
  std::lock_guard<std::mutex> lock(self->mutex);
  auto is_unseen = [](Error* e) { return !e->seen.load(); };
  auto unseen = std::count_if(self->unseen.begin(), self->unseen.end(), is_unseen);
  return {self->pending, self->pending_bytes, size_t(unseen)};
}

// --- floating-point notices --------------------------------------------------------------------

void add_notice(Links* l, const Failure& failure) {
  int flags = 0;
  for (const FpFlag& f : FP_FLAGS)
    if ((failure.fp_flags & f.flag) && action_of(l->fp.mask, f.shift) != FP_IGNORE) flags |= f.flag;
  if (!flags) return;
  auto* notice = new Notice{flags, l->op->name, l->site, l->fp, {}};
  l->site.code = l->fp.handler = nullptr;
  for (int i = 0; i < l->count; ++i)
    if (l->access[i].write) notice->vars.push_back(l->access[i].var);
  self->notices.push_back(notice);
  notice_count.store(self->notices.size(), std::memory_order_relaxed);
}

// Those of one variable, and those whose variables are all gone.
std::vector<Notice*> take_notices(Var* var) {
  std::vector<Notice*> taken;
  if (!notice_count.load(std::memory_order_relaxed)) return taken;
  std::lock_guard<std::mutex> lock(self->mutex);
  auto stays = [var](Notice* n) {
    return var && !n->vars.empty() && std::find(n->vars.begin(), n->vars.end(), var) == n->vars.end();
  };
  auto first_taken = std::stable_partition(self->notices.begin(), self->notices.end(), stays);
  taken.assign(first_taken, self->notices.end());
  self->notices.erase(first_taken, self->notices.end());
  notice_count.store(self->notices.size(), std::memory_order_relaxed);
  return taken;
}

// A notice without variables goes to the next wait of any.  One of each kind is enough.
void var_dies(Var* var) {
  std::lock_guard<std::mutex> lock(self->mutex);
  std::vector<Notice*>& all = self->notices;
  for (size_t i = 0; i < all.size();) {
    Notice* n = all[i];
    auto at = std::find(n->vars.begin(), n->vars.end(), var);
    if (at != n->vars.end()) n->vars.erase(at);
    auto repeats = [n](Notice* o) { return o != n && o->vars.empty() && same_source(o, n); };
    if (at == n->vars.end() || !n->vars.empty() || std::none_of(all.begin(), all.end(), repeats)) {
      ++i;
      continue;
    }
    all.erase(all.begin() + ptrdiff_t(i));
    delete_notice(n);
  }
  notice_count.store(all.size(), std::memory_order_relaxed);
}

// --- references to Python objects --------------------------------------------------------------

void bury(_object* object) {
  std::lock_guard<std::mutex> lock(graveyard_mutex);
  graveyard.push_back(object);
  buried.store(graveyard.size(), std::memory_order_release);
}

void sweep() {
  recycle_links();
  if (!buried.load(std::memory_order_acquire)) return;
  std::vector<_object*> taken;
  {
    std::lock_guard<std::mutex> lock(graveyard_mutex);
    taken.swap(graveyard);
    buried.store(0, std::memory_order_release);
  }
  for (_object* object : taken) callbacks.decref(object);
}

void sweep_some() {
  constexpr size_t MANY = 256;
  if (buried.load(std::memory_order_relaxed) >= MANY) sweep();
}

// --- events ------------------------------------------------------------------------------------

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static void record(const char* name, int lane, int64_t start_ns, int64_t end_ns) {
  uint64_t thread = uint64_t(pthread_self());
  std::lock_guard<std::mutex> lock(events_mutex);
  if (events.size() < MOST_EVENTS) events.push_back({name, lane, thread, start_ns, end_ns});
}

void record_event(const Op* op, int64_t start_ns, int64_t end_ns) {
  record(op->name, worker_lane, start_ns, end_ns);
}

void record_wait(int64_t start_ns) { record("wait", N_LANES, start_ns, now_ns()); }

std::vector<Event> take_events(size_t at_least) {
  std::vector<Event> taken;
  std::lock_guard<std::mutex> lock(events_mutex);
  if (events.size() >= at_least) taken.swap(events);
  return taken;
}

// --- fork --------------------------------------------------------------------------------------

void failures_lock_for_fork() {
  graveyard_mutex.lock();
  events_mutex.lock();
}

void failures_unlock_after_fork() {
  events_mutex.unlock();
  graveyard_mutex.unlock();
}

}  // namespace mxcy::engine
