#include "server/picture/containers/mpegts/ts_packet.hpp"

#include <cassert>

namespace kapok::mpegts {

namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kPcrBytes = 6;

// [2.4.3.4] `field` is what follows adaptation_field_length.
void read_adaptation(ByteSpan field, TsPacket& packet) {
  if (field.empty()) return;
  const auto flags = std::to_integer<unsigned>(field[0]);
  packet.discontinuity = (flags & 0x80) != 0;
  packet.random_access = (flags & 0x40) != 0;
  if ((flags & 0x10) == 0 || field.size() < 1 + kPcrBytes) return;
  std::uint64_t bits = 0;
  for (std::size_t i = 1; i <= kPcrBytes; ++i)
    bits = (bits << 8) | std::to_integer<std::uint64_t>(field[i]);
  // 33 bits of base, 6 reserved, 9 of extension.
  packet.pcr = (bits >> 15) * kPcrPerTick + (bits & 0x1ff);
}

}  // namespace

std::optional<TsPacket> read_packet(ByteSpan bytes) {
  assert(bytes.size() == kPacketBytes && bytes[0] == kSyncByte);
  const auto second = std::to_integer<unsigned>(bytes[1]);
  const auto third = std::to_integer<unsigned>(bytes[2]);
  const auto fourth = std::to_integer<unsigned>(bytes[3]);
  TsPacket packet;
  packet.damaged = (second & 0x80) != 0;
  packet.starts = (second & 0x40) != 0;
  packet.pid = static_cast<std::uint16_t>((second & 0x1f) << 8 | third);
  packet.scrambled = (fourth & 0xc0) != 0;
  packet.has_payload = (fourth & 0x10) != 0;
  packet.continuity = fourth & 0x0f;
  std::size_t at = kHeaderBytes;
  if (fourth & 0x20) {
    const auto length = std::to_integer<std::size_t>(bytes[at++]);
    if (length > kPacketBytes - at) return std::nullopt;
    read_adaptation(bytes.subspan(at, length), packet);
    at += length;
  }
  if (packet.has_payload) packet.payload = bytes.subspan(at);
  return packet;
}

}  // namespace kapok::mpegts
