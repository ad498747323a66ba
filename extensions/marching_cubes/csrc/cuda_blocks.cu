// Sparse blocks on a CUDA device: a thread takes a row of a block; one scan in the dense order; one wait for the host.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>
#include <torch/types.h>

#include "table.h"
#include "wanted.h"

namespace maquette {
namespace {

constexpr int kThreads = 256;

__constant__ uint8_t kTable[256][MAQUETTE_MC_ROW] = MAQUETTE_MC_TABLE;
__constant__ int kEdgeLow[12] = MAQUETTE_MC_EDGE_LOW;

__device__ int lowest(uint64_t word) { return __ffsll(static_cast<long long>(word)) - 1; }

__device__ bool take(const Blocks& s, int64_t& row, Line& at) {
  row = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (row >= s.total()) return false;
  at = line_of(s, row);
  return true;
}

__global__ void pack(Blocks s) {
  int64_t row;
  Line at;
  if (take(s, row, at)) s.rows[row] = packed_row(s, row, at);
}

// counts: [4, rows]: edges along x, y, z, triangles; by place in the order.
__global__ void count(Blocks s, int* counts) {
  int64_t row;
  Line at;
  if (!take(s, row, at)) return;
  const Four f = four(s, at);
  const int64_t place = place_of(s, at);
  uint64_t cells = active(f);
  uint64_t edges[3] = {crossed(f, 0), crossed(f, 1), crossed(f, 2)};
  int triangles = 0;
  if (cells | edges[0] | edges[1] | edges[2]) {
    const uint64_t want = wanted_row(s, row);
    for (int axis = 0; axis < 3; ++axis) edges[axis] &= want;
    for (cells &= want; cells; cells &= cells - 1) triangles += kTable[case_of(f, lowest(cells))][0];
  }
  for (int axis = 0; axis < 3; ++axis) {
    s.edges[axis * s.total() + place] = edges[axis];
    counts[axis * s.total() + place] = __popcll(edges[axis]);
  }
  counts[3 * s.total() + place] = triangles;
}

// ends: inclusive sums over all of counts, so edges along y go on counting where those along x end.
__global__ void write_vertices(Blocks s, const int64_t* ends, float* out) {
  int64_t row;
  Line at;
  if (!take(s, row, at)) return;
  const int64_t place = place_of(s, at);
  for (int axis = 0; axis < 3; ++axis) {
    uint64_t edges = s.edges[axis * s.total() + place];
    float* to = out + 3 * (ends[axis * s.total() + place] - __popcll(edges));
    for (; edges; edges &= edges - 1, to += 3) write_vertex(s, at, lowest(edges), axis, to);
  }
}

__global__ void write_faces(Blocks s, const int64_t* ends, int64_t* out) {
  int64_t row;
  Line at;
  if (!take(s, row, at)) return;
  const Four f = four(s, at);
  uint64_t cells = active(f);
  if (cells) cells &= wanted_row(s, row);
  if (!cells) return;
  const int64_t place = place_of(s, at), all = s.total();
  int64_t* to = out + 3 * (ends[3 * all + place - 1] - ends[3 * all - 1]);
  for (; cells; cells &= cells - 1) {
    const int bit = lowest(cells);
    const uint8_t* entry = kTable[case_of(f, bit)];
    for (int k = 1; k <= 3 * entry[0]; ++k) {
      const int axis = entry[k] / 4;
      const Owner owner = owner_of(s, at, bit, kEdgeLow[entry[k]]);
      const uint64_t edges = s.edges[axis * all + owner.place] >> owner.bit;
      *to++ = edges & 1 ? ends[axis * all + owner.place] - __popcll(edges) : -1;  // -1: its owner was not wanted
    }
  }
}

std::tuple<torch::Tensor, torch::Tensor> marching_cubes_blocks(const torch::Tensor& values, const torch::Tensor& place,
                                                               const torch::Tensor& beside, const torch::Tensor& rank,
                                                               const std::optional<torch::Tensor>& cells,
                                                               at::IntArrayRef shape, double level) {
  Blocks s = wanted(values, place, beside, rank, cells, shape, level);
  const auto longs = values.options().dtype(torch::kInt64);
  if (s.total() == 0) return {torch::empty({0, 3}, values.options()), torch::empty({0, 3}, longs)};
  const c10::cuda::CUDAGuard guard(values.device());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const int64_t total = s.total();
  auto rows = torch::empty({total}, longs), edges = torch::empty({3 * total}, longs);
  auto counts = torch::empty({4, total}, values.options().dtype(torch::kInt32));
  s.rows = reinterpret_cast<uint64_t*>(rows.data_ptr<int64_t>());
  s.edges = reinterpret_cast<uint64_t*>(edges.data_ptr<int64_t>());
  const auto blocks = static_cast<unsigned>((total + kThreads - 1) / kThreads);

  pack<<<blocks, kThreads, 0, stream>>>(s);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  count<<<blocks, kThreads, 0, stream>>>(s, counts.data_ptr<int>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const auto ends = counts.view({-1}).cumsum(0);
  const auto sums = ends.index({torch::indexing::Slice(total - 1, torch::indexing::None, total)}).contiguous().cpu();
  const int64_t* n = sums.data_ptr<int64_t>();
  auto vertices = torch::empty({n[2], 3}, values.options());
  auto faces = torch::empty({n[3] - n[2], 3}, longs);
  if (n[3] > 0) {
    const int64_t* sum = ends.data_ptr<int64_t>();
    write_vertices<<<blocks, kThreads, 0, stream>>>(s, sum, vertices.data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    write_faces<<<blocks, kThreads, 0, stream>>>(s, sum, faces.data_ptr<int64_t>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  return {vertices, faces};
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CUDA, m) { m.impl("marching_cubes_blocks", &marching_cubes_blocks); }

}  // namespace maquette
