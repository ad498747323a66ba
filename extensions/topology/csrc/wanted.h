// What every operator checks before it reads memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace maquette {

inline void is(const at::Tensor& t, at::ScalarType type, int64_t columns, const char* name) {
  const bool fits = t.is_contiguous() && t.is_cpu() && t.scalar_type() == type &&
                    (columns == 0 ? t.dim() == 1 : t.dim() == 2 && t.size(1) == columns);
  TORCH_CHECK(fits, "maquette::topology wants contiguous ", name, " of type ", type, " on the CPU",
              columns == 0 ? ", one row" : "");
}

// Every value of an index array lies in 0 .. count - 1.
inline void within(const at::Tensor& indices, int64_t count, const char* name) {
  const int64_t* at = indices.data_ptr<int64_t>();
  bool bad = false;
  for (int64_t n = 0; n < indices.numel(); ++n) bad |= static_cast<uint64_t>(at[n]) >= static_cast<uint64_t>(count);
  TORCH_CHECK(!bad, "maquette::topology got ", name, " that are not among the ", count);
}

}  // namespace maquette
