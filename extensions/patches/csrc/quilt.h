// Patches that lie side by side in one list of points and faces, and what every operator checks before it reads them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace maquette {

struct Vector {
  double x, y, z;
};

inline Vector operator+(const Vector& a, const Vector& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vector operator-(const Vector& a, const Vector& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vector operator*(double s, const Vector& a) { return {s * a.x, s * a.y, s * a.z}; }

inline Vector cross(const Vector& a, const Vector& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// x, z, y: the order in which the twin adds.
inline double dot(const Vector& a, const Vector& b) { return a.x * b.x + a.z * b.z + a.y * b.y; }

// Here, too: from left to right.
inline double length(const Vector& a) { return std::sqrt(a.x * a.x + a.y * a.y + a.z * a.z); }

inline int next(int half) { return half % 3 == 2 ? half - 2 : half + 1; }
inline int apex(int half) { return half % 3 == 0 ? half + 2 : half - 1; }

inline void is(const at::Tensor& t, at::ScalarType type, int64_t columns, const char* name) {
  const bool fits = t.is_contiguous() && t.is_cpu() && t.scalar_type() == type &&
                    (columns == 0 ? t.dim() == 1 : t.dim() == 2 && t.size(1) == columns);
  TORCH_CHECK(fits, "maquette::patches wants contiguous ", name, " of type ", type, " on the CPU",
              columns == 0 ? ", one row" : "");
}

inline void within(const at::Tensor& indices, int64_t count, const char* name) {
  const int64_t* at = indices.const_data_ptr<int64_t>();
  bool bad = false;
  for (int64_t n = 0; n < indices.numel(); ++n) bad |= static_cast<uint64_t>(at[n]) >= static_cast<uint64_t>(count);
  TORCH_CHECK(!bad, "maquette::patches got ", name, " that are not among the ", count);
}

// What belongs to which of `count` owners, each in ascending order: owner k has rows[start[k]] .. rows[start[k + 1] - 1].
struct Sorted {
  std::vector<int64_t> start, rows;

  template <typename Owner>
  Sorted(int64_t count, int64_t size, const Owner& owner) : start(count + 1, 0), rows(size) {
    for (int64_t n = 0; n < size; ++n) ++start[owner(n) + 1];
    std::partial_sum(start.begin(), start.end(), start.begin());
    std::vector<int64_t> fill(start.begin(), start.end() - 1);
    for (int64_t n = 0; n < size; ++n) rows[fill[owner(n)]++] = n;
  }
};

// One patch with its own numbering, in which the order of points and faces is kept.
struct Patch {
  std::vector<Vector> points;
  std::vector<int> corners;
  std::vector<char> rim;
};

class Quilt {
 public:
  Quilt(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& rim, const at::Tensor& group)
      : points_(checked(points, faces, rim, group)),
        faces_(faces.const_data_ptr<int64_t>()),
        rim_(rim.const_data_ptr<bool>()),
        count_(points.size(0)),
        groups_(groups(group)),
        points_of_(groups_, count_, [g = group.const_data_ptr<int64_t>()](int64_t n) { return g[n]; }),
        faces_of_(groups_, faces.size(0), [this, g = group.const_data_ptr<int64_t>()](int64_t f) { return g[faces_[3 * f]]; }),
        place_(count_) {
    for (int64_t k = 0; k < groups_; ++k)
      for (int64_t n = points_of_.start[k]; n < points_of_.start[k + 1]; ++n) place_[points_of_.rows[n]] = n - points_of_.start[k];
    const int64_t* g = group.const_data_ptr<int64_t>();
    for (int64_t f = 0; f < faces.size(0); ++f) {
      const int64_t* corner = faces_ + 3 * f;
      TORCH_CHECK(g[corner[0]] == g[corner[1]] && g[corner[0]] == g[corner[2]], "maquette::patches: a face in two patches");
      TORCH_CHECK(corner[0] != corner[1] && corner[1] != corner[2] && corner[2] != corner[0],
                  "maquette::patches: a face with a vertex twice");
    }
  }

  int64_t size() const { return groups_; }
  int64_t count() const { return count_; }
  int place(int64_t point) const { return static_cast<int>(place_[point]); }
  int64_t point(int64_t patch, int place) const { return points_of_.rows[points_of_.start[patch] + place]; }
  int64_t face(int64_t patch, int place) const { return faces_of_.rows[faces_of_.start[patch] + place]; }

  void cut_out(int64_t patch, Patch& out) const {
    out.points.clear(), out.corners.clear(), out.rim.clear();
    for (int64_t n = points_of_.start[patch]; n < points_of_.start[patch + 1]; ++n) {
      out.points.push_back(points_[points_of_.rows[n]]);
      out.rim.push_back(rim_[points_of_.rows[n]]);
    }
    for (int64_t n = faces_of_.start[patch]; n < faces_of_.start[patch + 1]; ++n)
      for (int k = 0; k < 3; ++k) out.corners.push_back(place(faces_[3 * faces_of_.rows[n] + k]));
  }

 private:
  static const Vector* checked(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& rim,
                               const at::Tensor& group) {
    is(points, at::kDouble, 3, "points");
    is(faces, at::kLong, 3, "faces");
    is(rim, at::kBool, 0, "rim");
    is(group, at::kLong, 0, "group");
    TORCH_CHECK(rim.size(0) == points.size(0) && group.size(0) == points.size(0),
                "maquette::patches wants one rim and one group per point");
    TORCH_CHECK(points.size(0) + faces.numel() < (int64_t{1} << 30), "maquette::patches counts to 2^30");
    within(faces, points.size(0), "vertices");
    within(group, points.size(0), "groups");
    return reinterpret_cast<const Vector*>(points.const_data_ptr<double>());
  }

  static int64_t groups(const at::Tensor& group) {
    const int64_t* g = group.const_data_ptr<int64_t>();
    return group.numel() == 0 ? 0 : *std::max_element(g, g + group.numel()) + 1;
  }

  const Vector* points_;
  const int64_t* faces_;
  const bool* rim_;
  int64_t count_, groups_;
  Sorted points_of_, faces_of_;
  std::vector<int64_t> place_;
};

// Half-edges by lower vertex, then higher vertex, then their own number (half-edge 3 f + i leaves corner i of face f).
class Spokes {
 public:
  void read(const std::vector<int>& corners, int vertices) {
    const int halves = static_cast<int>(corners.size());
    start_.assign(vertices + 1, 0);
    for (int h = 0; h < halves; ++h) ++start_[std::min(corners[h], corners[next(h)]) + 1];
    std::partial_sum(start_.begin(), start_.end(), start_.begin());
    spokes_.resize(halves);
    fill_.assign(start_.begin(), start_.end() - 1);
    for (int h = 0; h < halves; ++h) {
      const int tail = corners[h], head = corners[next(h)];
      const uint64_t spoke = static_cast<uint64_t>(std::max(tail, head)) << 32 | static_cast<uint64_t>(h);
      const int begin = start_[std::min(tail, head)];
      int to = fill_[std::min(tail, head)]++;
      for (; to > begin && spoke < spokes_[to - 1]; --to) spokes_[to] = spokes_[to - 1];
      spokes_[to] = spoke;
    }
  }

  // call(low, high, first, last): the half-edges of one edge are half(first) .. half(last - 1).
  template <typename Call>
  void edges(const Call& call) const {
    for (int v = 0; v + 1 < static_cast<int>(start_.size()); ++v)
      for (int first = start_[v], last; first < start_[v + 1]; first = last) {
        for (last = first + 1; last < start_[v + 1] && high(last) == high(first);) ++last;
        call(v, high(first), first, last);
      }
  }

  bool joins(int one, int two) const {
    const auto begin = spokes_.begin() + start_[std::min(one, two)], end = spokes_.begin() + start_[std::min(one, two) + 1];
    const int far = std::max(one, two);
    const auto found = std::lower_bound(begin, end, static_cast<uint64_t>(far) << 32);
    return found != end && static_cast<int>(*found >> 32) == far;
  }

  int half(int spoke) const { return static_cast<int>(spokes_[spoke] & 0xFFFFFFFFu); }

 private:
  int high(int spoke) const { return static_cast<int>(spokes_[spoke] >> 32); }

  std::vector<int> start_, fill_;
  std::vector<uint64_t> spokes_;
};

}  // namespace maquette
