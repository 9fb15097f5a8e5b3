// What a fork does to the engine: the parent waits until nothing is half done, the child goes on without the other
// threads.
//
// Python's handlers of a fork only announce it: other modules' handlers run after ours, and between any two steps
// of theirs the interpreter may switch to a thread that waits for our mutexes with the GIL.  So the mutexes are
// taken by the handlers of the C library, and given back by them in the parent: no Python runs in between.
#include <pthread.h>

#include <chrono>

#include "engine.hpp"

namespace mxcy::engine {

// Whether a fork leaves nothing half done.  The interpreter links the state of a new thread under a lock of
// its own, without the GIL; a child that is forked meanwhile would wait for that lock for ever (CPython 3.11
// looks at the list of states before it makes the lock anew).
static bool quiet() {
  if (self->starting) return false;
  for (Links* l = self->running; l; l = l->next)
    if (!runs_in_this_thread(l)) return false;
  return true;
}

bool fork_prepare(int milliseconds) {
  if (!current) drain(milliseconds);
  std::unique_lock<std::mutex> lock(self->mutex);
  self->paused = true;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  return self->parked.wait_until(lock, deadline, quiet);
}

static thread_local bool announced = false;  // the next fork of this thread is Python's
static bool locked = false;                  // by the thread that forks

static void lock_all() {
  if (!announced) return;
  constexpr auto while_holding_the_gil = std::chrono::milliseconds(200);
  std::unique_lock<std::mutex> lock(self->mutex);
  self->paused = true;  // another thread may have forked since, and gone on
  self->parked.wait_for(lock, while_holding_the_gil, quiet);  // what has started since then
  lock.release();
  pool::lock_for_fork();
  failures_lock_for_fork();
  locked = true;
}

static void unlock_all() {
  if (!locked) return;
  locked = false;
  failures_unlock_after_fork();
  pool::unlock_after_fork();
  self->mutex.unlock();
}

static void go_on() {
  if (!announced) return;
  announced = false;
  unlock_all();
  std::unique_lock<std::mutex> lock(self->mutex);
  self->paused = false;
  wake(lock);
}

bool fork_lock() {
  [[maybe_unused]] static int known = pthread_atfork(lock_all, go_on, nullptr);
  announced = true;
  std::lock_guard<std::mutex> lock(self->mutex);
  return quiet();
}

void fork_parent() { go_on(); }

// The other threads are gone, but the condition variables and the list of threads count on them: they are
// made anew without the destructors of the old ones.  The mutexes belong to this thread.
void fork_child() {
  announced = false;
  if (locked) {
    failures_unlock_after_fork();
    pool::unlock_after_fork();
  } else {  // the announcement was interrupted
    new (&self->mutex) std::mutex;
    self->mutex.lock();
  }
  locked = false;
  new (&self->room) std::condition_variable;
  new (&self->parked) std::condition_variable;
  new (&self->threads) std::list<std::thread>;
  self->finished.clear();
  self->waiting_for_room = self->starting = 0;
  self->paused = false;
  self->loops = nullptr;
  for (int i = 0; i < N_LANES; ++i) {
    LaneState& lane = self->lanes[i];
    lane.sleepers = lane.called_ones = nullptr;
    lane.blocked = lane.coming = 0;
    lane.watching = nullptr;
    lane.called.store(false);
    lane.threads = i == worker_lane ? 1 : 0;
  }
  std::unique_lock<std::mutex> lock(self->mutex, std::adopt_lock);
  forget_other_threads();
  wake(lock);
}

}  // namespace mxcy::engine
