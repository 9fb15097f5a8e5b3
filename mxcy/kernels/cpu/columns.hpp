// A convolution as a product of matrices: the columns are the elements of one output channel, numbered over
// all images, the rows are the elements that one output element is made of (a channel and a tap).  Rows are
// copied panel by panel, never the whole matrix.  Included by files that are compiled once for each
// instruction set.
#pragma once
#include <climits>
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
  int64_t plane;  // elements from the channel's first volume to the one that is read
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
    runs.push_back(
        {row / (grid[0] * grid[1]), {row / grid[1] % grid[0], row % grid[1], x}, at - first, length});
    at += length;
  }
}

// Copies rows for a block of columns, in panels of some width: row r of a panel at r * width.  Writes may
// reach LENGTH - 1 elements past the end of a row, so rows of a panel are written in order.
template <class T>
class RowCopier {
 public:
  RowCopier(const Planes<T>& planes, const int64_t* grid) : planes_(planes), grid_(grid) {}

  // Columns [first, first + count), and zeros up to the end of the last panel; `stride`: elements from one
  // panel to the next.
  void set_columns(int64_t first, int64_t count, int64_t width, int64_t stride) {
    width_ = width;
    find_runs(grid_, first, count, runs_);
    lines_.clear(), inside_.clear();
    for (int d = 0; d < 3; ++d) low_[d] = INT64_MAX, high_[d] = 0;
    for (const Run& run : runs_) {
      for (int d = 0; d < 3; ++d) {
        low_[d] = std::min(low_[d], run.at[d]);
        high_[d] = std::max(high_[d], run.at[d] + (d == 2 ? run.length : 1));
      }
      const int64_t source = run.image * planes_.image +
                             (run.at[0] * planes_.extent[1] + run.at[1]) * planes_.extent[2] + run.at[2];
      for (int64_t i = 0; i < run.length;) {  // cut at the ends of panels
        const int64_t column = run.column + i, room = width - column % width;
        const int64_t length = std::min(run.length - i, room), to = column / width * stride + column % width;
        lines_.push_back({to, length, source + i, {run.at[0], run.at[1], run.at[2] + i}});
        add_piece(inside_, to, length, source + i);
        i += length;
      }
    }
    const int64_t rest = count % width ? width - count % width : 0;
    if (rest) add_piece(inside_, count / width * stride + count % width, rest, ZEROS);
    rest_ = {count / width * stride + count % width, rest, ZEROS};
  }

  // Rows (tap, channel) of channels [begin, end) after `base`.
  void copy(const std::vector<Tap>& taps, int64_t base, int64_t begin, int64_t end, T* to) {
    const int64_t last_channel = base + (end - 1) * planes_.channel;
    for (const Tap& tap : taps) {
      const int64_t shift =
          tap.plane + (tap.at[0] * planes_.extent[1] + tap.at[1]) * planes_.extent[2] + tap.at[2];
      const bool inside = is_inside(tap);
      if (!inside) clip(tap);
      const std::vector<Piece>& pieces = inside ? inside_ : clipped_;
      // Nothing past the end of the planes may be read, as a vector that holds the last element might.
      const bool near_end = last_channel + shift + furthest(pieces) + LENGTH<T> > planes_.size;
      const T* from = planes_.data + base + begin * planes_.channel + shift;
      for (int64_t c = begin; c < end; ++c, from += planes_.channel, to += width_) {
        if (near_end) copy_row<true>(pieces, from, to);
        else copy_row<false>(pieces, from, to);
      }
    }
  }

 private:
  static constexpr int64_t ZEROS = INT64_MIN;
  struct Piece {
    int64_t to, length, source;  // source: elements from a tap's place, or ZEROS
  };
  struct Line {
    int64_t to, length, source, at[3];
  };

  const Planes<T>& planes_;
  const int64_t* grid_;
  int64_t width_ = 0, low_[3], high_[3];
  std::vector<Run> runs_;
  std::vector<Line> lines_;
  std::vector<Piece> inside_, clipped_;  // for taps that stay inside of the planes, and for the others
  Piece rest_;

  bool is_inside(const Tap& tap) const {
    for (int d = 0; d < 3; ++d) {
      if (low_[d] + tap.at[d] < 0 || high_[d] + tap.at[d] > planes_.extent[d]) return false;
    }
    return true;
  }

  void clip(const Tap& tap) {
    clipped_.clear();
    for (const Line& line : lines_) {
      const int64_t z = line.at[0] + tap.at[0], y = line.at[1] + tap.at[1], x = line.at[2] + tap.at[2];
      const bool outside = z < 0 || z >= planes_.extent[0] || y < 0 || y >= planes_.extent[1];
      const int64_t begin = outside ? line.length : std::min(std::max<int64_t>(-x, 0), line.length);
      const int64_t end = std::max(begin, std::min(line.length, planes_.extent[2] - x));
      if (begin > 0) add_piece(clipped_, line.to, begin, ZEROS);
      if (end > begin) add_piece(clipped_, line.to + begin, end - begin, line.source + begin);
      if (end < line.length) add_piece(clipped_, line.to + end, line.length - end, ZEROS);
    }
    if (rest_.length) add_piece(clipped_, rest_.to, rest_.length, ZEROS);
  }

  static void add_piece(std::vector<Piece>& pieces, int64_t to, int64_t length, int64_t source) {
    if (!pieces.empty() && pieces.back().to + pieces.back().length == to) {
      Piece& last = pieces.back();
      if (source == ZEROS ? last.source == ZEROS
                          : last.source != ZEROS && last.source + last.length == source) {
        last.length += length;
        return;
      }
    }
    pieces.push_back({to, length, source});
  }

  static int64_t furthest(const std::vector<Piece>& pieces) {
    int64_t found = INT64_MIN / 2;
    for (const Piece& piece : pieces) {
      if (piece.source != ZEROS) found = std::max(found, piece.source + piece.length);
    }
    return found;
  }

  template <bool EXACT>
  MXCY_INLINE void copy_row(const std::vector<Piece>& pieces, const T* from, T* to) const {
    for (const Piece& piece : pieces) {
      T* p = to + piece.to;
      if (piece.source == ZEROS) {
        for (int64_t i = 0; i < piece.length; i += LENGTH<T>) store(p + i, Vector<T>{});
      } else if (EXACT) {
        copy_few(from + piece.source, p, piece.length);
      } else {
        const T* source = from + piece.source;
        for (int64_t i = 0; i < piece.length; i += LENGTH<T>) store(p + i, load(source + i));
      }
    }
  }
};

}  // namespace MXCY_ISA
}  // namespace mxcy
