#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(maquette, m) { m.def("packing(Tensor taken, Tensor mask, int side) -> Tensor"); }
