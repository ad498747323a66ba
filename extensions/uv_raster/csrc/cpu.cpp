// Triangle raster on the CPU: faces are sorted into bands of rows, and the bands are drawn in parallel, each by one
// thread and in the order of the faces, so that the result does not depend on the number of threads.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "span.h"

namespace maquette {
namespace {

constexpr int64_t kBand = 32;  // rows

struct Scene {
  const int64_t* points;
  const float* depth;
  const int64_t* faces;
  int64_t count, columns, rows;
  bool flat, perspective, conservative;

  int64_t bands() const { return (rows + kBand - 1) / kBand; }
};

// Faces of each band, in order: entries[starts[b] .. starts[b + 1]).
struct Bands {
  std::vector<int64_t> starts;
  std::vector<int64_t> entries;
};

bool before_camera(const Scene& s, const int64_t* corners) {
  return s.depth[corners[0]] > 0 && s.depth[corners[1]] > 0 && s.depth[corners[2]] > 0;
}

Bands sorted(const Scene& s) {
  std::vector<Range> reach(s.count);
  at::parallel_for(0, s.count, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) {
      const int64_t* corners = s.faces + 3 * f;
      reach[f] = {0, -1};
      if (!s.perspective || before_camera(s, corners)) {
        reach[f] = rows_of(load(s.points, corners), s.columns, s.rows, s.conservative);
      }
    }
  });
  Bands out;
  out.starts.assign(s.bands() + 1, 0);
  for (const Range& r : reach) {
    if (r.first > r.last) continue;
    for (int64_t b = r.first / kBand; b <= r.last / kBand; ++b) ++out.starts[b + 1];
  }
  for (int64_t b = 0; b < s.bands(); ++b) out.starts[b + 1] += out.starts[b];
  out.entries.resize(out.starts.back());
  std::vector<int64_t> next(out.starts.begin(), out.starts.end() - 1);
  for (int64_t f = 0; f < s.count; ++f) {
    if (reach[f].first > reach[f].last) continue;
    for (int64_t b = reach[f].first / kBand; b <= reach[f].last / kBand; ++b) out.entries[next[b]++] = f;
  }
  return out;
}

struct Picture {
  int64_t* face;
  float* bary;
  float* depth;
};

// Draws one face into the rows [top, bottom]; visit(row, column, parts) decides and writes.
template <typename Visit>
void draw(const Scene& s, const Face& f, int64_t top, int64_t bottom, bool touching, const Visit& visit) {
  const Range reach = rows_of(f, s.columns, s.rows, touching);
  for (int64_t row = std::max(reach.first, top); row <= std::min(reach.last, bottom); ++row) {
    const Range columns = span(f, row, s.columns, touching);
    if (columns.first > columns.last) continue;
    Parts p = parts(f, columns.first, row);
    for (int64_t column = columns.first; column <= columns.last; ++column) {
      visit(row, column, p.at);
      for (int k = 0; k < 3; ++k) p.at[k] += p.step[k];
    }
  }
}

class Band {
 public:
  Band(const Scene& s, const Picture& out, int64_t index)
      : s_(s), out_(out), top_(index * kBand), bottom_(std::min(top_ + kBand, s.rows) - 1) {
    const int64_t first = top_ * s.columns, pixels = (bottom_ - top_ + 1) * s.columns;
    std::fill_n(out.face + first, pixels, int64_t(-1));
    std::fill_n(out.bary + 3 * first, 3 * pixels, 0.0f);
    std::fill_n(out.depth + first, pixels, std::numeric_limits<float>::infinity());
    if (!s.flat) keys_.assign(pixels, kNothing);
  }

  void run(const Bands& bands, int64_t index) {
    pass(bands, index, false);
    if (!s_.conservative) return;
    const int64_t first = top_ * s_.columns, pixels = (bottom_ - top_ + 1) * s_.columns;
    covered_.resize(pixels);
    for (int64_t k = 0; k < pixels; ++k) covered_[k] = out_.face[first + k] >= 0;
    pass(bands, index, true);
  }

 private:
  void pass(const Bands& bands, int64_t index, bool touching) {
    for (int64_t e = bands.starts[index]; e < bands.starts[index + 1]; ++e) {
      const int64_t face = bands.entries[e];
      const int64_t* corners = s_.faces + 3 * face;
      const Face f = load(s_.points, corners);
      const float z[3] = {s_.depth[corners[0]], s_.depth[corners[1]], s_.depth[corners[2]]};
      const float area = static_cast<float>(f.area);
      draw(s_, f, top_, bottom_, touching, [&](int64_t row, int64_t column, const int64_t at[3]) {
        const int64_t pixel = row * s_.columns + column, local = pixel - top_ * s_.columns;
        if (touching && covered_[local]) return;
        if (s_.flat && out_.face[pixel] >= 0) return;  // faces come in order: the lowest index was first
        const Sample here = deep(touching ? nearest(f, column, row) : within(at, area), z, s_.perspective);
        if (!s_.flat) {
          const int64_t mine = key(here.depth, face);
          if (mine >= keys_[local]) return;
          keys_[local] = mine;
        }
        out_.face[pixel] = face;
        out_.depth[pixel] = here.depth;
        std::copy_n(here.bary, 3, out_.bary + 3 * pixel);
      });
    }
  }

  const Scene& s_;
  const Picture& out_;
  int64_t top_, bottom_;
  std::vector<int64_t> keys_;
  std::vector<uint8_t> covered_;
};

void check(const at::Tensor& points, const at::Tensor& faces) {
  TORCH_CHECK(points.dim() == 2 && points.size(1) == 2 && points.is_contiguous() && points.scalar_type() == at::kLong,
              "maquette::uv_raster wants contiguous int64 points [V, 2]");
  TORCH_CHECK(faces.dim() == 2 && faces.size(1) == 3 && faces.is_contiguous() && faces.scalar_type() == at::kLong,
              "maquette::uv_raster wants contiguous int64 faces [F, 3]");
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> uv_raster(const at::Tensor& points,
                                                                  const at::Tensor& depth,
                                                                  const at::Tensor& faces, int64_t columns,
                                                                  int64_t rows, bool flat, bool perspective,
                                                                  bool conservative) {
  check(points, faces);
  TORCH_CHECK(depth.dim() == 1 && depth.size(0) == points.size(0) && depth.is_contiguous() &&
                  depth.scalar_type() == at::kFloat,
              "maquette::uv_raster wants contiguous float32 depth [V]");
  auto face = at::empty({rows, columns}, points.options());
  auto bary = at::empty({rows, columns, 3}, depth.options());
  auto nearest = at::empty({rows, columns}, depth.options());
  const Picture out = {face.data_ptr<int64_t>(), bary.data_ptr<float>(), nearest.data_ptr<float>()};
  const Scene s = {points.data_ptr<int64_t>(), depth.data_ptr<float>(), faces.data_ptr<int64_t>(), faces.size(0),
                   columns, rows, flat, perspective, conservative};
  const Bands bands = sorted(s);
  at::parallel_for(0, s.bands(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) Band(s, out, b).run(bands, b);
  });
  return {face, bary, nearest};
}

at::Tensor uv_count(const at::Tensor& points, const at::Tensor& faces, int64_t columns, int64_t rows) {
  check(points, faces);
  auto counted = at::empty({rows, columns}, points.options().dtype(at::kInt));
  int32_t* out = counted.data_ptr<int32_t>();
  const Scene s = {points.data_ptr<int64_t>(), nullptr, faces.data_ptr<int64_t>(), faces.size(0),
                   columns, rows, true, false, false};
  const Bands bands = sorted(s);
  at::parallel_for(0, s.bands(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t top = b * kBand, bottom = std::min(top + kBand, rows) - 1;
      std::fill_n(out + top * columns, (bottom - top + 1) * columns, 0);
      for (int64_t e = bands.starts[b]; e < bands.starts[b + 1]; ++e) {
        draw(s, load(s.points, s.faces + 3 * bands.entries[e]), top, bottom, false,
             [&](int64_t row, int64_t column, const int64_t*) { ++out[row * columns + column]; });
      }
    }
  });
  return counted;
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) {
  m.impl("uv_raster", &uv_raster);
  m.impl("uv_count", &uv_count);
}

}  // namespace maquette
