// Images in other sizes.  Both axes are independent, so rows are resized first and then weighed; a worker
// keeps the rows that its next row of the result may need again.
#include "images.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"

namespace mxcy {
namespace {

constexpr int BITS = 11;  // of a weight in fixed point

template <class T>
struct Axis {
  std::vector<int64_t> places;
  std::vector<T> weights;

  Axis(const Tensor& at, const Tensor& by, int64_t count, bool fixed) : weights(count) {
    const int64_t* from = reinterpret_cast<const int64_t*>(at.data);
    places.assign(from, from + count);
    read(by, 0, count, weights.data());
    if (!fixed) return;
    for (T& weight : weights) weight = std::nearbyint(weight * (1 << BITS));
  }
};

// Sums of whole numbers are exact in double.
template <class T>
struct Resizer {
  const ResizeParams& p;
  const Axis<T>&rows, &columns;
  const Tensor& images;
  std::vector<T> line, kept, out;
  std::vector<int64_t> owners;  // the source row in each slot of `kept`

  Resizer(const ResizeParams& params, const Axis<T>& r, const Axis<T>& c, const Tensor& x)
      : p(params), rows(r), columns(c), images(x), line(p.width * p.channels),
        kept(p.row_taps * 2 * p.columns * p.channels), out(p.columns * p.channels), owners(p.row_taps * 2, -1) {}

  // A source row, resized.
  const T* row(int64_t image, int64_t at) {
    const int64_t owner = image * p.height + at, slot = owner % int64_t(owners.size());
    T* to = &kept[slot * out.size()];
    if (owners[slot] == owner) return to;
    owners[slot] = owner;
    read(images, owner * int64_t(line.size()), int64_t(line.size()), line.data());
    for (int64_t j = 0; j < p.columns; ++j) {
      for (int64_t c = 0; c < p.channels; ++c) {
        T sum = 0;
        for (int64_t k = j * p.column_taps; k < (j + 1) * p.column_taps; ++k) {
          sum += columns.weights[k] * line[columns.places[k] * p.channels + c];
        }
        to[j * p.channels + c] = sum;
      }
    }
    return to;
  }

  void weigh(int64_t image, int64_t i) {
    std::fill(out.begin(), out.end(), T(0));
    const int64_t last = p.row_taps * (i + 1);
    for (int64_t k = p.row_taps * i; k < last; ++k) {
      const T weight = rows.weights[k];
      if (weight == 0) continue;
      const T* from = row(image, rows.places[k]);
      for (size_t j = 0; j < out.size(); ++j) {
        out[j] += p.rounding == FIXED_PAIRS ? T(int64_t(weight * std::floor(from[j] / 16)) >> 16) : weight * from[j];
      }
    }
    if (p.rounding == EXACT) return;
    for (T& x : out) {
      if (p.rounding == FIXED_PAIRS) x = std::floor((x + 2) / 4);
      if (p.rounding == FIXED) x = std::floor((x + (1 << (2 * BITS - 1))) / (1 << 2 * BITS));
      if (p.rounding == FIXED_EVEN) x = std::nearbyint(x / (1 << 2 * BITS));
      if (p.rounding == UPWARDS) x = std::floor(x + T(0.5));
      if (p.rounding == NEAREST) x = std::nearbyint(x);
    }
  }
};

void clamp(std::vector<double>& line, uint8_t dtype) {
  double low = 0, high = 255;
  if (dtype == INT8) low = -128, high = 127;
  for (double& x : line) x = std::max(low, std::min(high, x));
}
void clamp(std::vector<float>&, uint8_t) {}

template <class T>
int resize(KernelContext& context) {
  const ResizeParams& p = *static_cast<const ResizeParams*>(context.params);
  const bool fixed = p.rounding >= FIXED;
  const Tensor* in = context.inputs;
  const Axis<T> rows(in[1], in[2], p.rows * p.row_taps, fixed);
  const Axis<T> columns(in[3], in[4], p.columns * p.column_taps, fixed);
  const uint8_t dtype = context.outputs[0].dtype;
  auto body = [&](int64_t begin, int64_t end) {
    Resizer<T> resizer(p, rows, columns, in[0]);
    const int64_t size = resizer.out.size();
    for (int64_t n = begin; n < end; ++n) {
      resizer.weigh(n / p.rows, n % p.rows);
      if (dtype == UINT8 || dtype == INT8) clamp(resizer.out, dtype);
      write(resizer.out.data(), context.outputs[0], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.images * p.rows, 1 + 20000 / (p.columns * p.channels), body);
}

// Which of {high, low, falling, rising} blue, green and red are in each sixth of the circle of hues.
constexpr int SECTORS[6][3] = {{1, 3, 0}, {1, 0, 2}, {3, 0, 1}, {0, 2, 1}, {0, 1, 3}, {2, 1, 0}};

// By way of hue, lightness and saturation, in MXNet's order of operations: bytes are cut off at the point.
template <class T>
void turn_hue(T* pixel, T turn) {
  const T r = pixel[0] / 255, g = pixel[1] / 255, b = pixel[2] / 255;
  const T high = std::max(r, std::max(g, b)), low = std::min(r, std::min(g, b));
  const T light = (high + low) * T(0.5);
  if (!(high - low > T(1.1920929e-07))) {
    for (int c = 0; c < 3; ++c) pixel[c] = light * 255;
    return;
  }
  const T saturation = (high - low) / (light < T(0.5) ? high + low : 2 - high - low), scale = 60 / (high - low);
  T hue = high == r ? (g - b) * scale : high == g ? (b - r) * scale + 120 : (r - g) * scale + 240;
  if (hue < 0) hue += 360;
  hue = (hue + turn * 360) * (T(6) / 360);
  hue -= 6 * std::floor(hue / 6);
  const int sector = std::min(int(hue), 5);
  hue -= T(sector);
  const T upper = light <= T(0.5) ? light * (1 + saturation) : light + saturation - light * saturation;
  const T lower = 2 * light - upper;
  const T levels[4] = {upper, lower, lower + (upper - lower) * (1 - hue), lower + (upper - lower) * hue};
  for (int c = 0; c < 3; ++c) pixel[2 - c] = levels[SECTORS[sector][c]] * 255;
}

template <class T>
int hue(KernelContext& context) {
  const HueParams& p = *static_cast<const HueParams*>(context.params);
  auto body = [&](int64_t begin, int64_t end) {
    constexpr int64_t BLOCK = 512;
    T block[3 * BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
      const int64_t count = std::min(BLOCK, end - i);
      read(context.inputs[0], 3 * i, 3 * count, block);
      for (int64_t k = 0; k < count; ++k) turn_hue(block + 3 * k, T(p.turn));
      write(block, context.outputs[0], 3 * i, 3 * count);
    }
    return 0;
  };
  return parallel(context, p.pixels, 2048, body);
}

}  // namespace

int image_hue_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? hue<double>(context) : hue<float>(context);
}

int image_resize_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT32 ? resize<float>(context) : resize<double>(context);
}

}  // namespace mxcy
