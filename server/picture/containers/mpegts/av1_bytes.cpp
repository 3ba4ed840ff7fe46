#include "server/picture/containers/mpegts/av1_bytes.hpp"

#include "server/media/av1.hpp"
#include "server/media/nal.hpp"

namespace kapok::mpegts {

namespace av1 = media::av1;

namespace {

constexpr std::size_t kStartCodeBytes = 3;
constexpr std::byte kHasSize{0x02};
constexpr std::byte kHasExtension{0x04};

bool is_start_code(ByteSpan bytes, std::size_t at) {
  return at + kStartCodeBytes <= bytes.size() && bytes[at] == std::byte{0} &&
         bytes[at + 1] == std::byte{0} && bytes[at + 2] == std::byte{1};
}

std::size_t find_start_code(ByteSpan bytes, std::size_t from) {
  while (from < bytes.size() && !is_start_code(bytes, from)) ++from;
  return from;
}

void write_leb128(ByteWriter& out, std::size_t value) {
  for (; value >= 0x80; value >>= 7) out.u8(static_cast<std::uint8_t>(0x80 | (value & 0x7f)));
  out.u8(static_cast<std::uint8_t>(value));
}

// One OBU with a size field, whether it had one or not.
void write_sized(ByteWriter& out, ByteSpan obu) {
  if ((obu[0] & kHasSize) != std::byte{0}) {
    av1::ObuWalker walker(obu);
    if (const auto one = walker.next())
      out.bytes(one->whole);  // without what fills the space behind
    return;
  }
  const std::size_t header = (obu[0] & kHasExtension) != std::byte{0} ? 2 : 1;
  if (obu.size() < header) return;
  out.u8(std::to_integer<std::uint8_t>(obu[0] | kHasSize));
  if (header == 2) out.bytes(obu.subspan(1, 1));
  write_leb128(out, obu.size() - header);
  out.bytes(obu.subspan(header));
}

void write_protected(ByteWriter& out, ByteSpan bytes) {
  unsigned zeros = 0;
  for (const std::byte byte : bytes) {
    if (zeros >= 2 && byte <= std::byte{3}) {
      out.u8(3);
      zeros = 0;
    }
    out.u8(std::to_integer<std::uint8_t>(byte));
    zeros = byte == std::byte{0} ? zeros + 1 : 0;
  }
}

}  // namespace

Result<Bytes> obus_from_pes(Bytes payload) {
  Bytes bytes;
  if (!is_start_code(payload, 0)) {
    bytes = std::move(payload);
  } else {
    bytes.reserve(payload.size());
    ByteWriter out(bytes);
    std::size_t count = 0;
    for (std::size_t at = kStartCodeBytes; at < payload.size();) {
      if (++count > av1::kMaxObusPerTemporalUnit) return fail(Errc::limit, "too many OBUs");
      const std::size_t end = find_start_code(payload, at);
      const Bytes obu =
          media::without_emulation_prevention(ByteSpan(payload).subspan(at, end - at));
      if (!obu.empty()) write_sized(out, obu);
      at = end + kStartCodeBytes;
    }
  }
  av1::ObuWalker walker(bytes);
  while (walker.next()) {
  }
  if (!walker.clean()) return fail(Errc::malformed, "OBUs that do not fit");
  return bytes;
}

Result<Bytes> pes_from_obus(ByteSpan temporal_unit) {
  Bytes bytes;
  bytes.reserve(temporal_unit.size() + temporal_unit.size() / 64 + 64);
  ByteWriter out(bytes);
  out.u24(1);
  out.u8(av1::kTemporalDelimiter << 3 | 2);
  out.u8(0);
  av1::ObuWalker walker(temporal_unit);
  while (const auto obu = walker.next()) {
    out.u24(1);
    write_protected(out, obu->whole);
  }
  if (!walker.clean()) return fail(Errc::malformed, "OBUs that do not fit");
  return bytes;
}

}  // namespace kapok::mpegts
