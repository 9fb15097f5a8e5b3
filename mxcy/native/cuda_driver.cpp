#include "cuda_driver.hpp"

#include <dlfcn.h>

#include <cstdio>

namespace mxcy::cuda {

const Driver* load_driver(char* reason, size_t size) {
  static Driver driver;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::snprintf(reason, size, "there is no CUDA driver (libcuda.so.1)");
    return nullptr;
  }
#define MXCY_FIND(member, symbol, parameters)                                                \
  driver.member = reinterpret_cast<Status(*) parameters>(dlsym(library, symbol));            \
  if (!driver.member) {                                                                      \
    std::snprintf(reason, size, "the CUDA driver is too old: it has no %s", symbol);         \
    return nullptr;                                                                          \
  }
  MXCY_CUDA_FUNCTIONS(MXCY_FIND)
#undef MXCY_FIND
  if (Status status = driver.cuInit(0)) {
    const char* name = nullptr;
    driver.cuGetErrorName(status, &name);
    std::snprintf(reason, size, "the CUDA driver does not start: %s", name ? name : "unknown error");
    return nullptr;
  }
  return &driver;
}

}  // namespace mxcy::cuda
