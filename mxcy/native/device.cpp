#include "device.hpp"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "cuda_driver.hpp"

namespace mxcy::device {

namespace {

using cuda::Address;
using cuda::Handle;

// --- size classes: four to each power of two ----------------------------------------------------------
constexpr size_t SMALLEST = 512;
constexpr int N_CLASSES = 4 * 36;
constexpr size_t SLAB = size_t(8) << 20;  // small buffers are cut from pieces of this size, and stay
constexpr size_t SMALL = size_t(512) << 10;

int size_class(size_t nbytes) {
  if (nbytes <= SMALLEST) return 0;
  const int shift = 63 - __builtin_clzll(nbytes - 1);
  const size_t quarter = size_t(1) << (shift - 2);
  return int(4 * (shift - 9) + (nbytes - (size_t(1) << shift) + quarter - 1) / quarter);
}

size_t class_bytes(int c) { return (SMALLEST << (c / 4)) / 4 * size_t(4 + c % 4); }

struct Device {
  int number = 0;
  bool is_open = false;
  int handle = 0;
  Handle context = nullptr, compute = nullptr, copies = nullptr;
  Handle marker = nullptr;  // event between the two streams; guarded by copy_mutex
  uint32_t* trap = nullptr;
  std::mutex pool_mutex, copy_mutex;
  std::vector<char*> cached[N_CLASSES];  // guarded by pool_mutex, with the rest
  char* slab = nullptr;
  size_t slab_left = 0, held_bytes = 0, cached_bytes = 0;
};

const cuda::Driver* driver = nullptr;
Simulate simulate = nullptr;
int n_devices = 0;
Device devices[MAX_DEVICES];
std::mutex open_mutex;
thread_local int current_device = -1;
std::vector<const char*> trap_names;  // guarded by open_mutex

const char* error_name(int status) {
  const char* name = nullptr;
  driver->cuGetErrorName(status, &name);
  return name ? name : "unknown error";
}

int fail(Failure& failure, int device, const char* call, int status) {
  const char* text = nullptr;
  driver->cuGetErrorString(status, &text);
  return failure.fail(status == cuda::OUT_OF_MEMORY ? FAIL_MEMORY : FAIL_RUNTIME, "gpu(%d): %s: %s (%s)",
                      device, call, text ? text : "unknown", error_name(status));
}

int enter(Device& d, Failure& failure) {
  if (simulate || current_device == d.number) return 0;
  if (int status = driver->cuCtxSetCurrent(d.context)) return fail(failure, d.number, "cuCtxSetCurrent", status);
  current_device = d.number;
  return 0;
}

Device& of(int16_t context) { return devices[context & 0xFF]; }

// --- memory ---------------------------------------------------------------------------------------------
char* system_allocate(size_t nbytes) {
  if (simulate) return static_cast<char*>(std::aligned_alloc(256, (nbytes + 255) & ~size_t(255)));
  Address address = 0;
  return driver->cuMemAlloc(&address, nbytes) == 0 ? reinterpret_cast<char*>(address) : nullptr;
}

void system_free(char* data) {
  if (simulate)
    std::free(data);
  else
    driver->cuMemFree(reinterpret_cast<Address>(data));
}

// Under pool_mutex. Small buffers are never given back to the driver.
void free_cached(Device& d) {
  for (int c = size_class(SMALL) + 1; c < N_CLASSES; ++c) {
    for (char* data : d.cached[c]) system_free(data);
    d.cached_bytes -= d.cached[c].size() * class_bytes(c);
    d.cached[c].clear();
  }
}

char* allocate_from_system(Device& d, size_t nbytes) {
  char* data = system_allocate(nbytes);
  if (!data) {
    free_cached(d);
    data = system_allocate(nbytes);
  }
  return data;
}

char* allocate(Device& d, size_t nbytes) {
  const int c = size_class(nbytes);
  Failure ignored;
  if (c >= N_CLASSES || enter(d, ignored)) return nullptr;
  const size_t size = class_bytes(c);
  std::lock_guard<std::mutex> lock(d.pool_mutex);
  char* data;
  if (!d.cached[c].empty()) {
    data = d.cached[c].back();
    d.cached[c].pop_back();
    d.cached_bytes -= size;
  } else if (size <= SMALL) {
    if (d.slab_left < size) {
      char* slab = allocate_from_system(d, SLAB);
      if (!slab) return nullptr;
      d.slab = slab;
      d.slab_left = SLAB;
    }
    data = d.slab;
    d.slab += size;
    d.slab_left -= size;
  } else {
    data = allocate_from_system(d, size);
    if (!data) return nullptr;
  }
  d.held_bytes += size;
  return data;
}

void release(Device& d, char* data, size_t nbytes) {
  const int c = size_class(nbytes);
  std::lock_guard<std::mutex> lock(d.pool_mutex);
  d.cached[c].push_back(data);
  d.cached_bytes += class_bytes(c);
  d.held_bytes -= class_bytes(c);
}

char* hook_allocate(int16_t context, size_t nbytes) {
  Device& d = of(context);
  return d.is_open ? allocate(d, nbytes) : nullptr;
}

void hook_release(int16_t context, char* data, size_t nbytes) { release(of(context), data, nbytes); }

int no_memory(Failure& failure, Device& d, const char* name, size_t nbytes) {
  size_t free = 0, total = 0;
  if (d.is_open) memory_info(d.number, &free, &total, failure);
  std::lock_guard<std::mutex> lock(d.pool_mutex);
  return failure.fail(FAIL_MEMORY, "%s: gpu(%d) has no memory for %zu bytes (%zu of %zu free, arrays hold %zu)",
                      name, d.number, nbytes, free, total, d.held_bytes);
}

// The address of a variable's buffer, which it gets if it has none.
char* address_of(Var* var) {
  char* data = var->data.load(std::memory_order_acquire);
  if (data || !var->on_gpu()) return data;
  char* fresh = hook_allocate(var->context, var->nbytes);
  if (!fresh) return nullptr;
  if (var->data.compare_exchange_strong(data, fresh, std::memory_order_acq_rel)) {
    var->buffer_class = 255;  // pool.cpp's ON_GPU
    return fresh;
  }
  hook_release(var->context, fresh, var->nbytes);
  return data;
}

// --- streams --------------------------------------------------------------------------------------------
// Work enqueued on `later` from here on comes after all that is enqueued on `earlier`.
int order(Device& d, Handle earlier, Handle later, Failure& failure) {
  if (int status = driver->cuEventRecord(d.marker, earlier)) return fail(failure, d.number, "cuEventRecord", status);
  if (int status = driver->cuStreamWaitEvent(later, d.marker, 0))
    return fail(failure, d.number, "cuStreamWaitEvent", status);
  return 0;
}

// Spins for what is nearly done, then sleeps, so that a long wait does not hold a processor.
int wait_stream(Device& d, Handle stream, Failure& failure) {
  for (int i = 0;; ++i) {
    const int status = driver->cuStreamQuery(stream);
    if (status == 0) return 0;
    if (status != cuda::NOT_READY) return fail(failure, d.number, "the work enqueued so far", status);
    if (i > 200) {
      const int done = driver->cuStreamSynchronize(stream);
      return done ? fail(failure, d.number, "the work enqueued so far", done) : 0;
    }
  }
}

int check_trap(Device& d, Failure& failure) {
  const uint32_t number = d.trap ? __atomic_exchange_n(d.trap, 0, __ATOMIC_RELAXED) : 0;
  if (number == 0) return 0;
  std::lock_guard<std::mutex> lock(open_mutex);
  const char* name = number <= trap_names.size() ? trap_names[number - 1] : "operation";
  return failure.fail(FAIL_INDEX, "%s: an index is out of bounds (on gpu(%d))", name, d.number);
}

int hook_wait(const Var* var, Failure& failure) {
  if (var) return synchronise(var->context & 0xFF, failure);
  int result = 0;
  for (int i = 0; i < n_devices; ++i) {
    if (devices[i].is_open && synchronise(i, failure)) result = -1;
  }
  return result;
}

int open_streams(Device& d, Failure& failure) {
  int status = driver->cuDeviceGet(&d.handle, d.number);
  if (!status) status = driver->cuDevicePrimaryCtxRetain(&d.context, d.handle);
  if (!status) status = driver->cuCtxSetCurrent(d.context);
  current_device = -1;
  if (!status) status = driver->cuStreamCreate(&d.compute, 1);  // not ordered with the default stream
  if (!status) status = driver->cuStreamCreate(&d.copies, 1);
  if (!status) status = driver->cuEventCreate(&d.marker, 2);  // without timing
  void* host = nullptr;
  if (!status) status = driver->cuMemHostAlloc(&host, 64, 3);  // portable and mapped
  if (status) return fail(failure, d.number, "opening the device", status);
  d.trap = static_cast<uint32_t*>(host);
  *d.trap = 0;
  return 0;
}

}  // namespace

// --- interface --------------------------------------------------------------------------------------------
int initialise(bool simulated, Simulate run, char* reason, size_t size) {
  if (simulated) {
    simulate = run;
    n_devices = 2;
  } else {
    driver = cuda::load_driver(reason, size);
    if (!driver) return 0;
    int found = 0;
    if (int status = driver->cuDeviceGetCount(&found)) {
      std::snprintf(reason, size, "the CUDA driver fails: %s", error_name(status));
      return 0;
    }
    n_devices = found < MAX_DEVICES ? found : MAX_DEVICES;
    if (!n_devices) std::snprintf(reason, size, "the CUDA driver sees no GPU");
  }
  for (int i = 0; i < n_devices; ++i) devices[i].number = i;
  return n_devices;
}

DeviceHooks hooks() { return DeviceHooks{hook_allocate, hook_release, hook_wait}; }

int open(int device, Failure& failure) {
  std::lock_guard<std::mutex> lock(open_mutex);
  Device& d = devices[device];
  if (d.is_open) return 0;
  if (simulate) {
    d.trap = static_cast<uint32_t*>(std::calloc(1, 64));
  } else if (open_streams(d, failure)) {
    return -1;
  }
  d.is_open = true;
  return 0;
}

void* load(int device, const char* image, const char* entry, Failure& failure) {
  Device& d = devices[device];
  if (enter(d, failure)) return nullptr;
  char log[160] = "";
  int options[] = {5, 6};  // the buffer for error messages, and its size
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  Handle module = nullptr, function = nullptr;
  if (int status = driver->cuModuleLoadDataEx(&module, image, 2, options, values)) {
    failure.fail(FAIL_RUNTIME, "gpu(%d): loading a kernel: %s %s", device, error_name(status), log);
    return nullptr;
  }
  if (int status = driver->cuModuleGetFunction(&function, module, entry)) {
    fail(failure, device, "cuModuleGetFunction", status);
    return nullptr;
  }
  return function;
}

int synchronise(int device, Failure& failure) {
  Device& d = devices[device];
  if (!d.is_open) return 0;
  if (!simulate) {
    if (enter(d, failure) || wait_stream(d, d.compute, failure)) return -1;
  }
  return check_trap(d, failure);
}

int read(int device, char* target, const char* source, size_t nbytes, Failure& failure) {
  Device& d = devices[device];
  if (simulate) {
    std::memcpy(target, source, nbytes);
    return check_trap(d, failure);
  }
  if (enter(d, failure)) return -1;
  {
    std::lock_guard<std::mutex> lock(d.copy_mutex);
    if (order(d, d.compute, d.copies, failure)) return -1;
    if (int status = driver->cuMemcpyDtoHAsync(target, reinterpret_cast<Address>(source), nbytes, d.copies))
      return fail(failure, device, "cuMemcpyDtoHAsync", status);
  }
  if (wait_stream(d, d.copies, failure)) return -1;
  return check_trap(d, failure);
}

int DeviceOp::run(Failure& failure) noexcept {
  Device& d = devices[device];
  if (enter(d, failure)) return -1;
  char* scratch = nullptr;
  if (scratch_bytes && !(scratch = allocate(d, scratch_bytes))) return no_memory(failure, d, name, scratch_bytes);
  for (size_t i = 0; i < pointers.size(); ++i) {
    const Pointer& p = pointers[i];
    char* base = p.var ? address_of(p.var) : scratch;
    if (!base) {
      if (scratch) release(d, scratch, scratch_bytes);
      return no_memory(failure, d, name, p.var->nbytes);
    }
    *reinterpret_cast<char**>(slots[p.slot].bytes) = base + p.offset;
  }
  int result = 0;
  for (size_t i = 0; i < launches.size() && !result; ++i) {
    const Launch& l = launches[i];
    if (simulate) {
      result = simulate(*this, int(i), scratch, failure);
      continue;
    }
    void* parameters[128];
    for (int k = 0; k < l.count; ++k) parameters[k] = slots[l.first + k].bytes;
    if (int status = driver->cuLaunchKernel(l.function, l.grid[0], l.grid[1], l.grid[2], l.block[0], l.block[1],
                                            l.block[2], 0, d.compute, parameters, nullptr))
      result = fail(failure, device, name, status);
  }
  if (scratch) release(d, scratch, scratch_bytes);
  return result;
}

int LibraryOp::run(Failure& failure) noexcept {
  Device& d = devices[device];
  if (enter(d, failure)) return -1;
  char* addresses[8];
  for (size_t i = 0; i < pointers.size(); ++i) {
    char* base = address_of(pointers[i].var);
    if (!base) return no_memory(failure, d, name, pointers[i].var->nbytes);
    addresses[i] = base + pointers[i].offset;
  }
  return function(d.compute, addresses, integers.data(), failure);
}

int TransferOp::run(Failure& failure) noexcept {
  const bool to_gpu = target->on_gpu(), from_gpu = source->on_gpu();
  Device& d = of(to_gpu ? target->context : source->context);
  char* to = address_of(target);
  char* from = address_of(source);
  if (!to || !from) return no_memory(failure, d, name, (to ? source : target)->nbytes);
  to += target_offset;
  from += source_offset;
  if (simulate) {
    std::memcpy(to, from, nbytes);
    return 0;
  }
  if (!to_gpu) return read(d.number, to, from, nbytes, failure);
  if (enter(d, failure)) return -1;
  int status;
  if (!from_gpu) {
    // The driver has taken the bytes from pageable memory when this returns.
    status = driver->cuMemcpyHtoDAsync(reinterpret_cast<Address>(to), from, nbytes, d.compute);
  } else if (source->context == target->context) {
    status = driver->cuMemcpyDtoDAsync(reinterpret_cast<Address>(to), reinterpret_cast<Address>(from), nbytes,
                                       d.compute);
  } else {
    // Ordered on both sides by waiting: events of one context order only its own streams everywhere.
    Device& other = of(source->context);
    if (synchronise(other.number, failure) || enter(d, failure)) return -1;
    status = driver->cuMemcpyPeerAsync(reinterpret_cast<Address>(to), d.context, reinterpret_cast<Address>(from),
                                       other.context, nbytes, d.compute);
    if (!status) return synchronise(d.number, failure);
  }
  return status ? fail(failure, d.number, name, status) : 0;
}

int attribute(int device, int number) {
  int value = 0;
  if (simulate || driver->cuDeviceGetAttribute(&value, number, device)) return 0;
  return value;
}

void name_of(int device, char* text, int size) {
  if (simulate || driver->cuDeviceGetName(text, size, device)) std::snprintf(text, size_t(size), "simulated GPU");
}

int driver_version() {
  int version = 0;
  if (!simulate) driver->cuDriverGetVersion(&version);
  return version;
}

int memory_info(int device, size_t* free, size_t* total, Failure& failure) {
  Device& d = devices[device];
  if (simulate) {
    *free = *total = size_t(1) << 30;
    return 0;
  }
  if (enter(d, failure)) return -1;
  int status = driver->cuMemGetInfo(free, total);
  return status ? fail(failure, device, "cuMemGetInfo", status) : 0;
}

int trim(int device, Failure& failure) {
  Device& d = devices[device];
  if (synchronise(device, failure)) return -1;
  std::lock_guard<std::mutex> lock(d.pool_mutex);
  free_cached(d);
  return 0;
}

Usage usage(int device) {
  Device& d = devices[device];
  std::lock_guard<std::mutex> lock(d.pool_mutex);
  return {d.held_bytes, d.cached_bytes};
}

char* trap(int device) { return reinterpret_cast<char*>(devices[device].trap); }

int trap_number(const char* name) {
  std::lock_guard<std::mutex> lock(open_mutex);
  for (size_t i = 0; i < trap_names.size(); ++i) {
    if (trap_names[i] == name) return int(i) + 1;
  }
  trap_names.push_back(name);
  return int(trap_names.size());
}

void* compute_stream(int device) { return devices[device].compute; }

int wait_for(int device, void* stream, Failure& failure) {
  Device& d = devices[device];
  if (simulate || !d.is_open) return 0;
  if (enter(d, failure)) return -1;
  return wait_stream(d, stream ? stream : d.compute, failure);
}

int device_of(const char* data) {
  constexpr int DEVICE_ORDINAL = 9;
  int found = 0;
  if (simulate) return 0;
  if (driver->cuPointerGetAttribute(&found, DEVICE_ORDINAL, reinterpret_cast<Address>(data))) return -1;
  return found < n_devices ? found : -1;
}

void* timer_begin(int device, Failure& failure) {
  Device& d = devices[device];
  Handle event = nullptr;
  if (simulate || enter(d, failure)) return nullptr;
  if (int status = driver->cuEventCreate(&event, 0)) return fail(failure, device, "cuEventCreate", status), nullptr;
  if (int status = driver->cuEventRecord(event, d.compute))
    return fail(failure, device, "cuEventRecord", status), nullptr;
  return event;
}

int timer_end(int device, void* timer, float* milliseconds, Failure& failure) {
  Device& d = devices[device];
  Handle event = timer_begin(device, failure);
  if (!event) return -1;
  int status = driver->cuEventSynchronize(event);
  if (!status) status = driver->cuEventElapsedTime(milliseconds, timer, event);
  driver->cuEventDestroy(event);
  driver->cuEventDestroy(timer);
  return status ? fail(failure, d.number, "timing", status) : 0;
}

}  // namespace mxcy::device
