// Where a bitmap fits: the square as 64 cells a word, one row of positions at a time.
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <torch/library.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace maquette {
namespace {

using Word = uint64_t;
constexpr Word kFull = ~Word{0};

// The cells of a row: bit 1 = taken, and so is all beyond the square.
Word packed(const bool* cells, int64_t count) {
  Word word = kFull;
  int64_t at = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; at + 8 <= count; at += 8) {  // eight bytes of 0 or 1 to eight bits
      Word bytes;
      std::memcpy(&bytes, cells + at, 8);
      word ^= (((~bytes & 0x0101010101010101u) * 0x0102040810204080u) >> 56) << at;
    }
  }
  for (; at < count; ++at) word ^= Word{!cells[at]} << at;
  return word;
}

class Square {
 public:
  Square(const bool* cells, int64_t stride, int64_t side)
      : side_(side), words_(side / 64 + 1), rows_(side * words_), wide_(words_), moved_(words_) {
    for (int64_t y = 0; y < side; ++y)
      for (int64_t w = 0; w < words_; ++w)
        rows_[y * words_ + w] = packed(cells + y * stride + 64 * w, std::clamp<int64_t>(side - 64 * w, 0, 64));
  }

  int64_t side() const { return side_; }
  int64_t words() const { return words_; }

  // Take from `free` the positions at which a run of `length` cells, `first` cells to their right in row y, meets a
  // taken cell. False: none is left.
  bool rule_out(Word* free, int64_t y, int64_t first, int64_t length) {
    const Word* row = rows_.data() + y * words_;
    std::copy(row, row + words_, wide_.begin());
    for (int64_t have = 1; have < length;) {
      const int64_t step = std::min(have, length - have);
      shift(wide_.data(), step, moved_.data());
      for (int64_t w = 0; w < words_; ++w) wide_[w] |= moved_[w];
      have += step;
    }
    shift(wide_.data(), first, moved_.data());
    Word left = 0;
    for (int64_t w = 0; w < words_; ++w) left |= free[w] &= ~moved_[w];
    return left != 0;
  }

 private:
  // `row` moved to the left by `cells`; what comes in is taken.
  void shift(const Word* row, int64_t cells, Word* out) const {
    const int64_t whole = cells / 64, bits = cells % 64;
    for (int64_t w = 0; w < words_; ++w) {
      const Word low = w + whole < words_ ? row[w + whole] : kFull;
      const Word high = w + whole + 1 < words_ ? row[w + whole + 1] : kFull;
      out[w] = bits ? low >> bits | high << (64 - bits) : low;
    }
  }

  int64_t side_, words_;
  std::vector<Word> rows_, wide_, moved_;
};

struct Run {
  int64_t row, first, length;
};

// The mask after `turns` quarter turns counter-clockwise, with rows counted downwards (numpy.rot90).
struct Turned {
  const bool* cells;
  int64_t rows, columns;  // before the turn
  int turns;

  int64_t height() const { return turns % 2 ? columns : rows; }
  int64_t width() const { return turns % 2 ? rows : columns; }
  bool at(int64_t y, int64_t x) const {
    switch (turns) {
      case 0: return cells[y * columns + x];
      case 1: return cells[x * columns + columns - 1 - y];
      case 2: return cells[(rows - 1 - y) * columns + columns - 1 - x];
      default: return cells[(rows - 1 - x) * columns + y];
    }
  }
};

// The longest run first, then others far apart from each other: neighbours rule out the same positions.
std::vector<Run> telling_runs(const Turned& mask) {
  std::vector<Run> runs, order;
  for (int64_t y = 0; y < mask.height(); ++y)
    for (int64_t x = 0, from = 0; x < mask.width(); ++x) {
      if (!mask.at(y, x)) from = x + 1;
      else if (x + 1 == mask.width() || !mask.at(y, x + 1)) runs.push_back({y, from, x + 1 - from});
    }
  if (runs.empty()) return order;
  const auto longer = [](const Run& a, const Run& b) { return a.length < b.length; };
  order.push_back(*std::max_element(runs.begin(), runs.end(), longer));
  order.push_back(runs.front());
  for (size_t step = std::bit_ceil(runs.size()); step > 1; step /= 2)
    for (size_t k = step / 2; k < runs.size(); k += step) order.push_back(runs[k]);
  return order;
}

// The first position, row by row, in the first `rows` rows; false where there is none.
bool first_free(Square& square, const Turned& mask, int64_t rows, int64_t& top, int64_t& left) {
  const int64_t columns = square.side() - mask.width() + 1;
  if (rows <= 0 || columns <= 0) return false;
  const std::vector<Run> runs = telling_runs(mask);
  std::vector<Word> free(square.words());
  for (top = 0; top < rows; ++top) {
    for (int64_t w = 0; w < square.words(); ++w) {
      const int64_t bits = std::clamp<int64_t>(columns - 64 * w, 0, 64);
      free[w] = bits == 64 ? kFull : (Word{1} << bits) - 1;
    }
    const auto fits = [&](const Run& run) {
      return square.rule_out(free.data(), top + run.row, run.first, run.length);
    };
    if (!std::all_of(runs.begin(), runs.end(), fits)) continue;
    const auto word = std::find_if(free.begin(), free.end(), [](Word bits) { return bits != 0; });
    left = 64 * (word - free.begin()) + std::countr_zero(*word);
    return true;
  }
  return false;
}

at::Tensor packing(const at::Tensor& taken, const at::Tensor& mask, int64_t side) {
  for (const at::Tensor& cells : {taken, mask})
    TORCH_CHECK(cells.dim() == 2 && cells.scalar_type() == at::kBool && cells.is_contiguous() && cells.numel() > 0,
                "maquette::packing takes contiguous boolean [rows, columns]");
  TORCH_CHECK(side > 0 && side <= taken.size(0) && side <= taken.size(1), "maquette::packing: no square of side ", side);
  Square square(taken.const_data_ptr<bool>(), taken.size(1), side);
  at::Tensor found = at::full({3}, -1, at::kLong);
  int64_t* place = found.mutable_data_ptr<int64_t>();
  int64_t end = side, top, left;
  for (int turns = 0; turns < 4; ++turns) {
    const Turned turned{mask.const_data_ptr<bool>(), mask.size(0), mask.size(1), turns};
    if (!first_free(square, turned, end - turned.height() + 1, top, left)) continue;
    const int64_t upper = top + turned.height();
    if (place[0] >= 0 && !(upper < end || (upper == end && left < place[1]))) continue;
    end = upper;
    place[0] = turns, place[1] = left, place[2] = top;
  }
  return found;
}

}  // namespace
}  // namespace maquette

TORCH_LIBRARY_IMPL(maquette, CPU, m) { m.impl("packing", &maquette::packing); }
