// hvcC records, and access units against a track. A record that is accepted must survive the way
// through an init segment. RPUs of Dolby Vision.
#include "codec.hpp"
#include "server/base/crc32.hpp"
#include "server/base/crypto.hpp"
#include "server/media/dolby_vision.hpp"

namespace {

// An HDR10 picture of x265.
constexpr std::string_view kHdr10 =
    "0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003"
    "003c959009a10001002d42010102200000030090000003000003003ca00a080c1f3b6595912930bc05a84880482000"
    "0003002000000641a2000100064401c073c189";

// The bytes as an access unit of a track that may have everything: what is seen in it survives the
// way through an init segment too.
void try_access_unit(kapok::ByteSpan bytes) {
  static const auto track =
      kapok::media::describe_track({.id = 1,
                                    .codec = kapok::media::Codec::hevc,
                                    .timescale = 90000,
                                    .config = kapok::Buffer(kapok::from_hex(kHdr10).value()),
                                    .language = "zh"})
          .value();
  kapok::fuzz::use(track, bytes);
}

// The bytes as an RPU of Dolby Vision with a CRC that is right, which nobody hits upon.
void try_rpu(kapok::ByteSpan bytes) {
  namespace dolby_vision = kapok::media::dolby_vision;
  kapok::Bytes rpu(bytes.begin(), bytes.end());
  const std::uint32_t crc = kapok::crc32(rpu);
  kapok::ByteWriter(rpu).u32(crc);
  rpu.push_back(std::byte{0x80});
  const auto read = dolby_vision::parse_rpu(rpu);
  if (!read) return;
  kapok::fuzz::require(read->base_depth >= 8 && read->base_depth <= 16);
  kapok::media::VideoFacts facts;
  facts.bit_depth = read->base_depth;
  kapok::fuzz::require(dolby_vision::describe(*read, facts, kapok::media::Codec::hevc).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kapok::fuzz::try_codec(kapok::media::Codec::hevc, kapok::as_bytes(data, size));
  try_access_unit(kapok::as_bytes(data, size));
  try_rpu(kapok::as_bytes(data, size));
  return 0;
}
