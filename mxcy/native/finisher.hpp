// What a kernel calls when a part of its result is final; whoever gives it one says what is done then
// (epilogue.hpp).
#pragma once
#include <cstdint>

namespace mxcy {

struct Finisher {
  virtual ~Finisher() = default;
  // Rows [row, row + rows), columns [column, column + columns) of the result, which is in C order, will not be
  // written or read again. Called once for each part, in any thread; errors are kept for later.
  virtual void finish(int64_t row, int64_t rows, int64_t column, int64_t columns) noexcept = 0;
  // The same part will be final in a moment: asks for what else is read then, so that it is in the cache.
  virtual void expect(int64_t row, int64_t rows, int64_t column, int64_t columns) const noexcept = 0;
};

}  // namespace mxcy
