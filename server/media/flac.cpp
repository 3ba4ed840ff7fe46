#include "server/media/flac.hpp"

#include "server/media/bit_reader.hpp"

namespace kapok::media::flac {

namespace {

constexpr std::string_view kMagic = "fLaC";
constexpr std::size_t kStreamInfoBytes = 34;
constexpr std::uint32_t kLastStreamInfo = 0x80000000u | kStreamInfoBytes;

Result<ByteSpan> stream_info(ByteSpan config) {
  ByteReader in(config);
  const ByteSpan magic = KAPOK_TRY(in.take(kMagic.size()));
  if (as_text(magic) != kMagic) return fail(Errc::malformed, "FLAC: magic missing");
  const std::uint32_t header = KAPOK_TRY(in.u32());
  if ((header & 0x7fffffff) != kStreamInfoBytes)
    return fail(Errc::malformed, "FLAC: the first metadata block is not STREAMINFO");
  return in.take(kStreamInfoBytes);
}

}  // namespace

Result<AudioFacts> parse_config(ByteSpan config) {
  const ByteSpan info = KAPOK_TRY(stream_info(config));
  BitReader in(info);
  const std::uint32_t smallest = in.bits(16);
  const std::uint32_t largest = in.bits(16);
  in.skip(24 + 24);  // frame sizes in bytes
  AudioFacts facts;
  facts.sample_rate = in.bits(20);
  facts.channels = static_cast<std::uint8_t>(in.bits(3) + 1);
  if (smallest < 16 || largest < smallest)
    return fail(Errc::malformed, "FLAC: block sizes {} to {}", smallest, largest);
  if (facts.sample_rate == 0) return fail(Errc::malformed, "FLAC: sample rate 0");
  if (smallest == largest) facts.samples_per_frame = smallest;
  return facts;
}

Result<Bytes> normalised(ByteSpan config) {
  const ByteSpan info = KAPOK_TRY(stream_info(config));
  Bytes bytes;
  ByteWriter out(bytes);
  out.text(kMagic);
  out.u32(kLastStreamInfo);
  out.bytes(info);
  return bytes;
}

}  // namespace kapok::media::flac
