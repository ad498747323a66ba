// The points of one patch moved: to a membrane over its rim, or as a thin plate that continues the faces around it.
#pragma once

#include "sparse.h"

namespace maquette {

class Fairing {
 public:
  // Every inner point the mean of its neighbours, near ones counting more. False: there is no inner point.
  bool membrane(Patch& patch) {
    if (!unknowns(patch)) return false;
    join(patch, patch.corners, [&](int low, int high, int, int) {
      return 1.0 / std::max(length(patch.points[low] - patch.points[high]), 1e-12);
    });
    clear();
    for (const int v : free_) {
      Vector right{0, 0, 0};
      double total = 0;
      begin_row();
      around(v, [&](int other, double weight) {
        total += weight;
        if (number_[other] >= 0) add(number_[other], -weight);
        else right = right + weight * patch.points[other];
      });
      add(number_[v], total);
      end_row(right);
    }
    return solve(patch);
  }

  // Clamped at the rim: the least integral of the squared Laplacian (cotangent weights, Pinkall and Polthier 1993).
  // patch.points: those of the patch, `own` in number, then those outside; ring: the faces outside; floor: least area
  // of a point.
  bool plate(Patch& patch, int own, const std::vector<int>& ring, double floor) {
    if (!unknowns(patch)) return false;
    corners_ = patch.corners;
    corners_.insert(corners_.end(), ring.begin(), ring.end());
    measure(patch);
    join(patch, corners_, [&](int, int, int first, int last) {
      double sum = 0;
      for (int k = first; k < last; ++k) sum += cotangent_[spokes_.half(k)];
      return std::max(sum / 2, 0.02);
    });
    // Of each row of the Laplacian: its diagonal, and what the points that stay put in.
    diagonal_.assign(own, 0.0), still_.assign(own, Vector{0, 0, 0});
    for (int v = 0; v < own; ++v) {
      around(v, [&](int other, double weight) {
        diagonal_[v] -= weight;
        if (number_[other] < 0) still_[v] = still_[v] + weight * patch.points[other];
      });
      if (number_[v] < 0) still_[v] = still_[v] + diagonal_[v] * patch.points[v];
    }
    clear();
    for (const int i : free_) {
      Vector right{0, 0, 0};
      begin_row();
      const auto by_way_of = [&](int v, double entry) {
        if (v >= own) return;
        const double by = entry / std::max(area_[v], floor);
        right = right - by * still_[v];
        if (number_[v] >= 0) add(number_[v], by * diagonal_[v]);
        around(v, [&](int other, double weight) {
          if (number_[other] >= 0) add(number_[other], by * weight);
        });
      };
      by_way_of(i, diagonal_[i]);
      around(i, by_way_of);
      end_row(right);
    }
    return solve(patch);
  }

 private:
  bool unknowns(const Patch& patch) {
    number_.assign(patch.points.size(), -1), free_.clear();
    for (int v = 0; v < static_cast<int>(patch.points.size()); ++v)
      if (!patch.rim[v]) number_[v] = static_cast<int>(free_.size()), free_.push_back(v);
    return !free_.empty();
  }

  // The cotangent opposite to each half-edge, and a third of the area of the faces at each point.
  void measure(const Patch& patch) {
    cotangent_.resize(corners_.size()), area_.assign(patch.points.size(), 0.0);
    for (int h = 0; h < static_cast<int>(corners_.size()); ++h) {
      const Vector &far = patch.points[corners_[apex(h)]], &tail = patch.points[corners_[h]];
      const Vector ahead = far - tail, behind = far - patch.points[corners_[next(h)]];
      const double double_area = length(cross(ahead, behind));
      cotangent_[h] = std::clamp(dot(ahead, behind) / std::max(double_area, 1e-30), -10.0, 10.0);
      if (h % 3 != 0) continue;
      for (int k = 0; k < 3; ++k) area_[corners_[h + k]] += double_area / 6;
    }
  }

  // The neighbours of each point, with the weight(low, high, first, last) of the edge between.
  template <typename Weight>
  void join(const Patch& patch, const std::vector<int>& corners, const Weight& weight) {
    const int count = static_cast<int>(patch.points.size());
    spokes_.read(corners, count);
    start_.assign(count + 1, 0), edges_.clear();
    spokes_.edges([&](int low, int high, int first, int last) {
      edges_.push_back({low, high, weight(low, high, first, last)});
      ++start_[low + 1], ++start_[high + 1];
    });
    std::partial_sum(start_.begin(), start_.end(), start_.begin());
    fill_.assign(start_.begin(), start_.end() - 1);
    near_.resize(2 * edges_.size());
    for (const Edge& edge : edges_) {
      near_[fill_[edge.low]++] = {edge.high, edge.weight};
      near_[fill_[edge.high]++] = {edge.low, edge.weight};
    }
  }

  template <typename Call>
  void around(int v, const Call& call) const {
    for (int k = start_[v]; k < start_[v + 1]; ++k) call(near_[k].other, near_[k].weight);
  }

  void clear() {
    matrix_.start.assign(1, 0), matrix_.column.clear(), matrix_.value.clear(), right_.clear();
    at_.assign(free_.size(), -1);
  }

  void begin_row() { begin_ = static_cast<int>(matrix_.column.size()); }

  void add(int column, double value) {
    if (at_[column] < begin_) {
      at_[column] = static_cast<int>(matrix_.column.size());
      matrix_.column.push_back(column), matrix_.value.push_back(value);
    } else {
      matrix_.value[at_[column]] += value;
    }
  }

  void end_row(const Vector& right) {
    matrix_.start.push_back(static_cast<int>(matrix_.column.size()));
    right_.push_back(right);
  }

  bool solve(Patch& patch) {
    places_.clear();
    for (const int v : free_) places_.push_back(patch.points[v]);
    if (!solver_.run(matrix_, places_, right_)) return false;
    for (size_t k = 0; k < free_.size(); ++k) patch.points[free_[k]] = right_[k];
    return true;
  }

  struct Edge {
    int low, high;
    double weight;
  };
  struct Near {
    int other;
    double weight;
  };

  Spokes spokes_;
  Matrix matrix_;
  Solver solver_;
  std::vector<int> number_, free_, corners_, start_, fill_, at_;
  std::vector<double> cotangent_, area_, diagonal_;
  std::vector<Vector> still_, right_, places_;
  std::vector<Edge> edges_;
  std::vector<Near> near_;
  int begin_ = 0;
};

}  // namespace maquette
