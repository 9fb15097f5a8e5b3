// Bilinear sampling; pixels outside of the image are 0.  One worker does all of an image.
#include "bilinear.hpp"

#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"

namespace mxcy {
namespace {

// Where a point lies: four pixels (-1 outside), their weights, and the distances from the first.
template <class T>
struct Point {
  int64_t at[4];
  T weight[4], dx, dy;

  Point(const BilinearParams& p, T grid_x, T grid_y) {
    const T x = (grid_x + 1) * T(p.in[1] - 1) / 2, y = (grid_y + 1) * T(p.in[0] - 1) / 2;
    // Beyond these bounds everything is outside, NaN too.
    const bool near = x > -2 && x < T(p.in[1] + 1) && y > -2 && y < T(p.in[0] + 1);
    const int64_t left = near ? int64_t(std::floor(x)) : -9, top = near ? int64_t(std::floor(y)) : -9;
    dx = near ? x - T(left) : T(0);
    dy = near ? y - T(top) : T(0);
    for (int k = 0; k < 4; ++k) {
      const int64_t row = top + k / 2, column = left + k % 2;
      const bool inside = row >= 0 && row < p.in[0] && column >= 0 && column < p.in[1];
      at[k] = inside ? row * p.in[1] + column : -1;
      weight[k] = (k % 2 ? dx : 1 - dx) * (k / 2 ? dy : 1 - dy);
    }
  }
};

template <class T>
int forward(KernelContext& context) {
  const BilinearParams& p = *static_cast<const BilinearParams*>(context.params);
  const int64_t pixels = p.in[0] * p.in[1], points = p.out[0] * p.out[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> image(pixels), grid(2 * points), out(points);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * 2 * points, 2 * points, grid.data());
      for (int64_t c = n * p.channels; c < (n + 1) * p.channels; ++c) {
        read(context.inputs[0], c * pixels, pixels, image.data());
        for (int64_t i = 0; i < points; ++i) {
          const Point<T> point(p, grid[i], grid[points + i]);
          out[i] = 0;
          for (int k = 0; k < 4; ++k) {
            if (point.at[k] >= 0) out[i] += point.weight[k] * image[point.at[k]];
          }
        }
        write(out.data(), context.outputs[0], c * points, points);
      }
    }
    return 0;
  };
  return parallel(context, p.batch, 1, body);
}

template <class T>
int backward(KernelContext& context) {
  const BilinearParams& p = *static_cast<const BilinearParams*>(context.params);
  const int64_t pixels = p.in[0] * p.in[1], points = p.out[0] * p.out[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> image(pixels), grid(2 * points), g(points), g_image(pixels), g_grid(2 * points);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[2], n * 2 * points, 2 * points, grid.data());
      std::fill(g_grid.begin(), g_grid.end(), T(0));
      for (int64_t c = n * p.channels; c < (n + 1) * p.channels; ++c) {
        read(context.inputs[0], c * points, points, g.data());
        read(context.inputs[1], c * pixels, pixels, image.data());
        std::fill(g_image.begin(), g_image.end(), T(0));
        for (int64_t i = 0; i < points; ++i) {
          const Point<T> point(p, grid[i], grid[points + i]);
          T value[4];
          for (int k = 0; k < 4; ++k) {
            value[k] = point.at[k] >= 0 ? image[point.at[k]] : T(0);
            if (point.at[k] >= 0) g_image[point.at[k]] += point.weight[k] * g[i];
          }
          const T along_x = (value[1] - value[0]) * (1 - point.dy) + (value[3] - value[2]) * point.dy;
          const T along_y = (value[2] - value[0]) * (1 - point.dx) + (value[3] - value[1]) * point.dx;
          g_grid[i] += g[i] * along_x * T(p.in[1] - 1) / 2;
          g_grid[points + i] += g[i] * along_y * T(p.in[0] - 1) / 2;
        }
        write(g_image.data(), context.outputs[0], c * pixels, pixels);
      }
      write(g_grid.data(), context.outputs[1], n * 2 * points, 2 * points);
    }
    return 0;
  };
  return parallel(context, p.batch, 1, body);
}

template <class T>
int corners(KernelContext& context) {
  const BilinearParams& p = *static_cast<const BilinearParams*>(context.params);
  const int64_t points = p.out[0] * p.out[1];
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> grid(2 * points), weights[2], slopes[2];
    for (int d = 0; d < 2; ++d) {
      weights[d].resize(2 * points);
      slopes[d].resize(2 * points);
      for (int64_t i = 0; i < 2 * points; ++i) slopes[d][i] = (i < points ? -1 : 1) * T(p.in[d] - 1) / 2;
    }
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * 2 * points, 2 * points, grid.data());
      int64_t* at = reinterpret_cast<int64_t*>(context.outputs[0].data) + n * 4 * points;
      for (int64_t i = 0; i < points; ++i) {
        const Point<T> point(p, grid[i], grid[points + i]);
        for (int k = 0; k < 4; ++k) at[k * points + i] = point.at[k];
        weights[0][i] = 1 - point.dy, weights[0][points + i] = point.dy;
        weights[1][i] = 1 - point.dx, weights[1][points + i] = point.dx;
      }
      for (int d = 0; d < 2; ++d) {
        write(weights[d].data(), context.outputs[1 + d], n * 2 * points, 2 * points);
        write(slopes[d].data(), context.outputs[3 + d], n * 2 * points, 2 * points);
      }
    }
    return 0;
  };
  return parallel(context, p.batch, 1, body);
}

}  // namespace

int bilinear_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? forward<double>(context) : forward<float>(context);
}

int bilinear_grad_kernel(KernelContext& context) {
  if (context.inputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? backward<double>(context) : backward<float>(context);
}

int bilinear_corners_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[1].dtype == FLOAT64 ? corners<double>(context) : corners<float>(context);
}

}  // namespace mxcy
