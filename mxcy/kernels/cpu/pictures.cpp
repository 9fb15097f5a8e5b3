// Pictures into batches; compiled once for each instruction set.
//
// Bilinear interpolation in the fixed point of OpenCV (11 bits for a weight), so that the bytes are those that
// cv::resize gives: first along a row, four bytes of each of two pixels at a time, then between two rows.
#ifndef MXCY_ISA
#define MXCY_ISA base
#endif
#include "pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr int WEIGHT = 2048;
constexpr int64_t SLACK = 4;  // bytes that a read of a pixel may go beyond it

struct __attribute__((packed, may_alias)) FourBytes {
  uint32_t value;
};

// Where elements come from: pixels `first` and the next one (unless it has no weight), of one axis.
struct Taps {
  std::vector<int32_t> first, second;
  std::vector<int32_t> v, w;  // weights of the first and the second, each rounded by itself

  Taps(int64_t size, int64_t grid, int64_t window, int64_t out, bool reversed)
      : first(out), second(out), v(out), w(out) {
    const double step = 1.0 / (double(grid) / double(size));  // rounded as OpenCV rounds it
    for (int64_t i = 0; i < out; ++i) {
      float place = float((double(i + window) + 0.5) * step - 0.5);
      int64_t at = int64_t(std::floor(place));
      place -= float(at);
      if (at < 0) at = 0, place = 0;
      if (at >= size - 1) at = size - 1, place = 0;
      const int64_t to = reversed ? out - 1 - i : i;
      first[to] = int32_t(at);
      second[to] = int32_t(std::min(at + 1, size - 1));
      v[to] = int32_t(std::lrint((1 - place) * WEIGHT));
      w[to] = int32_t(std::lrint(place * WEIGHT));
    }
  }
};

// One row of the picture at the wanted columns: planes of values times 128.
template <int C>
void along(const uint8_t* row, const Taps& taps, int64_t n, int16_t* __restrict out) {
  const int32_t* __restrict first = taps.first.data();
  const int32_t* __restrict second = taps.second.data();
  const int32_t* __restrict vs = taps.v.data();
  const int32_t* __restrict ws = taps.w.data();
  for (int64_t x = 0; x < n; ++x) {
    const uint32_t a = reinterpret_cast<const FourBytes*>(row + first[x])->value;
    const uint32_t b = reinterpret_cast<const FourBytes*>(row + second[x])->value;
    const int32_t v = vs[x], w = ws[x];
    for (int c = 0; c < C; ++c) {
      const int32_t p = int32_t((a >> (8 * c)) & 255), q = int32_t((b >> (8 * c)) & 255);
      out[c * n + x] = int16_t((p * v + q * w) >> 4);
    }
  }
}

inline void store(float* out, int32_t value, float scale, float shift) { *out = float(value) * scale + shift; }
inline void store(uint8_t* out, int32_t value, float, float) { *out = uint8_t(value); }
inline void store(int8_t* out, int32_t value, float scale, float shift) {
  const float moved = float(value) * scale + shift;
  *out = int8_t(int32_t(std::min(127.0f, std::max(-128.0f, moved)) + 128.5f) - 128);
}

// Between two rows of one channel.
template <class T>
void between(const int16_t* __restrict a, const int16_t* __restrict b, int32_t v, int32_t w, int64_t n,
             float scale, float shift, T* __restrict out) {
  constexpr int64_t BLOCK = 256;
  int16_t values[BLOCK];
  const int16_t v16 = int16_t(v), w16 = int16_t(w);
  for (int64_t begin = 0; begin < n; begin += BLOCK) {
    const int64_t count = std::min(BLOCK, n - begin);
    // Upper halves of products of 16 bits, which vector units have.
    for (int64_t x = 0; x < count; ++x) {
      const int16_t upper = int16_t((int32_t(a[begin + x]) * v16) >> 16);
      const int16_t lower = int16_t((int32_t(b[begin + x]) * w16) >> 16);
      values[x] = int16_t(int16_t(upper + lower + 2) >> 2);
    }
    for (int64_t x = 0; x < count; ++x) store(out + begin + x, values[x], scale, shift);
  }
}

template <class T, int C>
void place(const PicturePart& p) {
  Taps rows(p.part_height, p.grid_height, p.window_top, p.out_height, false);
  Taps columns(p.part_width, p.grid_width, p.window_left, p.out_width, p.mirror);
  for (auto* places : {&columns.first, &columns.second}) {
    for (int32_t& x : *places) x = int32_t((x + p.left) * C);
  }
  const int64_t n = p.out_width;
  std::vector<uint8_t> last(p.width * C + SLACK);
  std::vector<int16_t> lines(2 * C * n);
  int64_t held[2] = {-1, -1};  // which rows the lines hold
  auto line = [&](int64_t y, int64_t other) {
    int slot = held[0] == y ? 0 : held[1] == y ? 1 : -1;
    if (slot < 0) {
      slot = held[0] == other ? 1 : 0;
      const uint8_t* row = p.pixels + (y + p.top) * p.row_bytes;
      if (y + p.top == p.height - 1) {  // reads of pixels may go beyond the last one
        std::memcpy(last.data(), row, p.width * C);
        row = last.data();
      }
      along<C>(row, columns, n, lines.data() + slot * C * n);
      held[slot] = y;
    }
    return lines.data() + slot * C * n;
  };
  T* out = static_cast<T*>(p.out);
  const int64_t plane = p.out_height * n;
  for (int64_t i = 0; i < p.out_height; ++i) {
    const int64_t y = rows.first[i], next = rows.w[i] ? rows.second[i] : y;
    const int16_t* a = line(y, next);
    const int16_t* b = line(next, y);
    for (int c = 0; c < C; ++c) {
      between<T>(a + c * n, b + c * n, rows.v[i], rows.w[i], n, p.scale[c], p.shift[c],
                 out + c * plane + i * n);
    }
  }
}

template <class T>
void place(const PicturePart& p) {
  if (p.channels == 1) return place<T, 1>(p);
  if (p.channels == 3) return place<T, 3>(p);
  place<T, 4>(p);
}

}  // namespace

void place_picture(const PicturePart& p) {
  if (p.type == PICTURE_FLOAT) return place<float>(p);
  if (p.type == PICTURE_UINT8) return place<uint8_t>(p);
  place<int8_t>(p);
}

}  // namespace MXCY_ISA
}  // namespace mxcy
