// An operation's record from push to completion: its memory, its list of accesses, and the run itself.
#include <algorithm>
#include <unordered_map>

#include "engine.hpp"
#include "spare.hpp"

namespace mxcy::engine {

namespace {

// --- memory of Links ---------------------------------------------------------------------------
// Taken with the GIL held, returned by any thread.  A returned one keeps its Python references until
// somebody with the GIL takes it back (`recycle`).
constexpr int ROOM[] = {4, 16};  // accesses; larger ones are not kept
constexpr int N_ROOMS = 2;
Links* local_list[N_ROOMS];                    // guarded by the GIL
std::atomic<Links*> remote_list[N_ROOMS + 1];  // taken as a whole

size_t links_bytes(int count) { return sizeof(Links) + sizeof(Access) * size_t(std::max(count - 1, 0)); }

void drop_references(Links* l) {
  _object* code = l->site.code;
  _object* handler = l->fp.handler;
  l->site.code = l->fp.handler = nullptr;
  if (code) callbacks.decref(code);
  if (handler) callbacks.decref(handler);
}

// Takes back what other threads have returned.  Dropping references may run any Python code, which may
// push, so each one is out of all lists at that time.
void recycle(int c) {
  if (!remote_list[c].load(std::memory_order_relaxed)) return;
  Links* l = remote_list[c].exchange(nullptr, std::memory_order_acquire);
  while (l) {
    Links* next = l->next;
    drop_references(l);
    if (c < N_ROOMS) {
      l->next = local_list[c];
      local_list[c] = l;
    } else {
      std::free(l);
    }
    l = next;
  }
}

Links* allocate_links(int count) {
  int c = count <= ROOM[0] ? 0 : count <= ROOM[1] ? 1 : N_ROOMS;
  if (c < N_ROOMS && !local_list[c]) recycle(c);
  Links* l = c < N_ROOMS ? local_list[c] : nullptr;
  if (l) {
    local_list[c] = l->next;
    if (l->next) fetch_to_write(l->next, links_bytes(ROOM[0]));
  } else {
    l = static_cast<Links*>(std::malloc(links_bytes(c < N_ROOMS ? ROOM[c] : count)));
  }
  if (!l) return nullptr;
  *l = Links{};
  l->size_class = uint8_t(c);
  return l;
}

void free_links(Links* l) {
  std::atomic<Links*>& list = remote_list[l->size_class];
  Links* head = list.load(std::memory_order_relaxed);
  do {
    l->next = head;
  } while (!list.compare_exchange_weak(head, l, std::memory_order_release, std::memory_order_relaxed));
}

// --- accesses ----------------------------------------------------------------------------------

void add_access(Links* l, Var* var, bool write) {
  Access& a = l->access[l->count++];
  a = Access{};
  a.links = l;
  a.var = var;
  a.write = write;
}

// Reads in their order, then what is only written: of several errors the first counts.
// Duplicates by comparing all pairs for the usual few operands, by a table for many.
void collect(Links* l, const Request& r) {
  constexpr int FEW = 16;
  std::unordered_map<Var*, int> table;
  bool few = r.n_reads + r.n_writes <= FEW;
  auto find = [&](Var* var) {
    if (!few) {
      auto [entry, is_new] = table.emplace(var, l->count);
      return is_new ? -1 : entry->second;
    }
    for (int i = 0; i < l->count; ++i)
      if (l->access[i].var == var) return i;
    return -1;
  };
  for (int i = 0; i < r.n_reads; ++i)
    if (find(r.reads[i]) < 0) add_access(l, r.reads[i], false);
  int reads = l->count;
  for (int i = 0; i < r.n_writes; ++i) {
    int at = find(r.writes[i]);
    if (at < 0)
      add_access(l, r.writes[i], true);
    else if (at < reads)
      l->access[at].write = l->access[at].also_read = true;
  }
}

#ifdef MXCY_DEBUG
bool is_among(Var* var, Var** first, int count) { return std::find(first, first + count, var) != first + count; }

void check_all(const Request& r, bool entering) {
  for (int i = 0; i < r.n_writes; ++i) {
    if (is_among(r.writes[i], r.writes, i)) continue;
    entering ? check_enter(r.writes[i], true, r.op->name) : check_leave(r.writes[i], true);
  }
  for (int i = 0; i < r.n_reads; ++i) {
    if (is_among(r.reads[i], r.writes, r.n_writes)) continue;
    entering ? check_enter(r.reads[i], false, r.op->name) : check_leave(r.reads[i], false);
  }
}
#endif

}  // namespace

#ifdef MXCY_DEBUG
static void check(bool ok, const char* name) {
  if (ok) return;
  std::fprintf(stderr, "mxcy: operation '%s' runs beside one that it conflicts with\n", name);
  std::abort();
}

void check_enter(Var* var, bool write, const char* name) {
  if (write)
    check(var->checked_writers.fetch_add(1) == 0 && var->checked_readers.load() == 0, name);
  else
    check(var->checked_readers.fetch_add(1) >= 0 && var->checked_writers.load() == 0, name);
}

void check_leave(Var* var, bool write) { (write ? var->checked_writers : var->checked_readers).fetch_sub(1); }
#endif

void recycle_links() {
  for (int c = 0; c <= N_ROOMS; ++c) recycle(c);
}

Links* link(const Request& r) {
  Links* l = allocate_links(r.n_reads + r.n_writes);
  if (!l) return nullptr;
  l->op = r.op;
  l->bytes = r.op->bytes;
  r.op->links = l;
  collect(l, r);
  for (int i = 0; i < l->count; ++i) pool::hold(l->access[i].var);
  return l;
}

void dispose(Links* l) {
  for (int i = 0; i < l->count; ++i) pool::drop(l->access[i].var);
  delete l->op;
  free_links(l);
}

// --- running -----------------------------------------------------------------------------------

// One for each variable, however often it is named.
static void bump_versions(const Request& r) {
  for (int i = 0; i < r.n_writes; ++i)
    if (std::find(r.writes, r.writes + i, r.writes[i]) == r.writes + i) ++r.writes[i]->version;
}

int run_inline(const Request& r, Failure& failure) {
#ifdef MXCY_DEBUG
  check_all(r, true);
#endif
  bool timed = hook_on.load(std::memory_order_relaxed);
  int64_t begin = timed ? now_ns() : 0;
  int status = r.op->run(failure);
  if (timed) record_event(r.op, begin, now_ns());
#ifdef MXCY_DEBUG
  check_all(r, false);
#endif
  bump_versions(r);
  return status;
}

int64_t run_begin(Links* l) {
#ifdef MXCY_DEBUG
  for (int i = 0; i < l->count; ++i)
    if (!l->access[i].borrowed) check_enter(l->access[i].var, l->access[i].write, l->op->name);
#else
  (void)l;
#endif
  return hook_on.load(std::memory_order_relaxed) ? now_ns() : 0;
}

void run_end(Links* l, int64_t begin) {
  if (begin) record_event(l->op, begin, now_ns());
#ifdef MXCY_DEBUG
  for (int i = 0; i < l->count; ++i)
    if (!l->access[i].borrowed) check_leave(l->access[i].var, l->access[i].write);
#endif
}

void run_op(Links* l, Result& result) {
  int64_t begin = run_begin(l);
  result.status = l->op->run(result.failure);
  run_end(l, begin);
}

}  // namespace mxcy::engine
