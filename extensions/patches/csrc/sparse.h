// Sparse symmetric positive definite systems: an order by nested dissection (George 1973) of the places at which the
// unknowns lie, and L D L^T row by row along the elimination tree (Liu 1990).
#pragma once

#include "quilt.h"

namespace maquette {

// Rows of all entries, above and below the diagonal alike.
struct Matrix {
  std::vector<int> start, column;
  std::vector<double> value;

  int size() const { return static_cast<int>(start.size()) - 1; }
};

// Halves of the unknowns first, each in such an order itself, then those that lie between them.
class Dissection {
 public:
  const std::vector<int>& run(const Matrix& matrix, const std::vector<Vector>& places) {
    matrix_ = &matrix, places_ = &places;
    order_.resize(matrix.size());
    std::iota(order_.begin(), order_.end(), 0);
    side_.assign(matrix.size(), 0);
    mark_ = 0;
    cut(0, matrix.size());
    return order_;
  }

 private:
  static constexpr int kWhole = 48;

  void cut(int begin, int end) {
    if (end - begin <= kWhole) return;
    const int middle = begin + (end - begin) / 2, axis = widest(begin, end);
    const auto before = [&](int a, int b) {
      const double one = along(a, axis), two = along(b, axis);
      return one < two || (one == two && a < b);
    };
    std::nth_element(order_.begin() + begin, order_.begin() + middle, order_.begin() + end, before);
    const int right = ++mark_;
    for (int k = middle; k < end; ++k) side_[order_[k]] = right;
    const auto inner = [&](int row) {
      const int *first = &matrix_->column[0] + matrix_->start[row], *last = &matrix_->column[0] + matrix_->start[row + 1];
      return std::none_of(first, last, [&](int other) { return side_[other] == right; });
    };
    const auto ends = std::stable_partition(order_.begin() + begin, order_.begin() + middle, inner);
    const int left = static_cast<int>(ends - order_.begin());
    std::rotate(ends, order_.begin() + middle, order_.begin() + end);  // what lies between comes last
    cut(begin, left);
    cut(left, left + end - middle);
  }

  double along(int row, int axis) const {
    const Vector& at = (*places_)[row];
    const double value = axis == 0 ? at.x : axis == 1 ? at.y : at.z;
    return std::isnan(value) ? 0.0 : value;  // what is in no order must not be sorted
  }

  int widest(int begin, int end) const {
    int best = 0;
    double most = -1.0;
    for (int axis = 0; axis < 3; ++axis) {
      double low = along(order_[begin], axis), high = low;
      for (int k = begin; k < end; ++k) low = std::min(low, along(order_[k], axis)), high = std::max(high, along(order_[k], axis));
      if (high - low > most) most = high - low, best = axis;
    }
    return best;
  }

  const Matrix* matrix_ = nullptr;
  const std::vector<Vector>* places_ = nullptr;
  std::vector<int> order_, side_;
  int mark_ = 0;
};

class Solver {
 public:
  // The solution in the place of `right`; false (and `right` as it was) where the matrix is not positive definite.
  bool run(const Matrix& matrix, const std::vector<Vector>& places, std::vector<Vector>& right) {
    const std::vector<int>& order = dissection_.run(matrix, places);
    const int size = matrix.size();
    place_.resize(size);
    for (int k = 0; k < size; ++k) place_[order[k]] = k;
    plan(matrix, order);
    if (!factor(matrix, order)) return false;
    solution_.resize(size);
    for (int k = 0; k < size; ++k) solution_[k] = right[order[k]];
    substitute();
    for (int k = 0; k < size; ++k) right[order[k]] = solution_[k];
    return true;
  }

 private:
  // Calls for each column in the pattern of row k of L that was not met yet, from the leaf `from` towards the root.
  template <typename Call>
  void climb(int from, int k, const Call& call) {
    for (int i = from; met_[i] != k; i = parent_[i]) {
      if (parent_[i] < 0) parent_[i] = k;
      met_[i] = k;
      call(i);
    }
  }

  template <typename Call>
  void below(const Matrix& matrix, int row, int k, const Call& call) const {
    for (int n = matrix.start[row]; n < matrix.start[row + 1]; ++n)
      if (place_[matrix.column[n]] <= k) call(place_[matrix.column[n]], matrix.value[n]);
  }

  // The elimination tree, and where the columns of L begin.
  void plan(const Matrix& matrix, const std::vector<int>& order) {
    const int size = matrix.size();
    parent_.assign(size, -1), met_.assign(size, -1), begin_.assign(size + 1, 0);
    for (int k = 0; k < size; ++k) {
      met_[k] = k;
      below(matrix, order[k], k, [&](int j, double) { climb(j, k, [&](int i) { ++begin_[i + 1]; }); });
    }
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  }

  bool factor(const Matrix& matrix, const std::vector<int>& order) {
    const int size = matrix.size();
    row_.resize(begin_[size]), low_.resize(begin_[size]), diagonal_.resize(size);
    end_.assign(begin_.begin(), begin_.end() - 1);
    met_.assign(size, -1), work_.assign(size, 0.0), pattern_.resize(size);
    for (int k = 0; k < size; ++k) {
      met_[k] = k;
      int top = size;
      below(matrix, order[k], k, [&](int j, double value) {
        work_[j] += value;
        path_.clear();
        climb(j, k, [&](int i) { path_.push_back(i); });
        top -= static_cast<int>(path_.size());  // a later path ends in an earlier one: it goes before it
        std::copy(path_.begin(), path_.end(), pattern_.begin() + top);
      });
      double pivot = work_[k];
      work_[k] = 0.0;
      for (int n = top; n < size; ++n) {
        const int i = pattern_[n];
        const double raw = work_[i], entry = raw / diagonal_[i];
        work_[i] = 0.0;
        for (int64_t p = begin_[i]; p < end_[i]; ++p) work_[row_[p]] -= low_[p] * raw;
        pivot -= entry * raw;
        row_[end_[i]] = k, low_[end_[i]++] = entry;
      }
      if (!(pivot > 0.0)) return false;
      diagonal_[k] = pivot;
    }
    return true;
  }

  void substitute() {
    const int size = static_cast<int>(diagonal_.size());
    for (int k = 0; k < size; ++k)
      for (int64_t p = begin_[k]; p < begin_[k + 1]; ++p) solution_[row_[p]] = solution_[row_[p]] - low_[p] * solution_[k];
    for (int k = size - 1; k >= 0; --k) {
      solution_[k] = 1.0 / diagonal_[k] * solution_[k];
      for (int64_t p = begin_[k]; p < begin_[k + 1]; ++p) solution_[k] = solution_[k] - low_[p] * solution_[row_[p]];
    }
  }

  Dissection dissection_;
  std::vector<int> place_, parent_, met_, row_, pattern_, path_;
  std::vector<int64_t> begin_, end_;
  std::vector<double> low_, diagonal_, work_;
  std::vector<Vector> solution_;
};

}  // namespace maquette
