// Marching cubes on a CUDA device: ballot to bits, count per word, one scan, write. One wait for the host (the sizes).
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>
#include <torch/types.h>

#include "bits.h"
#include "table.h"

namespace maquette {
namespace {

using Word = uint32_t;
constexpr int W = 32;
constexpr int kThreads = 256;

__constant__ uint8_t kTable[256][MAQUETTE_MC_ROW] = MAQUETTE_MC_TABLE;
__constant__ int kEdgeLow[12] = MAQUETTE_MC_EDGE_LOW;

__global__ void pack(const float* values, float level, Shape s, Word* bits) {
  const int64_t warp = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) / W;
  if (warp >= s.x * s.y * s.words) return;  // whole warps leave together
  const int64_t row = warp / s.words, z = (warp % s.words) * W + threadIdx.x % W;
  const Word word = __ballot_sync(0xffffffffu, z < s.z && values[row * s.z + z] > level);
  if (threadIdx.x % W == 0) bits[warp] = word;
}

struct Place {
  int64_t x, y, word;
};

__device__ bool locate(const Shape& s, int64_t& index, Place& at) {
  index = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (index >= s.x * s.y * s.words) return false;
  const int64_t row = index / s.words;
  at = {row / s.y, row % s.y, index % s.words};
  return true;
}

// counts: [4, words of the volume]: edges along x, y, z, triangles.
__global__ void count(const Word* bits, Shape s, int* counts) {
  int64_t index;
  Place at;
  if (!locate(s, index, at)) return;
  const int64_t total = s.x * s.y * s.words;
  if (quiet(bits, at.x, at.y, at.word, s)) {
    for (int k = 0; k < 4; ++k) counts[k * total + index] = 0;
    return;
  }
  const auto q = quad(bits, at.x, at.y, at.word, s);
  for (int axis = 0; axis < 3; ++axis) counts[axis * total + index] = __popc(crossed(q, axis));
  int triangles = 0;
  for (Word cells = active(q, at.x, at.y, at.word, s); cells; cells &= cells - 1) {
    triangles += kTable[case_of(q, __ffs(cells) - 1)][0];
  }
  counts[3 * total + index] = triangles;
}

// ends: inclusive sums over all of counts, so edges along y go on counting where those along x end.
__global__ void write_vertices(const float* values, float level, const Word* bits, Shape s, const int64_t* ends,
                               float* out) {
  int64_t index;
  Place at;
  if (!locate(s, index, at) || quiet(bits, at.x, at.y, at.word, s)) return;
  const int64_t total = s.x * s.y * s.words;
  const int64_t strides[3] = {s.y * s.z, s.z, 1};
  const auto q = quad(bits, at.x, at.y, at.word, s);
  for (int axis = 0; axis < 3; ++axis) {
    Word edges = crossed(q, axis);
    float* to = out + 3 * (ends[axis * total + index] - __popc(edges));
    for (; edges; edges &= edges - 1, to += 3) {
      const int64_t z = at.word * W + __ffs(edges) - 1;
      const int64_t here = (at.x * s.y + at.y) * s.z + z;
      const float share = crossing(values[here], values[here + strides[axis]], level);
      to[0] = at.x + (axis == 0 ? share : 0.0f);
      to[1] = at.y + (axis == 1 ? share : 0.0f);
      to[2] = z + (axis == 2 ? share : 0.0f);
    }
  }
}

__device__ int64_t vertex(const Word* bits, const Shape& s, const int64_t* ends, int64_t x, int64_t y, int64_t z,
                          int axis) {
  const int64_t row = x * s.y + y, word = z / W;
  const Word* here = bits + row * s.words;
  const Word other = axis == 0   ? here[s.y * s.words + word]
                     : axis == 1 ? here[s.words + word]
                                 : shifted(here, word, s);
  const Word edges = here[word] ^ other;
  const int64_t total = s.x * s.y * s.words;
  return ends[axis * total + row * s.words + word] - __popc(edges >> (z % W));
}

__global__ void write_faces(const Word* bits, Shape s, const int64_t* ends, int64_t* out) {
  int64_t index;
  Place at;
  if (!locate(s, index, at) || quiet(bits, at.x, at.y, at.word, s)) return;
  const auto q = quad(bits, at.x, at.y, at.word, s);
  Word cells = active(q, at.x, at.y, at.word, s);
  if (!cells) return;
  const int64_t total = s.x * s.y * s.words;
  int64_t* to = out + 3 * (ends[3 * total + index - 1] - ends[3 * total - 1]);
  for (; cells; cells &= cells - 1) {
    const int bit = __ffs(cells) - 1;
    const uint8_t* entry = kTable[case_of(q, bit)];
    for (int k = 1; k <= 3 * entry[0]; ++k) {
      const int low = kEdgeLow[entry[k]];
      *to++ = vertex(bits, s, ends, at.x + (low & 1), at.y + (low >> 1 & 1), at.word * W + bit + (low >> 2),
                     entry[k] / 4);
    }
  }
}

std::tuple<torch::Tensor, torch::Tensor> marching_cubes(const torch::Tensor& values, double level) {
  TORCH_CHECK(values.dim() == 3 && values.is_contiguous() && values.scalar_type() == torch::kFloat32,
              "maquette::marching_cubes wants contiguous float32 [X, Y, Z]");
  const c10::cuda::CUDAGuard guard(values.device());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  const Shape s = {values.size(0), values.size(1), values.size(2), (values.size(2) + W - 1) / W};
  const int64_t total = s.x * s.y * s.words;
  const auto ints = values.options().dtype(torch::kInt32);
  auto bits = torch::empty({total}, ints);
  auto counts = torch::empty({4, total}, ints);
  Word* packed = reinterpret_cast<Word*>(bits.data_ptr<int>());
  const float* data = values.data_ptr<float>();
  const float border = static_cast<float>(level);
  const auto blocks = [](int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); };

  pack<<<blocks(total * W), kThreads, 0, stream>>>(data, border, s, packed);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  count<<<blocks(total), kThreads, 0, stream>>>(packed, s, counts.data_ptr<int>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  const auto ends = counts.view({-1}).cumsum(0);  // flat: a scan along a row of four would use four blocks
  const auto sums = ends.index({torch::indexing::Slice(total - 1, torch::indexing::None, total)}).contiguous().cpu();
  const int64_t* n = sums.data_ptr<int64_t>();
  auto vertices = torch::empty({n[2], 3}, values.options());
  auto faces = torch::empty({n[3] - n[2], 3}, values.options().dtype(torch::kInt64));
  if (n[3] > 0) {
    const int64_t* sum = ends.data_ptr<int64_t>();
    write_vertices<<<blocks(total), kThreads, 0, stream>>>(data, border, packed, s, sum, vertices.data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    write_faces<<<blocks(total), kThreads, 0, stream>>>(packed, s, sum, faces.data_ptr<int64_t>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  return {vertices, faces};
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CUDA, m) { m.impl("marching_cubes", &marching_cubes); }

}  // namespace maquette
