// The operators' one schema. FRAGMENT, because every family of this pack adds to the namespace from its own library.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) {
  m.def("marching_cubes(Tensor values, float level) -> (Tensor, Tensor)");
  m.def(
      "marching_cubes_blocks(Tensor values, Tensor blocks, Tensor beside, Tensor rank, Tensor? cells, int[] shape, "
      "float level) -> (Tensor, Tensor)");
}
