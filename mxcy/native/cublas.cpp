#include "cublas.hpp"

#include <dlfcn.h>

#include <mutex>
#include <unordered_map>

namespace mxcy::blas {

namespace {

using Handle = void*;
int (*create)(Handle*) = nullptr;
int (*set_stream)(Handle, void*) = nullptr;
int (*gemm_batched)(Handle, int, int, int, int, int, const void*, const void*, int, int, long long, const void*, int,
                    int, long long, const void*, void*, int, int, long long, int, int, int) = nullptr;

std::mutex mutex;  // guards the handles, each of which is for one thread at a time
std::unordered_map<void*, Handle> handles;  // by stream

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool open(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return library && find(library, "cublasCreate_v2", create) && find(library, "cublasSetStream_v2", set_stream) &&
         find(library, "cublasGemmStridedBatchedEx", gemm_batched);
}

int gemm(void* stream, char** addresses, const int64_t* n, Failure& failure) {
  std::lock_guard<std::mutex> lock(mutex);
  Handle& handle = handles[stream];
  if (!handle) {
    int status = create(&handle);
    if (!status) status = set_stream(handle, stream);
    if (status) return failure.fail(FAIL_RUNTIME, "cuBLAS does not start: status %d", status);
  }
  const float single[4] = {1, 0, 0, 0};  // one, as a real or a complex number, then zero
  const double wide[4] = {1, 0, 0, 0};
  const bool in_double = n[13] == 70;
  const void* one = in_double ? static_cast<const void*>(wide) : single;
  const void* zero = in_double ? static_cast<const void*>(wide + 2) : single + 2;
  const int type = int(n[12]);
  const int status = gemm_batched(handle, int(n[0]), int(n[1]), int(n[2]), int(n[3]), int(n[4]), one, addresses[0],
                                  type, int(n[5]), n[6], addresses[1], type, int(n[7]), n[8], zero, addresses[2],
                                  type, int(n[9]), n[10], int(n[11]), int(n[13]), -1);
  return status ? failure.fail(FAIL_RUNTIME, "cuBLAS: a product failed with status %d", status) : 0;
}

}  // namespace mxcy::blas
