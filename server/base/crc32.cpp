#include "server/base/crc32.hpp"

#include <array>

namespace kapok {

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i << 24;
    for (int bit = 0; bit < 8; ++bit)
      value = (value << 1) ^ (value & 0x8000'0000u ? 0x04c1'1db7u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

}  // namespace

std::uint32_t crc32(ByteSpan bytes) {
  std::uint32_t value = 0xffff'ffffu;
  for (const std::byte byte : bytes)
    value = (value << 8) ^ kTable[(value >> 24) ^ std::to_integer<std::uint32_t>(byte)];
  return value;
}

}  // namespace kapok
