// Shared by the CPU and the CUDA kernel: one ray down the tree of tree.py until it meets a triangle. The triangle test is
// that of the twin (reference.py), operation by operation, so the verdict is the same whatever the order of the boxes.
#pragma once

#include <cstdint>

#if (defined(__SSE2__) || defined(_M_X64)) && !defined(__CUDACC__)
#include <emmintrin.h>
#define MAQUETTE_SSE2 1
#endif

#if defined(__CUDACC__)
#define MAQUETTE_BOTH __host__ __device__ __forceinline__
#else
#define MAQUETTE_BOTH inline
#endif

namespace maquette {

constexpr int kFan = 4;         // children of a node, triangles of a leaf (tree.py: FAN, LEAF)
constexpr int kLevels = 16;     // 4^16 leaves: a node's number fits into 32 bits
constexpr int kStack = 3 * kLevels + kFan;
constexpr float kTiny = 1e-18f;
constexpr float kLoose = 1.0f + 1e-6f;

// Products and differences that no compiler may join: the sign of an edge function must be the same, turned round, for
// both triangles of the edge.
MAQUETTE_BOTH double times(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

MAQUETTE_BOTH double plus(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dadd_rn(a, b);
#else
  return a + b;
#endif
}

struct Tree {
  const float* groups;   // [G, 6, kFan] low x y z, high x y z of the children of a node
  const float* leaves;   // [L, 3, 3, kFan] corner, axis, triangle
  int64_t starts[kLevels];
  int levels;
};

struct Ray {
  double origin[3], shear[3];
  double near, far;
  float from[3], inverse[3], begin, end;
  int axes[3];
};

// way: its largest component is 1 or -1.
MAQUETTE_BOTH Ray prepared(const double* origin, const double* way, double near, double far) {
  Ray r;
  int last = 0;
  for (int k = 0; k < 3; ++k) {
    const double size = way[k] < 0 ? -way[k] : way[k];
    const double most = way[last] < 0 ? -way[last] : way[last];
    if (size > most) last = k;
    r.from[k] = static_cast<float>(origin[k]);
    r.inverse[k] = static_cast<float>(1.0 / (size > kTiny ? way[k] : static_cast<double>(kTiny)));
  }
  for (int k = 0; k < 3; ++k) {
    r.axes[k] = (last + 1 + k) % 3;
    r.origin[k] = origin[r.axes[k]];
  }
  const double along = way[last];
  r.shear[0] = times(way[r.axes[0]], along);
  r.shear[1] = times(way[r.axes[1]], along);
  r.shear[2] = along;
  r.near = near;
  r.far = far;
  r.begin = static_cast<float>(near);
  r.end = static_cast<float>(far);
  return r;
}

// Where the ray enters the four boxes, and a bit for each box that it enters within reach. Of two numbers the second is
// kept when one is NaN, so a box without triangles stays NaN and fails.
#if defined(MAQUETTE_SSE2)
inline int entered(const float* group, const Ray& r, float enter[kFan]) {
  __m128 low = _mm_set1_ps(-3.4e38f), high = _mm_set1_ps(3.4e38f);
  for (int k = 0; k < 3; ++k) {
    const int first = r.inverse[k] < 0 ? 3 + k : k;  // the side that the ray meets first
    const __m128 from = _mm_set1_ps(r.from[k]), inverse = _mm_set1_ps(r.inverse[k]);
    const __m128 in = _mm_mul_ps(_mm_sub_ps(_mm_loadu_ps(group + kFan * first), from), inverse);
    const __m128 out = _mm_mul_ps(_mm_sub_ps(_mm_loadu_ps(group + kFan * (2 * k + 3 - first)), from), inverse);
    low = _mm_max_ps(low, in);
    high = _mm_min_ps(high, out);
  }
  _mm_storeu_ps(enter, low);
  const __m128 meets = _mm_cmple_ps(low, _mm_mul_ps(high, _mm_set1_ps(kLoose)));
  const __m128 reaches = _mm_and_ps(_mm_cmpge_ps(high, _mm_set1_ps(r.begin)), _mm_cmple_ps(low, _mm_set1_ps(r.end)));
  return _mm_movemask_ps(_mm_and_ps(meets, reaches));
}
#else
MAQUETTE_BOTH int entered(const float* group, const Ray& r, float enter[kFan]) {
  int met = 0;
  for (int c = 0; c < kFan; ++c) {
    float low = -3.4e38f, high = 3.4e38f;
    for (int k = 0; k < 3; ++k) {
      const int first = r.inverse[k] < 0 ? 3 + k : k;  // the side that the ray meets first
      const float in = (group[kFan * first + c] - r.from[k]) * r.inverse[k];
      const float out = (group[kFan * (2 * k + 3 - first) + c] - r.from[k]) * r.inverse[k];
      low = low > in ? low : in;
      high = high < out ? high : out;
    }
    enter[c] = low;
    met |= (low <= high * kLoose && high >= r.begin && low <= r.end) << c;
  }
  return met;
}
#endif

MAQUETTE_BOTH bool strikes(const float* leaf, const Ray& r) {
  double x[3][kFan], y[3][kFan], z[3][kFan], u[kFan], v[kFan], w[kFan];
  for (int corner = 0; corner < 3; ++corner) {
    const float* at = leaf + corner * 3 * kFan;
    const float *ax = at + r.axes[0] * kFan, *ay = at + r.axes[1] * kFan, *az = at + r.axes[2] * kFan;
    for (int t = 0; t < kFan; ++t) {
      z[corner][t] = az[t] - r.origin[2];
      x[corner][t] = plus(ax[t] - r.origin[0], -times(r.shear[0], z[corner][t]));
      y[corner][t] = plus(ay[t] - r.origin[1], -times(r.shear[1], z[corner][t]));
    }
  }
  int inside = 0;
  for (int t = 0; t < kFan; ++t) {
    u[t] = plus(times(x[2][t], y[1][t]), -times(y[2][t], x[1][t]));
    v[t] = plus(times(x[0][t], y[2][t]), -times(y[0][t], x[2][t]));
    w[t] = plus(times(x[1][t], y[0][t]), -times(y[1][t], x[0][t]));
  }
  for (int t = 0; t < kFan; ++t) {  // never a place without a triangle, which is NaN
    inside |= (((u[t] >= 0) & (v[t] >= 0) & (w[t] >= 0)) | ((u[t] <= 0) & (v[t] <= 0) & (w[t] <= 0))) << t;
  }
  if (inside == 0) return false;
  bool any = false;
  for (int t = 0; t < kFan; ++t) {  // to a fixed bound: else a GPU keeps the arrays in memory
    const double area = plus(plus(u[t], v[t]), w[t]);
    if (!(inside >> t & 1) || area == 0) continue;
    const double depth = plus(plus(times(u[t], times(z[0][t], r.shear[2])), times(v[t], times(z[1][t], r.shear[2]))),
                              times(w[t], times(z[2][t], r.shear[2])));
    const double along = depth / area;
    any = any || (along > r.near && along <= r.far);
  }
  return any;
}

// Small, for every thread of a GPU has a stack of them.
struct Visit {
  uint32_t node;
  int32_t level;
};

// last: the leaf that was struck before, tried first: neighbouring rays are often stopped by the same wall.
MAQUETTE_BOTH bool blocked(const Tree& tree, const Ray& r, int64_t& last) {
  if (!(r.near < r.far)) return false;
  if (last >= 0 && strikes(tree.leaves + 9 * kFan * last, r)) return true;
  Visit stack[kStack];
  int size = 0;
  stack[size++] = {0, 0};
  while (size > 0) {
    const Visit here = stack[--size];
    if (here.level == tree.levels) {
      const int64_t leaf = here.node;
      if (leaf != last && strikes(tree.leaves + 9 * kFan * leaf, r)) {
        last = leaf;
        return true;
      }
      continue;
    }
    float enter[kFan];
    const int met = entered(tree.groups + 6 * kFan * (tree.starts[here.level] + here.node), r, enter);
    const int bottom = size;
    for (int c = 0; c < kFan; ++c) {
      if (!(met >> c & 1)) continue;
      // the nearest on top: what lies before the others is the likeliest to end the walk
      int place = size++;
      for (; place > bottom && enter[stack[place - 1].node % kFan] < enter[c]; --place) stack[place] = stack[place - 1];
      stack[place] = {here.node * kFan + c, here.level + 1};
    }
  }
  return false;
}

}  // namespace maquette
