#include "transcoder/detect/judgements.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace kapok::detect {

namespace {

constexpr int kDark = kWhite / 20;
constexpr std::size_t kMostlyPercent = 98;

// A picture is compared in blocks: noise is everywhere alike, what moves is somewhere.
constexpr std::uint32_t kBlocksAcross = 16;
constexpr std::uint32_t kBlocksDown = 9;
// An encoder that refreshes a still picture shifts a block's brightness by two steps of 8 bits.
constexpr int kBlockShift = kWhite * 2 / 219;
// Above the noise of the whole picture, in a block of a hundred samples: four of them that went
// from black to a third of white.
constexpr int kBlockNoise = kWhite * 12 / 1000;
// Far above any noise, as the edge of a digit that has changed; two of them in a block are one.
constexpr int kFarApart = kWhite / 4;
constexpr int kFewFarApart = 2;

// Red, green and blue above or below three eighths: bars have 75 or 100 % of it, or nothing (in
// HLG and PQ 75 and 58 % of the signal).
enum Hue : std::uint8_t {
  dark = 0b000,
  blue = 0b001,
  green = 0b010,
  cyan = 0b011,
  red = 0b100,
  magenta = 0b101,
  yellow = 0b110,
  light = 0b111,
  mixed = 8,  // of a column whose rows do not agree
};
constexpr std::size_t kHues = 9;
constexpr std::array kOrder{yellow, cyan, green, magenta, red, blue};

// [BT.709]; with BT.601's or BT.2020's matrix the hues are off by less than what separates them.
Hue hue_of(const SampledPicture::Colour& colour) {
  constexpr int kThreshold = kWhite * 3 / 8;
  const int r = colour.luma + colour.cr * 1575 / 1000;
  const int g = colour.luma - colour.cb * 187 / 1000 - colour.cr * 468 / 1000;
  const int b = colour.luma + colour.cb * 1856 / 1000;
  return static_cast<Hue>((r > kThreshold ? red : dark) | (g > kThreshold ? green : dark) |
                          (b > kThreshold ? blue : dark));
}

// The hue of three quarters of the column's rows.
Hue hue_of_column(const SampledPicture& picture, std::uint32_t column) {
  std::array<std::uint32_t, kHues> count{};
  for (std::uint32_t row = 0; row < SampledPicture::kColourRows; ++row)
    ++count[hue_of(picture.band[std::size_t{row} * picture.columns + column])];
  const auto most = std::ranges::max_element(count);
  return *most * 4 >= SampledPicture::kColourRows * 3 ? static_cast<Hue>(most - count.begin())
                                                      : mixed;
}

bool is_colour(Hue hue) {
  return hue != dark && hue != light && hue != mixed;
}

}  // namespace

bool is_black(const SampledPicture& picture) {
  const auto dark_ones = std::ranges::count_if(picture.luma, [](int luma) { return luma < kDark; });
  return static_cast<std::size_t>(dark_ones) * 100 >= picture.luma.size() * kMostlyPercent;
}

bool is_bars(const SampledPicture& picture) {
  // Bars are a tenth to an eighth of the width each.
  constexpr std::uint32_t kLeastColumns = 40;
  if (picture.band.empty() || picture.columns < kLeastColumns) return false;
  struct Bar {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t columns = 0;
  };
  std::array<Bar, kOrder.size()> bars{};
  std::size_t at = 0;  // the bar that we are in, or are still to meet
  for (std::uint32_t column = 0; column < picture.columns; ++column) {
    const Hue hue = hue_of_column(picture, column);
    // Between two bars a column may be of any hue; lettering makes dark and light ones.
    if (!is_colour(hue)) continue;
    if (at + 1 < kOrder.size() && hue == kOrder[at + 1] && bars[at].columns > 0) ++at;
    if (hue != kOrder[at]) {
      // More than the edge of a bar is something else.
      const bool edge = bars[at].columns == 0 || column - bars[at].last <= 2;
      if (!edge) return false;
      continue;
    }
    Bar& bar = bars[at];
    if (bar.columns++ == 0) bar.first = column;
    bar.last = column;
  }
  // From a sixteenth of the width to a sixth, three quarters of each to be seen.
  return std::ranges::all_of(bars, [&](const Bar& bar) {
    const std::uint32_t width = bar.last - bar.first + 1;
    return bar.columns > 0 && width * 16 >= picture.columns && width * 6 <= picture.columns &&
           bar.columns * 4 >= width * 3;
  });
}

bool is_same(const SampledPicture& a, const SampledPicture& b, std::uint32_t noise) {
  if (!a.same_size(b)) return false;
  struct Block {
    std::int64_t apart = 0;
    std::int64_t shift = 0;
    int far_apart = 0;
    int samples = 0;
  };
  std::array<Block, std::size_t{kBlocksAcross} * kBlocksDown> blocks{};
  for (std::uint32_t row = 0; row < a.rows; ++row) {
    Block* in_row = &blocks[std::size_t{row * kBlocksDown / a.rows} * kBlocksAcross];
    const std::size_t begin = std::size_t{row} * a.columns;
    for (std::uint32_t column = 0; column < a.columns; ++column) {
      Block& block = in_row[column * kBlocksAcross / a.columns];
      const int difference = b.luma[begin + column] - a.luma[begin + column];
      block.apart += std::abs(difference);
      block.shift += difference;
      if (std::abs(difference) > kFarApart) ++block.far_apart;
      ++block.samples;
    }
  }
  std::array<std::int64_t, blocks.size()> apart{};
  std::size_t used = 0;
  for (const Block& block : blocks)
    if (block.samples > 0) apart[used++] = block.apart / block.samples;
  const auto middle = apart.begin() + static_cast<std::ptrdiff_t>(used / 2);
  std::nth_element(apart.begin(), middle, apart.begin() + static_cast<std::ptrdiff_t>(used));
  const std::int64_t everywhere = *middle;
  if (everywhere * 1000 > std::int64_t{kWhite} * noise) return false;
  return std::ranges::none_of(blocks, [&](const Block& block) {
    if (block.samples == 0) return false;
    return block.far_apart >= kFewFarApart ||
           block.apart > (2 * everywhere + kBlockNoise) * block.samples ||
           std::abs(block.shift) > (kBlockShift + everywhere) * block.samples;
  });
}

}  // namespace kapok::detect
