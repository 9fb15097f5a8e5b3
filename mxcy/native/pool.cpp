#include "pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "engine.hpp"
#include "spare.hpp"
#include "workspace.hpp"

namespace mxcy::pool {

DeviceHooks device_hooks;

namespace {

// --- chunks --------------------------------------------------------------------------------------
// Classes 0..4 hold this many bytes behind the variable, class 5 none.
constexpr size_t CHUNK_BYTES[] = {64, 256, 1024, 4096, SMALL_BYTES, 0};
constexpr int N_CHUNKS = 6;
constexpr int BARE = 5;
constexpr size_t HEADER = 128;
static_assert(sizeof(Var) <= HEADER);
constexpr size_t CHUNK_CACHE = size_t(256) << 20;  // bytes of chunks to keep

struct Free {
  Free* next;
};

struct ChunkList {
  Free* local = nullptr;               // guarded by the GIL
  std::atomic<Free*> remote{nullptr};  // returned by threads without the GIL; taken as a whole
};

ChunkList chunks[N_CHUNKS];
size_t chunk_bytes_cached = 0;  // in the local lists; guarded by the GIL

int chunk_class(size_t nbytes) {
  if (nbytes <= 64) return 0;
  if (nbytes <= 256) return 1;
  if (nbytes <= 1024) return 2;
  if (nbytes <= 4096) return 3;
  return nbytes <= SMALL_BYTES ? 4 : BARE;
}

size_t chunk_size(int c) { return HEADER + CHUNK_BYTES[c]; }

// The slow half of taking a chunk: those returned by other threads, else a fresh one.
Free* refill(int c) {
  Free* first = chunks[c].remote.exchange(nullptr, std::memory_order_acquire);
  if (!first) {
    first = static_cast<Free*>(std::aligned_alloc(ALIGNMENT, chunk_size(c)));
    if (!first) return nullptr;
    first->next = nullptr;
  }
  for (Free* f = first; f; f = f->next) chunk_bytes_cached += chunk_size(c);
  return first;
}

void return_chunk_local(Free* chunk, int c) {
  if (chunk_bytes_cached > CHUNK_CACHE) {
    std::free(chunk);
    return;
  }
  chunk_bytes_cached += chunk_size(c);
  chunk->next = chunks[c].local;
  chunks[c].local = chunk;
}

void return_chunk_remote(Free* chunk, int c) {
  Free* head = chunks[c].remote.load(std::memory_order_relaxed);
  do {
    chunk->next = head;
  } while (!chunks[c].remote.compare_exchange_weak(head, chunk, std::memory_order_release,
                                                   std::memory_order_relaxed));
}

Var* make(int c, size_t nbytes, int16_t context) {
  Free* chunk = chunks[c].local;
  if (!chunk && !(chunk = refill(c))) return nullptr;
  chunks[c].local = chunk->next;
  if (c == BARE && chunk->next) fetch_to_write(chunk->next, sizeof(Var));  // of what is pushed
  chunk_bytes_cached -= chunk_size(c);
  Var* var = new (chunk) Var;
  var->chunk_class = uint8_t(c);
  var->context = context;
  var->nbytes = nbytes;
  return var;
}

// --- buffers -------------------------------------------------------------------------------------
// Eight classes to each power of two, from 1 KiB on: class 1 + 8k + j holds 2^(10+k) * (8 + j) / 8 bytes,
// so at most a ninth of a buffer is unused.
constexpr int FIRST_SHIFT = 10;
constexpr int N_BUFFERS = 1 + 8 * 31;
constexpr int ON_GPU = 255;  // the buffer_class of memory that the GPU runtime has lent
static_assert(N_BUFFERS <= ON_GPU);
constexpr size_t HUGE_BYTES = size_t(4) << 20;  // from here on by mmap, in huge pages where there are any

size_t class_bytes(int c) {
  return ((size_t(1) << (FIRST_SHIFT + (c - 1) / 8)) / 8) * size_t(8 + (c - 1) % 8);
}

int buffer_class(size_t nbytes) {
  if (nbytes <= (size_t(1) << FIRST_SHIFT)) return 1;
  int shift = 63 - __builtin_clzll(nbytes - 1);  // 2^shift <= nbytes - 1
  size_t eighth = size_t(1) << (shift - 3);
  int j = int((nbytes - (size_t(1) << shift) + eighth - 1) / eighth);
  int c = 1 + 8 * (shift - FIRST_SHIFT) + j;
  return c < N_BUFFERS ? c : 0;
}

// A cached buffer keeps its place in two lists in its own first bytes.
struct Cached {
  Cached *below, *above;  // of the same class: a stack
  Cached *older, *newer;  // of all classes
  int c;
};

std::mutex buffer_mutex;  // guards everything below
Cached* stacks[N_BUFFERS];
Cached *oldest, *newest;
size_t held_bytes, cached_bytes, limit_bytes, peak_bytes;

size_t default_limit() {
  if (const char* text = std::getenv("MXCY_POOL_LIMIT")) return std::strtoull(text, nullptr, 10);
  return physical_memory() / 4;
}

void* system_allocate(size_t nbytes) {
  if (nbytes < HUGE_BYTES) return std::aligned_alloc(ALIGNMENT, nbytes);
  void* p = mmap(nullptr, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(p, nbytes, MADV_HUGEPAGE);
#endif
  return p;
}

void system_free(void* p, size_t nbytes) {
  if (nbytes < HUGE_BYTES)
    std::free(p);
  else
    munmap(p, nbytes);
}

void unlink_cached(Cached* b) {
  (b->above ? b->above->below : stacks[b->c]) = b->below;
  if (b->below) b->below->above = b->above;
  (b->older ? b->older->newer : oldest) = b->newer;
  (b->newer ? b->newer->older : newest) = b->older;
  cached_bytes -= class_bytes(b->c);
}

void insert_cached(Cached* b, int c) {
  *b = Cached{stacks[c], nullptr, newest, nullptr, c};
  if (stacks[c]) stacks[c]->above = b;
  (newest ? newest->newer : oldest) = b;
  stacks[c] = newest = b;
  cached_bytes += class_bytes(c);
}

// Takes out the buffers that were returned longest ago, until no more than `limit` bytes are cached.
// They are chained by `below`, to be freed after the lock is gone.
Cached* evict(size_t limit) {
  Cached* out = nullptr;
  while (cached_bytes > limit && oldest) {
    Cached* b = oldest;
    unlink_cached(b);
    b->below = out;
    out = b;
  }
  return out;
}

void free_chain(Cached* b) {
  while (b) {
    Cached* next = b->below;
    system_free(b, class_bytes(b->c));
    b = next;
  }
}

void* allocate_class(int c) {
  {
    std::lock_guard<std::mutex> lock(buffer_mutex);
    held_bytes += class_bytes(c);
    peak_bytes = std::max(peak_bytes, held_bytes);
    if (Cached* b = stacks[c]) {
      unlink_cached(b);
      return b;
    }
  }
  void* p = system_allocate(class_bytes(c));
  if (!p) {
    trim();
    p = system_allocate(class_bytes(c));
  }
  if (!p) {
    std::lock_guard<std::mutex> lock(buffer_mutex);
    held_bytes -= class_bytes(c);
  }
  return p;
}

void deallocate_class(void* p, int c) {
  Cached* out;
  {
    std::lock_guard<std::mutex> lock(buffer_mutex);
    if (!limit_bytes) limit_bytes = default_limit();
    held_bytes -= class_bytes(c);
    insert_cached(static_cast<Cached*>(p), c);
    out = evict(limit_bytes);
  }
  free_chain(out);
}

// Everything but the chunk itself; true if the chunk is still there to be returned.
void dispose(Var* var) {
  if (engine::notice_count.load(std::memory_order_relaxed)) engine::var_dies(var);
  if (var->error) engine::error_release(var->error);
  if (var->buffer_class == ON_GPU)
    device_hooks.release(var->context, var->data.load(std::memory_order_relaxed), var->nbytes);
  else if (var->buffer_class)
    deallocate_class(var->data.load(std::memory_order_relaxed), var->buffer_class);
  if (var->owner) engine::bury(var->owner);
}

char* ensure_on_gpu(Var* var) {
  char* data = nullptr;
  char* fresh = device_hooks.allocate ? device_hooks.allocate(var->context, var->nbytes) : nullptr;
  if (!fresh) return nullptr;
  if (var->data.compare_exchange_strong(data, fresh, std::memory_order_acq_rel)) {
    var->buffer_class = ON_GPU;
    return fresh;
  }
  device_hooks.release(var->context, fresh, var->nbytes);
  return data;
}

bool is_plain(const Var* var) { return !var->buffer_class && !var->error && !var->owner; }

}  // namespace

size_t physical_memory() {
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? size_t(pages) * size_t(size) : size_t(4) << 30;
}

Var* new_var(size_t nbytes, int16_t context) {
  int c = (context >> 8) == 2 ? BARE : chunk_class(nbytes);
  Var* var = make(c, nbytes, context);
  if (var && c != BARE)
    var->data.store(reinterpret_cast<char*>(var) + HEADER, std::memory_order_relaxed);
  return var;
}

Var* import_var(char* data, size_t nbytes, _object* owner) {
  Var* var = make(BARE, nbytes, 1 << 8);  // cpu(0)
  if (!var) return nullptr;
  var->data.store(data, std::memory_order_relaxed);
  var->owner = owner;
  return var;
}

void release(Var* var) {
  // With one reference left nobody else can take one, so the atomic subtraction is not needed.
  if (var->refs.load(std::memory_order_acquire) != 1 &&
      var->refs.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  const bool plain = is_plain(var) && !engine::notice_count.load(std::memory_order_relaxed);
  if (!plain) dispose(var);
  return_chunk_local(reinterpret_cast<Free*>(var), var->chunk_class);
  if (!plain) engine::sweep();  // the owner of imported memory goes now, as Python's users expect
}

void drop(Var* var) {
  if (var->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  dispose(var);
  return_chunk_remote(reinterpret_cast<Free*>(var), var->chunk_class);
}

char* ensure_data(Var* var) {
  char* data = var->data.load(std::memory_order_acquire);
  if (data) return data;
  if (var->on_gpu()) return ensure_on_gpu(var);
  int c = buffer_class(var->nbytes);
  if (!c) return nullptr;
  char* fresh = static_cast<char*>(allocate_class(c));
  if (!fresh) return nullptr;
  // Several readers of an array that nobody has written may come here at once; the first one wins.
  if (var->data.compare_exchange_strong(data, fresh, std::memory_order_acq_rel)) {
    var->buffer_class = uint8_t(c);
    return fresh;
  }
  deallocate_class(fresh, c);
  return data;
}

void* allocate(size_t nbytes) {
  int c = buffer_class(nbytes);
  return c ? allocate_class(c) : nullptr;
}

void deallocate(void* p, size_t nbytes) {
  if (p) deallocate_class(p, buffer_class(nbytes));
}

void trim() {
  workspace::trim(0);
  Cached* out;
  {
    std::lock_guard<std::mutex> lock(buffer_mutex);
    out = evict(0);
  }
  free_chain(out);
}

size_t limit() {
  std::lock_guard<std::mutex> lock(buffer_mutex);
  if (!limit_bytes) limit_bytes = default_limit();
  return limit_bytes;
}

Usage usage(bool new_peak) {
  const size_t most = limit();
  const workspace::Usage work = workspace::usage();
  std::lock_guard<std::mutex> lock(buffer_mutex);
  const Usage found{held_bytes + work.held, cached_bytes + work.cached, most, peak_bytes};
  if (new_peak) peak_bytes = held_bytes;
  return found;
}

void set_limit(size_t nbytes) {
  workspace::trim(nbytes);
  Cached* out;
  {
    std::lock_guard<std::mutex> lock(buffer_mutex);
    limit_bytes = std::max(nbytes, size_t(1));
    out = evict(limit_bytes);
  }
  free_chain(out);
}

void lock_for_fork() {
  workspace::lock_for_fork();
  buffer_mutex.lock();
}

void unlock_after_fork() {
  buffer_mutex.unlock();
  workspace::unlock_after_fork();
}

}  // namespace mxcy::pool
