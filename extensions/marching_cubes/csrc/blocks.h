// Shared by the CPU and the CUDA kernel of sparse blocks: the same bits as bits.h, a word a row of one block.
//
// A block holds n^3 samples, n at most 32. The word of a row has its n samples, and the first one of the block behind it as
// bit n; what does not exist is not known, and nothing that needs it is meshed. The edges of a row lie at the row's place
// in the order of the dense volume (blocks.py), so that vertices and faces come out in that order.
#pragma once

#include "bits.h"

namespace maquette {

struct Blocks {
  const float* values;    // [B, n, n, n]
  const int64_t* place;   // [B, 3] in blocks
  const int64_t* beside;  // [B, 8] the block one further along the axes of the bits, -1 = none
  const int64_t* rank;    // [B, 3] place of the first row, what one x and what one y add
  const bool* wanted;     // [B, n, n, n] cells to mesh; null = all
  float level;
  int64_t count, n, shape[3];
  uint64_t* rows;   // [B, n, n] inside or not
  uint64_t* edges;  // [3, B * n * n], by place in the order

  MAQUETTE_BOTH int64_t total() const { return count * n * n; }
};

struct Line {
  int64_t block, x, y;
};

MAQUETTE_BOTH Line line_of(const Blocks& s, int64_t row) { return {row / (s.n * s.n), row / s.n % s.n, row % s.n}; }

MAQUETTE_BOTH int64_t place_of(const Blocks& s, const Line& at) {
  const int64_t* r = s.rank + 3 * at.block;
  return r[0] + at.x * r[1] + at.y * r[2];
}

MAQUETTE_BOTH uint64_t first_bits(int64_t count) { return (uint64_t(1) << count) - 1; }

// Samples of a block along an axis that lie within the volume.
MAQUETTE_BOTH int64_t extent(const Blocks& s, int64_t block, int axis) {
  const int64_t left = s.shape[axis] - s.n * s.place[3 * block + axis];
  return left < s.n ? left : s.n;
}

// The row's samples, and the first one behind them; what does not exist counts as outside.
MAQUETTE_BOTH uint64_t packed_row(const Blocks& s, int64_t row, const Line& at) {
  const int64_t behind = s.beside[8 * at.block + 4], length = extent(s, at.block, 2);
  uint64_t word = 0;
  for (int64_t z = 0; z < length; ++z) word |= static_cast<uint64_t>(s.values[row * s.n + z] > s.level) << z;
  if (behind >= 0) {
    const int64_t next = (behind - at.block) * s.n * s.n + row;
    word |= static_cast<uint64_t>(s.values[next * s.n] > s.level) << s.n;
  }
  return word;
}

MAQUETTE_BOTH uint64_t wanted_row(const Blocks& s, int64_t row) {
  if (!s.wanted) return first_bits(s.n);
  uint64_t word = 0;
  for (int64_t z = 0; z < s.n; ++z) word |= static_cast<uint64_t>(s.wanted[row * s.n + z]) << z;
  return word;
}

// The four rows around the cells above one (x, y) of a block, and which of their samples exist.
struct Four {
  uint64_t row[4], known[4];
};

MAQUETTE_BOTH Four four(const Blocks& s, const Line& at) {
  Four f;
  const int64_t* beside = s.beside + 8 * at.block;
  const uint64_t along = first_bits(extent(s, at.block, 2));
  for (int k = 0; k < 4; ++k) {
    int64_t x = at.x + (k & 1), y = at.y + (k >> 1);
    const int side = (x == s.n) + 2 * (y == s.n);
    const int64_t here = beside[side];
    if (x == s.n) x = 0;
    if (y == s.n) y = 0;
    if (here >= 0 && x < extent(s, here, 0) && y < extent(s, here, 1)) {
      f.known[k] = along | static_cast<uint64_t>(beside[side + 4] >= 0) << s.n;
      f.row[k] = s.rows[(here * s.n + x) * s.n + y];
    } else {
      f.row[k] = f.known[k] = 0;
    }
  }
  return f;
}

// Crossed edges that leave the row's samples along x, y, z.
MAQUETTE_BOTH uint64_t crossed(const Four& f, int axis) {
  if (axis == 2) return (f.row[0] ^ (f.row[0] >> 1)) & f.known[0] & (f.known[0] >> 1);
  return (f.row[0] ^ f.row[1 + axis]) & f.known[0] & f.known[1 + axis];
}

// Cells of which all eight samples exist, on both sides.
MAQUETTE_BOTH uint64_t active(const Four& f) {
  uint64_t any = 0, all = ~uint64_t(0), known = ~uint64_t(0);
  for (int k = 0; k < 4; ++k) {
    any |= f.row[k] | (f.row[k] >> 1);
    all &= f.row[k] & (f.row[k] >> 1);
    known &= f.known[k] & (f.known[k] >> 1);
  }
  return any & ~all & known;
}

MAQUETTE_BOTH int case_of(const Four& f, int bit) {
  int out = 0;
  for (int k = 0; k < 4; ++k) {
    out |= static_cast<int>((f.row[k] >> bit) & 1) << k;
    out |= static_cast<int>((f.row[k] >> (bit + 1)) & 1) << (k + 4);
  }
  return out;
}

// Where the sample at z of the row (x, y) lies, each at most n: the address in values, for a sample that exists.
MAQUETTE_BOTH int64_t address(const Blocks& s, int64_t block, int64_t x, int64_t y, int64_t z) {
  const int64_t side = (x == s.n) + 2 * (y == s.n) + 4 * (z == s.n);
  const int64_t there = s.beside[8 * block + side];
  const int64_t lx = x == s.n ? 0 : x, ly = y == s.n ? 0 : y, lz = z == s.n ? 0 : z;
  return ((there * s.n + lx) * s.n + ly) * s.n + lz;
}

// The vertex on the edge that leaves the z-th sample of a row along an axis.
MAQUETTE_BOTH void write_vertex(const Blocks& s, const Line& at, int64_t z, int axis, float* out) {
  const int64_t x = at.x, y = at.y, here = address(s, at.block, x, y, z);
  const int64_t there = address(s, at.block, x + (axis == 0), y + (axis == 1), z + (axis == 2));
  const int64_t* place = s.place + 3 * at.block;
  out[0] = static_cast<float>(place[0] * s.n + x);
  out[1] = static_cast<float>(place[1] * s.n + y);
  out[2] = static_cast<float>(place[2] * s.n + z);
  out[axis] += crossing(s.values[here], s.values[there], s.level);
}

// The row that owns the edge of a cell, and the edge's bit in it. low: the corner of the cell where the edge begins.
struct Owner {
  int64_t place;
  int bit;
};

MAQUETTE_BOTH Owner owner_of(const Blocks& s, const Line& at, int bit, int low) {
  const int64_t x = at.x + (low & 1), y = at.y + (low >> 1 & 1), z = bit + (low >> 2);
  const int64_t side = (x == s.n) + 2 * (y == s.n) + 4 * (z == s.n);
  const int64_t there = s.beside[8 * at.block + side];
  const Line line = {there, x == s.n ? 0 : x, y == s.n ? 0 : y};
  return {place_of(s, line), static_cast<int>(z == s.n ? 0 : z)};
}

}  // namespace maquette
