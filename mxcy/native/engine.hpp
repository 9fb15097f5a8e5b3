// The dependency engine.  engine.cpp decides when an operation may run, workers.cpp decides where;
// fusion.cpp lets some run as one; links.cpp keeps an operation's record, failures.cpp what it leaves behind,
// forks.cpp what a fork leaves of it, pool.cpp the memory.
//
// The engine guarantees the result of running all operations one after the other in the order of
// their pushes, and runs everything else at the same time.
//
// A variable is in one of these states (R, W: operations running on it; queue: accesses that wait):
//
//   state          R    W   queue                           a new read       a new write
//   idle           0    0   empty                           granted          granted
//   reading n      n    0   empty, or starts with a write   granted/queued   queued
//   writing        0    1   anything                        queued           queued
//   failed         as above, and `error` is set: an operation that gets it as an input does not run but
//                  passes the same error on to all that it writes
//
// An access is granted when it reaches the head of the queue and nobody conflicts; an operation is
// ready when its last access has been granted.  A wait is an access of its own that is complete as
// soon as it is granted, so that it waits for everything pushed before it and for nothing pushed later.
//
// Locks, in the order in which they may be taken together:
//
//   GIL            pushes (so they are in one order), Var::version, the pool's unlocked free lists
//   Engine::mutex  every queue, counter and heap: Var::{head, tail, active_*, error}, changes of
//                  Var::state, all of Engine.  One lock for all of it: an operation touches three or
//                  four variables in a hundred nanoseconds, and taking a lock for each costs more than
//                  it saves (docs/decisions/0002-one-engine-lock.md).
//   pool, graveyard, events: leaves, nothing is locked while they are held
//
// Nobody waits for the GIL with Engine::mutex held.
#pragma once
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>
#include "op.hpp"
#include "pool.hpp"

namespace mxcy {

constexpr int N_LANES = 3;
constexpr uint8_t OP_CALLABLE = 128;  // the operation is a PythonOp
constexpr float WORTH_LENDING_NS = 12'000;  // of an operation in the pushing thread that another one shares
constexpr int DEFAULT_FP_MASK = 1 | 1 << 3 | 1 << 9;  // numpy: warn of divide, overflow and invalid
enum { FP_IGNORE = 0, FP_WARN, FP_RAISE, FP_CALL, FP_PRINT, FP_LOG };  // numpy's actions, 3 bits a flag

// The Python line that pushed an operation: a code object (owned) and an instruction.
struct Site {
  _object* code = nullptr;
  int lasti = -1;
};

// What to do about floating-point flags: numpy's error mask, and the function or log object (owned).
struct FpState {
  int mask = DEFAULT_FP_MASK;
  _object* handler = nullptr;
};

// A failure, shared by every variable that it has reached.
struct Error {
  std::atomic<int32_t> refs{1};
  std::atomic<bool> seen{false};
  int kind = FAIL_NONE;
  const char* name = nullptr;
  Site site;
  uint64_t sequence = 0;          // of the operation that failed
  _object* exception = nullptr;   // owned; null: built from kind and text when it is raised
  char text[256];
};

// Floating-point flags of a finished operation that nobody has been told of yet.
struct Notice {
  int flags;
  const char* name;
  Site site;
  FpState fp;
  std::vector<Var*> vars;  // not owned: a variable that dies leaves the list
};

struct Access {
  struct Links* links;    // null: a wait
  struct Waiter* waiter;  // of a wait
  Var* var;
  Access* next;           // in the variable's queue
  bool write;
  bool also_read;         // a write that was also among the reads
  bool borrowed;          // an operation that encloses this one holds the variable already
  bool queued;            // in the queue, not granted
};

// A thread that sleeps until an access is granted or an operation completes.  Lives on its stack.
struct Waiter {
  std::condition_variable cv;
  bool done = false;
  bool blocks = false;    // counted in LaneState::blocked
  uint64_t epoch = 0;     // of a wait for everything
  struct Links* links = nullptr;  // of a wait for one operation
  Error* error = nullptr; // owned: of that operation, unless it came from its inputs
  Access access{};
  Waiter* next = nullptr; // Engine::waiters
};

// What the engine keeps of an operation from push to completion.
struct Links {
  Op* op;
  int32_t waits;         // accesses not granted yet
  int32_t count;         // accesses
  uint64_t sequence;
  uint64_t epoch;
  Site site;
  FpState fp;
  Waiter* waiter;        // told of the completion, or of readiness if by_pusher
  bool by_pusher;        // the pushing thread runs it
  Links* leader;         // the operation that it runs together with (fusion.cpp); null: it runs alone
  Links* follower;       // the next of those
  bool admitted;         // counted for back-pressure
  uint8_t size_class;    // free list that this memory returns to
  size_t bytes;
  Links* previous;       // Engine::running
  Links* next;
  Links* outer;          // the operation that this thread was running before
  Access access[1];
};

// A Python callable.  Made, run and deleted with the GIL held.
struct PythonOp final : Op {
  _object* callable;
  explicit PythonOp(_object* owned) : callable(owned) { flags = OP_NEEDS_GIL | OP_CALLABLE; }
  ~PythonOp() override;
  int run(Failure& failure) noexcept override { return failure.fail(FAIL_RUNTIME, "not called from here"); }
};

// One parallel_for.  Lives on the stack of the thread that called it.  That thread takes pieces from the front
// and helpers take them from the back, so that operations that follow each other find in a core's cache what
// the same core left there.
struct Loop {
  LoopBody body;
  void* arg;
  int64_t n, step, pieces;        // of `step` units each, the last one maybe fewer; less than FROM_BACK
  std::atomic<uint64_t> taken{0};  // 1 for each piece from the front, FROM_BACK for each one from the back
  std::atomic<int> result{0};
  std::atomic<int> helpers{0};  // written with Engine::mutex held
  std::condition_variable done;
  Loop* next = nullptr;

  static constexpr uint64_t FROM_FRONT = 1, FROM_BACK = uint64_t(1) << 32;
  static int64_t count(uint64_t taken) { return int64_t(taken % FROM_BACK + taken / FROM_BACK); }
};

struct Event {
  const char* name;
  int lane;
  uint64_t thread;
  int64_t start_ns, end_ns;
};

// How one worker sleeps.  Never freed, only used again: who calls it notifies it without the mutex, and by
// then it may have woken by itself and ended.
struct Sleeper {
  std::condition_variable wake;
  Sleeper* next = nullptr;
  pthread_t thread{};
  cpu_set_t cores;      // those that it may use, where `kept_off` one of them
  bool called = false, kept_off = false;
};

struct LaneState {
  std::vector<Links*> heap;     // by priority, then sequence
  Sleeper* sleepers = nullptr;  // that nobody has called yet, the latest first
  Sleeper* called_ones = nullptr;  // that do not run yet
  int coming = 0;                  // their number
  int threads = 0;
  int blocked = 0;  // of threads: inside an operation that waits
  int target = 0;   // threads that should be able to run
  std::atomic<Sleeper*> watching{nullptr};  // of the thread that looks out for work before it sleeps
  std::atomic<bool> called{false};  // there is some for it
};

struct Engine {
  std::mutex mutex;
  LaneState lanes[N_LANES];
  Loop* loops = nullptr;
  Links* running = nullptr;
  Waiter* waiters = nullptr;
  uint64_t next_sequence = 1;
  std::deque<uint64_t> epochs{0};  // unfinished operations since each wait for everything
  uint64_t first_epoch = 0;
  size_t pending = 0;                       // operations admitted and not complete
  size_t pending_bytes = 0;
  size_t bound_operations = 10000;
  size_t bound_bytes = 0;
  int waiting_for_room = 0;
  std::condition_variable room;
  std::vector<Error*> unseen;
  std::vector<Notice*> notices;
  std::condition_variable parked;           // a running operation has ended while `paused`
  std::list<std::thread> threads;
  std::vector<std::thread::id> finished;    // threads to join
  std::vector<Sleeper*> spare_sleepers;
  int starting = 0;                         // threads that may be about to make their Python thread state
  bool paused = false;                      // for fork: nothing starts
  bool stopping = false;
  bool exiting = false;                     // the interpreter goes down: pushing threads run everything
  bool abandoned = false;                   // it did not wait for all: what waits for the rest never runs
};

namespace engine {

extern Engine* const self;
extern std::atomic<float> inline_limit;      // ns; negative: everything takes the full path
extern std::atomic<bool> hook_on;
extern std::atomic<size_t> notice_count;     // size of Engine::notices, readable without the lock
// In the static block of each thread: one load, and nothing to free when the thread ends.
#define MXCY_THREAD __attribute__((tls_model("initial-exec"))) __thread
extern MXCY_THREAD Links* current;           // innermost operation that this thread runs
extern MXCY_THREAD int worker_lane;          // lane of this worker thread; -1 in all others
// Null, or what takes the operations that are pushed (_segment.pyx); guarded by the GIL.
using Recorder = int (*)(Op* op, Var** reads, int n_reads, Var** writes, int n_writes);
extern Recorder recorder;

// --- pushing: engine.cpp; link, dispose, run_*: links.cpp (GIL held) ---
struct Request {
  Op* op;
  Var** reads;
  Var** writes;
  int n_reads, n_writes;
};
enum Outcome { QUEUED = 0, RUN_HERE, SUSPENDED, MISUSE, NEVER, ABANDONED };  // see _failures.py

inline bool runs_inline(const Request& r) {
  if (recorder) return false;
  if (r.op->cost_ns > inline_limit.load(std::memory_order_relaxed)) return false;
  if (r.op->lane != LANE_CPU || (r.op->flags & OP_CALLABLE)) return false;
  for (int i = 0; i < r.n_writes; ++i)
    if (!r.writes[i]->idle()) return false;
  for (int i = 0; i < r.n_reads; ++i)
    if (!r.reads[i]->readable()) return false;
  return true;
}
// Marks one that could run inline if it is worth sharing with the worker that looks out for work: it takes the
// full path, as it then runs without the GIL.
inline bool share(const Request& r) {
  if (!(r.op->flags & OP_FUSES) || r.op->cost_ns < WORTH_LENDING_NS) return false;
  const LaneState& lane = self->lanes[LANE_CPU];
  const bool called = lane.called.load(std::memory_order_relaxed);
  if (called || !lane.watching.load(std::memory_order_relaxed)) return false;
  r.op->flags |= OP_SHARED;
  return true;
}
int run_inline(const Request& r, Failure& failure);
bool has_exports(const Request& r);
// Makes the list of accesses: duplicates collapse, a read that is also a write is a write.
Links* link(const Request& r);
// RUN_HERE: the caller runs it now.  SUSPENDED: the caller waits for `waiter`, enters and runs it.
// MISUSE: it writes what an operation that encloses it only reads.  NEVER: it would wait for one that
// waits for an operation that encloses it.  ABANDONED: for one that the exit has given up.  In all of these
// cases nothing has happened.
// QUEUED with wants_result: `waiter` will be told of the completion and of the error.
Outcome submit(Links* links, Waiter& waiter, bool wants_result);
void start(Links* links);       // mutex held: the calling thread runs it from now on
void enter(Links* links);       // the same for a suspended one
void withdraw(Links* links);    // takes a suspended operation back and deletes it
void dispose(Links* links);     // deletes one that was not submitted, or is complete, and its operation
void recycle_links();           // takes back the memory and the references of completed ones
bool has_room(size_t bytes);
bool wait_for_room(size_t bytes, int milliseconds);  // without the GIL

// --- completing: engine.cpp ---
struct Result {
  int status = 0;
  Failure failure;
  Error* inherited = nullptr;      // owned: why it did not run
  _object* exception = nullptr;    // owned: what a Python callable raised
};
Error* error_of_inputs(const Links* links);         // borrowed; null: it may run
bool inherits_error(Links* links, Result& result);  // true: do not run it
void run_op(Links* links, Result& result);
int64_t run_begin(Links* links);                    // run_op in two halves, for Python callables
void run_end(Links* links, int64_t begin);
#ifdef MXCY_DEBUG
void check_enter(Var* var, bool write, const char* name);  // links.cpp: aborts if it conflicts with others
void check_leave(Var* var, bool write);
#endif
// Takes the outcome to the written variables, grants what follows and deletes the operation.  Returns an
// owned reference to the error, or null.
Error* finish(Links* links, Result& result);
Error* outcome(Links* links, Result& result);                // the part before the mutex
void complete(Links* links, Result& result, Error* error);   // the part under it; dispose comes after

// --- fusion.cpp ---
extern bool fuses;
// Operations that run as one: the first is ready and taken, the others follow from it or were ready, too.
struct Batch {
  std::unique_ptr<Fusion> fusion;
  std::vector<Links*> members;
};
bool gather(Links* first, Batch& batch);  // mutex held: finds what can run with it; false: nothing
bool run_batch(Batch& batch);             // runs, finishes and deletes all; false: only the first may run now
void part(Links* first);                  // mutex held: those behind it run for themselves again

// --- waiting: engine.cpp ---
Outcome wait_begin(Waiter& waiter, Var* var, bool for_write);  // RUN_HERE: nothing to wait for; NEVER
bool wait_all_begin(Waiter& waiter);
bool wait_slice(Waiter& waiter, int milliseconds);          // without the GIL; true: done
void wait_cancel(Waiter& waiter);

// --- failures.cpp ---
Error* make_error(const Failure& failure, const char* name, _object* exception);
Error* fp_error(const Links* links, const Failure& failure);        // null: no flag asks for an exception
void add_notice(Links* links, const Failure& failure);              // mutex held
void fail_inline(const Request& r, Error* error);                   // stores the error of run_inline
Error* error_of(Var* var);                                          // owned reference, or null
void set_error(Var* var, Error* error);                             // owned reference; null clears
void assign_error(Var* var, Error* error);                          // mutex held; borrowed reference
void error_release(Error* error);
void remember_unseen(Error* error);                                  // mutex held; borrowed reference
bool leave_unseen(Var* var);                                        // its error, if any, counts as untold
std::vector<Error*> take_unseen();                                  // owned references, in order of push
struct Counters {
  size_t operations, nbytes, unseen_errors;
};
Counters count();
std::vector<Notice*> take_notices(Var* var);                        // owned; null: all
void var_dies(Var* var);
// References to Python objects that threads without the GIL have dropped: kept until somebody has it.
void bury(_object* object);
void sweep();                                                       // with the GIL
void sweep_some();                                                  // only if there are many
void record_event(const Op* op, int64_t start_ns, int64_t end_ns);  // for the profiler
void record_wait(int64_t start_ns);                                 // of this thread, until now
std::vector<Event> take_events(size_t at_least);
int64_t now_ns();
void failures_lock_for_fork();
void failures_unlock_after_fork();

// --- workers.cpp ---
struct Callbacks {
  void (*thread_main)(int lane);     // runs worker_loop in a thread that has a Python thread state
  void (*run_python)(Links* links);  // runs and finishes an operation with the GIL
  int (*holds_gil)();
  void (*decref)(_object* object);   // with the GIL held
};
void initialize(const Callbacks& callbacks, bool serial, bool fuses);
extern Callbacks callbacks;
int num_workers();
int parallel_for(int64_t n, int64_t grain, LoopBody body, void* arg);
const Runtime* runtime();
void worker_loop(int lane);
void start_threads();                           // all of the CPU lane, which else start when there is work
int io_threads(int at_least);                  // how many the IO lane may have, after raising that
void set_bounds(size_t operations, size_t nbytes);
void make_ready(Links* links);                  // mutex held
bool take_ready(Links* links);                  // mutex held: takes it out of its lane again
// Wakes (or starts) workers for what is ready; unlocks.
void wake(std::unique_lock<std::mutex>& lock, bool begins_long_one = false);
void block_begin(Waiter& waiter);               // mutex held: this thread waits inside an operation
void block_end(Waiter& waiter);
// Mutex held: a thread of the program that is about to sleep runs one operation that it waits for; false: there
// is none for it.
bool lend_hand(const Waiter& waiter, std::unique_lock<std::mutex>& lock);
// All of these without the GIL:
bool drain(int milliseconds);                   // false: not done in that time
bool stop(int milliseconds);
bool drain_for_exit(int milliseconds);
void exit_threads();
// --- forks.cpp ---
bool fork_prepare(int milliseconds);            // nothing starts any more; false: something still runs
bool fork_lock();                               // false: something has started meanwhile
void fork_parent();
void fork_child();
bool runs_in_this_thread(const Links* links);   // engine.cpp
void forget_other_threads();                    // engine.cpp: in the child

}  // namespace engine
}  // namespace mxcy
