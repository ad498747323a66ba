// The operators: every patch by itself, shared out among the cores.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <limits>
#include <tuple>

#include "fairing.h"
#include "flips.h"
#include "least_area.h"

namespace maquette {
namespace {

constexpr int kPasses = 40;
// Faces that are worth waking another thread for: on a machine that others use too it may come late.
constexpr int64_t kGrain = 1 << 14;
// Triangles, six times over, that are worth the same.
constexpr int64_t kWeighed = 1 << 23;
constexpr double kFine = 1.4142135623730951;
constexpr double kEnough = 20000.0 / 3;

std::tuple<at::Tensor, at::Tensor> patches(const at::Tensor& points, const at::Tensor& barred, const at::Tensor& sizes) {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == 3 && points.scalar_type() == at::kDouble && points.is_contiguous(),
              "maquette::patches wants contiguous loops [H, L, 3] of doubles");
  const int64_t holes = points.size(0), longest = points.size(1);
  TORCH_CHECK(barred.dim() == 3 && barred.scalar_type() == at::kBool && barred.is_contiguous() &&
                  barred.size(0) == holes && barred.size(1) == longest && barred.size(2) == longest,
              "maquette::patches wants contiguous booleans [H, L, L]");
  is(sizes, at::kLong, 0, "sizes");
  TORCH_CHECK(sizes.size(0) == holes && longest >= 3 && longest < 4096, "maquette::patches: sizes of [H], loops of 3 to 4095");
  const int64_t* size = sizes.const_data_ptr<int64_t>();
  for (int64_t k = 0; k < holes; ++k) TORCH_CHECK(size[k] >= 3 && size[k] <= longest, "maquette::patches: a size beyond the loop");
  auto triangles = at::zeros({holes, longest - 2, 3}, at::kLong), found = at::empty({holes}, at::kBool);
  const Vector* at = reinterpret_cast<const Vector*>(points.const_data_ptr<double>());
  const bool* bar = barred.const_data_ptr<bool>();
  int64_t* to = triangles.mutable_data_ptr<int64_t>();
  bool* good = found.mutable_data_ptr<bool>();
  at::parallel_for(0, holes, std::max<int64_t>(1, kWeighed / (longest * longest * longest)), [&](int64_t begin, int64_t end) {
    LeastArea work;
    for (int64_t k = begin; k < end; ++k) {
      good[k] = work.run(at + k * longest, bar + k * longest * longest, longest, static_cast<int>(size[k]),
                         to + 3 * k * (longest - 2));
    }
  });
  return {triangles, found};
}

// So many patches make about kGrain faces.
int64_t grain(const Quilt& quilt, const at::Tensor& faces) {
  return std::max<int64_t>(1, kGrain * quilt.size() / std::max<int64_t>(1, faces.size(0)));
}

// Whether a triangle is to be split at its middle: it is larger than its corners want it, and so is each side of it.
bool is_large(const Vector* points, const double* size, const int64_t* corner) {
  const Vector sum = (points[corner[0]] + points[corner[1]]) + points[corner[2]];
  const Vector middle{sum.x / 3, sum.y / 3, sum.z / 3};
  const double wanted = ((size[corner[0]] + size[corner[1]]) + size[corner[2]]) / 3;
  for (int k = 0; k < 3; ++k) {
    const double reach = kFine * length(points[corner[k]] - middle);
    if (!(reach > wanted && reach > size[corner[k]])) return false;
  }
  return true;
}

at::Tensor patches_split(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& group, const at::Tensor& size) {
  is(points, at::kDouble, 3, "points");
  is(faces, at::kLong, 3, "faces");
  is(group, at::kLong, 0, "group");
  is(size, at::kDouble, 0, "size");
  TORCH_CHECK(group.size(0) == points.size(0) && size.size(0) == points.size(0), "maquette::patches: one size per point");
  within(faces, points.size(0), "vertices");
  within(group, points.size(0), "groups");
  const Vector* at = reinterpret_cast<const Vector*>(points.const_data_ptr<double>());
  const int64_t *corner = faces.const_data_ptr<int64_t>(), *owner = group.const_data_ptr<int64_t>();
  const double* want = size.const_data_ptr<double>();
  std::vector<int64_t> there(points.size(0), 0);
  for (int64_t f = 0; f < faces.size(0); ++f) ++there[owner[corner[3 * f]]];
  auto out = at::empty({faces.size(0)}, at::kBool);
  bool* to = out.mutable_data_ptr<bool>();
  at::parallel_for(0, faces.size(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f)
      to[f] = static_cast<double>(there[owner[corner[3 * f]]]) < kEnough && is_large(at, want, corner + 3 * f);
  });
  return out;
}

at::Tensor patches_flip(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& rim, const at::Tensor& group) {
  const Quilt quilt(points, faces, rim, group);
  auto out = faces.clone();
  int64_t* to = out.mutable_data_ptr<int64_t>();
  at::parallel_for(0, quilt.size(), grain(quilt, faces), [&](int64_t begin, int64_t end) {
    Flips work;
    Patch patch;
    for (int64_t k = begin; k < end; ++k) {
      quilt.cut_out(k, patch);
      if (!work.run(patch, kPasses)) continue;
      for (int h = 0; h < static_cast<int>(patch.corners.size()); ++h)
        to[3 * quilt.face(k, h / 3) + h % 3] = quilt.point(k, patch.corners[h]);
    }
  });
  return out;
}

// The points after move(patch, work, number) of every patch, where it returns true. Each thread has a copy of `move`.
template <typename Move>
at::Tensor moved(const Quilt& quilt, const at::Tensor& points, const at::Tensor& faces, const Move& move) {
  auto out = points.clone();
  Vector* to = reinterpret_cast<Vector*>(out.mutable_data_ptr<double>());
  at::parallel_for(0, quilt.size(), grain(quilt, faces), [&](int64_t begin, int64_t end) {
    Fairing work;
    Patch patch;
    Move mine = move;
    for (int64_t k = begin; k < end; ++k) {
      quilt.cut_out(k, patch);
      const int own = static_cast<int>(patch.points.size());
      if (!mine(patch, work, k)) continue;
      for (int v = 0; v < own; ++v) to[quilt.point(k, v)] = patch.points[v];
    }
  });
  return out;
}

at::Tensor patches_membrane(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& rim, const at::Tensor& group) {
  const Quilt quilt(points, faces, rim, group);
  return moved(quilt, points, faces, [](Patch& patch, Fairing& work, int64_t) { return work.membrane(patch); });
}

// The faces outside: which patch each lies at, and the same corners in that patch's numbering.
struct Ring {
  std::vector<int64_t> patch;
  const int64_t* faces;
  const Vector* points;

  Ring(const at::Tensor& ring_points, const at::Tensor& ring_faces, const at::Tensor& group)
      : patch(ring_faces.size(0)),
        faces(ring_faces.const_data_ptr<int64_t>()),
        points(reinterpret_cast<const Vector*>(ring_points.const_data_ptr<double>())) {
    const int64_t* g = group.const_data_ptr<int64_t>();
    for (int64_t f = 0; f < ring_faces.size(0); ++f) {
      int64_t owner = -1;
      for (int k = 0; k < 3; ++k) {
        const int64_t v = faces[3 * f + k];
        if (v >= group.size(0)) continue;
        TORCH_CHECK(owner < 0 || owner == g[v], "maquette::patches: a face at two holes");
        owner = g[v];
      }
      TORCH_CHECK(owner >= 0, "maquette::patches: a face of the ring touches no patch");
      patch[f] = owner;
    }
  }
};

double mean_area(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& ring_points, const Ring& ring) {
  const Vector* at = reinterpret_cast<const Vector*>(points.const_data_ptr<double>());
  const int64_t count = points.size(0);
  const auto corner = [&](int64_t v) { return v < count ? at[v] : ring.points[v - count]; };
  double sum = 0;
  const auto add = [&](const int64_t* face, int64_t number) {
    for (int64_t f = 0; f < number; ++f, face += 3)
      sum += length(cross(corner(face[1]) - corner(face[0]), corner(face[2]) - corner(face[0]))) / 2;
  };
  add(faces.const_data_ptr<int64_t>(), faces.size(0));
  add(ring.faces, static_cast<int64_t>(ring.patch.size()));
  return sum / static_cast<double>(count + ring_points.size(0));
}

at::Tensor patches_plate(const at::Tensor& points, const at::Tensor& faces, const at::Tensor& rim, const at::Tensor& group,
                         const at::Tensor& ring_points, const at::Tensor& ring_faces) {
  const Quilt quilt(points, faces, rim, group);
  is(ring_points, at::kDouble, 3, "ring_points");
  is(ring_faces, at::kLong, 3, "ring_faces");
  TORCH_CHECK(ring_points.size(0) + ring_faces.numel() < (int64_t{1} << 30), "maquette::patches counts to 2^30");
  within(ring_faces, quilt.count() + ring_points.size(0), "vertices");
  const Ring ring(ring_points, ring_faces, group);
  const Sorted of(quilt.size(), ring_faces.size(0), [&](int64_t f) { return ring.patch[f]; });
  const double floor = 1e-12 * mean_area(points, faces, ring_points, ring);
  std::vector<int> corners, seen;
  std::vector<int64_t> beyond;
  return moved(quilt, points, faces, [&, corners, seen, beyond](Patch& patch, Fairing& work, int64_t k) mutable {
    const int own = static_cast<int>(patch.points.size());
    // The points outside follow those of the patch, as they come; `seen` numbers them.
    corners.clear(), beyond.clear();
    seen.resize(ring_points.size(0), -1);
    for (int64_t n = of.start[k]; n < of.start[k + 1]; ++n)
      for (int c = 0; c < 3; ++c) {
        const int64_t v = ring.faces[3 * of.rows[n] + c], outside = v - quilt.count();
        if (outside >= 0 && seen[outside] < 0) {
          seen[outside] = static_cast<int>(patch.points.size());
          beyond.push_back(outside);
          patch.points.push_back(ring.points[outside]);
          patch.rim.push_back(true);
        }
        corners.push_back(outside < 0 ? quilt.place(v) : seen[outside]);
      }
    for (const int64_t outside : beyond) seen[outside] = -1;
    return work.plate(patch, own, corners, floor);
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) {
  m.impl("patches", &patches);
  m.impl("patches_split", &patches_split);
  m.impl("patches_flip", &patches_flip);
  m.impl("patches_membrane", &patches_membrane);
  m.impl("patches_plate", &patches_plate);
}

}  // namespace maquette
