// Convolutions as packed products: the forward pass and the data gradient are the same work, on other taps.
#pragma once
#include <numeric>
#include "columns.hpp"
#include "finisher.hpp"
#include "halves.hpp"

namespace mxcy {
namespace MXCY_ISA {

constexpr int64_t PANEL_K = 512;            // rows of a panel of B: with a panel of A it fits the first cache
constexpr int64_t BLOCK_BYTES = 256 << 10;  // of B that a task packs at a time
constexpr int64_t MOST_PANELS = 32;         // of a block
constexpr int64_t FEWEST_PANELS = 4;        // of a block, so that A is not read too often
constexpr int64_t FEWEST_TASKS = 16;        // of a product, so that every worker has some
constexpr int64_t TASKS = 4;                // of each worker, if blocks are fewer than twice the workers
constexpr int64_t LINES = 512;              // of weights that are transposed at a time

// Output channels as sums over input channels and taps.
template <class T>
struct TapProduct {
  Planes<T> input;
  std::vector<Tap> taps;
  int64_t images, groups, channels, rows;  // channels and rows (output channels) of one group
  int64_t grid[3];                         // of output elements
  const T* weight;
  int64_t weight_group, weight_row, weight_channel;
  T* out;
  int64_t out_image, out_row;  // elements; a group has `rows` rows
  int64_t out_step[3];
  const T* bias;
  bool relu;
  const T* other = nullptr;  // added to the result before it is rectified, as it lies in `out`, or null
  bool packed = false;  // the weight is what pack_weight makes of it
  bool halved = false;  // only the largest of every 2x2 elements are written (halving_panels is not 0)
  Finisher* finisher = nullptr;  // of rows as they lie in `out`, the first one being number `finished`
  int64_t finished = 0;
};

// Where a panel of columns is written.
template <class T>
class Target {
 public:
  explicit Target(const TapProduct<T>& product) : product_(product) {
    const int64_t* step = product.out_step;
    const int64_t* grid = product.grid;
    dense_ = step[2] == 1 && (step[1] == grid[2] || grid[1] == 1) &&
             (step[0] == grid[1] * grid[2] || grid[0] == 1);
  }

  void set_columns(int64_t first, int64_t count) {
    const int64_t pixels = volume(product_.grid);
    direct_ = dense_ && count == WIDTH<T> && first % pixels + count <= pixels;
    if (direct_) {
      offset_ = first / pixels * product_.out_image + first % pixels;
      return;
    }
    const int64_t flat[3] = {1, 1, pixels};
    find_runs(dense_ ? flat : product_.grid, first, count, runs_);
  }

  // Runs body(c, stride, other) on memory for `rows` rows from `row` on, loaded before (if asked for) and stored
  // after; `other` is the same part of what is added, if it `sums`, with the same stride.
  template <class Body>
  MXCY_INLINE void with_tile(int64_t row, int rows, bool loads, bool sums, const Body& body) const {
    const int64_t first = row * product_.out_row;
    T* at = product_.out + first;
    if (direct_) return body(at + offset_, product_.out_row, sums ? product_.other + first + offset_ : nullptr);
    alignas(VECTOR_BYTES) T local[TILE_ROWS * WIDTH<T>];
    alignas(VECTOR_BYTES) T added[TILE_ROWS * WIDTH<T>];
    if (loads) load_runs(at, rows, local);
    if (sums) load_runs(product_.other + first, rows, added);
    body(local, WIDTH<T>, sums ? added : nullptr);
    each_run(at, rows, [&](T* out, int64_t step, int64_t n, int64_t place) {
      if (step == 1) store_lanes<T>(local + place / WIDTH<T> * WIDTH<T>, place % WIDTH<T>, n, out);
      else
        for (int64_t i = 0; i < n; ++i) out[i * step] = local[place + i];
    });
  }

  // Asks for what is added to these rows, where `with_tile` reads it before the product rather than after it.
  MXCY_INLINE void expect(int64_t row, int rows) const {
    if (direct_) return;
    each_run(product_.other + row * product_.out_row, rows, [](const T* from, int64_t step, int64_t n, int64_t) {
      __builtin_prefetch(from);
      __builtin_prefetch(from + (n - 1) * step);
    });
  }

 private:
  const TapProduct<T>& product_;
  bool dense_, direct_ = false;
  int64_t offset_ = 0;
  std::vector<Run> runs_;

  MXCY_INLINE void load_runs(const T* at, int rows, T* local) const {
    each_run(at, rows, [&](const T* from, int64_t step, int64_t n, int64_t place) {
      if (step == 1) load_lanes<T>(from, place % WIDTH<T>, n, local + place / WIDTH<T> * WIDTH<T>);
      else
        for (int64_t i = 0; i < n; ++i) local[place + i] = from[i * step];
    });
  }

  template <class Element, class Body>
  MXCY_INLINE void each_run(Element* at, int rows, const Body& body) const {
    const int64_t* step = product_.out_step;
    for (const Run& run : runs_) {
      Element* out = at + run.image * product_.out_image + run.at[0] * step[0] + run.at[1] * step[1] +
               run.at[2] * step[2];
      for (int i = 0; i < rows; ++i) {
        body(out + i * product_.out_row, step[2], run.length, i * WIDTH<T> + run.column);
      }
    }
  }
};

// How a product is cut: channels into blocks of k, columns into blocks, rows into panels.  It depends on
// shapes only, and no sum is cut, so that results do not depend on the number of threads.
template <class T>
struct Cut {
  int64_t block_channels, k_blocks, panels, block_panels, blocks, row_panels, panel_rows;

  // The fewest panels of columns that are pairs of lines; 0 if blocks cannot be made of them.
  int64_t halving_panels(const TapProduct<T>& product) const {
    const int64_t pair = 2 * product.grid[2];
    if (k_blocks != 1 || product.grid[0] != 1 || product.grid[1] % 2 || product.grid[2] % 2) return 0;
    const int64_t found = pair / std::gcd(pair, int64_t(WIDTH<T>));
    return found <= MOST_PANELS ? found : 0;
  }

  explicit Cut(const TapProduct<T>& product) {
    const int64_t taps = int64_t(product.taps.size());
    k_blocks = divide_up(product.channels, std::max<int64_t>(PANEL_K / taps, 1));
    block_channels = divide_up(product.channels, k_blocks);
    k_blocks = divide_up(product.channels, block_channels);
    panels = divide_up(product.images * volume(product.grid), WIDTH<T>);
    const int64_t bytes = block_channels * taps * WIDTH<T> * int64_t(sizeof(T));
    const int64_t fair = std::max(divide_up(panels * product.groups, FEWEST_TASKS), FEWEST_PANELS);
    block_panels = std::max<int64_t>(1, std::min({BLOCK_BYTES / bytes, fair, panels, MOST_PANELS}));
    if (product.halved) {
      const int64_t some = halving_panels(product);
      block_panels = std::max<int64_t>(1, block_panels / some) * some;
    }
    blocks = divide_up(panels, block_panels);
    row_panels = divide_up(product.rows, TILE_ROWS);
    panel_rows = divide_up(product.rows, row_panels);  // even ones: a tile of one or two rows is slow
    row_panels = divide_up(product.rows, panel_rows);
  }
};

// A panel of rows, [tap, channel][row], of weights whose taps and channels lie next to each other: squares of
// them are transposed.
template <class T>
void pack_lines(const TapProduct<T>& product, const T* from, const T* end, int64_t count, int64_t rows,
                T* packed) {
  constexpr int64_t L = LENGTH<T>;
  const int64_t taps = product.weight_channel, some = std::min(count, (LINES - L) / taps);
  T local[LINES * L];
  for (int64_t first = 0; first < count; first += some) {
    const int64_t channels = std::min(some, count - first), elements = channels * taps;
    for (int64_t at = 0; at < elements; at += L) {
      Vector<T> square[L] = {};
      for (int64_t i = 0; i < std::min(rows, L); ++i) {
        const T* line = from + i * product.weight_row + first * taps + at;
        if (line + L <= end) square[i] = load(line);
        else std::memcpy(&square[i], line, size_t(std::min(L, elements - at)) * sizeof(T));
      }
      transpose_square<T>(square);
#pragma GCC unroll 16
      for (int64_t k = 0; k < L; ++k) store(local + (at + k) * L, square[k]);
    }
    T* to = packed + first * rows;
    for (const Tap& tap : product.taps) {
      const T* element = local + tap.weight * L;
      for (int64_t c = 0; c < channels; ++c, element += taps * L) {
        if ((channels - c) * rows >= L) store(to + c * rows, load(element));  // the next ones come after it
        else copy_few(element, to + c * rows, rows);
      }
      to += count * rows;
    }
  }
}

// Weights of one block of channels as panels of up to TILE_ROWS rows, [tap, channel][row].
template <class T>
void pack_rows(const TapProduct<T>& product, const Cut<T>& cut, int64_t group, int64_t k_block, int64_t panel,
               T* packed) {
  const int64_t taps = int64_t(product.taps.size());
  const int64_t begin = k_block * cut.block_channels;
  const int64_t count = std::min(cut.block_channels, product.channels - begin);
  const int64_t first = panel * cut.panel_rows, rows = std::min(cut.panel_rows, product.rows - first);
  T* to = packed + group * product.rows * product.channels * taps + product.rows * taps * begin +
          first * taps * count;
  const T* from = product.weight + group * product.weight_group + first * product.weight_row +
                  begin * product.weight_channel;
  const T* end = product.weight + product.groups * product.weight_group;
  if (TILE_ROWS <= LENGTH<T> && product.weight_channel < product.weight_row &&
      product.weight_channel <= LINES - LENGTH<T>) {
    return pack_lines(product, from, end, count, rows, to);
  }
  for (const Tap& tap : product.taps) {
    for (int64_t c = 0; c < count; ++c, to += rows) {
      const T* element = from + c * product.weight_channel + tap.weight;
      if (product.weight_row == 1) {
        copy_few(element, to, rows);
      } else {
        for (int64_t i = 0; i < rows; ++i) to[i] = element[i * product.weight_row];
      }
    }
  }
}

// Tells the finisher, if there is one, of some rows of columns [first, first + count).
template <class T, class Method>
void tell(const TapProduct<T>& product, Method method, int64_t row, int64_t rows, int64_t first, int64_t count) {
  if (!product.finisher) return;
  const int64_t pixels = volume(product.grid), channels = product.groups * product.rows;
  for (const int64_t end = first + count; first < end;) {
    const int64_t image = first / pixels, last = std::min(end, (image + 1) * pixels);
    const int64_t at = product.finished + image * channels + row;
    (product.finisher->*method)(at, rows, first % pixels, last - first);
    first = last;
  }
}

// The weight of a product as panels of rows; as many elements as it has.
template <class T>
int pack_weight(KernelContext& context, const TapProduct<T>& product, const Cut<T>& cut, T* packed) {
  const int64_t panel_size = cut.block_channels * int64_t(product.taps.size()) * TILE_ROWS;
  const int64_t panels = product.groups * cut.k_blocks * cut.row_panels;
  return parallel(context, panels, 1 + (1 << 14) / panel_size, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      pack_rows(product, cut, i / cut.row_panels / cut.k_blocks, i / cut.row_panels % cut.k_blocks,
                i % cut.row_panels, packed);
    }
    return 0;
  });
}

// Products that have all but weight, bias and rows in common: rows of the data are copied once for all.
template <class T>
struct Work {
  struct RowPanel {
    size_t product;
    int64_t number;
  };
  const std::vector<TapProduct<T>>& products;
  std::vector<Cut<T>> cuts;
  std::vector<const T*> packed;
  struct Task {
    int64_t block, begin, end;  // of the row panels
  };
  std::vector<RowPanel> row_panels;  // of all products
  std::vector<Task> tasks;

  Work(const std::vector<TapProduct<T>>& all, int64_t workers) : products(all) {
    for (size_t i = 0; i < all.size(); ++i) {
      cuts.emplace_back(all[i]);
      for (int64_t panel = 0; panel < cuts[i].row_panels; ++panel) row_panels.push_back({i, panel});
    }
    cut_rows(cuts[0].blocks * all[0].groups, workers);
  }

 private:
  // Each task copies its block's rows, so that blocks are cut only where workers would have to wait for each
  // other: in the middle, where those that take tasks from the front meet those that take them from the back.
  void cut_rows(int64_t blocks, int64_t workers) {
    const int64_t all = int64_t(row_panels.size());
    const bool many = blocks >= 2 * workers;
    const int64_t parts = std::min(all, workers == 1 ? 1 : many ? 2 : divide_up(TASKS * workers, blocks));
    const int64_t cut = many ? workers : blocks, first = (blocks - cut) / 2;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t own = block >= first && block < first + cut ? parts : 1;
      for (int64_t i = 0; i < own; ++i) tasks.push_back({block, i * all / own, (i + 1) * all / own});
    }
  }
};

// The largest of every 2x2 elements of rows of columns [first, first + count), which lie at c.
template <class T>
void write_halves(const TapProduct<T>& product, const T* c, int64_t ldc, int64_t row, int64_t rows,
                  int64_t first, int64_t count) {
  const int64_t width = product.grid[2], lines = product.grid[1] / 2, pair = 2 * width;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t at = 0; at < count; at += pair) {
      const int64_t line = (first + at) / pair;
      T* to = product.out + line / lines * product.out_image + (row + i) * product.out_row;
      halve_lines(c + i * ldc + at, width, to + line % lines * width / 2);
    }
  }
}

constexpr int64_t SHORTEST = 4;  // steps of k from one line that is asked for to the next

// Sets out to read rows of channels [begin, end) for columns from `column` on during `tiles` tiles of k steps.
// Returns the depth of these: blocks of k, one for each line.
template <class T>
Depth look_ahead(const TapProduct<T>& product, int64_t group, int64_t begin, int64_t end, int64_t column,
                 int64_t width, int64_t tiles, int64_t k, Ahead& ahead) {
  const int64_t pixels = volume(product.grid), image = column / pixels, size = int64_t(sizeof(T));
  if (product.taps.size() != 1 || image >= product.images || begin >= end) return {k};
  const Planes<T>& planes = product.input;
  ahead.at = reinterpret_cast<const char*>(
      planes.data + image * planes.image + (group * product.channels + begin) * planes.channel + column % pixels);
  ahead.lines = ahead.left = divide_up(std::min(width, pixels - column % pixels) * size, Ahead::LINE) + 1;
  ahead.jump = planes.channel * size - ahead.lines * Ahead::LINE;
  int64_t each = k / divide_up((end - begin) * ahead.lines, tiles);
  while (each >= SHORTEST && k % each) --each;
  return each < SHORTEST ? Depth{k} : Depth{each, k / each, 0, &ahead};
}

// One task: all k for a block of columns and a part of the row panels.
template <class T>
void run_block(const Work<T>& work, const typename Work<T>::Task& task, T* b, RowCopier<T>& copier,
               std::vector<Target<T>>& targets) {
  const TapProduct<T>& common = work.products[0];
  const Cut<T>& cut = work.cuts[0];
  const int64_t block = task.block % cut.blocks, group = task.block / cut.blocks;
  const int64_t taps = int64_t(common.taps.size()), columns = common.images * volume(common.grid);
  const int64_t first_panel = block * cut.block_panels;
  const int64_t panels = std::min(cut.block_panels, cut.panels - first_panel);
  for (int64_t k_block = 0; k_block < cut.k_blocks; ++k_block) {
    const int64_t begin = k_block * cut.block_channels;
    const int64_t count = std::min(cut.block_channels, common.channels - begin), k = count * taps;
    const int64_t stride = cut.block_channels * taps * WIDTH<T> + LENGTH<T>;
    const int64_t first = first_panel * WIDTH<T>, width = std::min(panels * WIDTH<T>, columns - first);
    if (k_block == 0) {
      copier.set_columns(first, width, WIDTH<T>, stride);
      for (size_t i = 0; i < work.products.size(); ++i) {
        for (int64_t p = 0; p < panels; ++p) {
          const int64_t at = first + p * WIDTH<T>;
          targets[i * size_t(cut.block_panels) + size_t(p)].set_columns(
              at, std::min<int64_t>(WIDTH<T>, columns - at));
        }
      }
    }
    copier.copy(common.taps, group * common.channels * common.input.channel, begin, begin + count, b);
    // The rows that are copied next: of the same columns or, most likely, of the block that follows.
    const bool last = k_block + 1 == cut.k_blocks;
    const int64_t next = last ? 0 : begin + count;
    Ahead ahead;
    const Depth depth =
        look_ahead(common, group, next, std::min(next + cut.block_channels, common.channels),
                   last ? first + width : first, width, (task.end - task.begin) * panels, k, ahead);
    for (int64_t i = task.begin; i < task.end; ++i) {
      const size_t number = work.row_panels[size_t(i)].product;
      const TapProduct<T>& product = work.products[number];
      const int64_t panel_rows = work.cuts[number].panel_rows;
      const int64_t row = work.row_panels[size_t(i)].number * panel_rows;
      const int rows = int(std::min(panel_rows, product.rows - row));
      const T* a = work.packed[number] + group * product.rows * product.channels * taps +
                   product.rows * taps * begin + row * k;
      const Tile<T> kernel = packed_tile<T, TILE_ROWS>(rows);
      const int64_t channel = group * product.rows + row;
      Finish<T> finish;
      finish.add = k_block > 0;
      finish.bias = product.bias && k_block == 0 ? product.bias + channel : nullptr;
      finish.relu = product.relu && last;
      finish.sums = product.other && last;
      if (product.halved) {
        T* c = b + cut.block_panels * stride;
        const int64_t ldc = cut.block_panels * WIDTH<T>;
        for (int64_t p = 0; p < panels; ++p) kernel(a, b + p * stride, {k}, c + p * WIDTH<T>, ldc, finish);
        write_halves(product, c, ldc, channel, rows, first, width);
        continue;
      }
      const Target<T>* mine = &targets[number * size_t(cut.block_panels)];
      for (int64_t p = 0; p < panels; ++p) {
        const Target<T>& target = mine[p];
        if (finish.sums) {  // of the tile that follows
          if (p + 1 < panels) mine[p + 1].expect(channel, rows);
          else mine[0].expect(channel + rows, int(std::min<int64_t>(rows, product.rows - row - rows)));
        }
        const int64_t at = first + p * WIDTH<T>;
        if (last) tell(product, &Finisher::expect, channel, rows, at, std::min<int64_t>(WIDTH<T>, columns - at));
        target.with_tile(channel, rows, finish.add, finish.sums, [&](T* c, int64_t ldc, const T* other) {
          finish.other = other;
          kernel(a, b + p * stride, depth, c, ldc, finish);
        });
      }
      if (last) tell(product, &Finisher::finish, channel, rows, first, width);
    }
  }
}

// Elements that no tap reaches: the bias alone.
template <class T>
int run_empty(KernelContext& context, const TapProduct<T>& product) {
  const int64_t rows = product.groups * product.rows;
  return parallel(context, product.images * rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T bias = product.bias ? product.bias[i % rows] : T(0);
      const int64_t first = i / rows * product.out_image + i % rows * product.out_row;
      for (int64_t z = 0; z < product.grid[0]; ++z) {
        for (int64_t y = 0; y < product.grid[1]; ++y) {
          const int64_t line = first + z * product.out_step[0] + y * product.out_step[1];
          for (int64_t x = 0; x < product.grid[2]; ++x) {
            const int64_t at = line + x * product.out_step[2];
            const T value = product.other ? bias + product.other[at] : bias;
            product.out[at] = product.relu && value < 0 ? T(0) : value;
          }
        }
      }
      if (product.finisher) product.finisher->finish(product.finished + i, 1, 0, volume(product.grid));
    }
    return 0;
  });
}

template <class T>
int run_products(KernelContext& context, const std::vector<TapProduct<T>>& products) {
  const TapProduct<T>& common = products[0];
  if (volume(common.grid) == 0) return 0;
  if (common.taps.empty() || common.channels == 0) {
    for (const TapProduct<T>& product : products) {
      if (int code = run_empty(context, product)) return code;
    }
    return 0;
  }
  Work<T> work(products, context.runtime->num_workers());
  const int64_t taps = int64_t(common.taps.size());
  int64_t size = 0;
  for (const TapProduct<T>& product : products) {
    if (!product.packed) size += product.groups * product.rows * product.channels * taps;
  }
  const Scratch<T> memory(context, size);
  T* packed = memory;
  for (size_t i = 0; i < products.size(); ++i) {
    const TapProduct<T>& product = products[i];
    if (product.packed) {
      work.packed.push_back(product.weight);
      continue;
    }
    if (int code = pack_weight(context, product, work.cuts[i], packed)) return code;
    work.packed.push_back(packed);
    packed += product.groups * product.rows * product.channels * taps;
  }
  const Cut<T>& cut = work.cuts[0];
  const int64_t tiles = common.halved ? TILE_ROWS * cut.block_panels * WIDTH<T> + WIDTH<T> : 0;
  const int64_t elements = cut.block_panels * (cut.block_channels * taps * WIDTH<T> + LENGTH<T>) + tiles;
  return parallel(context, int64_t(work.tasks.size()), 1, [&](int64_t begin, int64_t end) {
    T* b = static_cast<T*>(context.runtime->scratch_alloc(size_t(elements) * sizeof(T)));
    if (!b) return context.failure->fail(FAIL_MEMORY, "convolution: out of memory");
    std::fill_n(b + elements - tiles, tiles, T(0));
    RowCopier<T> copier(common.input, common.grid);
    std::vector<Target<T>> targets;
    for (const TapProduct<T>& product : products) {
      for (int64_t p = 0; p < cut.block_panels; ++p) targets.emplace_back(product);
    }
    for (int64_t task = begin; task < end; ++task) run_block(work, work.tasks[size_t(task)], b, copier, targets);
    context.runtime->scratch_free(b, size_t(elements) * sizeof(T));
    return 0;
  });
}

}  // namespace MXCY_ISA
}  // namespace mxcy
