// GPUs: memory, streams and launches.
//
// To the engine, an operation on a GPU is complete when its work is *enqueued* on the device's compute
// stream. All work of a device goes to this one stream, so stream order is the order of dependences among
// GPU operations, and a launch whose inputs are ready needs no worker: it runs inline, in the thread that
// pushes it. What waits for a host-side operation queues in the engine like everything else. Only hosts
// wait for the device itself: `wait`, and copies to main memory.
//
// Memory that an array gives back may be lent again at once: its next use comes later on the stream.
//
// The simulator (NUMBA_ENABLE_CUDASIM=1) has two devices whose memory is main memory and whose kernels are
// Python functions, so that all of this is tested without a GPU.
#pragma once
#include <vector>
#include "op.hpp"
#include "small_vector.hpp"

namespace mxcy::device {

constexpr int MAX_DEVICES = 16;

struct Slot {  // the value of a kernel's parameter
  alignas(16) char bytes[16];
};

struct Launch {
  void* function;  // CUfunction; PyObject* in the simulator
  uint32_t grid[3];
  uint32_t block[3];
  int32_t first, count;  // its slots
};

struct Pointer {  // a slot that receives an address when the operation runs
  int32_t slot;
  Var* var;        // nullptr: the scratch memory of the operation
  int64_t offset;
};

// Kernels over arrays of one device, enqueued one after the other.
struct DeviceOp : Op {
  int device = 0;
  size_t scratch_bytes = 0;
  SmallVector<Slot, 12> slots;
  SmallVector<Pointer, 6> pointers;
  SmallVector<Launch, 2> launches;

  void add_pointer(Var* var, int64_t offset) {
    pointers.push_back(Pointer{int32_t(slots.size()), var, offset});
    slots.push_back(Slot{});
  }
  void add_bytes(const void* value, size_t nbytes) {
    Slot slot{};
    std::memcpy(slot.bytes, value, nbytes);
    slots.push_back(slot);
  }
  void begin_launch(void* function, const uint32_t* grid, const uint32_t* block) {
    launches.push_back(Launch{function, {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]},
                              int32_t(slots.size()), 0});
  }
  void end_launch() {
    Launch& last = launches[launches.size() - 1];
    last.count = int32_t(slots.size()) - last.first;
  }
  int run(Failure& failure) noexcept override;
};

// nbytes in one run from one place to another, any of which may be on a GPU.
struct TransferOp : Op {
  Var *target = nullptr, *source = nullptr;
  int64_t target_offset = 0, source_offset = 0;
  size_t nbytes = 0;
  int run(Failure& failure) noexcept override;
};

// A host function enqueued like a kernel: products by a library that takes the stream.
struct LibraryOp : Op {
  int device = 0;
  SmallVector<Pointer, 6> pointers;
  SmallVector<int64_t, 16> integers;
  int (*function)(void* stream, char** addresses, const int64_t* integers, Failure& failure) = nullptr;
  int run(Failure& failure) noexcept override;
};

// Runs launch `number` of an operation; `scratch` is its scratch memory.
using Simulate = int (*)(const DeviceOp& op, int number, char* scratch, Failure& failure);

// Finds the driver, or sets up the simulator. Returns the number of devices; 0: `reason` says why.
int initialise(bool simulated, Simulate simulate, char* reason, size_t size);
DeviceHooks hooks();
int open(int device, Failure& failure);  // makes the context and the streams; may be repeated
void* load(int device, const char* image, const char* entry, Failure& failure);  // a CUfunction
int synchronise(int device, Failure& failure);
int read(int device, char* target, const char* source, size_t nbytes, Failure& failure);  // to main memory
int attribute(int device, int number);
void name_of(int device, char* text, int size);
int driver_version();
int memory_info(int device, size_t* free, size_t* total, Failure& failure);
int trim(int device, Failure& failure);  // returns memory that no array uses to the driver
struct Usage {
  size_t held, cached;
};
Usage usage(int device);
// Where kernels leave the number of an operation that met an index out of range; see `trap_name`.
char* trap(int device);
int trap_number(const char* name);  // name: static storage duration
void* compute_stream(int device);
// For memory of other libraries: waits for what they (nullptr: we) have enqueued on a stream; the GPU that an
// address belongs to, or -1.
int wait_for(int device, void* stream, Failure& failure);
int device_of(const char* data);

// Time of work on the compute stream, in milliseconds: begin, enqueue, end.
void* timer_begin(int device, Failure& failure);
int timer_end(int device, void* timer, float* milliseconds, Failure& failure);

}  // namespace mxcy::device
