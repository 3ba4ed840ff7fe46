// A PNG as pixels: red, green, blue and cover, from 0 to 1, the colours multiplied with the cover,
// so that scaling mixes no colour of what is not seen.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"

namespace kapok::ffmpeg {

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::array<float, 4>> at;  // rows
};
// Errors: malformed, unsupported.
Result<Pixels> read_png(const Buffer& png);
// Each new pixel is the mean of what it covers.
Pixels scaled(const Pixels& from, int width, int height);

}  // namespace kapok::ffmpeg
