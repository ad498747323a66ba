// The operators' schemas. FRAGMENT, because every family of this pack adds to the namespace from its own library.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) {
  m.def("topology(Tensor faces) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def("topology_groups(Tensor pairs, int count) -> Tensor");
  m.def("topology_fans(Tensor faces, Tensor links) -> Tensor");
  m.def("topology_partners(Tensor faces) -> (Tensor, bool, bool)");
  m.def("topology_turns(Tensor partners) -> Tensor");
  m.def("topology_joined(Tensor partners) -> Tensor");
  m.def("topology_equal(Tensor points) -> (Tensor, Tensor)");
  m.def("topology_measures(Tensor points, Tensor faces, Tensor labels, int count) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def("topology_flat(Tensor points, Tensor faces, float limit) -> Tensor");
}
