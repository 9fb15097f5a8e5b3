// Targets and detections of single-shot detectors.  One worker does an image.
#include <algorithm>
#include <cmath>
#include <vector>
#include "blocks.hpp"
#include "box.hpp"
#include "detection.hpp"

namespace mxcy {
namespace {

enum Flag : char { UNDECIDED = -1, NEGATIVE = 0, POSITIVE = 1 };

template <class T>
struct Targets {
  const TargetParams& p;
  const T *anchors, *labels, *predictions;
  int64_t truths = 0, positives = 0;
  std::vector<T> overlaps;  // (anchors, truths)
  std::vector<T> best;
  std::vector<int64_t> match;
  std::vector<char> flags;

  Targets(const TargetParams& params, const T* a, const T* l, const T* c)
      : p(params), anchors(a), labels(l), predictions(c), best(p.anchors, T(-1)), match(p.anchors, -1),
        flags(p.anchors, UNDECIDED) {
    while (truths < p.labels && labels[truths * p.width] != T(-1)) ++truths;
    overlaps.resize(p.anchors * truths);
    for (int64_t i = 0; i < p.anchors; ++i) {
      const Box<T> box(anchors + i * 4, false);
      for (int64_t k = 0; k < truths; ++k) {
        overlaps[i * truths + k] = box.overlap(Box<T>(labels + k * p.width + 1, false));
      }
    }
  }

  void take(int64_t anchor, int64_t truth, T overlap) {
    best[anchor] = overlap;
    match[anchor] = truth;
    flags[anchor] = POSITIVE;
    ++positives;
  }

  // Every truth gets the anchor that overlaps it most, the best pair first.
  void match_truths() {
    std::vector<char> done(truths, 0);
    for (int64_t round = 0; round < truths; ++round) {
      int64_t anchor = -1, truth = -1;
      T most = T(1e-6);
      for (int64_t i = 0; i < p.anchors; ++i) {
        if (flags[i] == POSITIVE) continue;
        for (int64_t k = 0; k < truths; ++k) {
          if (done[k] || !(overlaps[i * truths + k] > most)) continue;
          anchor = i, truth = k, most = overlaps[i * truths + k];
        }
      }
      if (anchor < 0) return;
      take(anchor, truth, most);
      done[truth] = 1;
    }
  }

  // Of the other anchors, those that overlap a truth enough.
  void match_anchors() {
    for (int64_t i = 0; i < p.anchors; ++i) {
      if (flags[i] == POSITIVE) continue;
      const T* line = &overlaps[i * truths];
      const int64_t k = std::max_element(line, line + truths) - line;
      best[i] = line[k];
      match[i] = k;
      if (p.overlap > 0 && line[k] > T(p.overlap)) take(i, k, line[k]);
    }
  }

  // The probability of the background, by softmax over classes.
  T background(int64_t anchor) const {
    const T* column = predictions + anchor;
    T most = column[0], sum = 0;
    for (int64_t c = 1; c < p.classes; ++c) most = std::max(most, column[c * p.anchors]);
    for (int64_t c = 0; c < p.classes; ++c) sum += std::exp(column[c * p.anchors] - most);
    return std::exp(column[0] - most) / sum;
  }

  // The negatives that look least like background; the rest is ignored.
  void mine() {
    int64_t wanted = std::min(int64_t(positives * p.mining_ratio), p.anchors - positives);
    std::vector<std::pair<T, int64_t>> found;
    for (int64_t i = 0; i < p.anchors; ++i) {
      if (flags[i] != POSITIVE && best[i] < T(p.mining_overlap)) found.emplace_back(background(i), i);
    }
    std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.first < b.first; });
    wanted = std::min<int64_t>(wanted, found.size());
    for (int64_t i = 0; i < wanted; ++i) flags[found[i].second] = NEGATIVE;
  }

  void write_offsets(int64_t anchor, T* to) const {
    const Box<T> from(anchors + anchor * 4, false), truth(labels + match[anchor] * p.width + 1, false);
    for (int d = 0; d < 2; ++d) {
      to[d] = (truth.center(d) - from.center(d)) / from.extent(d) / T(p.variances[d]);
      to[2 + d] = std::log(truth.extent(d) / from.extent(d)) / T(p.variances[2 + d]);
    }
  }

  void run(T* offsets, T* mask, T* classes) {
    std::fill(offsets, offsets + p.anchors * 4, T(0));
    std::fill(mask, mask + p.anchors * 4, T(0));
    std::fill(classes, classes + p.anchors, T(p.ignored));
    if (truths == 0) return;
    match_truths();
    match_anchors();
    if (p.mining_ratio > 0) mine();
    for (int64_t i = 0; i < p.anchors; ++i) {
      if (flags[i] == POSITIVE) {
        classes[i] = labels[match[i] * p.width] + 1;
        std::fill(mask + i * 4, mask + i * 4 + 4, T(1));
        write_offsets(i, offsets + i * 4);
      } else if (flags[i] == NEGATIVE || !(p.mining_ratio > 0)) {
        classes[i] = 0;
      }
    }
  }
};

template <class T>
int target(KernelContext& context) {
  const TargetParams& p = *static_cast<const TargetParams*>(context.params);
  std::vector<T> anchors(p.anchors * 4);
  read(context.inputs[0], 0, p.anchors * 4, anchors.data());
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> labels(p.labels * p.width), predictions(p.classes * p.anchors);
    std::vector<T> offsets(p.anchors * 4), mask(p.anchors * 4), classes(p.anchors);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[1], n * labels.size(), labels.size(), labels.data());
      read(context.inputs[2], n * predictions.size(), predictions.size(), predictions.data());
      Targets<T>(p, anchors.data(), labels.data(), predictions.data())
          .run(offsets.data(), mask.data(), classes.data());
      write(offsets.data(), context.outputs[0], n * p.anchors * 4, p.anchors * 4);
      write(mask.data(), context.outputs[1], n * p.anchors * 4, p.anchors * 4);
      write(classes.data(), context.outputs[2], n * p.anchors, p.anchors);
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

// --- detections ------------------------------------------------------------------------------------------
// An anchor moved by predicted offsets.
template <class T>
void move_box(const DetectionParams& p, const T* anchor, const T* offsets, T* to) {
  const Box<T> from(anchor, false);
  for (int d = 0; d < 2; ++d) {
    const T center = offsets[d] * T(p.variances[d]) * from.extent(d) + from.center(d);
    const T half = std::exp(offsets[2 + d] * T(p.variances[2 + d])) * from.extent(d) / 2;
    to[d] = center - half;
    to[2 + d] = center + half;
  }
  if (p.clips) {
    for (int i = 0; i < 4; ++i) to[i] = std::max(T(0), std::min(T(1), to[i]));
  }
}

// Rows (class, score, box) of the anchors whose best class is likely enough, in the anchors' order.
template <class T>
std::vector<T> likely_rows(const DetectionParams& p, const T* scores, const T* offsets, const T* anchors) {
  std::vector<T> rows;
  for (int64_t i = 0; i < p.anchors; ++i) {
    T score = -1;
    int64_t id = 0;
    for (int64_t c = 1; c < p.classes; ++c) {
      if (scores[c * p.anchors + i] > score) score = scores[c * p.anchors + i], id = c;
    }
    if (id == 0 || score < T(p.threshold)) continue;
    T box[4];
    move_box(p, anchors + i * 4, offsets + i * 4, box);
    rows.push_back(T(id - 1));
    rows.push_back(score);
    rows.insert(rows.end(), box, box + 4);
  }
  return rows;
}

// Writes the rows to `out`, best first; the class of those that overlap a better one becomes -1.
template <class T>
void keep_best(const DetectionParams& p, const std::vector<T>& rows, T* out) {
  std::vector<int64_t> order(rows.size() / 6);
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  auto better = [&](int64_t a, int64_t b) { return rows[a * 6 + 1] > rows[b * 6 + 1]; };
  std::stable_sort(order.begin(), order.end(), better);
  int64_t count = order.size();
  if (p.most > 0) count = std::min(count, p.most);
  for (int64_t i = 0; i < int64_t(order.size()); ++i) {
    std::copy_n(&rows[(i < count ? order[i] : i) * 6], 6, out + i * 6);
    if (i >= count) out[i * 6] = -1;  // as in MXNet, not in order of scores
  }
  for (int64_t i = 0; i < count; ++i) {
    if (out[i * 6] < 0) continue;
    const Box<T> box(out + i * 6 + 2, false);
    for (int64_t j = i + 1; j < count; ++j) {
      T* other = out + j * 6;
      if (other[0] < 0 || (!p.all_classes && other[0] != out[i * 6])) continue;
      if (box.overlap(Box<T>(other + 2, false)) >= T(p.overlap)) other[0] = -1;
    }
  }
}

template <class T>
int detect(KernelContext& context) {
  const DetectionParams& p = *static_cast<const DetectionParams*>(context.params);
  std::vector<T> anchors(p.anchors * 4);
  read(context.inputs[2], 0, p.anchors * 4, anchors.data());
  auto body = [&](int64_t begin, int64_t end) {
    std::vector<T> scores(p.classes * p.anchors), offsets(p.anchors * 4), out(p.anchors * 6);
    for (int64_t n = begin; n < end; ++n) {
      read(context.inputs[0], n * scores.size(), scores.size(), scores.data());
      read(context.inputs[1], n * offsets.size(), offsets.size(), offsets.data());
      std::fill(out.begin(), out.end(), T(-1));
      const std::vector<T> rows = likely_rows(p, scores.data(), offsets.data(), anchors.data());
      if (p.overlap > 0 && p.overlap <= 1) {
        keep_best(p, rows, out.data());
      } else {
        std::copy(rows.begin(), rows.end(), out.begin());
      }
      write(out.data(), context.outputs[0], n * out.size(), out.size());
    }
    return 0;
  };
  return parallel(context, p.batches, 1, body);
}

}  // namespace

int box_target_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? target<double>(context) : target<float>(context);
}

int box_detection_kernel(KernelContext& context) {
  if (context.outputs[0].size == 0) return 0;
  return context.outputs[0].dtype == FLOAT64 ? detect<double>(context) : detect<float>(context);
}

}  // namespace mxcy
