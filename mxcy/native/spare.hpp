// Memory of records of one size, which threads with the GIL take and any thread returns.
//
// What is taken now and what will be taken next lies in the cache of the thread that returned it, or in none after
// arrays have gone through: so the next piece is fetched while the caller is at work with this one.
#pragma once
#include <atomic>
#include <cstddef>
#include <new>

namespace mxcy {

// Begins to bring memory that will be written soon into this core's cache.
inline void fetch_to_write(const void* p, size_t nbytes) {
  for (size_t at = 0; at < nbytes; at += 64) {
    const char* line = static_cast<const char*>(p) + at;
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*line));  // processors that do not know it do nothing
#else
    __builtin_prefetch(line, 1);
#endif
  }
}

template <class Record>
class Spare {
 public:
  void* take() {
    if (!local_) local_ = remote_.exchange(nullptr, std::memory_order_acquire);
    if (!local_) return ::operator new(sizeof(Record));
    Piece* piece = local_;
    local_ = piece->next;
    if (local_) fetch_to_write(local_, sizeof(Record));
    return piece;
  }

  void give_back(void* memory) {
    Piece* piece = static_cast<Piece*>(memory);
    piece->next = remote_.load(std::memory_order_relaxed);
    while (!remote_.compare_exchange_weak(piece->next, piece, std::memory_order_release,
                                          std::memory_order_relaxed)) {}
  }

 private:
  struct Piece {
    Piece* next;
  };
  Piece* local_ = nullptr;                 // guarded by the GIL
  std::atomic<Piece*> remote_{nullptr};    // taken as a whole
};

}  // namespace mxcy
