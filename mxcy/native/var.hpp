// The engine variable: one per buffer.  The struct is shared by all extension modules; everything
// that changes its queue lives in engine.cpp (linked into mxcy._engine only) and is reached through
// the functions exported by _engine.pxd.
//
// State of a variable, packed into one word so that the inline path tests it with a single load:
//
//   bits  0..30  operations pushed that write it and have not completed
//   bit      31  an error is stored
//   bits 32..62  operations pushed that read it and have not completed
//
//   state == 0                 idle: anybody may read or write it inline
//   (state & NOT_READABLE)==0  no writer outstanding, no error: may be read inline
//
// The counters are raised by `push` (GIL held) and lowered by the completing thread, both under the
// engine lock; they are atomic because the inline path reads them without it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

struct _object;  // PyObject, without including Python.h in pure C++ kernels

namespace mxcy {

struct Error;   // a stored failure; engine.hpp
struct Access;  // an entry of a variable's queue; engine.hpp

constexpr uint64_t ONE_WRITE = 1;
constexpr uint64_t ERROR_BIT = uint64_t(1) << 31;
constexpr uint64_t ONE_READ = uint64_t(1) << 32;
constexpr uint64_t NOT_READABLE = ONE_READ - 1;

struct Var {
  std::atomic<uint64_t> state{0};
  std::atomic<int32_t> refs{1};          // arrays and queued operations that hold it
  uint8_t chunk_class = 0;               // free list that this struct returns to
  uint8_t buffer_class = 0;              // free list that `data` returns to; 0 if it is part of the chunk
  int16_t context = 0;                   // device type << 8 | device id
  std::atomic<int32_t> exports_read{0};  // live read-only exports (NumPy views, DLPack)
  std::atomic<int32_t> exports_write{0}; // live writable exports
  std::atomic<char*> data{nullptr};      // null until somebody writes; then never changes
  size_t nbytes = 0;
  _object* owner = nullptr;              // keeps imported memory alive; null for our own
  uint64_t version = 0;                  // writes pushed or run inline; changed with the GIL held
  // Guarded by the engine lock:
  Access* head = nullptr;
  Access* tail = nullptr;
  uint32_t active_reads = 0;             // operations running (or granted) that read it
  bool active_write = false;
  Error* error = nullptr;
#ifdef MXCY_DEBUG
  std::atomic<int32_t> checked_readers{0}, checked_writers{0};  // "no writer overlaps anyone"
#endif

  bool on_gpu() const { return (context >> 8) == 2; }
  bool readable() const { return (state.load(std::memory_order_acquire) & NOT_READABLE) == 0; }
  bool idle() const { return state.load(std::memory_order_acquire) == 0; }
};

}  // namespace mxcy
