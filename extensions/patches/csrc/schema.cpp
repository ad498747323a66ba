// The operators' schemas. FRAGMENT, because every family of this pack adds to the namespace from its own library.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) {
  m.def("patches(Tensor points, Tensor barred, Tensor sizes) -> (Tensor, Tensor)");
  m.def("patches_split(Tensor points, Tensor faces, Tensor group, Tensor size) -> Tensor");
  m.def("patches_flip(Tensor points, Tensor faces, Tensor rim, Tensor group) -> Tensor");
  m.def("patches_membrane(Tensor points, Tensor faces, Tensor rim, Tensor group) -> Tensor");
  m.def(
      "patches_plate(Tensor points, Tensor faces, Tensor rim, Tensor group, Tensor ring_points, Tensor ring_faces)"
      " -> Tensor");
}
