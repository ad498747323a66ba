// Sparse blocks on the CPU: pack to bits, count per row, sum up in the dense order, write. Parallel over rows of samples.
#include <ATen/Parallel.h>
#include <torch/library.h>
#include <torch/types.h>

#include <array>
#include <bit>
#include <vector>

#include "table.h"
#include "wanted.h"

namespace maquette {
namespace {

constexpr int64_t kGrain = 16;  // blocks
constexpr uint8_t kTable[256][MAQUETTE_MC_ROW] = MAQUETTE_MC_TABLE;
constexpr int kEdgeLow[12] = MAQUETTE_MC_EDGE_LOW;

using Totals = std::array<int64_t, 4>;  // vertices on edges along x, y, z, and triangles

template <typename Visit>
void each_row(const Blocks& s, const Visit& visit) {
  at::parallel_for(0, s.count, kGrain, [&](int64_t begin, int64_t end) {
    int64_t row = begin * s.n * s.n;
    for (int64_t block = begin; block < end; ++block) {
      for (int64_t x = 0; x < s.n; ++x) {
        for (int64_t y = 0; y < s.n; ++y, ++row) visit(row, Line{block, x, y});
      }
    }
  });
}

void count(const Blocks& s, std::vector<Totals>& counts) {
  each_row(s, [&](int64_t row, const Line& at) {
    const Four f = four(s, at);
    const uint64_t cells = active(f);
    Totals found = {0, 0, 0, 0};
    const int64_t place = place_of(s, at);
    uint64_t edges[3] = {crossed(f, 0), crossed(f, 1), crossed(f, 2)};
    if (cells | edges[0] | edges[1] | edges[2]) {
      const uint64_t want = wanted_row(s, row);
      for (int axis = 0; axis < 3; ++axis) found[axis] = std::popcount(edges[axis] &= want);
      for (uint64_t c = cells & want; c; c &= c - 1) found[3] += kTable[case_of(f, std::countr_zero(c))][0];
    }
    for (int axis = 0; axis < 3; ++axis) s.edges[axis * s.total() + place] = edges[axis];
    counts[place] = found;
  });
}

Totals sum_up(std::vector<Totals>& counts) {
  Totals running = {0, 0, 0, 0};
  for (auto& row : counts) {
    for (int k = 0; k < 4; ++k) {
      const int64_t here = row[k];
      row[k] = running[k];
      running[k] += here;
    }
  }
  return running;
}

void write_vertices(const Blocks& s, const std::vector<Totals>& before, const Totals& start, float* out) {
  each_row(s, [&](int64_t, const Line& at) {
    const int64_t place = place_of(s, at);
    for (int axis = 0; axis < 3; ++axis) {
      float* to = out + 3 * (start[axis] + before[place][axis]);
      for (uint64_t e = s.edges[axis * s.total() + place]; e; e &= e - 1, to += 3) {
        write_vertex(s, at, std::countr_zero(e), axis, to);
      }
    }
  });
}

void write_faces(const Blocks& s, const std::vector<Totals>& before, const Totals& start, int64_t* out) {
  each_row(s, [&](int64_t row, const Line& at) {
    const Four f = four(s, at);
    uint64_t cells = active(f);
    if (cells) cells &= wanted_row(s, row);
    int64_t* to = out + 3 * before[place_of(s, at)][3];
    for (; cells; cells &= cells - 1) {
      const int bit = std::countr_zero(cells);
      const uint8_t* entry = kTable[case_of(f, bit)];
      for (int k = 1; k <= 3 * entry[0]; ++k) {
        const int axis = entry[k] / 4;
        const Owner owner = owner_of(s, at, bit, kEdgeLow[entry[k]]);
        const uint64_t edges = s.edges[axis * s.total() + owner.place];
        const int64_t number = start[axis] + before[owner.place][axis] + std::popcount(edges & first_bits(owner.bit));
        *to++ = edges >> owner.bit & 1 ? number : -1;  // -1: its owner was not wanted
      }
    }
  });
}

std::tuple<torch::Tensor, torch::Tensor> marching_cubes_blocks(const torch::Tensor& values, const torch::Tensor& place,
                                                               const torch::Tensor& beside, const torch::Tensor& rank,
                                                               const std::optional<torch::Tensor>& cells,
                                                               at::IntArrayRef shape, double level) {
  Blocks s = wanted(values, place, beside, rank, cells, shape, level);
  std::vector<uint64_t> rows(s.total()), edges(3 * s.total());
  s.rows = rows.data();
  s.edges = edges.data();
  each_row(s, [&](int64_t row, const Line& at) { s.rows[row] = packed_row(s, row, at); });
  std::vector<Totals> counts(s.total());
  count(s, counts);
  const Totals total = sum_up(counts);
  const Totals start = {0, total[0], total[0] + total[1], 0};
  auto vertices = torch::empty({total[0] + total[1] + total[2], 3}, values.options());
  auto faces = torch::empty({total[3], 3}, values.options().dtype(torch::kInt64));
  write_vertices(s, counts, start, vertices.data_ptr<float>());
  write_faces(s, counts, start, faces.data_ptr<int64_t>());
  return {vertices, faces};
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) { m.impl("marching_cubes_blocks", &marching_cubes_blocks); }

}  // namespace maquette
