// Rays on a CUDA device: a thread takes one ray. Nothing waits for the host.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "walk.h"
#include "wanted.h"

namespace maquette {
namespace {

constexpr int kThreads = 128;

__global__ void ask(Tree tree, const double* origin, const double* way, const double* near, const double* far,
                    int64_t count, bool* out) {
  const int64_t n = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (n >= count) return;
  int64_t last = -1;
  out[n] = blocked(tree, prepared(origin + 3 * n, way + 3 * n, near[n], far[n]), last);
}

at::Tensor visibility(const at::Tensor& groups, at::IntArrayRef starts, const at::Tensor& leaves,
                      const at::Tensor& origin, const at::Tensor& way, const at::Tensor& near, const at::Tensor& far) {
  const Tree tree = wanted(groups, starts, leaves, origin, way, near, far);
  const c10::cuda::CUDAGuard guard(groups.device());
  const int64_t count = origin.size(0);
  auto answer = at::empty({count}, groups.options().dtype(at::kBool));
  if (count == 0) return answer;
  const unsigned blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  ask<<<blocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(
      tree, origin.data_ptr<double>(), way.data_ptr<double>(), near.data_ptr<double>(), far.data_ptr<double>(), count,
      answer.data_ptr<bool>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return answer;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CUDA, m) { m.impl("visibility", &visibility); }

}  // namespace maquette
