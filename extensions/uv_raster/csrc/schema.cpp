// The operators' one schema. FRAGMENT, because every family of this pack adds to the namespace from its own library.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) {
  m.def(
      "uv_raster(Tensor points, Tensor depth, Tensor faces, int columns, int rows, bool flat, bool perspective, "
      "bool conservative) -> (Tensor, Tensor, Tensor)");
  m.def("uv_count(Tensor points, Tensor faces, int columns, int rows) -> Tensor");
}
