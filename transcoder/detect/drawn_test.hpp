// Tests only: pictures drawn by hand, in any depth and range.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "transcoder/detect/planes.hpp"

namespace kapok::detect {

// Fractions of the range: luma 0 to 1, chroma -0.5 to 0.5.
struct Drawn {
  double luma = 0;
  double cb = 0;
  double cr = 0;
};

// 4:2:0 planes that own their samples.
class DrawnPicture {
 public:
  using Paint = std::function<Drawn(std::uint32_t x, std::uint32_t y)>;

  DrawnPicture(std::uint32_t width, std::uint32_t height, std::uint8_t depth, bool full_range,
               const Paint& paint)
      : width_(width), height_(height), depth_(depth), full_range_(full_range) {
    const std::uint32_t half_width = (width + 1) / 2;
    const std::uint32_t half_height = (height + 1) / 2;
    for (std::uint32_t y = 0; y < height; ++y)
      for (std::uint32_t x = 0; x < width; ++x) put(luma_, 16, 219, paint(x, y).luma);
    for (std::uint32_t y = 0; y < half_height; ++y)
      for (std::uint32_t x = 0; x < half_width; ++x) {
        const Drawn drawn = paint(x * 2, y * 2);
        put(cb_, 128, 224, drawn.cb);
        put(cr_, 128, 224, drawn.cr);
      }
  }
  Planes planes() const {
    const std::uint32_t step = depth_ > 8 ? 2 : 1;
    const auto half_row = static_cast<std::ptrdiff_t>((width_ + 1) / 2 * step);
    Planes planes;
    planes.luma = {luma_.data(), static_cast<std::ptrdiff_t>(width_ * step), step};
    planes.cb = {cb_.data(), half_row, step};
    planes.cr = {cr_.data(), half_row, step};
    planes.width = width_;
    planes.height = height_;
    planes.bit_depth = depth_;
    planes.full_range = full_range_;
    return planes;
  }

 private:
  void put(std::vector<std::byte>& plane, int zero, int span, double value) const {
    const int one = 1 << (depth_ - 8);
    const int base = full_range_ && zero == 16 ? 0 : zero * one;
    const double scale = full_range_ ? 256.0 * one - 1 : span * one;
    const auto sample =
        static_cast<std::uint16_t>(std::clamp(base + value * scale + 0.5, 0.0, 256.0 * one - 1));
    plane.push_back(static_cast<std::byte>(sample & 0xff));
    if (depth_ > 8) plane.push_back(static_cast<std::byte>(sample >> 8));
  }

  std::uint32_t width_;
  std::uint32_t height_;
  std::uint8_t depth_;
  bool full_range_;
  std::vector<std::byte> luma_;
  std::vector<std::byte> cb_;
  std::vector<std::byte> cr_;
};

// [BT.709] of a colour whose parts are 0 to 1.
inline Drawn of_rgb(double r, double g, double b) {
  const double luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return {luma, (b - luma) / 1.8556, (r - luma) / 1.5748};
}

}  // namespace kapok::detect
