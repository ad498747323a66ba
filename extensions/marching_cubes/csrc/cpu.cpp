// Marching cubes on the CPU: pack to bits, count per row, sum up, write. Parallel over x; the order is that of the twin.
#include <ATen/Parallel.h>
#include <torch/library.h>
#include <torch/types.h>

#include <array>
#include <cstring>
#include <vector>

#include "bits.h"
#include "table.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define MAQUETTE_SSE2 1
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace maquette {
namespace {

using Word = uint64_t;
constexpr int W = 64;
constexpr uint8_t kTable[256][MAQUETTE_MC_ROW] = MAQUETTE_MC_TABLE;
constexpr int kEdgeLow[12] = MAQUETTE_MC_EDGE_LOW;

inline int count(Word w) {
#if defined(_MSC_VER)
  return static_cast<int>(__popcnt64(w));
#else
  return __builtin_popcountll(w);
#endif
}

inline int lowest(Word w) {
#if defined(_MSC_VER)
  unsigned long at;
  _BitScanForward64(&at, w);
  return static_cast<int>(at);
#else
  return __builtin_ctzll(w);
#endif
}

Word pack(const float* values, int n, float level) {
  Word out = 0;
  int k = 0;
#if defined(MAQUETTE_SSE2)
  const __m128 border = _mm_set1_ps(level);
  for (; k + 4 <= n; k += 4) {
    const int four = _mm_movemask_ps(_mm_cmpgt_ps(_mm_loadu_ps(values + k), border));
    out |= static_cast<Word>(four) << k;
  }
#endif
  for (; k < n; ++k) out |= static_cast<Word>(values[k] > level) << k;
  return out;
}

// Running totals before a row: vertices on edges along x, y, z, and triangles.
using Totals = std::array<int64_t, 4>;

struct Volume {
  const float* values;
  float level;
  Shape s;
  std::vector<Word> bits;
  std::vector<Totals> before;  // one a row, after sum_up(); counts until then

  const Word* row(int64_t x, int64_t y) const { return bits.data() + (x * s.y + y) * s.words; }
};

void pack_all(Volume& v) {
  at::parallel_for(0, v.s.x, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin * v.s.y; r < end * v.s.y; ++r) {
      const float* line = v.values + r * v.s.z;
      for (int64_t w = 0; w < v.s.words; ++w) {
        const int64_t n = std::min<int64_t>(W, v.s.z - w * W);
        v.bits[r * v.s.words + w] = pack(line + w * W, static_cast<int>(n), v.level);
      }
    }
  });
}

void count_all(Volume& v) {
  at::parallel_for(0, v.s.x, 1, [&](int64_t begin, int64_t end) {
    for (int64_t x = begin; x < end; ++x) {
      for (int64_t y = 0; y < v.s.y; ++y) {
        Totals n = {0, 0, 0, 0};
        for (int64_t w = 0; w < v.s.words; ++w) {
          if (quiet(v.bits.data(), x, y, w, v.s)) continue;
          const auto q = quad(v.bits.data(), x, y, w, v.s);
          for (int axis = 0; axis < 3; ++axis) n[axis] += count(crossed(q, axis));
          for (Word cells = active(q, x, y, w, v.s); cells; cells &= cells - 1) n[3] += kTable[case_of(q, lowest(cells))][0];
        }
        v.before[x * v.s.y + y] = n;
      }
    }
  });
}

Totals sum_up(std::vector<Totals>& rows) {
  Totals running = {0, 0, 0, 0};
  for (auto& row : rows) {
    for (int k = 0; k < 4; ++k) {
      const int64_t here = row[k];
      row[k] = running[k];
      running[k] += here;
    }
  }
  return running;
}

// Number of the vertex on the edge that leaves (x, y, z) along axis.
int64_t vertex(const Volume& v, const Totals& start, int64_t x, int64_t y, int64_t z, int axis) {
  const Word* row = v.row(x, y);
  const Word* other = axis == 0 ? v.row(x + 1, y) : axis == 1 ? v.row(x, y + 1) : nullptr;
  int64_t number = start[axis] + v.before[x * v.s.y + y][axis];
  const int64_t word = z / W;
  for (int64_t w = 0; w <= word; ++w) {
    Word edges = row[w] ^ (other ? other[w] : shifted(row, w, v.s));
    if (w == word) edges &= (Word(1) << (z % W)) - 1;
    number += count(edges);
  }
  return number;
}

void write_vertices(const Volume& v, const Totals& start, float* out) {
  const int64_t strides[3] = {v.s.y * v.s.z, v.s.z, 1};
  at::parallel_for(0, v.s.x, 1, [&](int64_t begin, int64_t end) {
    for (int64_t x = begin; x < end; ++x) {
      for (int64_t y = 0; y < v.s.y; ++y) {
        const int64_t r = x * v.s.y + y;
        float* to[3];
        for (int axis = 0; axis < 3; ++axis) to[axis] = out + 3 * (start[axis] + v.before[r][axis]);
        for (int64_t w = 0; w < v.s.words; ++w) {
          if (quiet(v.bits.data(), x, y, w, v.s)) continue;
          const auto q = quad(v.bits.data(), x, y, w, v.s);
          for (int axis = 0; axis < 3; ++axis) {
            for (Word e = crossed(q, axis); e; e &= e - 1, to[axis] += 3) {
              const int64_t z = w * W + lowest(e);
              const float* at = v.values + r * v.s.z + z;
              float* point = to[axis];
              point[0] = static_cast<float>(x), point[1] = static_cast<float>(y), point[2] = static_cast<float>(z);
              point[axis] += crossing(at[0], at[strides[axis]], v.level);
            }
          }
        }
      }
    }
  });
}

void write_faces(const Volume& v, const Totals& start, int64_t* out) {
  at::parallel_for(0, v.s.x - 1, 1, [&](int64_t begin, int64_t end) {
    for (int64_t x = begin; x < end; ++x) {
      for (int64_t y = 0; y + 1 < v.s.y; ++y) {
        int64_t* to = out + 3 * v.before[x * v.s.y + y][3];
        for (int64_t w = 0; w < v.s.words; ++w) {
          if (quiet(v.bits.data(), x, y, w, v.s)) continue;
          const auto q = quad(v.bits.data(), x, y, w, v.s);
          for (Word cells = active(q, x, y, w, v.s); cells; cells &= cells - 1) {
            const int bit = lowest(cells);
            const uint8_t* entry = kTable[case_of(q, bit)];
            for (int k = 1; k <= 3 * entry[0]; ++k) {
              const int low = kEdgeLow[entry[k]];
              *to++ = vertex(v, start, x + (low & 1), y + (low >> 1 & 1), w * W + bit + (low >> 2), entry[k] / 4);
            }
          }
        }
      }
    }
  });
}

std::tuple<torch::Tensor, torch::Tensor> marching_cubes(const torch::Tensor& values, double level) {
  TORCH_CHECK(values.dim() == 3 && values.is_contiguous() && values.scalar_type() == torch::kFloat32,
              "maquette::marching_cubes wants contiguous float32 [X, Y, Z]");
  Volume v;
  v.values = values.data_ptr<float>();
  v.level = static_cast<float>(level);
  v.s = {values.size(0), values.size(1), values.size(2), (values.size(2) + W - 1) / W};
  v.bits.resize(v.s.x * v.s.y * v.s.words);
  v.before.resize(v.s.x * v.s.y);
  pack_all(v);
  count_all(v);
  const Totals total = sum_up(v.before);
  const Totals start = {0, total[0], total[0] + total[1], 0};
  auto vertices = torch::empty({total[0] + total[1] + total[2], 3}, values.options());
  auto faces = torch::empty({total[3], 3}, values.options().dtype(torch::kInt64));
  write_vertices(v, start, vertices.data_ptr<float>());
  write_faces(v, start, faces.data_ptr<int64_t>());
  return {vertices, faces};
}

}  // namespace

TORCH_LIBRARY_IMPL(maquette, CPU, m) { m.impl("marching_cubes", &marching_cubes); }

}  // namespace maquette
