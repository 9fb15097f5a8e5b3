// The CUDA driver's functions that we call, found at run time: building and importing need no CUDA.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mxcy::cuda {

using Status = int;
using Handle = void*;      // contexts, streams, events, modules, functions, graphs
using Address = uint64_t;  // CUdeviceptr

constexpr Status OUT_OF_MEMORY = 2, NOT_READY = 600;

#define MXCY_CUDA_FUNCTIONS(F)                                                                            \
  F(cuInit, "cuInit", (unsigned))                                                                         \
  F(cuDeviceGetCount, "cuDeviceGetCount", (int*))                                                         \
  F(cuDeviceGet, "cuDeviceGet", (int*, int))                                                              \
  F(cuDeviceGetName, "cuDeviceGetName", (char*, int, int))                                                \
  F(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int*, int, int))                                       \
  F(cuDriverGetVersion, "cuDriverGetVersion", (int*))                                                     \
  F(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (Handle*, int))                                 \
  F(cuCtxSetCurrent, "cuCtxSetCurrent", (Handle))                                                         \
  F(cuStreamCreate, "cuStreamCreate", (Handle*, unsigned))                                                \
  F(cuStreamQuery, "cuStreamQuery", (Handle))                                                             \
  F(cuStreamSynchronize, "cuStreamSynchronize", (Handle))                                                 \
  F(cuStreamWaitEvent, "cuStreamWaitEvent", (Handle, Handle, unsigned))                                   \
  F(cuEventCreate, "cuEventCreate", (Handle*, unsigned))                                                  \
  F(cuEventRecord, "cuEventRecord", (Handle, Handle))                                                     \
  F(cuEventSynchronize, "cuEventSynchronize", (Handle))                                                   \
  F(cuEventElapsedTime, "cuEventElapsedTime", (float*, Handle, Handle))                                   \
  F(cuEventDestroy, "cuEventDestroy_v2", (Handle))                                                        \
  F(cuMemAlloc, "cuMemAlloc_v2", (Address*, size_t))                                                      \
  F(cuMemFree, "cuMemFree_v2", (Address))                                                                 \
  F(cuMemGetInfo, "cuMemGetInfo_v2", (size_t*, size_t*))                                                  \
  F(cuPointerGetAttribute, "cuPointerGetAttribute", (void*, int, Address))                                \
  F(cuMemHostAlloc, "cuMemHostAlloc", (void**, size_t, unsigned))                                         \
  F(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (Address, const void*, size_t, Handle))                    \
  F(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void*, Address, size_t, Handle))                          \
  F(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (Address, Address, size_t, Handle))                        \
  F(cuMemcpyPeerAsync, "cuMemcpyPeerAsync", (Address, Handle, Address, Handle, size_t, Handle))           \
  F(cuModuleLoadDataEx, "cuModuleLoadDataEx", (Handle*, const void*, unsigned, int*, void**))             \
  F(cuModuleGetFunction, "cuModuleGetFunction", (Handle*, Handle, const char*))                           \
  F(cuLaunchKernel, "cuLaunchKernel", (Handle, unsigned, unsigned, unsigned, unsigned, unsigned,          \
                                       unsigned, unsigned, Handle, void**, void**))                       \
  F(cuGetErrorName, "cuGetErrorName", (Status, const char**))                                             \
  F(cuGetErrorString, "cuGetErrorString", (Status, const char**))

struct Driver {
#define MXCY_DECLARE(member, symbol, parameters) Status(*member) parameters = nullptr;
  MXCY_CUDA_FUNCTIONS(MXCY_DECLARE)
#undef MXCY_DECLARE
};

// The driver, or nullptr; `reason` then says why.
const Driver* load_driver(char* reason, size_t size);

}  // namespace mxcy::cuda
