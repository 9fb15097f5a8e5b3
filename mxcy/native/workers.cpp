// Where operations run: three lanes of threads, and parallel_for.  When they may run is engine.cpp's.
//
// A lane has a heap of ready operations and up to `target` threads, started when there is something to
// do.  Of the threads that have nothing to do, one watches for a moment and the others sleep at once.
// Waking a sleeper costs the pushing thread a system call (2 to 13 us), calling the watcher a store.  More
// than one watcher would delay the very thread that it waits for, on a machine whose cores are all in use.
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "cores.hpp"
#include "engine.hpp"
#include "workspace.hpp"

namespace mxcy::engine {

Callbacks callbacks;

namespace {

bool is_serial = false;
constexpr int IO_THREADS = 4;
// Waits without sleep: of an idle thread for work, and of a loop for the pieces that others still run.
// A step of a small network has about 100 us between two operations that are split.
constexpr auto WATCH = std::chrono::microseconds(200), LAST_PIECES = std::chrono::microseconds(50);
constexpr float LONG_NS = 400'000;  // an operation that runs long enough to call another thread beforehand
constexpr float MOST_LENT_NS = 50'000'000;  // that a waiting thread runs; meanwhile it does not look for signals
constexpr size_t MOST_SEEN = 32;            // ready operations among which it looks for one

// --- heaps -------------------------------------------------------------------------------------

bool runs_after(const Links* a, const Links* b) {
  if (a->op->priority != b->op->priority) return a->op->priority < b->op->priority;
  return a->sequence > b->sequence;
}

int lane_of(const Op* op) {
  return op->lane == LANE_CPU && (op->flags & OP_NEEDS_GIL) ? int(LANE_PYTHON) : int(op->lane);
}

Links* take(LaneState& lane) {
  if (lane.heap.empty() || self->paused) return nullptr;
  std::pop_heap(lane.heap.begin(), lane.heap.end(), runs_after);
  Links* l = lane.heap.back();
  lane.heap.pop_back();
  return l;
}

// --- sleep -------------------------------------------------------------------------------------

MXCY_THREAD Sleeper* own_sleeper = nullptr;

Sleeper* take_sleeper() {
  Sleeper* sleeper;
  if (self->spare_sleepers.empty()) {
    sleeper = new Sleeper;
  } else {
    sleeper = self->spare_sleepers.back();
    self->spare_sleepers.pop_back();
  }
  sleeper->thread = pthread_self();
  return sleeper;
}

// The scheduler likes to put a thread that is called on the core of the one that calls it, which goes on
// with its own part: there it would wait for a slice, 3 ms.  So it may not run there when it wakes.
void keep_off_this_core(Sleeper& sleeper) {
#ifdef __linux__
  if (sleeper.kept_off) return;
  const int here = sched_getcpu();
  if (here < 0 || pthread_getaffinity_np(sleeper.thread, sizeof sleeper.cores, &sleeper.cores)) return;
  cpu_set_t others = sleeper.cores;
  CPU_CLR(here, &others);
  if (CPU_COUNT(&others) == 0) return;
  sleeper.kept_off = pthread_setaffinity_np(sleeper.thread, sizeof others, &others) == 0;
#endif
}

int this_core() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Where the thread that looks out for work last ran.  If that is the core of the one that calls it, it waits
// there for a slice, like one that is woken.
std::atomic<int> watched_from{-1};

void call_watcher(LaneState& lane, bool works_on) {
  lane.called.store(true, std::memory_order_release);
  const int here = works_on ? this_core() : -1;
  if (here >= 0 && watched_from.load(std::memory_order_relaxed) == here)
    keep_off_this_core(*lane.watching.load(std::memory_order_relaxed));
}

void free_to_move(Sleeper& sleeper) {
  if (!sleeper.kept_off) return;
  sleeper.kept_off = false;
#ifdef __linux__
  pthread_setaffinity_np(sleeper.thread, sizeof sleeper.cores, &sleeper.cores);
#endif
}

void sleep_until_called(LaneState& lane, std::unique_lock<std::mutex>& lock) {
  Sleeper& sleeper = *own_sleeper;
  sleeper.called = false;
  sleeper.next = lane.sleepers;
  lane.sleepers = &sleeper;
  sleeper.wake.wait(lock, [&] { return sleeper.called; });
  Sleeper** at = &lane.called_ones;
  while (*at != &sleeper) at = &(*at)->next;
  *at = sleeper.next;
  --lane.coming;
  free_to_move(sleeper);
}

void call(LaneState& lane) {  // the first sleeper
  Sleeper* sleeper = lane.sleepers;
  lane.sleepers = sleeper->next;
  sleeper->called = true;
  sleeper->next = lane.called_ones;
  lane.called_ones = sleeper;
  ++lane.coming;
}

// Sleepers that have been called with the mutex held, to be notified without it.
struct Called {
  static constexpr int MOST = 16;
  Sleeper* sleepers[MOST];
  int count = 0;

  void add(Sleeper* sleeper) {
    if (count < MOST) sleepers[count++] = sleeper;
    else sleeper->wake.notify_one();
  }
  void notify() {
    for (int i = 0; i < count; ++i) sleepers[i]->wake.notify_one();
  }
};

// --- threads -----------------------------------------------------------------------------------

// A worker that wakes does not take the core from a thread of the program, which pushes on and gives it up by
// itself when it waits: otherwise some pushes take a slice, 3 ms.  Refused or not known: they do.  A policy that
// the program has chosen stays.
void run_in_batches(int lane) {
#if defined(__linux__) && defined(SCHED_BATCH)
  const sched_param none{};
  if (lane != LANE_PYTHON && sched_getscheduler(0) == SCHED_OTHER)
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
#endif
}

void thread_main(int lane) {
  worker_lane = lane;
  run_in_batches(lane);
  {
    std::lock_guard<std::mutex> lock(self->mutex);
    own_sleeper = take_sleeper();
  }
#ifdef __linux__
  constexpr const char* NAMES[N_LANES] = {"mxcy-cpu", "mxcy-io", "mxcy-python"};
  pthread_setname_np(pthread_self(), NAMES[lane]);
#endif
  if (lane == LANE_CPU)
    worker_loop(lane);
  else
    callbacks.thread_main(lane);
  // The very last thing: whoever reads this may join the thread.
  std::lock_guard<std::mutex> lock(self->mutex);
  self->spare_sleepers.push_back(own_sleeper);
  self->finished.push_back(std::this_thread::get_id());
}

void join_finished() {
  for (std::thread::id id : self->finished) {
    auto is_it = [id](const std::thread& t) { return t.get_id() == id; };
    auto at = std::find_if(self->threads.begin(), self->threads.end(), is_it);
    if (at == self->threads.end()) continue;
    at->join();
    self->threads.erase(at);
  }
  self->finished.clear();
}

void start_thread(int lane) {
  if (self->finished.size()) join_finished();
  // Signals belong to the threads of the program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    self->threads.emplace_back(thread_main, lane);
    ++self->lanes[lane].threads;
    if (lane != LANE_CPU) ++self->starting;
  } catch (const std::system_error&) {
    // No more threads to be had.  Those that there are do the work; with none, the next push tries again.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// How many threads have been called and have not come yet.
int on_the_way(const LaneState& lane) {
  return lane.coming + (lane.watching && lane.called.load(std::memory_order_relaxed));
}

// For operations that are ready, or pieces of a loop: calls up to `wanted` threads that sleep, or starts some.
// Who `works_on` keeps its core busy itself.
void claim(int index, int wanted, Called& called, bool works_on) {
  LaneState& lane = self->lanes[index];
  if (wanted > 0 && lane.watching && !lane.called.load(std::memory_order_relaxed)) {
    call_watcher(lane, works_on);
    --wanted;
  }
  for (; wanted > 0 && lane.sleepers; --wanted) {
    call(lane);
    if (works_on) keep_off_this_core(*lane.called_ones);
    called.add(lane.called_ones);
  }
  int to_start = self->stopping ? 0 : std::min(wanted, lane.target - (lane.threads - lane.blocked));
  while (to_start-- > 0) start_thread(index);
}

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Looks until `ready()`, or until the time is over; returns whether it became so.  A core that another
// thread wants is left to that one: it may be the very thread that this one waits for.
template <class Ready>
bool spin(std::chrono::microseconds time, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// --- parallel_for ------------------------------------------------------------------------------

bool has_work(const Loop* loop) {
  return Loop::count(loop->taken.load(std::memory_order_relaxed)) < loop->pieces;
}

// `from` is FROM_FRONT or FROM_BACK.
void run_chunks(Loop& loop, uint64_t from) {
  for (;;) {
    const uint64_t taken = loop.taken.fetch_add(from, std::memory_order_relaxed);
    if (Loop::count(taken) >= loop.pieces) return;
    const bool front = from == Loop::FROM_FRONT;
    const int64_t piece = front ? taken % Loop::FROM_BACK : loop.pieces - 1 - taken / Loop::FROM_BACK;
    const int64_t begin = piece * loop.step;
    int result = loop.body(loop.arg, begin, std::min(begin + loop.step, loop.n));
    if (result == 0) continue;
    int none = 0;
    loop.result.compare_exchange_strong(none, result);
    loop.taken.store(uint64_t(loop.pieces), std::memory_order_relaxed);
    return;
  }
}

Loop* find_loop() {
  Loop* loop = self->loops;
  while (loop && !has_work(loop)) loop = loop->next;
  return loop;
}

void help(Loop* loop, std::unique_lock<std::mutex>& lock) {
  ++loop->helpers;
  lock.unlock();
  run_chunks(*loop, Loop::FROM_BACK);
  lock.lock();
  if (--loop->helpers == 0) loop->done.notify_one();
}

void publish(Loop& loop, int helpers) {
  std::unique_lock<std::mutex> lock(self->mutex);
  loop.next = self->loops;
  self->loops = &loop;
  Called called;
  const LaneState& lane = self->lanes[LANE_CPU];
  const int unclaimed = std::max(on_the_way(lane) - int(lane.heap.size()), 0);  // the others come for operations
  claim(LANE_CPU, helpers - unclaimed, called, true);
  lock.unlock();
  called.notify();
}

void retract(Loop& loop) {
  std::unique_lock<std::mutex> lock(self->mutex);
  Loop** at = &self->loops;
  while (*at != &loop) at = &(*at)->next;
  *at = loop.next;
  auto is_done = [&] { return loop.helpers.load(std::memory_order_relaxed) == 0; };
  if (is_done()) return;
  lock.unlock();
  spin(LAST_PIECES, is_done);
  lock.lock();  // the last helper has left the mutex, and with it the loop
  loop.done.wait(lock, is_done);
}

// Looks out for work without the mutex; true if there is some.
bool watch(LaneState& lane, std::unique_lock<std::mutex>& lock) {
  lane.watching = own_sleeper;
  lock.unlock();
  spin(WATCH, [&] {
    const int here = this_core();
    if (watched_from.load(std::memory_order_relaxed) != here) watched_from.store(here, std::memory_order_relaxed);
    return lane.called.load(std::memory_order_acquire);
  });
  lock.lock();
  lane.watching = nullptr;
  free_to_move(*own_sleeper);
  return lane.called.exchange(false, std::memory_order_relaxed);  // it may have been called just now
}

// Waits until there may be something to do.  False: the thread should end.
bool sleep(LaneState& lane, std::unique_lock<std::mutex>& lock) {
  bool watches = &lane == &self->lanes[LANE_CPU] && num_workers() > 1 && !lane.watching && !self->stopping;
  if (watches && watch(lane, lock)) return true;
  if (self->stopping || lane.threads - lane.blocked > lane.target) return false;
  sleep_until_called(lane, lock);
  return true;
}

}  // namespace

int num_workers() {
  static const int cores = is_serial ? 1 : usable_cores();
  return cores;
}

int parallel_for(int64_t n, int64_t grain, LoopBody body, void* arg) {
  if (n <= 0) return 0;
  grain = std::max<int64_t>(grain, 1);
  int64_t pieces = n / grain + (n % grain != 0);
  int threads = int(std::min<int64_t>(num_workers(), pieces));
  // With the GIL held it would keep other threads from what they hold up, so it must not wait for them.
  if (threads == 1 || callbacks.holds_gil()) return body(arg, 0, n);
  Loop loop;
  loop.body = body;
  loop.arg = arg;
  loop.n = n;
  loop.step = grain * std::max<int64_t>(pieces / (threads * 16), 1);
  loop.pieces = n / loop.step + (n % loop.step != 0);
  publish(loop, threads - 1);
  run_chunks(loop, Loop::FROM_FRONT);
  retract(loop);
  return loop.result.load(std::memory_order_relaxed);
}

const Runtime* runtime() {
  static const Runtime table = {parallel_for, num_workers, pool::ensure_data, workspace::allocate,
                                workspace::deallocate, &pool::device_hooks};
  return &table;
}

void initialize(const Callbacks& given, bool serial, bool fuse) {
  callbacks = given;
  is_serial = serial;
  fuses = fuse;
  if (serial) inline_limit.store(-1);
  self->lanes[LANE_CPU].target = num_workers();
  self->lanes[LANE_IO].target = IO_THREADS;
  self->lanes[LANE_PYTHON].target = 1;
  self->bound_bytes = pool::physical_memory() / 4;
}

void make_ready(Links* l) {
  std::vector<Links*>& heap = self->lanes[lane_of(l->op)].heap;
  heap.push_back(l);
  std::push_heap(heap.begin(), heap.end(), runs_after);
}

bool take_ready(Links* l) {
  std::vector<Links*>& heap = self->lanes[lane_of(l->op)].heap;
  auto at = std::find(heap.begin(), heap.end(), l);
  if (at == heap.end()) return false;
  heap.erase(at);
  std::make_heap(heap.begin(), heap.end(), runs_after);
  return true;
}

// A call can cost 40 us, so a thread of the program makes at most one, and none while somebody is on the way:
// who comes calls the next.
void wake(std::unique_lock<std::mutex>& lock, bool begins_long_one) {
  Called called;
  const bool is_worker = worker_lane >= 0;
  if (!self->paused)
    for (int i = 0; i < N_LANES; ++i) {
      LaneState& lane = self->lanes[i];
      const int coming = on_the_way(lane);
      int wanted = int(lane.heap.size()) - coming;
      if (!is_worker && wanted > 0) wanted = coming == 0;
      // It will want help, and what is pushed meanwhile a thread that is awake.
      if (i == LANE_CPU && begins_long_one && coming == 0 && !lane.watching) wanted = std::max(wanted, 1);
      if (wanted > 0) claim(i, wanted, called, is_worker || begins_long_one);
    }
  lock.unlock();
  called.notify();
}

void start_threads() {
  std::lock_guard<std::mutex> lock(self->mutex);
  LaneState& lane = self->lanes[LANE_CPU];
  while (lane.threads < lane.target) {
    int before = lane.threads;
    start_thread(LANE_CPU);
    if (lane.threads == before) return;
  }
}

void worker_loop(int index) {
  LaneState& lane = self->lanes[index];
  std::unique_lock<std::mutex> lock(self->mutex);
  if (index != LANE_CPU && --self->starting == 0 && self->paused) self->parked.notify_all();
  Links* dead = nullptr;
  Error* error = nullptr;
  for (;;) {
    Links* l = take(lane);
    if (!l && !dead) {
      Loop* loop = index == LANE_CPU ? find_loop() : nullptr;
      if (loop)
        help(loop, lock);
      else if (!sleep(lane, lock))
        break;
      continue;
    }
    Batch batch;
    if (l) {
      start(l);
      gather(l, batch);
    }
    wake(lock, l && index == LANE_CPU && l->op->cost_ns > LONG_NS);
    if (dead) dispose(dead);
    if (error) error_release(error);
    dead = nullptr;
    error = nullptr;
    if (l && (l->op->flags & OP_NEEDS_GIL)) {
      callbacks.run_python(l);
    } else if (l && !(batch.fusion && run_batch(batch))) {
      Result result;
      if (!inherits_error(l, result)) run_op(l, result);
      error = outcome(l, result);
      lock.lock();
      complete(l, result, error);
      dead = l;
      continue;
    }
    lock.lock();
  }
  --lane.threads;
}

void block_begin(Waiter& waiter) {
  if (worker_lane < 0) return;
  waiter.blocks = true;
  ++self->lanes[worker_lane].blocked;
}

void block_end(Waiter& waiter) {
  if (!waiter.blocks) return;
  waiter.blocks = false;
  --self->lanes[worker_lane].blocked;
}

// The first ready operation that the thread waits for.
static Links* awaited(const Waiter& waiter) {
  const std::vector<Links*>& heap = self->lanes[LANE_CPU].heap;
  for (size_t i = 0; i < std::min(heap.size(), MOST_SEEN); ++i) {
    Links* l = heap[i];
    if (l->op->cost_ns > MOST_LENT_NS) continue;
    if (waiter.epoch > l->epoch) return l;
    for (int j = 0; j < l->count; ++j)
      if (waiter.access.queued && l->access[j].var == waiter.access.var) return l;
  }
  return nullptr;
}

// Where workers sleep, waking one takes longer than many an operation; who comes then finds its parts.  Who asks
// for one worker wants the work done by one thread at a time.
bool lend_hand(const Waiter& waiter, std::unique_lock<std::mutex>& lock) {
  if (worker_lane >= 0 || current || self->paused || self->lanes[LANE_CPU].target < 2) return false;
  Links* l = awaited(waiter);
  if (!l) return false;
  take_ready(l);
  start(l);
  Batch batch;
  gather(l, batch);
  LaneState& lane = self->lanes[LANE_CPU];
  if (Sleeper* watching = lane.watching.load(std::memory_order_relaxed)) keep_off_this_core(*watching);
  for (Sleeper* s = lane.called_ones; s; s = s->next) keep_off_this_core(*s);
  wake(lock, l->op->cost_ns > LONG_NS);
  if (!batch.fusion || !run_batch(batch)) {
    Result result;
    if (!inherits_error(l, result)) run_op(l, result);
    if (Error* error = finish(l, result)) error_release(error);
  }
  lock.lock();
  return true;
}

// --- life cycle --------------------------------------------------------------------------------

bool drain(int milliseconds) {
  Waiter waiter;
  if (wait_all_begin(waiter)) return true;
  if (wait_slice(waiter, milliseconds)) return true;
  wait_cancel(waiter);
  return false;
}

// Ends the threads.  Nothing may be running or ready; what is pushed meanwhile waits.
static void end_threads(std::unique_lock<std::mutex>& lock) {
  self->stopping = true;
  for (LaneState& lane : self->lanes) {
    while (lane.sleepers) {
      call(lane);
      lane.called_ones->wake.notify_one();
    }
  }
  std::list<std::thread> threads;
  threads.swap(self->threads);
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  lock.lock();
  self->finished.clear();
  self->stopping = false;
}

bool stop(int milliseconds) {
  if (!drain(milliseconds)) return false;
  std::unique_lock<std::mutex> lock(self->mutex);
  end_threads(lock);
  wake(lock);  // for what other threads have pushed meanwhile
  return true;
}

// From now on pushing threads run everything themselves, so the queue only gets shorter.
bool drain_for_exit(int milliseconds) {
  std::unique_lock<std::mutex> lock(self->mutex);
  self->exiting = true;
  ++self->waiting_for_room;
  auto limit = std::chrono::milliseconds(milliseconds);
  bool done = self->room.wait_for(lock, limit, [] { return self->pending == 0; });
  --self->waiting_for_room;
  return done;
}

void exit_threads() {
  std::unique_lock<std::mutex> lock(self->mutex);
  if (self->pending == 0)
    end_threads(lock);
  else
    self->abandoned = true;
}

}  // namespace mxcy::engine
