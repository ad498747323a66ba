// Shared by the CPU and the CUDA kernel: one triangle in sub-pixel integers, the pixels of a row that it covers, and the
// weights at a pixel. The twin (reference.py) is the definition; every float here is computed in its order.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define MAQUETTE_BOTH __host__ __device__ __forceinline__
#else
#define MAQUETTE_BOTH inline
#endif

namespace maquette {

constexpr int64_t kSteps = 4096;  // sub-pixel steps a pixel (reference.py: STEPS)
constexpr int64_t kHalf = kSteps / 2;
constexpr int64_t kNothing = INT64_MAX;

// A product and a sum that no compiler may join: fused they would round once, and the twin rounds twice.
MAQUETTE_BOTH float times(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

MAQUETTE_BOTH float plus(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

// Towards minus infinity; b > 0.
MAQUETTE_BOTH int64_t floor_div(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return q - (a - q * b < 0);
}

MAQUETTE_BOTH int64_t lowest(const int64_t v[3]) {
  const int64_t m = v[0] < v[1] ? v[0] : v[1];
  return m < v[2] ? m : v[2];
}

MAQUETTE_BOTH int64_t highest(const int64_t v[3]) {
  const int64_t m = v[0] > v[1] ? v[0] : v[1];
  return m > v[2] ? m : v[2];
}

struct Face {
  int64_t x[3], y[3];
  int64_t area;  // twice, signed
};

MAQUETTE_BOTH Face load(const int64_t* points, const int64_t* corners) {
  Face f;
  for (int k = 0; k < 3; ++k) {
    f.x[k] = points[2 * corners[k]];
    f.y[k] = points[2 * corners[k] + 1];
  }
  f.area = (f.x[1] - f.x[0]) * (f.y[2] - f.y[0]) - (f.y[1] - f.y[0]) * (f.x[2] - f.x[0]);
  return f;
}

struct Range {
  int64_t first, last;  // empty where first > last
};

// Rows whose centres (touching: whose squares) the face may reach; none for a face without area or outside the window.
MAQUETTE_BOTH Range rows_of(const Face& f, int64_t columns, int64_t rows, bool touching) {
  const int64_t low = lowest(f.y), high = highest(f.y);
  if (f.area == 0 || high <= 0 || low >= rows * kSteps || highest(f.x) <= 0 || lowest(f.x) >= columns * kSteps) {
    return {0, -1};
  }
  const int64_t first = touching ? floor_div(low, kSteps) : -floor_div(kHalf - low, kSteps);
  const int64_t last = touching ? -floor_div(-high, kSteps) - 1 : floor_div(high - kHalf, kSteps);
  return {first > 0 ? first : 0, last < rows - 1 ? last : rows - 1};
}

// Columns of one row that are covered (touched).
MAQUETTE_BOTH Range span(const Face& f, int64_t row, int64_t columns, bool touching) {
  const int64_t y = row * kSteps + kHalf;
  Range out = {0, columns - 1};
  if (touching) {
    const int64_t left = floor_div(lowest(f.x), kSteps), right = -floor_div(-highest(f.x), kSteps) - 1;
    if (left > out.first) out.first = left;
    if (right < out.last) out.last = right;
  }
  const bool turned = f.area < 0;
  for (int k = 0; k < 3; ++k) {
    const int next = k == 2 ? 0 : k + 1;
    const int a = turned ? next : k, b = turned ? k : next;  // the other way round, the inside is on the same side
    const int64_t dx = f.x[b] - f.x[a], dy = f.y[b] - f.y[a];
    int64_t level = dx * (y - f.y[a]) - dy * (kHalf - f.x[a]);
    if (touching) {
      level += ((dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy)) * kHalf - 1;
    } else if (!(dy < 0 || (dy == 0 && dx > 0))) {
      level -= 1;  // neither a left nor a top edge: the centre must lie truly inside
    }
    if (dy == 0) {
      if (level < 0) out.last = -1;
    } else if (dy > 0) {
      const int64_t bound = floor_div(level, dy * kSteps);
      if (bound < out.last) out.last = bound;
    } else {
      const int64_t bound = -floor_div(level, -dy * kSteps);
      if (bound > out.first) out.first = bound;
    }
  }
  return out;
}

// The three edge functions at a pixel centre, opposite to corners 0, 1, 2; they add up to the area.
struct Parts {
  int64_t at[3];
  int64_t step[3];  // what one column to the right adds
};

MAQUETTE_BOTH Parts parts(const Face& f, int64_t column, int64_t row) {
  const int64_t x = column * kSteps + kHalf, y = row * kSteps + kHalf;
  Parts p;
  for (int k = 0; k < 3; ++k) {
    const int a = k == 2 ? 0 : k + 1, b = a == 2 ? 0 : a + 1;
    const int64_t dx = f.x[b] - f.x[a], dy = f.y[b] - f.y[a];
    p.at[k] = dx * (y - f.y[a]) - dy * (x - f.x[a]);
    p.step[k] = -dy * kSteps;
  }
  return p;
}

struct Sample {
  float bary[3];
  float depth;
};

// Weights at a pixel centre within the face, from its edge functions.
MAQUETTE_BOTH Sample within(const int64_t at[3], float area) {
  Sample s;
  for (int k = 0; k < 3; ++k) s.bary[k] = static_cast<float>(at[k]) / area;
  return s;
}

// Weights of the point of the face that is nearest to a pixel centre outside it; it lies on an edge. Weights of the centre
// itself would be huge where the face is a sliver, and cut to the face they would name its tip.
MAQUETTE_BOTH Sample nearest(const Face& f, int64_t column, int64_t row) {
  const int64_t x = column * kSteps + kHalf, y = row * kSteps + kHalf;
  Sample s = {{0.0f, 0.0f, 0.0f}, 0.0f};
  float least = 0.0f;
  for (int k = 0; k < 3; ++k) {
    const int next = k == 2 ? 0 : k + 1;
    const int64_t dx = f.x[next] - f.x[k], dy = f.y[next] - f.y[k], px = x - f.x[k], py = y - f.y[k];
    const int64_t along = px * dx + py * dy, length = dx * dx + dy * dy;
    float share = 0.0f, away;
    if (along <= 0) {
      away = static_cast<float>(px * px + py * py);
    } else if (along >= length) {
      share = 1.0f;
      away = static_cast<float>((px - dx) * (px - dx) + (py - dy) * (py - dy));
    } else {
      share = static_cast<float>(along) / static_cast<float>(length);
      const float across = static_cast<float>(dx * py - dy * px);
      away = times(across, across) / static_cast<float>(length);
    }
    if (k > 0 && !(away < least)) continue;
    least = away;
    s.bary[0] = s.bary[1] = s.bary[2] = 0.0f;
    s.bary[k] = 1.0f - share;
    s.bary[next] = share;
  }
  return s;
}

// The depth, and with perspective the weights that belong to it.
MAQUETTE_BOTH Sample deep(Sample s, const float z[3], bool perspective) {
  if (perspective) {
    for (int k = 0; k < 3; ++k) s.bary[k] = s.bary[k] / z[k];
    const float total = plus(plus(s.bary[0], s.bary[1]), s.bary[2]);
    for (int k = 0; k < 3; ++k) s.bary[k] = s.bary[k] / total;
    s.depth = 1.0f / total;
  } else {
    s.depth = plus(plus(times(s.bary[0], z[0]), times(s.bary[1], z[1])), times(s.bary[2], z[2]));
  }
  return s;
}

// Integers that sort like (depth, face).
MAQUETTE_BOTH int64_t key(float depth, int64_t face) {
  int32_t bits;
  std::memcpy(&bits, &depth, sizeof(bits));
  const int64_t wide = bits;
  const int64_t ordered = wide < 0 ? -(wide & 0x7FFFFFFF) : wide;
  return ordered * (int64_t(1) << 32) + face;
}

}  // namespace maquette
