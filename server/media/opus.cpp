#include "server/media/opus.hpp"

#include <cassert>

namespace kapok::media::opus {

namespace {

constexpr std::string_view kMagic = "OpusHead";
constexpr std::uint32_t kMaxSamplesPerPacket = 5760;  // 120 ms [RFC 6716 3.2.5]

std::uint16_t swapped(std::uint16_t value) {
  return static_cast<std::uint16_t>((value >> 8) | (value << 8));
}
std::uint32_t swapped(std::uint32_t value) {
  return __builtin_bswap32(value);
}

// The fields after magic and version are the same in both forms but for their byte order.
enum class Order : std::uint8_t { little, big };
Result<Head> parse_fields(ByteReader& in, Order order) {
  Head head;
  head.channels = KAPOK_TRY(in.u8());
  head.pre_skip = KAPOK_TRY(in.u16());
  head.input_rate = KAPOK_TRY(in.u32());
  std::uint16_t gain = KAPOK_TRY(in.u16());
  if (order == Order::little) {
    head.pre_skip = swapped(head.pre_skip);
    head.input_rate = swapped(head.input_rate);
    gain = swapped(gain);
  }
  head.gain = static_cast<std::int16_t>(gain);
  head.mapping_family = KAPOK_TRY(in.u8());
  if (head.channels == 0) return fail(Errc::malformed, "OpusHead: no channels");
  if (head.mapping_family == 0) {
    if (head.channels > 2)
      return fail(Errc::malformed, "OpusHead: {} channels without a mapping", head.channels);
  } else {
    head.mapping = KAPOK_TRY(in.take(std::size_t{2} + head.channels));
  }
  return head;
}

void write_fields(ByteWriter& out, const Head& head, Order order) {
  const auto gain = static_cast<std::uint16_t>(head.gain);
  const bool swap = order == Order::little;
  out.u8(head.channels);
  out.u16(swap ? swapped(head.pre_skip) : head.pre_skip);
  out.u32(swap ? swapped(head.input_rate) : head.input_rate);
  out.u16(swap ? swapped(gain) : gain);
  out.u8(head.mapping_family);
  out.bytes(head.mapping);
}

}  // namespace

Result<Head> parse_head(ByteSpan opus_head) {
  ByteReader in(opus_head);
  const ByteSpan magic = KAPOK_TRY(in.take(kMagic.size()));
  if (as_text(magic) != kMagic) return fail(Errc::malformed, "OpusHead: magic missing");
  const std::uint8_t version = KAPOK_TRY(in.u8());
  // [RFC 7845 5.1] the upper half is the incompatible part of the version.
  if (version >> 4) return fail(Errc::unsupported, "OpusHead: version {}", version);
  return parse_fields(in, Order::little);
}

Bytes specific_box(ByteSpan opus_head) {
  const auto head = parse_head(opus_head);
  assert(head);
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(0);
  write_fields(out, *head, Order::big);
  return bytes;
}

Result<Bytes> head_from_specific_box(ByteSpan dops) {
  ByteReader in(dops);
  const std::uint8_t version = KAPOK_TRY(in.u8());
  if (version != 0) return fail(Errc::unsupported, "dOps: version {}", version);
  const auto head = KAPOK_TRY(parse_fields(in, Order::big));
  Bytes bytes;
  ByteWriter out(bytes);
  out.text(kMagic);
  out.u8(1);
  write_fields(out, head, Order::little);
  return bytes;
}

std::uint32_t samples_of(ByteSpan packet) {
  if (packet.empty()) return 0;
  const auto toc = std::to_integer<unsigned>(packet[0]);
  const unsigned configuration = toc >> 3;
  std::uint32_t frame = 0;
  if (configuration < 12)  // SILK: 10, 20, 40, 60 ms
    frame = configuration % 4 == 3 ? 2880 : 480u << (configuration % 4);
  else if (configuration < 16)  // hybrid: 10, 20 ms
    frame = 480u << (configuration % 2);
  else  // CELT: 2.5, 5, 10, 20 ms
    frame = 120u << (configuration % 4);
  std::uint32_t count = 2;
  if ((toc & 3) == 0) count = 1;
  if ((toc & 3) == 3) count = packet.size() > 1 ? std::to_integer<unsigned>(packet[1]) & 0x3f : 0;
  const std::uint32_t samples = frame * count;
  return samples <= kMaxSamplesPerPacket ? samples : 0;
}

}  // namespace kapok::media::opus
