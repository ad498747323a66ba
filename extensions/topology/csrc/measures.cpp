// Volumes and areas of parts, and faces without area, on the CPU; sums run in the twin's order, face after face.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <tuple>
#include <vector>

#include "wanted.h"

namespace maquette {
namespace {

constexpr int64_t kGrain = 1 << 14;

struct Vector {
  double x, y, z;
};

inline Vector operator-(const Vector& a, const Vector& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }

inline Vector cross(const Vector& a, const Vector& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// x, z, y: the order in which numpy's einsum adds three products, which these sums have replaced.
inline double dot(const Vector& a, const Vector& b) { return a.x * b.x + a.z * b.z + a.y * b.y; }

inline Vector middle_of(const Vector& a, const Vector& b, const Vector& c) {
  return {(a.x + b.x + c.x) / 3.0, (a.y + b.y + c.y) / 3.0, (a.z + b.z + c.z) / 3.0};
}

struct Faces {
  const double* points;
  const int64_t* faces;

  Vector corner(int64_t face, int k) const {
    const double* at = points + 3 * faces[3 * face + k];
    return {at[0], at[1], at[2]};
  }
};

Faces wanted(const at::Tensor& points, const at::Tensor& faces) {
  is(points, at::kDouble, 3, "points");
  is(faces, at::kLong, 3, "faces");
  within(faces, points.size(0), "vertices");
  return {points.data_ptr<double>(), faces.data_ptr<int64_t>()};
}

using Measures = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Measures topology_measures(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& labels, int64_t count) {
  const Faces mesh = wanted(points, faces);
  is(labels, at::kLong, 0, "labels");
  TORCH_CHECK(labels.size(0) == faces.size(0), "maquette::topology wants one label per face");
  within(labels, count, "parts");
  const int64_t* label = labels.data_ptr<int64_t>();
  const int64_t total = faces.size(0);
  auto face_areas = at::empty({total}, at::kDouble);
  double* area = face_areas.data_ptr<double>();
  auto volumes = at::zeros({count}, at::kDouble), areas = at::zeros({count}, at::kDouble);
  auto vectors = at::zeros({count, 3}, at::kDouble);
  double *volume = volumes.data_ptr<double>(), *weight = areas.data_ptr<double>();
  Vector* vector = reinterpret_cast<Vector*>(vectors.data_ptr<double>());
  std::vector<Vector> centre(count, Vector{0, 0, 0});
  // Normals and middles are computed twice: to keep them takes longer, for fresh memory is slow.
  for (int64_t f = 0; f < total; ++f) {
    const Vector a = mesh.corner(f, 0), b = mesh.corner(f, 1), c = mesh.corner(f, 2);
    const Vector normal = cross(b - a, c - a), middle = middle_of(a, b, c);
    area[f] = std::sqrt(dot(normal, normal));
    Vector &sum = centre[label[f]], &all = vector[label[f]];
    all = {all.x + normal.x, all.y + normal.y, all.z + normal.z};
    weight[label[f]] += area[f];
    sum = {sum.x + area[f] * middle.x, sum.y + area[f] * middle.y, sum.z + area[f] * middle.z};
  }
  for (int64_t k = 0; k < count; ++k) {
    const double by = std::max(weight[k], DBL_MIN);
    centre[k] = {centre[k].x / by, centre[k].y / by, centre[k].z / by};
  }
  for (int64_t f = 0; f < total; ++f) {
    const Vector a = mesh.corner(f, 0), b = mesh.corner(f, 1), c = mesh.corner(f, 2);
    volume[label[f]] += dot(cross(b - a, c - a), middle_of(a, b, c) - centre[label[f]]) / 6.0;
    area[f] /= 2.0;
  }
  for (int64_t k = 0; k < count; ++k) {
    weight[k] /= 2.0;
    vector[k] = {vector[k].x / 2.0, vector[k].y / 2.0, vector[k].z / 2.0};
  }
  return {volumes, areas, vectors, face_areas};
}

at::Tensor topology_flat(const at::Tensor& points, const at::Tensor& faces, double limit) {
  const Faces mesh = wanted(points, faces);
  auto out = at::empty({faces.size(0)}, at::kBool);
  bool* to = out.data_ptr<bool>();
  at::parallel_for(0, faces.size(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) {
      const int64_t* corner = mesh.faces + 3 * f;
      const Vector a = mesh.corner(f, 0), b = mesh.corner(f, 1), c = mesh.corner(f, 2);
      const Vector one = b - a, two = c - b, three = a - c;
      const double longest = std::sqrt(std::max({dot(one, one), dot(two, two), dot(three, three)}));
      const Vector normal = cross(one, two);
      const bool repeated = corner[0] == corner[1] || corner[1] == corner[2] || corner[2] == corner[0];
      to[f] = repeated || std::sqrt(dot(normal, normal)) <= limit * longest;
    }
  });
  return out;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) {
  m.impl("topology_measures", &topology_measures);
  m.impl("topology_flat", &topology_flat);
}

}  // namespace maquette
