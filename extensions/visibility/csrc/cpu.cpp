// Rays on the CPU: every thread takes a run of neighbouring rays.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "walk.h"
#include "wanted.h"

namespace maquette {
namespace {

constexpr int64_t kGrain = 256;

at::Tensor visibility(const at::Tensor& groups, at::IntArrayRef starts, const at::Tensor& leaves,
                      const at::Tensor& origin, const at::Tensor& way, const at::Tensor& near, const at::Tensor& far) {
  const Tree tree = wanted(groups, starts, leaves, origin, way, near, far);
  const int64_t count = origin.size(0);
  auto answer = at::empty({count}, groups.options().dtype(at::kBool));
  bool* out = answer.data_ptr<bool>();
  const double *from = origin.data_ptr<double>(), *along = way.data_ptr<double>();
  const double *begin_at = near.data_ptr<double>(), *end_at = far.data_ptr<double>();
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    int64_t last = -1;
    for (int64_t n = begin; n < end; ++n) {
      out[n] = blocked(tree, prepared(from + 3 * n, along + 3 * n, begin_at[n], end_at[n]), last);
    }
  });
  return answer;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) { m.impl("visibility", &visibility); }

}  // namespace maquette
