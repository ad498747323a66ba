// What both kernels check before they read memory, and the tree as they read it.
#pragma once

#include <ATen/core/Tensor.h>

#include "walk.h"

namespace maquette {

inline void is(const at::Tensor& t, at::ScalarType type, at::IntArrayRef shape, const at::Tensor& beside,
               const char* name) {
  bool fits = t.is_contiguous() && t.scalar_type() == type && t.device() == beside.device() &&
              t.dim() == static_cast<int64_t>(shape.size());
  for (size_t k = 0; fits && k < shape.size(); ++k) fits = shape[k] < 0 || t.size(k) == shape[k];
  TORCH_CHECK(fits, "maquette::visibility wants contiguous ", name, " of shape ", shape, " and type ", type,
              " on the device of the boxes");
}

inline Tree wanted(const at::Tensor& groups, at::IntArrayRef starts, const at::Tensor& leaves, const at::Tensor& origin,
                   const at::Tensor& way, const at::Tensor& near, const at::Tensor& far) {
  is(groups, at::kFloat, {-1, 6, kFan}, groups, "groups");
  is(leaves, at::kFloat, {-1, 3, 3, kFan}, groups, "leaves");
  is(origin, at::kDouble, {-1, 3}, groups, "origin");
  is(way, at::kDouble, {origin.size(0), 3}, groups, "way");
  is(near, at::kDouble, {origin.size(0)}, groups, "near");
  is(far, at::kDouble, {origin.size(0)}, groups, "far");
  TORCH_CHECK(!starts.empty() && starts.size() <= kLevels, "maquette::visibility wants 1 to ", kLevels, " levels");
  Tree tree;
  tree.groups = groups.data_ptr<float>();
  tree.leaves = leaves.data_ptr<float>();
  tree.levels = static_cast<int>(starts.size());
  int64_t nodes = 1;  // whose children the groups of a level are
  for (int k = 0; k < tree.levels; ++k) {
    const int64_t end = k + 1 < tree.levels ? starts[k + 1] : groups.size(0);
    TORCH_CHECK(starts[k] >= 0 && end - starts[k] >= 1 && end - starts[k] <= nodes && end <= groups.size(0),
                "maquette::visibility got levels that are no tree");
    nodes = (end - starts[k]) * kFan;
    tree.starts[k] = starts[k];
  }
  TORCH_CHECK(leaves.size(0) <= nodes && leaves.size(0) > nodes - kFan, "maquette::visibility got leaves of another tree");
  return tree;
}

}  // namespace maquette
