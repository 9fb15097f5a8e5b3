// Compiled once for each instruction set; see products.hpp.
#include "products.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <type_traits>

#ifndef MXCY_ISA
#define MXCY_ISA base
#endif

namespace mxcy {
namespace MXCY_ISA {
namespace {

constexpr intptr_t PANEL_ROWS = 64, PANEL_COLUMNS = 256;

struct Matrix {
  char* p;
  intptr_t row, column;  // strides in bytes
  template <class T>
  T& at(intptr_t i, intptr_t j) const {
    return *reinterpret_cast<T*>(p + i * row + j * column);
  }
};

// Adds a (m, n) times a panel of b (n <= PANEL_ROWS, columns <= PANEL_COLUMNS) to out.
template <class T>
void add_panel(Matrix a, const T* panel, Matrix out, intptr_t m, intptr_t n, intptr_t columns, bool first) {
  using U = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
  T sums[PANEL_COLUMNS];
  for (intptr_t i = 0; i < m; ++i) {
    for (intptr_t j = 0; j < columns; ++j) sums[j] = first ? T(0) : out.at<T>(i, j);
    for (intptr_t k = 0; k < n; ++k) {
      const T factor = a.at<T>(i, k);
      const T* row = panel + k * PANEL_COLUMNS;
      for (intptr_t j = 0; j < columns; ++j) sums[j] = T(U(sums[j]) + U(factor) * U(row[j]));
    }
    for (intptr_t j = 0; j < columns; ++j) out.at<T>(i, j) = sums[j];
  }
}

template <class T>
void product(Matrix a, Matrix b, Matrix out, intptr_t m, intptr_t n, intptr_t p, T* panel) {
  for (intptr_t column = 0; column < p; column += PANEL_COLUMNS) {
    const intptr_t columns = std::min(PANEL_COLUMNS, p - column);
    const Matrix target{out.p + column * out.column, out.row, out.column};
    for (intptr_t k = 0; k == 0 || k < n; k += PANEL_ROWS) {
      const intptr_t rows = std::min(PANEL_ROWS, n - k);
      for (intptr_t i = 0; i < rows; ++i) {
        for (intptr_t j = 0; j < columns; ++j) panel[i * PANEL_COLUMNS + j] = b.at<T>(k + i, column + j);
      }
      add_panel(Matrix{a.p + k * a.column, a.row, a.column}, panel, target, m, rows, columns, k == 0);
    }
  }
}

template <class T>
void loop(char** args, const intptr_t* dimensions, const intptr_t* strides, void*) {
  alignas(64) T panel[PANEL_ROWS * PANEL_COLUMNS];
  for (intptr_t i = 0; i < dimensions[0]; ++i) {
    product(Matrix{args[0] + i * strides[0], strides[3], strides[4]},
            Matrix{args[1] + i * strides[1], strides[5], strides[6]},
            Matrix{args[2] + i * strides[2], strides[7], strides[8]}, dimensions[1], dimensions[2],
            dimensions[3], panel);
  }
}

}  // namespace

OwnLoopFunction integer_product(int dtype) {
  switch (dtype) {
    case INT8: return loop<int8_t>;
    case UINT8: return loop<uint8_t>;
    case INT16: return loop<int16_t>;
    case UINT16: return loop<uint16_t>;
    case INT32: return loop<int32_t>;
    case UINT32: return loop<uint32_t>;
    case INT64: return loop<int64_t>;
    case UINT64: return loop<uint64_t>;
    default: return nullptr;
  }
}

}  // namespace MXCY_ISA
}  // namespace mxcy
