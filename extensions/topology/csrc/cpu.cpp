// Edges, groups, fans and equal points on the CPU: buckets, union-find and one hash table instead of sorted keys.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>
#include <vector>

#include "wanted.h"

namespace maquette {
namespace {

constexpr int64_t kGrain = 1 << 14;
constexpr int64_t kShort = 24;  // longer buckets are sorted by the library

inline int64_t next(int64_t half) { return half % 3 == 2 ? half - 2 : half + 1; }

at::Tensor ints(at::IntArrayRef shape) { return at::empty(shape, at::kLong); }

// A half-edge within the bucket of its lower vertex: its higher vertex, then its own number, in one word.
using Spoke = uint64_t;

inline int64_t high_of(Spoke spoke) { return static_cast<int64_t>(spoke >> 32); }
inline int64_t half_of(Spoke spoke) { return static_cast<int64_t>(spoke & 0xFFFFFFFFu); }

void sort_bucket(Spoke* begin, Spoke* end) {
  if (end - begin > kShort) return std::sort(begin, end);
  for (Spoke* at = begin + (begin != end); at < end; ++at) {
    const Spoke moved = *at;
    Spoke* to = at;
    for (; to > begin && moved < to[-1]; --to) *to = to[-1];
    *to = moved;
  }
}

// All half-edges by lower vertex, then higher vertex, then their own number; start: [vertices + 1] of the buckets.
std::vector<Spoke> sorted_spokes(const int64_t* corner, int64_t halves, std::vector<int32_t>& start) {
  for (int64_t h = 0; h < halves; ++h) ++start[std::min(corner[h], corner[next(h)]) + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<Spoke> spokes(halves);
  std::vector<int32_t> fill(start.begin(), start.end() - 1);
  for (int64_t h = 0; h < halves; ++h) {
    const int64_t tail = corner[h], head = corner[next(h)];
    spokes[fill[std::min(tail, head)]++] = static_cast<Spoke>(std::max(tail, head)) << 32 | static_cast<Spoke>(h);
  }
  at::parallel_for(0, static_cast<int64_t>(fill.size()), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) sort_bucket(spokes.data() + start[v], spokes.data() + start[v + 1]);
  });
  return spokes;
}

void countable(int64_t count) {
  TORCH_CHECK(count >= 0 && count < (int64_t{1} << 31), "maquette::topology counts to 2^31, got ", count);
}

using Table = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Table topology(const at::Tensor& faces) {
  is(faces, at::kLong, 3, "faces");
  const int64_t halves = faces.numel();
  const int64_t* corner = faces.data_ptr<int64_t>();
  const int64_t last = halves == 0 ? -1 : *std::max_element(corner, corner + halves);
  countable(halves);
  TORCH_CHECK(last < (int64_t{1} << 31) - 1, "maquette::topology counts to 2^31, got vertex ", last);
  const int64_t vertices = last + 1;
  within(faces, vertices, "vertices");
  std::vector<int32_t> start(vertices + 1, 0);
  const std::vector<Spoke> spokes = sorted_spokes(corner, halves, start);
  int64_t edges = 0;
  for (int64_t v = 0; v < vertices; ++v) {
    for (int64_t k = start[v]; k < start[v + 1]; ++k) edges += k == start[v] || high_of(spokes[k]) != high_of(spokes[k - 1]);
  }
  auto ends = ints({edges, 2}), count = ints({edges}), edge = ints({halves}), order = ints({halves});
  auto first = ints({edges + 1}), forward = at::empty({halves}, at::kBool);
  int64_t *to_ends = ends.data_ptr<int64_t>(), *to_count = count.data_ptr<int64_t>();
  int64_t *to_edge = edge.data_ptr<int64_t>(), *to_order = order.data_ptr<int64_t>();
  int64_t* to_first = first.data_ptr<int64_t>();
  bool* to_forward = forward.data_ptr<bool>();
  int64_t e = -1;
  for (int64_t v = 0; v < vertices; ++v) {
    for (int64_t k = start[v]; k < start[v + 1]; ++k) {
      const int64_t high = high_of(spokes[k]), half = half_of(spokes[k]);
      if (k == start[v] || high != high_of(spokes[k - 1])) {
        to_first[++e] = k;
        to_ends[2 * e] = v;
        to_ends[2 * e + 1] = high;
      }
      to_edge[half] = e;
      to_order[k] = half;
      to_forward[half] = corner[half] == v && high != v;
    }
  }
  to_first[edges] = halves;
  for (int64_t k = 0; k < edges; ++k) to_count[k] = to_first[k + 1] - to_first[k];
  return {ends, count, edge, forward, order, first};
}

// Groups by union-find; the root of a group is its lowest member, so groups come out in order of appearance.
class Groups {
 public:
  explicit Groups(int64_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0); }

  void join(int64_t one, int64_t two) {
    one = root(one);
    two = root(two);
    if (one < two) parent_[two] = static_cast<int32_t>(one);
    if (two < one) parent_[one] = static_cast<int32_t>(two);
  }

  at::Tensor labels() {
    auto out = ints({static_cast<int64_t>(parent_.size())});
    int64_t *to = out.data_ptr<int64_t>(), found = 0;
    for (size_t n = 0; n < parent_.size(); ++n) {
      to[n] = parent_[n] == static_cast<int32_t>(n) ? found++ : to[root(static_cast<int64_t>(n))];
    }
    return out;
  }

 private:
  int64_t root(int64_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }

  std::vector<int32_t> parent_;
};

at::Tensor topology_groups(const at::Tensor& pairs, int64_t count) {
  is(pairs, at::kLong, 2, "pairs");
  countable(count);
  within(pairs, count, "nodes");
  Groups groups(count);
  const int64_t* at = pairs.data_ptr<int64_t>();
  for (int64_t n = 0; n < pairs.size(0); ++n) groups.join(at[2 * n], at[2 * n + 1]);
  return groups.labels();
}

at::Tensor topology_fans(const at::Tensor& faces, const at::Tensor& links) {
  is(faces, at::kLong, 3, "faces");
  is(links, at::kLong, 2, "links");
  countable(faces.numel());
  within(links, faces.numel(), "half-edges");
  Groups groups(faces.numel());
  const int64_t *corner = faces.data_ptr<int64_t>(), *at = links.data_ptr<int64_t>();
  for (int64_t n = 0; n < links.size(0); ++n) {
    const int64_t one = at[2 * n], two = at[2 * n + 1];
    const bool same_way = corner[one] == corner[two];
    groups.join(one, same_way ? two : next(two));
    groups.join(next(one), same_way ? next(two) : two);
  }
  return groups.labels();
}

template <typename T>
uint64_t mixed(const T* row) {
  uint64_t hash = 0;
  for (int axis = 0; axis < 3; ++axis) {
    uint64_t bits = 0;
    std::memcpy(&bits, row + axis, sizeof(T));
    hash = (hash ^ bits) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

template <typename T>
std::tuple<at::Tensor, at::Tensor> equal_rows(const at::Tensor& points) {
  const int64_t count = points.size(0);
  const T* given = points.data_ptr<T>();
  size_t size = 16;
  while (size < 2 * static_cast<size_t>(count)) size *= 2;
  std::vector<int32_t> slot(size, -1);
  std::vector<int64_t> first;
  first.reserve(count);
  auto group = ints({count});
  int64_t* to = group.data_ptr<int64_t>();
  for (int64_t n = 0; n < count; ++n) {
    const T row[3] = {given[3 * n] + T(0), given[3 * n + 1] + T(0), given[3 * n + 2] + T(0)};  // -0.0 becomes 0.0
    const bool number = row[0] == row[0] && row[1] == row[1] && row[2] == row[2];
    to[n] = static_cast<int64_t>(first.size());
    if (number) {  // what is none equals nothing, not even itself
      size_t at = mixed(row) & (size - 1);
      for (; slot[at] >= 0; at = (at + 1) & (size - 1)) {
        const T* other = given + 3 * first[slot[at]];
        if (other[0] == row[0] && other[1] == row[1] && other[2] == row[2]) break;
      }
      if (slot[at] >= 0) {
        to[n] = slot[at];
        continue;
      }
      slot[at] = static_cast<int32_t>(first.size());
    }
    first.push_back(n);
  }
  auto rows = ints({static_cast<int64_t>(first.size())});
  std::copy(first.begin(), first.end(), rows.data_ptr<int64_t>());
  return {rows, group};
}

std::tuple<at::Tensor, at::Tensor> topology_equal(const at::Tensor& points) {
  const bool single = points.scalar_type() == at::kFloat;
  is(points, single ? at::kFloat : at::kDouble, 3, "points");
  countable(points.size(0));
  return single ? equal_rows<float>(points) : equal_rows<double>(points);
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) {
  m.impl("topology", &topology);
  m.impl("topology_groups", &topology_groups);
  m.impl("topology_fans", &topology_fans);
  m.impl("topology_equal", &topology_equal);
}

}  // namespace maquette
