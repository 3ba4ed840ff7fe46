// A decoded picture as any engine has it: where its samples lie. Views only; whoever makes one
// keeps the memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kapok::detect {

// One component. Samples of more than 8 bits have two bytes, in the machine's order.
struct Plane {
  const std::byte* first = nullptr;  // the sample at the top left
  std::ptrdiff_t row_bytes = 0;      // to the row below; negative: stored bottom up
  std::uint32_t step_bytes = 1;      // to the sample on the right: 1 or 2, twice that interleaved
};

struct Planes {
  Plane luma;
  Plane cb;  // first == nullptr: no colour
  Plane cr;
  std::uint32_t width = 0;  // of the luma
  std::uint32_t height = 0;
  std::uint8_t chroma_width_shift = 1;  // 4:2:0: both 1
  std::uint8_t chroma_height_shift = 1;
  std::uint8_t bit_depth = 8;  // 8 to 16
  std::uint8_t low_bits = 0;   // unused below each sample: 6 for P010
  bool full_range = false;
};

}  // namespace kapok::detect
