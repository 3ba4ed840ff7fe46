// A picture as the detectors see it: at most 160 x 90 samples of its luma and 160 x 16 of its
// colour, at fixed places, on one scale whatever the depth and range were. Costs the same for 8K as
// for 720p: what is between the samples is never touched.
#pragma once

#include <cstdint>
#include <vector>

#include "transcoder/detect/planes.hpp"

namespace kapok::detect {

// Between black and white; a power of two, so that differences fit 16 bits.
constexpr int kWhite = 4096;

struct SampledPicture {
  static constexpr std::uint32_t kMaxColumns = 160;
  static constexpr std::uint32_t kMaxRows = 90;
  static constexpr std::uint32_t kColourRows = 16;

  std::uint32_t columns = 0;
  std::uint32_t rows = 0;
  std::vector<std::int16_t> luma;  // rows x columns, 0 to kWhite

  // Of the band between 10 and 50 % of the height, where every pattern of colour bars has its bars.
  // Empty: the picture has no colour.
  struct Colour {
    std::int16_t luma;
    std::int16_t cb;  // -kWhite / 2 to kWhite / 2
    std::int16_t cr;
  };
  std::vector<Colour> band;  // kColourRows x columns

  bool same_size(const SampledPicture& other) const {
    return columns == other.columns && rows == other.rows;
  }
};

// False: planes that nothing can be said of (no size, a depth that is none). `into` lends its
// memory.
bool sample(const Planes& planes, SampledPicture& into);

}  // namespace kapok::detect
