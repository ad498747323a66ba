// What both kernels of sparse blocks check before they read memory, and the blocks as they read them.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "blocks.h"

namespace maquette {

inline void is(const at::Tensor& t, at::ScalarType type, at::IntArrayRef shape, const at::Tensor& beside,
               const char* name) {
  TORCH_CHECK(t.is_contiguous() && t.scalar_type() == type && t.device() == beside.device() && t.sizes() == shape,
              "maquette::marching_cubes_blocks wants contiguous ", name, " of shape ", shape, " and type ", type,
              " on the device of the values");
}

inline Blocks wanted(const at::Tensor& values, const at::Tensor& place, const at::Tensor& beside, const at::Tensor& rank,
                     const std::optional<at::Tensor>& cells, at::IntArrayRef shape, double level) {
  const int64_t count = values.size(0), n = values.dim() == 4 ? values.size(1) : 0;
  TORCH_CHECK(n >= 2 && n <= 32 && shape.size() == 3, "maquette::marching_cubes_blocks wants [B, n, n, n], n 2 to 32");
  is(values, at::kFloat, {count, n, n, n}, values, "values");
  is(place, at::kLong, {count, 3}, values, "blocks");
  is(beside, at::kLong, {count, 8}, values, "neighbours");
  is(rank, at::kLong, {count, 3}, values, "ranks");
  if (cells) is(*cells, at::kBool, {count, n, n, n}, values, "cells");
  Blocks s;
  s.values = values.data_ptr<float>();
  s.place = place.data_ptr<int64_t>();
  s.beside = beside.data_ptr<int64_t>();
  s.rank = rank.data_ptr<int64_t>();
  s.wanted = cells ? cells->data_ptr<bool>() : nullptr;
  s.level = static_cast<float>(level);
  s.count = count;
  s.n = n;
  for (int k = 0; k < 3; ++k) s.shape[k] = shape[k];
  s.rows = s.edges = nullptr;
  return s;
}

}  // namespace maquette
