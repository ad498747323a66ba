// Shared by the CPU and the CUDA kernel: samples become bits (inside or not), and everything else is counting bits.
//
// A row is the line of samples along z at one (x, y), packed into words of W bits. Crossed edges of a word are
//   x: row(x, y) ^ row(x + 1, y)    y: row(x, y) ^ row(x, y + 1)    z: row ^ (row shifted by one)
// so a vertex number is a running count of bits: no index volume, no hash, no sort.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define MAQUETTE_BOTH __host__ __device__ __forceinline__
#else
#define MAQUETTE_BOTH inline
#endif

namespace maquette {

// Vertices keep this share of an edge away from its ends (reference.py: MARGIN).
constexpr float kMargin = 1e-3f;
constexpr float kHuge = 1e30f;

MAQUETTE_BOTH float clamped(float v, float low, float high) {
  // NaN passes through both comparisons, as in the twin
  return v < low ? low : (v > high ? high : v);
}

MAQUETTE_BOTH float crossing(float lower, float upper, float level) {
  lower = clamped(lower, -kHuge, kHuge);
  upper = clamped(upper, -kHuge, kHuge);
  return clamped((level - lower) / (upper - lower), kMargin, 1.0f - kMargin);
}

struct Shape {
  int64_t x, y, z, words;  // words a row
};

// Bits of the rows of the cells above one (x, y), for one word; rows beyond the border repeat the last one, so that no edge
// is crossed there. next*: the first bit of the following word, already moved to the top.
template <typename Word>
struct Quad {
  Word row[4];   // (x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)
  Word up[4];    // the same one sample further along z
};

template <typename Word>
MAQUETTE_BOTH Word shifted(const Word* row, int64_t word, const Shape& s) {
  constexpr int W = sizeof(Word) * 8;
  Word up = row[word] >> 1;
  if (word + 1 < s.words) {
    up |= row[word + 1] << (W - 1);
  } else {
    const int last = static_cast<int>((s.z - 1) - word * W);  // repeat the last sample
    up |= ((row[word] >> last) & Word(1)) << last;
  }
  return up;
}

template <typename Word>
MAQUETTE_BOTH Quad<Word> quad(const Word* bits, int64_t x, int64_t y, int64_t word, const Shape& s) {
  const int64_t x1 = x + 1 < s.x ? x + 1 : x, y1 = y + 1 < s.y ? y + 1 : y;
  const Word* rows[4] = {bits + (x * s.y + y) * s.words, bits + (x1 * s.y + y) * s.words, bits + (x * s.y + y1) * s.words,
                         bits + (x1 * s.y + y1) * s.words};
  Quad<Word> q;
  for (int k = 0; k < 4; ++k) {
    q.row[k] = rows[k][word];
    q.up[k] = shifted(rows[k], word, s);
  }
  return q;
}

// True where the word's four rows and the sample after them are all on one side: nothing is crossed, most words of a volume.
template <typename Word>
MAQUETTE_BOTH bool quiet(const Word* bits, int64_t x, int64_t y, int64_t word, const Shape& s) {
  constexpr int W = sizeof(Word) * 8;
  const int64_t x1 = x + 1 < s.x ? x + 1 : x, y1 = y + 1 < s.y ? y + 1 : y;
  const Word* rows[4] = {bits + (x * s.y + y) * s.words + word, bits + (x1 * s.y + y) * s.words + word,
                         bits + (x * s.y + y1) * s.words + word, bits + (x1 * s.y + y1) * s.words + word};
  const Word first = *rows[0];
  const int64_t left = s.z - word * W;
  const Word full = left >= W ? ~Word(0) : (Word(1) << left) - 1;
  if (first != 0 && first != full) return false;
  const bool more = word + 1 < s.words;
  for (int k = 0; k < 4; ++k) {
    if (*rows[k] != first || (more && (rows[k][1] & 1) != (first & 1))) return false;
  }
  return true;
}

template <typename Word>
MAQUETTE_BOTH Word crossed(const Quad<Word>& q, int axis) {
  return axis == 0 ? q.row[0] ^ q.row[1] : axis == 1 ? q.row[0] ^ q.row[2] : q.row[0] ^ q.up[0];
}

// Cells of the word that hold both sides; cells beyond the last sample of any axis are left out.
template <typename Word>
MAQUETTE_BOTH Word active(const Quad<Word>& q, int64_t x, int64_t y, int64_t word, const Shape& s) {
  constexpr int W = sizeof(Word) * 8;
  if (x + 1 >= s.x || y + 1 >= s.y) return 0;
  Word any = 0, all = ~Word(0);
  for (int k = 0; k < 4; ++k) {
    any |= q.row[k] | q.up[k];
    all &= q.row[k] & q.up[k];
  }
  const int64_t left = (s.z - 1) - word * W;  // cells from this word on
  const Word inside = left >= W ? ~Word(0) : (left <= 0 ? Word(0) : (Word(1) << left) - 1);
  return any & ~all & inside;
}

template <typename Word>
MAQUETTE_BOTH int case_of(const Quad<Word>& q, int bit) {
  int out = 0;
  for (int k = 0; k < 4; ++k) {
    out |= static_cast<int>((q.row[k] >> bit) & Word(1)) << k;
    out |= static_cast<int>((q.up[k] >> bit) & Word(1)) << (k + 4);
  }
  return out;
}

}  // namespace maquette
