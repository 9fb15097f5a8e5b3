// Boxes as offsets from others, boxes matched with others, and proposals of boxes.
#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "box.hpp"
#include "detection.hpp"

namespace mxcy {
namespace {

template <class T>
int encode(KernelContext& context) {
  const CodingParams& p = *static_cast<const CodingParams*>(context.params);
  T means[4], deviations[4];
  read(context.inputs[4], 0, 4, means);
  read(context.inputs[5], 0, 4, deviations);
  const int64_t size = p.boxes * 4;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> samples(p.boxes), matches(p.boxes), anchors(size), references(p.references * 4);
    std::vector<T> offsets(size), mask(size);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * p.boxes, p.boxes, samples.data());
      read(context.inputs[1], n * p.boxes, p.boxes, matches.data());
      read(context.inputs[2], n * size, size, anchors.data());
      read(context.inputs[3], n * references.size(), references.size(), references.data());
      for (int64_t i = 0; i < p.boxes; ++i) {
        const bool taken = samples[i] > T(0.5) && matches[i] >= 0 && matches[i] < T(p.references);
        std::fill_n(&mask[i * 4], 4, T(taken));
        std::fill_n(&offsets[i * 4], 4, T(0));
        if (!taken) continue;
        const Box<T> from(&anchors[i * 4], false), to(&references[int64_t(matches[i]) * 4], false);
        for (int d = 0; d < 2; ++d) {
          const T moved = (to.center(d) - from.center(d)) / from.extent(d);
          offsets[i * 4 + d] = (moved - means[d]) / deviations[d];
          const T grown = std::log(to.extent(d) / from.extent(d));
          offsets[i * 4 + 2 + d] = (grown - means[2 + d]) / deviations[2 + d];
        }
      }
      write(offsets.data(), context.outputs[0], n * size, size);
      write(mask.data(), context.outputs[1], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.batches, 1 + 1000 / p.boxes, body);
}

template <class T>
int decode(KernelContext& context) {
  const CodingParams& p = *static_cast<const CodingParams*>(context.params);
  const int64_t size = p.boxes * 4;
  std::vector<T> anchors(size);
  read(context.inputs[1], 0, size, anchors.data());
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> line(size);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * size, size, line.data());
      for (int64_t i = 0; i < p.boxes; ++i) {
        const Box<T> from(&anchors[i * 4], !p.corners);
        T* box = &line[i * 4];
        for (int d = 0; d < 2; ++d) {
          const T center = box[d] * T(p.deviations[d]) * from.extent(d) + from.center(d);
          T grown = box[2 + d] * T(p.deviations[2 + d]);
          if (p.most > 0) grown = std::min(grown, T(p.most));
          const T half = std::exp(grown) * from.extent(d) / 2;
          box[d] = center - half;
          box[2 + d] = center + half;
        }
      }
      write(line.data(), context.outputs[0], n * size, size);
    }
    return 0;
  };
  return parallel(context, p.batches, 1 + 1000 / p.boxes, body);
}

template <class T>
int match(KernelContext& context) {
  const MatchingParams& p = *static_cast<const MatchingParams*>(context.params);
  const int64_t size = p.rows * p.columns;
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> scores(size), of_rows(p.rows), of_columns(p.columns);
    std::vector<int64_t> order(size);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * size, size, scores.data());
      std::fill(of_rows.begin(), of_rows.end(), T(-1));
      std::fill(of_columns.begin(), of_columns.end(), T(-1));
      for (int64_t i = 0; i < size; ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return p.ascends ? scores[a] < scores[b] : scores[a] > scores[b];
      });
      int64_t count = 0;
      for (int64_t i : order) {
        const int64_t row = i / p.columns, column = i % p.columns;
        if (of_rows[row] >= 0 || of_columns[column] >= 0) continue;
        const bool good = p.ascends ? scores[i] < T(p.threshold) : scores[i] > T(p.threshold);
        if (!good || (p.most > 0 && count > p.most)) break;
        of_rows[row] = T(column);
        of_columns[column] = T(row);
        ++count;  // as in MXNet there may be one more than `most`
      }
      write(of_rows.data(), context.outputs[0], n * p.rows, p.rows);
      write(of_columns.data(), context.outputs[1], n * p.columns, p.columns);
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

// --- proposals -------------------------------------------------------------------------------------------
// Boxes whose corners are whole elements: (2, 2, 2, 2) has extent 1.
template <class T>
struct Proposals {
  const ProposalParams& p;
  int64_t count;
  std::vector<T> boxes, scores;

  explicit Proposals(const ProposalParams& params)
      : p(params), count(p.kinds * p.height * p.width), boxes(count * 4), scores(count) {}

  void predict(const T* score, const T* offset, const T* image, const T* kinds) {
    const int64_t plane = p.height * p.width;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t kind = i % p.kinds, at = i / p.kinds;
      const int64_t place[2] = {at % p.width, at / p.width};
      T* box = &boxes[i * 4];
      for (int d = 0; d < 2; ++d) {
        const T low = kinds[kind * 4 + d] + T(place[d] * p.stride);
        const T high = kinds[kind * 4 + 2 + d] + T(place[d] * p.stride);
        const T first = offset[(kind * 4 + d) * plane + at], second = offset[(kind * 4 + 2 + d) * plane + at];
        if (p.by_corners) {
          box[d] = low + first;
          box[2 + d] = high + second;
        } else {
          const T extent = high - low + 1, center = low + (extent - 1) / 2 + first * extent;
          const T half = (std::exp(second) * extent - 1) / 2;
          box[d] = center - half;
          box[2 + d] = center + half;
        }
        const T most = image[1 - d] - 1;
        box[d] = std::max(std::min(box[d], most), T(0));
        box[2 + d] = std::max(std::min(box[2 + d], most), T(0));
      }
      const bool inside = place[1] < int64_t(image[0] / T(p.stride)) && place[0] < int64_t(image[1] / T(p.stride));
      scores[i] = inside ? score[(p.kinds + kind) * plane + at] : T(-1);
    }
  }

  // Boxes that are too small come last.
  void demote(T least) {
    for (int64_t i = 0; i < count; ++i) {
      T* box = &boxes[i * 4];
      if (box[2] - box[0] + 1 >= least && box[3] - box[1] + 1 >= least) continue;
      for (int d = 0; d < 2; ++d) {
        box[d] -= least / 2;
        box[2 + d] += least / 2;
      }
      scores[i] = -1;
    }
  }

  T area(const T* box) const { return (box[2] - box[0] + 1) * (box[3] - box[1] + 1); }

  T overlap(const T* a, const T* b) const {
    T shared = 1;
    for (int d = 0; d < 2; ++d) {
      shared *= std::max(std::min(a[2 + d], b[2 + d]) - std::max(a[d], b[d]) + 1, T(0));
    }
    return shared / (area(a) + area(b) - shared);
  }

  std::vector<int64_t> best() const {
    std::vector<int64_t> order(count), kept;
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    if (p.before > 0 && p.before < count) order.resize(p.before);
    for (int64_t i : order) {
      if (int64_t(kept.size()) == p.after) break;
      const bool rivalled = std::any_of(kept.begin(), kept.end(), [&](int64_t k) {
        return overlap(&boxes[k * 4], &boxes[i * 4]) > T(p.overlap);
      });
      if (!rivalled) kept.push_back(i);
    }
    return kept;
  }
};

template <class T>
int propose(KernelContext& context) {
  const ProposalParams& p = *static_cast<const ProposalParams*>(context.params);
  const int64_t size = p.kinds * p.height * p.width;
  std::vector<T> kinds(p.kinds * 4);
  read(context.inputs[3], 0, p.kinds * 4, kinds.data());
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> score(2 * size), offset(4 * size), regions(p.after * 5), scores(p.after);
    for (int64_t n = begin; n < end; ++n) {
      T image[3];
      read(context.inputs[0], n * 2 * size, 2 * size, score.data());
      read(context.inputs[1], n * 4 * size, 4 * size, offset.data());
      read(context.inputs[2], n * 3, 3, image);
      Proposals<T> made(p);
      made.predict(score.data(), offset.data(), image, kinds.data());
      made.demote(T(p.least) * image[2]);
      const std::vector<int64_t> kept = made.best();
      std::fill(regions.begin(), regions.end(), T(0));
      std::fill(scores.begin(), scores.end(), T(0));
      for (int64_t i = 0; i < p.after && !kept.empty(); ++i) {  // those that there are, again and again
        const int64_t from = kept[i % kept.size()];
        regions[i * 5] = p.numbered ? T(n) : T(0);
        std::copy_n(&made.boxes[from * 4], 4, &regions[i * 5 + 1]);
        scores[i] = made.scores[from];
      }
      write(regions.data(), context.outputs[0], n * p.after * 5, p.after * 5);
      write(scores.data(), context.outputs[1], n * p.after, p.after);
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

}  // namespace

int box_encode_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? encode<double>(context) : encode<float>(context);
}

int box_decode_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? decode<double>(context) : decode<float>(context);
}

int matching_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0 && context.outputs[1].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? match<double>(context) : match<float>(context);
}

int proposal_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? propose<double>(context) : propose<float>(context);
}

}  // namespace mxcy
