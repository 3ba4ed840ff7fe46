#include "transcoder/file/adts.hpp"

namespace kapok::file {

namespace {

constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kChecksumBytes = 2;

unsigned byte(ByteSpan bytes, std::size_t at) {
  return std::to_integer<unsigned>(bytes[at]);
}

}  // namespace

bool is_adts(ByteSpan frame) {
  return frame.size() >= kHeaderBytes && byte(frame, 0) == 0xff && (byte(frame, 1) & 0xf6) == 0xf0;
}

Result<ByteSpan> without_adts(ByteSpan frame) {
  if (!is_adts(frame)) return fail(Errc::malformed, "no ADTS header");
  const bool has_checksum = (byte(frame, 1) & 1) == 0;
  const std::size_t header = kHeaderBytes + (has_checksum ? kChecksumBytes : 0);
  const std::size_t length = (byte(frame, 3) & 3) << 11 | byte(frame, 4) << 3 | byte(frame, 5) >> 5;
  if (length < header || length > frame.size())
    return fail(Errc::malformed, "ADTS frame cut short");
  return frame.subspan(header, length - header);
}

Result<Bytes> adts_config(ByteSpan frame) {
  if (!is_adts(frame)) return fail(Errc::malformed, "no ADTS header");
  const unsigned object_type = (byte(frame, 2) >> 6) + 1;
  const unsigned rate = byte(frame, 2) >> 2 & 0xf;
  const unsigned channels = (byte(frame, 2) & 1) << 2 | byte(frame, 3) >> 6;
  if (channels == 0) return fail(Errc::malformed, "ADTS without a channel configuration");
  Bytes config;
  ByteWriter(config).u16(static_cast<std::uint16_t>(object_type << 11 | rate << 7 | channels << 3));
  return config;
}

}  // namespace kapok::file
