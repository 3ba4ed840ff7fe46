#include "server/picture/protocols/srt/handshake.hpp"

#include <algorithm>

#include "server/picture/protocols/srt/fec.hpp"

namespace kapok::srt {

namespace {

constexpr std::size_t kMaxCongestionBytes = 16;  // "live", "file"

// [draft 3.2.1.3] Text travels as 32-bit words in little-endian order, padded with zeros: each
// word's bytes are reversed on the wire.
Result<std::string> read_text(ByteSpan block, std::size_t most, std::string_view what) {
  std::string text;
  for (std::size_t at = 0; at + 4 <= block.size(); at += 4)
    for (std::size_t i = 4; i-- > 0;) text.push_back(std::to_integer<char>(block[at + i]));
  text.resize(std::min(text.find('\0'), text.size()));
  if (text.size() > most)
    return fail(Errc::limit, "{} of {} bytes: {} at most", what, text.size(), most);
  return text;
}

void write_block(ByteWriter& out, ExtensionType type, std::size_t bytes) {
  out.u16(static_cast<std::uint16_t>(type));
  out.u16(static_cast<std::uint16_t>((bytes + 3) / 4));
}

void write_text(ByteWriter& out, ExtensionType type, std::string_view text) {
  if (text.empty()) return;
  write_block(out, type, text.size());
  for (std::size_t at = 0; at < text.size(); at += 4)
    for (std::size_t i = 4; i-- > 0;)
      out.u8(at + i < text.size() ? static_cast<std::uint8_t>(text[at + i]) : 0);
}

Result<HandshakeExtension> read_handshake_extension(ByteSpan block) {
  if (block.size() != 12)
    return fail(Errc::malformed, "handshake extension of {} bytes: 12 wanted", block.size());
  const std::uint32_t latency = load_u32(block.data() + 8);
  return HandshakeExtension{.version = load_u32(block.data()),
                            .flags = load_u32(block.data() + 4),
                            .receive_latency = milliseconds(latency >> 16),
                            .send_latency = milliseconds(latency & 0xFFFF)};
}

void write_handshake_extension(ByteWriter& out, ExtensionType type,
                               const HandshakeExtension& from) {
  write_block(out, type, 12);
  out.u32(from.version);
  out.u32(from.flags);
  out.u16(static_cast<std::uint16_t>(from.receive_latency.count()));
  out.u16(static_cast<std::uint16_t>(from.send_latency.count()));
}

void write_key(ByteWriter& out, ExtensionType type, ByteSpan material) {
  write_block(out, type, material.size());
  out.bytes(material);
}

Result<GroupExtension> read_group(ByteSpan block) {
  if (block.size() < 8) return fail(Errc::malformed, "group extension of {} bytes", block.size());
  const std::uint32_t word = load_u32(block.data() + 4);
  return GroupExtension{.group_id = load_u32(block.data()),
                        .type = static_cast<std::uint8_t>(word >> 24),
                        .flags = static_cast<std::uint8_t>(word >> 16),
                        .weight = static_cast<std::uint16_t>(word)};
}

}  // namespace

Result<Handshake> parse_handshake(ByteSpan body) {
  if (body.size() < kHandshakeBytes)
    return fail(Errc::malformed, "handshake of {} bytes: {} wanted", body.size(), kHandshakeBytes);
  const std::byte* at = body.data();
  const std::uint32_t type_word = load_u32(at + 4);
  Handshake handshake;
  handshake.version = load_u32(at);
  handshake.encryption = static_cast<std::uint16_t>(type_word >> 16);
  handshake.extension = static_cast<std::uint16_t>(type_word);
  const std::uint32_t sequence = load_u32(at + 8);
  if (sequence > Sequence::kMask)
    return fail(Errc::malformed, "first sequence number over 31 bits");
  handshake.first_sequence = Sequence(sequence);
  handshake.segment_bytes = load_u32(at + 12);
  handshake.window_packets = load_u32(at + 16);
  handshake.type = load_u32(at + 20);
  handshake.socket_id = load_u32(at + 24);
  handshake.cookie = load_u32(at + 28);
  for (std::size_t i = 0; i < 16; ++i)
    handshake.peer_ip[i] = std::to_integer<std::uint8_t>(body[32 + i]);
  return handshake;
}

Result<Extensions> parse_extensions(ByteSpan body) {
  Extensions found;
  ByteReader in(body.subspan(std::min(body.size(), kHandshakeBytes)));
  while (!in.empty()) {
    const auto type = static_cast<ExtensionType>(KAPOK_TRY(in.u16()));
    const std::size_t bytes = std::size_t{KAPOK_TRY(in.u16())} * 4;
    const ByteSpan block = KAPOK_TRY(in.take(bytes));
    switch (type) {
      case ExtensionType::handshake_request:
        found.request = KAPOK_TRY(read_handshake_extension(block));
        break;
      case ExtensionType::handshake_response:
        found.response = KAPOK_TRY(read_handshake_extension(block));
        break;
      case ExtensionType::key_request:
        if (bytes > kMaxKeyMaterialBytes) return fail(Errc::malformed, "key material too long");
        found.key_request = block;
        break;
      case ExtensionType::key_response:
        if (bytes > kMaxKeyMaterialBytes) return fail(Errc::malformed, "key material too long");
        found.key_response = block;
        break;
      case ExtensionType::stream_id:
        found.stream_id = KAPOK_TRY(read_text(block, kMaxStreamIdBytes, "stream id"));
        break;
      case ExtensionType::congestion:
        found.congestion = KAPOK_TRY(read_text(block, kMaxCongestionBytes, "congestion control"));
        break;
      case ExtensionType::filter:
        found.filter = KAPOK_TRY(read_text(block, kMaxFilterBytes, "packet filter"));
        break;
      case ExtensionType::group:
        found.group = KAPOK_TRY(read_group(block));
        break;
      default:
        break;  // of a later version
    }
  }
  return found;
}

void write_handshake(Bytes& bytes, const Handshake& handshake) {
  ByteWriter out(bytes);
  out.u32(handshake.version);
  out.u16(handshake.encryption);
  out.u16(handshake.extension);
  out.u32(handshake.first_sequence.value());
  out.u32(handshake.segment_bytes);
  out.u32(handshake.window_packets);
  out.u32(handshake.type);
  out.u32(handshake.socket_id);
  out.u32(handshake.cookie);
  out.bytes(std::as_bytes(std::span(handshake.peer_ip)));
}

void write_extensions(Bytes& bytes, const Extensions& extensions) {
  ByteWriter out(bytes);
  if (extensions.request)
    write_handshake_extension(out, ExtensionType::handshake_request, *extensions.request);
  if (extensions.response)
    write_handshake_extension(out, ExtensionType::handshake_response, *extensions.response);
  write_text(out, ExtensionType::stream_id, extensions.stream_id);
  write_text(out, ExtensionType::congestion, extensions.congestion);
  write_text(out, ExtensionType::filter, extensions.filter);
  if (extensions.group) {
    write_block(out, ExtensionType::group, 8);
    out.u32(extensions.group->group_id);
    out.u8(extensions.group->type);
    out.u8(extensions.group->flags);
    out.u16(extensions.group->weight);
  }
  if (extensions.key_request) write_key(out, ExtensionType::key_request, *extensions.key_request);
  if (extensions.key_response)
    write_key(out, ExtensionType::key_response, *extensions.key_response);
}

std::uint16_t extension_flags(const Extensions& extensions) {
  std::uint16_t flags = 0;
  if (extensions.request || extensions.response) flags |= kHasHandshakeExtension;
  if (extensions.key_request || extensions.key_response) flags |= kHasKeyMaterial;
  if (!extensions.stream_id.empty() || !extensions.congestion.empty() ||
      !extensions.filter.empty() || extensions.group)
    flags |= kHasConfig;
  return flags;
}

Bytes handshake_datagram(const Route& route, const Handshake& handshake,
                         const Extensions& extensions) {
  Bytes bytes(kHeaderBytes);
  store_u32(bytes.data(), 0x8000'0000);  // control, type 0: handshake
  store_u32(bytes.data() + 8, route.timestamp);
  store_u32(bytes.data() + 12, route.destination);
  write_handshake(bytes, handshake);
  write_extensions(bytes, extensions);
  return bytes;
}

}  // namespace kapok::srt
