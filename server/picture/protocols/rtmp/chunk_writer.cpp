#include "server/picture/protocols/rtmp/chunk_writer.hpp"

#include <algorithm>

namespace kapok::rtmp {

namespace {
constexpr std::uint32_t kExtendedMarker = 0xFFFFFF;
constexpr MessageHeader control(MessageType type) {
  return {type, 2, 0, 0};
}
}  // namespace

void write_message(Bytes& bytes, const MessageHeader& header, ByteSpan payload,
                   std::size_t chunk_bytes) {
  ByteWriter out(bytes);
  const bool extended = header.timestamp >= kExtendedMarker;
  const auto id = static_cast<std::uint8_t>(header.chunk_stream & 0x3F);
  out.u8(id);
  out.u24(extended ? kExtendedMarker : header.timestamp);
  out.u24(static_cast<std::uint32_t>(payload.size()));
  out.u8(static_cast<std::uint8_t>(header.type));
  for (int shift = 0; shift < 32; shift += 8)  // little-endian
    out.u8(static_cast<std::uint8_t>(header.stream >> shift));
  if (extended) out.u32(header.timestamp);
  while (true) {
    const std::size_t size = std::min(payload.size(), chunk_bytes);
    out.bytes(payload.first(size));
    payload = payload.subspan(size);
    if (payload.empty()) return;
    out.u8(static_cast<std::uint8_t>(0xC0 | id));
    if (extended) out.u32(header.timestamp);
  }
}

void write_u32_control(Bytes& out, MessageType type, std::uint32_t value) {
  Bytes body;
  ByteWriter(body).u32(value);
  write_message(out, control(type), body, kMaxMessageBytes);
}

void write_peer_bandwidth(Bytes& out, std::uint32_t window) {
  Bytes body;
  ByteWriter writer(body);
  writer.u32(window);
  writer.u8(2);
  write_message(out, control(MessageType::set_peer_bandwidth), body, kMaxMessageBytes);
}

void write_user_control(Bytes& out, UserControl event, std::uint32_t value) {
  Bytes body;
  ByteWriter writer(body);
  writer.u16(static_cast<std::uint16_t>(event));
  writer.u32(value);
  write_message(out, control(MessageType::user_control), body, kMaxMessageBytes);
}

}  // namespace kapok::rtmp
