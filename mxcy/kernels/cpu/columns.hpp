// A convolution as a product of matrices: the columns are the elements of one output channel, numbered over all
// images, the rows are the elements that one output element is made of (a channel and a tap).  Rows are
// copied panel by panel, never the whole matrix.  Included by files that are compiled once for each
// instruction set.
#pragma once
#include <vector>
#include "convolution.hpp"
#include "gemm.hpp"
#include "launch.hpp"

namespace mxcy {
namespace MXCY_ISA {

// Channels of images, each a volume; outside of it there are zeros.
template <class T>
struct Planes {
  const T* data = nullptr;
  int64_t size = 0;                // elements in all
  int64_t image = 0, channel = 0;  // elements from one to the next
  int64_t extent[3] = {1, 1, 1};
};

// An element of the kernel: where it reads, from the place of the column.
struct Tap {
  int64_t plane;   // elements from the channel's first volume to the one that is read
  int64_t at[3];
  int64_t weight;  // elements from the first element of a kernel
};

// Columns along the last axis of the grid.
struct Run {
  int64_t image, at[3];
  int64_t column, length;
};



// The runs that columns [first, first + count) of a grid consist of.
inline void find_runs(const int64_t* grid, int64_t first, int64_t count, std::vector<Run>& runs) {
  runs.clear();
  const int64_t end = first + count;
  for (int64_t at = first; at < end;) {
    const int64_t x = at % grid[2], row = at / grid[2];
    const int64_t length = std::min(grid[2] - x, end - at);
    runs.push_back({row / (grid[0] * grid[1]), {row / grid[1] % grid[0], row % grid[1], x}, at - first, length});
    at += length;
  }
}

// Copies rows for a panel of columns.  Writes may reach LENGTH - 1 elements past the end of a row.
template <class T>
class RowCopier {
 public:
  RowCopier(const Planes<T>& planes, const int64_t* grid) : planes_(planes), grid_(grid) {}

  // Columns [first, first + count) in rows of `width` elements; what is beyond them is zero.
  void set_columns(int64_t first, int64_t count, int64_t width) {
    find_runs(grid_, first, count, runs_);
    count_ = count;
    width_ = width;
  }

  // Rows (tap, channel) of channels [begin, end) after `base`.
  void copy(const std::vector<Tap>& taps, int64_t base, int64_t begin, int64_t end, T* to) {
    for (const Tap& tap : taps) {
      find_pieces(tap, base + (end - 1) * planes_.channel);
      const T* from = planes_.data + base + begin * planes_.channel;
      for (int64_t c = begin; c < end; ++c) {
        copy_row(from, to);
        from += planes_.channel;
        to += width_;
      }
    }
  }

 private:
  struct Piece {
    int64_t column, length, source;  // source < 0: zeros
    bool exact;                      // nothing beyond its end may be read
  };

  const Planes<T>& planes_;
  const int64_t* grid_;
  int64_t count_ = 0, width_ = 0;
  std::vector<Run> runs_;
  std::vector<Piece> pieces_;

  void find_pieces(const Tap& tap, int64_t last_channel) {
    pieces_.clear();
    const int64_t* extent = planes_.extent;
    for (const Run& run : runs_) {
      const int64_t z = run.at[0] + tap.at[0], y = run.at[1] + tap.at[1], x = run.at[2] + tap.at[2];
      if (z < 0 || z >= extent[0] || y < 0 || y >= extent[1]) {
        add_piece(run.column, run.length, -1);
        continue;
      }
      const int64_t begin = std::min(std::max<int64_t>(-x, 0), run.length);
      const int64_t end = std::max(std::min(run.length, extent[2] - x), begin);
      const int64_t source = run.image * planes_.image + tap.plane + (z * extent[1] + y) * extent[2] + x;
      if (begin > 0) add_piece(run.column, begin, -1);
      if (end > begin) add_piece(run.column + begin, end - begin, source + begin);
      if (end < run.length) add_piece(run.column + end, run.length - end, -1);
    }
    if (count_ < width_) add_piece(count_, width_ - count_, -1);
    for (Piece& piece : pieces_) {
      const int64_t reach = divide_up(piece.length, LENGTH<T>) * LENGTH<T>;
      piece.exact = piece.source >= 0 && last_channel + piece.source + reach > planes_.size;
    }
  }

  void add_piece(int64_t column, int64_t length, int64_t source) {
    if (!pieces_.empty()) {
      Piece& last = pieces_.back();
      if (source < 0 ? last.source < 0 : last.source >= 0 && last.source + last.length == source) {
        last.length += length;
        return;
      }
    }
    pieces_.push_back({column, length, source, false});
  }

  MXCY_INLINE void copy_row(const T* from, T* to) const {
    for (const Piece& piece : pieces_) {
      T* p = to + piece.column;
      if (piece.source < 0) {
        for (int64_t i = 0; i < piece.length; i += LENGTH<T>) store(p + i, Vector<T>{});
      } else if (piece.exact) {
        std::memcpy(p, from + piece.source, size_t(piece.length) * sizeof(T));
      } else {
        const T* source = from + piece.source;
        for (int64_t i = 0; i < piece.length; i += LENGTH<T>) store(p + i, load(source + i));
      }
    }
  }
};

}  // namespace MXCY_ISA
}  // namespace mxcy
