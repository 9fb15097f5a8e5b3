#include "streams.hpp"
#include <cstdint>
#include <cstring>

namespace mxcy {
namespace MXCY_ISA {
namespace {

#if defined(__AVX512F__)
constexpr size_t WIDTH = 64;
#elif defined(__AVX2__)
constexpr size_t WIDTH = 32;
#else
constexpr size_t WIDTH = 16;
#endif

// As integers, for which there is one instruction whatever the type.
typedef long long Whole __attribute__((vector_size(WIDTH)));

template <class V>
inline V load(const void* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
inline void stream(void* to, V v) {
#if defined(__AVX512F__)
  __builtin_ia32_movntdq512(static_cast<Whole*>(to), reinterpret_cast<Whole>(v));
#elif defined(__AVX2__)
  __builtin_ia32_movntdq256(static_cast<Whole*>(to), reinterpret_cast<Whole>(v));
#elif defined(__SSE2__)
  __builtin_ia32_movntdq(static_cast<Whole*>(to), reinterpret_cast<Whole>(v));
#else
  std::memcpy(to, &v, sizeof v);
#endif
}

// Makes what was streamed visible to others before anything that is stored later.
inline void end_streams() {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#endif
}

// Bytes before the first whole vector of memory.
inline size_t before(const void* memory) { return -reinterpret_cast<uintptr_t>(memory) % WIDTH; }

template <class T>
void add(T* out, const T* a, const T* b, size_t count) {
  typedef T V __attribute__((vector_size(WIDTH)));
  constexpr size_t LENGTH = WIDTH / sizeof(T);
  size_t i = 0;
  // In place the old content is read anyway.
  if (count * sizeof(T) >= STREAMED && out != a && out != b) {
    for (const size_t head = before(out) / sizeof(T); i < head; ++i) out[i] = a[i] + b[i];
    for (; i + LENGTH <= count; i += LENGTH) stream<V>(out + i, load<V>(a + i) + load<V>(b + i));
    end_streams();
  }
  for (; i < count; ++i) out[i] = a[i] + b[i];
}

}  // namespace

void stream_copy(char* out, const char* data, size_t bytes) {
  size_t i = 0;
  if (bytes >= STREAMED) {
    i = before(out);
    std::memcpy(out, data, i);
    for (; i + WIDTH <= bytes; i += WIDTH) stream<Whole>(out + i, load<Whole>(data + i));
    end_streams();
  }
  std::memcpy(out + i, data + i, bytes - i);
}

void stream_add_floats(float* out, const float* a, const float* b, size_t count) { add(out, a, b, count); }

void stream_add_doubles(double* out, const double* a, const double* b, size_t count) {
  add(out, a, b, count);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
