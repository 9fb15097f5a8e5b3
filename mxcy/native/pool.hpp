// Memory of variables: chunks (variable and small buffer in one piece) on free lists that the GIL
// guards, and larger buffers by size class, cached up to a bound so that steady state has no page faults.
#pragma once
#include <cstddef>
#include "op.hpp"

namespace mxcy::pool {

constexpr size_t ALIGNMENT = 64;
constexpr size_t SMALL_BYTES = 16384;  // up to here a buffer is part of its variable's chunk

// --- with the GIL held ---
Var* new_var(size_t nbytes, int16_t context);  // nullptr: out of memory
Var* import_var(char* data, size_t nbytes, _object* owner);
void release(Var* var);  // drops one reference

// --- any thread ---
inline void hold(Var* var) { var->refs.fetch_add(1, std::memory_order_relaxed); }
void drop(Var* var);  // drops one reference
char* ensure_data(Var* var);
void* allocate(size_t nbytes);
void deallocate(void* p, size_t nbytes);
void trim();  // returns every cached buffer to the system

struct Usage {
  size_t held, cached, limit;  // bytes of large buffers: handed out, kept for reuse, most to keep
  size_t peak;                 // most that were handed out at once, without workspaces
};
extern DeviceHooks device_hooks;

Usage usage(bool new_peak);  // new_peak: the peak begins anew with what is held now
void set_limit(size_t nbytes);
size_t limit();
size_t physical_memory();

void lock_for_fork();
void unlock_after_fork();

}  // namespace mxcy::pool
