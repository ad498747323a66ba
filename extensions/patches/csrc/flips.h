// The flips of one patch: in passes, each of many edges at once, and in each the edges that the twin would choose.
#pragma once

#include <array>

#include "quilt.h"

namespace maquette {

class Flips {
 public:
  // Flips inner edges whose opposite angles exceed a half turn until none does, or for `passes`. Whether any was.
  bool run(Patch& patch, int passes) {
    const int faces = static_cast<int>(patch.corners.size() / 3);
    high_.resize(3 * faces), wide_.resize(3 * faces);
    for (int f = 0; f < faces; ++f) measure(patch, f);
    bool any = false;
    for (; passes > 0; --passes) {
      choose(patch, faces);
      if (chosen_.empty()) break;
      any = true;
      for (const int row : chosen_) flip(patch, candidates_[row]);
    }
    return any;
  }

 private:
  struct Candidate {
    int one, two, apex_one, apex_two;
    double excess;
    uint64_t key() const {
      return static_cast<uint64_t>(std::min(apex_one, apex_two)) << 32 | static_cast<uint64_t>(std::max(apex_one, apex_two));
    }
  };

  // The angle opposite to each half-edge of a face is atan2(high, wide).
  void measure(const Patch& patch, int face) {
    std::array<Vector, 3> side;
    for (int k = 0; k < 3; ++k)
      side[k] = patch.points[patch.corners[3 * face + (k + 1) % 3]] - patch.points[patch.corners[3 * face + k]];
    for (int k = 0; k < 3; ++k) {
      const Vector &one = side[(k + 1) % 3], &two = side[(k + 2) % 3];
      high_[3 * face + k] = length(cross(one, two));
      wide_[3 * face + k] = 0.0 - dot(one, two);
    }
  }

  // What the angles opposite to an edge have beyond a half turn. Where the sine of their sum is positive that is
  // nothing, which spares most edges two arcs.
  double excess(int one, int two) const {
    if (high_[one] * wide_[two] + wide_[one] * high_[two] > 0.0) return 0.0;
    return std::atan2(high_[one], wide_[one]) + std::atan2(high_[two], wide_[two]) - 3.141592653589793;
  }

  void choose(const Patch& patch, int faces) {
    spokes_.read(patch.corners, static_cast<int>(patch.points.size()));
    candidates_.clear(), chosen_.clear();
    spokes_.edges([&](int, int, int first, int last) {
      if (last - first != 2) return;
      const int one = spokes_.half(first), two = spokes_.half(first + 1);
      const double beyond = excess(one, two);
      if (!(beyond > 1e-6)) return;
      const int at_one = patch.corners[apex(one)], at_two = patch.corners[apex(two)];
      if (at_one == at_two || (patch.rim[at_one] && patch.rim[at_two]) || spokes_.joins(at_one, at_two)) return;
      candidates_.push_back({one, two, at_one, at_two, beyond});
    });
    if (candidates_.empty()) return;
    // No two at one face: the most urgent wins, among equals the first.
    best_.assign(faces, -1);
    const int count = static_cast<int>(candidates_.size());
    for (int row = 0; row < count; ++row)
      for (const int half : {candidates_[row].one, candidates_[row].two}) {
        int& best = best_[half / 3];
        if (best < 0 || candidates_[row].excess > candidates_[best].excess) best = row;
      }
    for (int row = 0; row < count; ++row)
      if (best_[candidates_[row].one / 3] == row && best_[candidates_[row].two / 3] == row) chosen_.push_back(row);
    // Two flips must not make the same edge.
    const auto key = [&](int row) { return candidates_[row].key(); };
    std::stable_sort(chosen_.begin(), chosen_.end(), [&](int a, int b) { return key(a) < key(b); });
    const auto same = [&](int a, int b) { return key(a) == key(b); };
    chosen_.erase(std::unique(chosen_.begin(), chosen_.end(), same), chosen_.end());
  }

  void flip(Patch& patch, const Candidate& c) {
    const int a = patch.corners[c.one], b = patch.corners[next(c.one)];
    const int first = c.one / 3, second = c.two / 3;
    const int made[2][3] = {{c.apex_one, a, c.apex_two}, {c.apex_two, b, c.apex_one}};
    std::copy(made[0], made[0] + 3, patch.corners.begin() + 3 * first);
    std::copy(made[1], made[1] + 3, patch.corners.begin() + 3 * second);
    measure(patch, first);
    measure(patch, second);
  }

  std::vector<double> high_, wide_;
  Spokes spokes_;
  std::vector<Candidate> candidates_;
  std::vector<int> chosen_, best_;
};

}  // namespace maquette
