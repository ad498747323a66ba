// The triangulation of least area of a closed loop (Barequet and Sharir 1995), with the twin's sums and choices.
#pragma once

#include <limits>
#include <utility>

#include "quilt.h"

namespace maquette {

class LeastArea {
 public:
  // points: [count, 3]; barred: rows of `stride`; out: [count - 2, 3]. False where every choice needs a barred edge.
  bool run(const Vector* points, const bool* barred, int64_t stride, int count, int64_t* out) {
    count_ = count;
    cost_.assign(static_cast<size_t>(count) * count, 0.0);
    best_.assign(static_cast<size_t>(count) * count, 0);
    for (int gap = 2; gap < count; ++gap)
      for (int low = 0; low + gap < count; ++low) {
        const int high = low + gap;
        const bool closing = low == 0 && high == count - 1;
        const double value = stretch(points, low, high);
        // Both ways round: a row then also holds what ends at its place.
        cost(low, high) = cost(high, low) =
            barred[low * stride + high] && !closing ? std::numeric_limits<double>::infinity() : value;
      }
    if (!std::isfinite(cost(0, count - 1))) return false;
    unroll(out);
    return true;
  }

 private:
  double& cost(int one, int two) { return cost_[static_cast<size_t>(one) * count_ + two]; }

  // The least area between low and high, of all middles the first that has it.
  double stretch(const Vector* points, int low, int high) {
    const double *before = &cost(low, 0), *after = &cost(high, 0);
    const Vector across = points[high] - points[low];
    double least = std::numeric_limits<double>::infinity();
    int pick = low + 1;
    for (int middle = low + 1; middle < high; ++middle) {
      const Vector normal = cross(points[middle] - points[low], across);
      const double total = std::sqrt(dot(normal, normal)) + (before[middle] + after[middle]);
      if (total < least) least = total, pick = middle;
    }
    best_[static_cast<size_t>(low) * count_ + high] = pick;
    return least;
  }

  void unroll(int64_t* out) {
    todo_.assign(1, {0, count_ - 1});
    while (!todo_.empty()) {
      const auto [low, high] = todo_.back();
      todo_.pop_back();
      if (high - low < 2) continue;
      const int middle = best_[static_cast<size_t>(low) * count_ + high];
      for (const int corner : {low, middle, high}) *out++ = corner;
      todo_.push_back({low, middle});
      todo_.push_back({middle, high});
    }
  }

  int count_ = 0;
  std::vector<double> cost_;
  std::vector<int> best_;
  std::vector<std::pair<int, int>> todo_;
};

}  // namespace maquette
