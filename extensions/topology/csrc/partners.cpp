// Which half-edges lie on one edge, and what hangs together by them, on the CPU: what most steps ask, without the whole
// edge table (fresh memory is slow, and its arrays are six).
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <tuple>
#include <vector>

#include "wanted.h"

namespace maquette {
namespace {

constexpr int32_t kOpen = -1, kCrowded = -2;
constexpr int64_t kSearched = 64;  // longer buckets are sorted

inline int32_t next(int32_t half) { return half % 3 == 2 ? half - 2 : half + 1; }
inline int32_t before(int32_t half) { return half % 3 == 0 ? half + 2 : half - 1; }

class Pairing {
 public:
  Pairing(const int64_t* corner, int32_t* partner) : corner_(corner), partner_(partner) {}

  bool crowded = false, same_way = false;

  // Those that have become crowded since do not count.
  void compare_again(int64_t halves) {
    same_way = false;
    for (int64_t h = 0; h < halves; ++h) same_way |= partner_[h] >= 0 && corner_[partner_[h]] == corner_[h];
  }

  // The first two half-edges of an edge become partners; with a third all of them are crowded.
  void meet(int32_t first, int32_t half) {
    int32_t& other = partner_[first];
    if (other == kOpen) {
      other = half;
      partner_[half] = first;
      same_way |= corner_[first] == corner_[half];
      return;
    }
    crowded = true;
    if (other >= 0) partner_[other] = kCrowded;
    other = partner_[half] = kCrowded;
  }

 private:
  const int64_t* corner_;
  int32_t* partner_;
};

std::tuple<at::Tensor, bool, bool> topology_partners(const at::Tensor& faces) {
  is(faces, at::kLong, 3, "faces");
  const int64_t halves = faces.numel();
  const int64_t* corner = faces.data_ptr<int64_t>();
  const int64_t last = halves == 0 ? -1 : *std::max_element(corner, corner + halves);
  TORCH_CHECK(halves < (int64_t{1} << 31) && last < (int64_t{1} << 31) - 1, "maquette::topology counts to 2^31");
  const int64_t vertices = last + 1;
  within(faces, vertices, "vertices");
  auto partners = at::full({halves}, kOpen, at::kInt);
  Pairing pairing(corner, partners.data_ptr<int32_t>());
  std::vector<int32_t> start(vertices + 1, 0);
  for (const int64_t* face = corner; face < corner + halves; face += 3) {
    ++start[std::min(face[0], face[1]) + 1];
    ++start[std::min(face[1], face[2]) + 1];
    ++start[std::min(face[2], face[0]) + 1];
  }
  std::partial_sum(start.begin(), start.end(), start.begin());
  // In the bucket of its lower vertex stands the first half-edge of each edge, with its higher vertex.
  struct First {
    int32_t high, half;
  };
  const std::unique_ptr<First[]> firsts(new First[halves]);  // not a vector, which would write zeros first
  std::vector<int32_t> fill(start.begin(), start.end() - 1);
  std::vector<std::array<int32_t, 3>> many;
  const auto enter = [&](int64_t tail, int64_t head, int64_t half) {
    const int32_t low = static_cast<int32_t>(std::min(tail, head)), high = static_cast<int32_t>(std::max(tail, head));
    const int32_t h = static_cast<int32_t>(half);
    if (start[low + 1] - start[low] > kSearched) return many.push_back({low, high, h});
    First *at = firsts.get() + start[low], *end = firsts.get() + fill[low];
    while (at < end && at->high != high) ++at;
    if (at < end) return pairing.meet(at->half, h);
    *at = {high, h};
    ++fill[low];
  };
  for (int64_t h = 0; h < halves; h += 3) {
    enter(corner[h], corner[h + 1], h);
    enter(corner[h + 1], corner[h + 2], h + 1);
    enter(corner[h + 2], corner[h], h + 2);
  }
  std::sort(many.begin(), many.end());
  for (size_t n = 1, first = 0; n < many.size(); ++n) {
    if (many[n][0] == many[first][0] && many[n][1] == many[first][1]) pairing.meet(many[first][2], many[n][2]);
    else first = n;
  }
  if (pairing.crowded && pairing.same_way) pairing.compare_again(halves);
  return {partners, pairing.crowded, pairing.same_way};
}

const int32_t* partners_of(const at::Tensor& partners, int64_t halves) {
  const bool fits = partners.is_contiguous() && partners.is_cpu() && partners.scalar_type() == at::kInt &&
                    partners.dim() == 1 && partners.numel() == halves && halves % 3 == 0;
  TORCH_CHECK(fits, "maquette::topology wants contiguous partners of type int, three per face");
  const int32_t* at = partners.data_ptr<int32_t>();
  bool bad = false;
  for (int64_t h = 0; h < halves; ++h) bad |= at[h] >= halves;
  TORCH_CHECK(!bad, "maquette::topology got partners that are not among the ", halves);
  return at;
}

// Round each vertex from its first corner on, one way and then the other: fans come out in order of appearance.
at::Tensor topology_turns(const at::Tensor& partners) {
  const int64_t halves = partners.numel();
  const int32_t* partner = partners_of(partners, halves);
  auto out = at::full({halves}, -1, at::kLong);
  int64_t *fan = out.data_ptr<int64_t>(), count = 0;
  for (int32_t corner = 0; corner < halves; ++corner) {
    if (fan[corner] >= 0) continue;
    fan[corner] = count;
    for (int32_t at = partner[corner]; at >= 0 && fan[next(at)] < 0; at = partner[next(at)]) fan[next(at)] = count;
    for (int32_t at = partner[before(corner)]; at >= 0 && fan[at] < 0; at = partner[before(at)]) fan[at] = count;
    ++count;
  }
  return out;
}

// Parts by common edges: the root of a part is its first face, so parts come out in order of appearance.
at::Tensor topology_joined(const at::Tensor& partners) {
  const int64_t halves = partners.numel();
  const int32_t* partner = partners_of(partners, halves);
  std::vector<int32_t> parent(halves / 3);
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int32_t at) {
    while (parent[at] != at) at = parent[at] = parent[parent[at]];
    return at;
  };
  for (int32_t half = 0; half < halves; ++half) {
    if (partner[half] <= half) continue;
    const int32_t one = root(half / 3), two = root(partner[half] / 3);
    parent[std::max(one, two)] = std::min(one, two);
  }
  auto out = at::empty({halves / 3}, at::kLong);
  int64_t *part = out.data_ptr<int64_t>(), count = 0;
  for (int32_t face = 0; face < halves / 3; ++face) part[face] = parent[face] == face ? count++ : part[root(face)];
  return out;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) {
  m.impl("topology_partners", &topology_partners);
  m.impl("topology_turns", &topology_turns);
  m.impl("topology_joined", &topology_joined);
}

}  // namespace maquette
