// JPEGs for tests that look at markers and never at pictures.
#pragma once

#include <string>

#include "server/base/buffer.hpp"

namespace kapok::media {

// Baseline at 4:2:0, as a worker's thumbnails are, with `coded` for its scan; `table` stands in its
// quantization table. Sides below 65536.
inline Buffer baseline_jpeg(unsigned width, unsigned height, const std::string& coded,
                            char table = 'q') {
  using namespace std::string_literals;
  const auto two = [](unsigned value) {
    return std::string{static_cast<char>(value >> 8), static_cast<char>(value & 255)};
  };
  return Buffer::copy_of(
      "\xff\xd8\xff\xdb\x00\x04\x00"s + table + "\xff\xc4\x00\x04\x00h"s + "\xff\xc0\x00\x11\x08"s +
      two(height) + two(width) + "\x03\x01\x22\x00\x02\x11\x00\x03\x11\x00"s +
      "\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"s + coded + "\xff\xd9"s);
}

}  // namespace kapok::media
