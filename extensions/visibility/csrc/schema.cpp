// The operator's one schema. FRAGMENT, because every family of this pack adds to the namespace from its own library.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) {
  m.def(
      "visibility(Tensor groups, int[] starts, Tensor leaves, Tensor origin, Tensor way, Tensor near, Tensor far) "
      "-> Tensor");
}
