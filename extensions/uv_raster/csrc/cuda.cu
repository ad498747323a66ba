// Triangle raster on a CUDA device: faces become rows (one scan), a thread draws the span of one (face, row) with atomic
// minima over keys, and a last pass computes the weights of the winners. One wait for the host (the number of rows).
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <limits>

#include "span.h"

namespace maquette {
namespace {

constexpr int kThreads = 256;

struct Scene {
  const int64_t* points;
  const float* depth;
  const int64_t* faces;
  int64_t count, columns, rows;
  bool flat, perspective;
};

__device__ int64_t thread_index() { return blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; }

__device__ void depths(const Scene& s, int64_t face, float z[3]) {
  for (int k = 0; k < 3; ++k) z[k] = s.depth[s.faces[3 * face + k]];
}

// How many rows each face may reach.
__global__ void count_rows(Scene s, bool touching, int64_t* counts) {
  const int64_t face = thread_index();
  if (face >= s.count) return;
  const int64_t* corners = s.faces + 3 * face;
  counts[face] = 0;
  if (s.perspective && !(s.depth[corners[0]] > 0 && s.depth[corners[1]] > 0 && s.depth[corners[2]] > 0)) return;
  const Range reach = rows_of(load(s.points, corners), s.columns, s.rows, touching);
  if (reach.first <= reach.last) counts[face] = reach.last - reach.first + 1;
}

// The face that owns the item-th row; ends: inclusive sums of the counts.
__device__ int64_t owner(const int64_t* ends, int64_t count, int64_t item) {
  int64_t low = 0, high = count - 1;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (ends[middle] > item) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

struct Item {
  int64_t face, row;
  Face shape;
  Range columns;
};

__device__ bool take(const Scene& s, const int64_t* ends, int64_t total, bool touching, Item& item) {
  const int64_t index = thread_index();
  if (index >= total) return false;
  item.face = owner(ends, s.count, index);
  item.shape = load(s.points, s.faces + 3 * item.face);
  const int64_t before = item.face ? ends[item.face - 1] : 0;
  item.row = rows_of(item.shape, s.columns, s.rows, touching).first + index - before;
  item.columns = span(item.shape, item.row, s.columns, touching);
  return item.columns.first <= item.columns.last;
}

// covered: keys of the exact pass, whose pixels are left alone; null in the exact pass itself.
__global__ void draw(Scene s, const int64_t* ends, int64_t total, const int64_t* covered, int64_t* keys) {
  const bool touching = covered != nullptr;
  Item item;
  if (!take(s, ends, total, touching, item)) return;
  float z[3];
  if (!s.flat) depths(s, item.face, z);
  const float area = static_cast<float>(item.shape.area);
  Parts p = parts(item.shape, item.columns.first, item.row);
  for (int64_t column = item.columns.first; column <= item.columns.last; ++column) {
    const int64_t pixel = item.row * s.columns + column;
    if (!touching || covered[pixel] == kNothing) {
      int64_t mine = item.face;
      if (!s.flat) {
        const Sample here = touching ? nearest(item.shape, column, item.row) : within(p.at, area);
        mine = key(deep(here, z, s.perspective).depth, item.face);
      }
      atomicMin(reinterpret_cast<long long*>(keys + pixel), static_cast<long long>(mine));
    }
    for (int k = 0; k < 3; ++k) p.at[k] += p.step[k];
  }
}

__global__ void draw_count(Scene s, const int64_t* ends, int64_t total, int* counted) {
  Item item;
  if (!take(s, ends, total, false, item)) return;
  for (int64_t column = item.columns.first; column <= item.columns.last; ++column) {
    atomicAdd(counted + item.row * s.columns + column, 1);
  }
}

__global__ void resolve(Scene s, const int64_t* keys, const int64_t* rim, int64_t* face, float* bary, float* depth) {
  const int64_t pixel = thread_index();
  if (pixel >= s.rows * s.columns) return;
  const bool touching = rim != nullptr && keys[pixel] == kNothing;
  const int64_t won = touching ? rim[pixel] : keys[pixel];
  if (won == kNothing) {
    face[pixel] = -1;
    depth[pixel] = std::numeric_limits<float>::infinity();
    for (int k = 0; k < 3; ++k) bary[3 * pixel + k] = 0.0f;
    return;
  }
  const int64_t which = won & 0xFFFFFFFF;
  const Face shape = load(s.points, s.faces + 3 * which);
  float z[3];
  depths(s, which, z);
  const int64_t row = pixel / s.columns, column = pixel - row * s.columns;
  const Sample weights = touching ? nearest(shape, column, row)
                                  : within(parts(shape, column, row).at, static_cast<float>(shape.area));
  const Sample here = deep(weights, z, s.perspective);
  face[pixel] = which;
  depth[pixel] = here.depth;
  for (int k = 0; k < 3; ++k) bary[3 * pixel + k] = here.bary[k];
}

unsigned blocks(int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

struct Rows {
  at::Tensor ends;  // [F] inclusive sums
  int64_t total = 0;
};

Rows rows_of_all(const Scene& s, bool touching, const at::TensorOptions& longs) {
  Rows out;
  if (s.count == 0) return out;
  auto counts = at::empty({s.count}, longs);
  count_rows<<<blocks(s.count), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(s, touching,
                                                                                counts.data_ptr<int64_t>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  out.ends = counts.cumsum(0);
  out.total = out.ends[s.count - 1].item<int64_t>();
  return out;
}

at::Tensor keys_of(const Scene& s, const int64_t* covered, const at::TensorOptions& longs) {
  auto keys = at::full({s.rows * s.columns}, kNothing, longs);
  const Rows rows = rows_of_all(s, covered != nullptr, longs);
  if (rows.total > 0) {
    draw<<<blocks(rows.total), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
        s, rows.ends.data_ptr<int64_t>(), rows.total, covered, keys.data_ptr<int64_t>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  return keys;
}

void check(const at::Tensor& points, const at::Tensor& faces) {
  TORCH_CHECK(points.dim() == 2 && points.size(1) == 2 && points.is_contiguous() && points.scalar_type() == at::kLong,
              "maquette::uv_raster wants contiguous int64 points [V, 2]");
  TORCH_CHECK(faces.dim() == 2 && faces.size(1) == 3 && faces.is_contiguous() && faces.scalar_type() == at::kLong &&
                  faces.device() == points.device(),
              "maquette::uv_raster wants contiguous int64 faces [F, 3] on the device of the points");
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> uv_raster(const at::Tensor& points,
                                                                  const at::Tensor& depth,
                                                                  const at::Tensor& faces, int64_t columns,
                                                                  int64_t rows, bool flat, bool perspective,
                                                                  bool conservative) {
  check(points, faces);
  TORCH_CHECK(depth.dim() == 1 && depth.size(0) == points.size(0) && depth.is_contiguous() &&
                  depth.scalar_type() == at::kFloat && depth.device() == points.device(),
              "maquette::uv_raster wants contiguous float32 depth [V] on the device of the points");
  const c10::cuda::CUDAGuard guard(points.device());
  const Scene s = {points.data_ptr<int64_t>(), depth.data_ptr<float>(), faces.data_ptr<int64_t>(), faces.size(0),
                   columns, rows, flat, perspective};
  auto face = at::empty({rows, columns}, points.options());
  auto bary = at::empty({rows, columns, 3}, depth.options());
  auto nearest = at::empty({rows, columns}, depth.options());
  if (rows * columns == 0) return {face, bary, nearest};
  const auto keys = keys_of(s, nullptr, points.options());
  at::Tensor rim;
  if (conservative) rim = keys_of(s, keys.data_ptr<int64_t>(), points.options());
  resolve<<<blocks(rows * columns), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
      s, keys.data_ptr<int64_t>(), conservative ? rim.data_ptr<int64_t>() : nullptr, face.data_ptr<int64_t>(),
      bary.data_ptr<float>(), nearest.data_ptr<float>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return {face, bary, nearest};
}

at::Tensor uv_count(const at::Tensor& points, const at::Tensor& faces, int64_t columns, int64_t rows) {
  check(points, faces);
  const c10::cuda::CUDAGuard guard(points.device());
  const Scene s = {points.data_ptr<int64_t>(), nullptr, faces.data_ptr<int64_t>(), faces.size(0), columns, rows,
                   true, false};
  auto counted = at::zeros({rows, columns}, points.options().dtype(at::kInt));
  const Rows found = rows_of_all(s, false, points.options());
  if (found.total > 0) {
    draw_count<<<blocks(found.total), kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
        s, found.ends.data_ptr<int64_t>(), found.total, counted.data_ptr<int>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
  return counted;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CUDA, m) {
  m.impl("uv_raster", &uv_raster);
  m.impl("uv_count", &uv_count);
}

}  // namespace maquette
