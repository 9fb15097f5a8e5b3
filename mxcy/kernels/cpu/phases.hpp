// The data of a convolution as planes in which neighbouring outputs read neighbouring elements.
//
// With a stride of 1 these are the channels themselves.  Otherwise every channel is split into phases, the
// elements at one remainder of the stride along each axis, with the padding written out.
#pragma once
#include "columns.hpp"
#include "transpose.hpp"

namespace mxcy {
namespace MXCY_ISA {

constexpr int64_t PHASE_BYTES = 64 << 20;  // of images that are split at a time

// Which phases the taps use, and their extent, the same for all.
struct Phases {
  std::vector<int64_t> used;  // phase = (z * stride[1] + y) * stride[2] + x
  std::vector<Tap> taps;
  int64_t extent[3];

  explicit Phases(const ConvolutionParams& p) {
    for (int d = 0; d < 3; ++d) extent[d] = p.out[d] + (p.kernel[d] - 1) * p.dilate[d] / p.stride[d];
    for (int64_t index = 0; index < volume(p.kernel); ++index) {
      const int64_t at[3] = {index / p.kernel[2] / p.kernel[1], index / p.kernel[2] % p.kernel[1],
                             index % p.kernel[2]};
      Tap tap{0, {}, index};
      int64_t phase = 0;
      for (int d = 0; d < 3; ++d) {
        phase = phase * p.stride[d] + at[d] * p.dilate[d] % p.stride[d];
        tap.at[d] = at[d] * p.dilate[d] / p.stride[d];
      }
      auto found = std::find(used.begin(), used.end(), phase);
      tap.plane = (found - used.begin()) * volume(extent);
      if (found == used.end()) used.push_back(phase);
      taps.push_back(tap);
    }
  }
};

// Every STEP-th element, LENGTH of them.
template <class T, int STEP>
MXCY_INLINE Vector<T> load_steps(const T* p) {
  if constexpr (STEP == 1) return load(p);
  else
    return every_second<T, 0>(load_steps<T, STEP / 2>(p), load_steps<T, STEP / 2>(p + LENGTH<T> * STEP / 2));
}

// Copies while whole vectors of sources are there; returns how many elements.
template <class T, int STEP>
int64_t copy_vectors(const T* from, T* to, int64_t count, int64_t there) {
  int64_t i = 0;
  for (; i + LENGTH<T> <= count && (i + LENGTH<T>)*STEP <= there; i += LENGTH<T>) {
    store(to + i, load_steps<T, STEP>(from + i * STEP));
  }
  return i;
}

template <class T, int N>
struct Short {
  typedef T Type __attribute__((vector_size(N * sizeof(T))));
  typedef std::conditional_t<sizeof(T) == 4, int32_t, int64_t> Place;
  typedef Place Places __attribute__((vector_size(N * sizeof(T))));
};

// Elements at + 2 * i of a line, at least N of them, N at a time, the last ones by a vector that may overlap the
// one before.  Nothing outside of the line is read: N elements begin a vector or end one.  Returns how many.
template <class T, int N>
int64_t copy_seconds(const T* line, int64_t length, int64_t at, T* to, int64_t count) {
  using Part = typename Short<T, N>::Type;
  typename Short<T, N>::Places even, odd;
  for (int i = 0; i < N; ++i) even[i] = 2 * i, odd[i] = 2 * i + 1;
  if (at == 0 && length < 2 * N) return 0;
  for (int64_t i = 0; i < count; i += N) {
    const int64_t j = std::min(i, count - N), begin = at + 2 * j;
    const bool begins = begin + 2 * N <= length;
    const T* from = line + (begins ? begin : begin - 1);
    Part low, high;
    std::memcpy(&low, from, sizeof low);
    std::memcpy(&high, from + N, sizeof high);
    const Part found = begins ? __builtin_shuffle(low, high, even) : __builtin_shuffle(low, high, odd);
    std::memcpy(to + j, &found, sizeof found);
  }
  return count;
}

// Elements first + i * step of a line of `length`, zeros where there are none.
template <class T>
void copy_steps(const T* from, int64_t length, int64_t first, int64_t step, T* to, int64_t count) {
  int64_t begin = first < 0 ? divide_up(-first, step) : 0;
  begin = std::min(begin, count);
  const int64_t end = std::max(begin, std::min(count, first < length ? divide_up(length - first, step) : 0));
  std::fill(to, to + begin, T(0));
  const T* source = from + first;
  int64_t i = begin;
  if (step == 2 && end - i >= 4) {
    constexpr int L = LENGTH<T>;
    const auto copy = end - i >= L ? copy_seconds<T, L> : end - i >= 8 ? copy_seconds<T, 8> : copy_seconds<T, 4>;
    i += copy(from, length, first + i * 2, to + i, end - i);
  }
  if (step == 4) i += copy_vectors<T, 4>(source + i * 4, to + i, end - i, length - first - i * 4);
  for (; i < end; ++i) to[i] = source[i * step];
  std::fill(to + end, to + count, T(0));
}

// One phase of one channel.
template <class T>
void copy_phase(const ConvolutionParams& p, const Phases& phases, int64_t phase, const T* from, T* to) {
  const int64_t at[3] = {phase / p.stride[2] / p.stride[1], phase / p.stride[2] % p.stride[1],
                         phase % p.stride[2]};
  for (int64_t z = 0; z < phases.extent[0]; ++z) {
    const int64_t in_z = z * p.stride[0] + at[0] - p.pad[0];
    for (int64_t y = 0; y < phases.extent[1]; ++y, to += phases.extent[2]) {
      const int64_t in_y = y * p.stride[1] + at[1] - p.pad[1];
      if (in_z < 0 || in_z >= p.in[0] || in_y < 0 || in_y >= p.in[1]) {
        std::fill(to, to + phases.extent[2], T(0));
        continue;
      }
      copy_steps(from + (in_z * p.in[1] + in_y) * p.in[2], p.in[2], at[2] - p.pad[2], p.stride[2], to,
                 phases.extent[2]);
    }
  }
}

// The taps of the data gradient for inputs at one remainder of the strides.  Output o reads input
// o * stride + tap * dilate - pad, so input i takes from o = (i + pad - tap * dilate) / stride.
inline std::vector<Tap> gradient_taps(const ConvolutionParams& p, int64_t phase) {
  const int64_t place[3] = {phase / p.stride[2] / p.stride[1], phase / p.stride[2] % p.stride[1],
                            phase % p.stride[2]};
  std::vector<Tap> taps;
  for (int64_t index = 0; index < volume(p.kernel); ++index) {
    const int64_t at[3] = {index / p.kernel[2] / p.kernel[1], index / p.kernel[2] % p.kernel[1],
                           index % p.kernel[2]};
    Tap tap{0, {}, index};
    bool meets = true;
    for (int d = 0; d < 3; ++d) {
      const int64_t reach = place[d] + p.pad[d] - at[d] * p.dilate[d];
      meets = meets && reach % p.stride[d] == 0;
      tap.at[d] = reach / p.stride[d];
    }
    if (meets) taps.push_back(tap);
  }
  return taps;
}

// The inputs at one remainder of the strides: how many, their steps, and in `out` the first of them.
template <class T>
void place_phase(const ConvolutionParams& p, int64_t phase, int64_t* grid, int64_t* step, T*& out) {
  const int64_t place[3] = {phase / p.stride[2] / p.stride[1], phase / p.stride[2] % p.stride[1],
                            phase % p.stride[2]};
  const int64_t plane[3] = {p.in[1] * p.in[2], p.in[2], 1};
  for (int d = 0; d < 3; ++d) {
    grid[d] = place[d] < p.in[d] ? divide_up(p.in[d] - place[d], p.stride[d]) : 0;
    step[d] = p.stride[d] * plane[d];
    out += place[d] * plane[d];
  }
}

// Calls body(planes, taps, first image, count) until all images are done; body returns 0 or an error code.
template <class T, class Body>
int with_planes(KernelContext& context, const ConvolutionParams& p, const T* x, const Body& body) {
  const int64_t channels = p.groups * p.channels;
  Planes<T> planes;
  if (volume(p.stride) == 1) {
    std::vector<Tap> taps = Phases(p).taps;
    for (Tap& tap : taps) {
      tap.plane = 0;
      for (int d = 0; d < 3; ++d) tap.at[d] -= p.pad[d];
    }
    planes.data = x;
    planes.channel = volume(p.in);
    planes.image = channels * planes.channel;
    planes.size = p.images * planes.image;
    std::copy_n(p.in, 3, planes.extent);
    return body(planes, taps, 0, p.images);
  }
  const Phases phases(p);
  const int64_t count = int64_t(phases.used.size());
  std::copy_n(phases.extent, 3, planes.extent);
  planes.channel = count * volume(phases.extent);
  planes.image = channels * planes.channel;
  const int64_t bytes = planes.image * int64_t(sizeof(T));
  const int64_t images = std::max<int64_t>(1, std::min(p.images, PHASE_BYTES / std::max<int64_t>(bytes, 1)));
  planes.size = images * planes.image;
  Scratch<T> split(context, planes.size);
  planes.data = split;
  for (int64_t first = 0; first < p.images; first += images) {
    const int64_t some = std::min(images, p.images - first);
    parallel(context, some * channels, 1 + (1 << 14) / planes.channel, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t f = 0; f < count; ++f) {
          copy_phase(p, phases, phases.used[size_t(f)], x + (first * channels + i) * volume(p.in),
                     static_cast<T*>(split) + i * planes.channel + f * volume(phases.extent));
        }
      }
      return 0;
    });
    if (int code = body(planes, phases.taps, first, some)) return code;
  }
  return 0;
}

}  // namespace MXCY_ISA
}  // namespace mxcy
