// AVC (H.264): the avcC record, the sequence parameter set, and what an access unit is. ISO/IEC
// 14496-15 5.3.3 and ITU-T H.264 7.3.2.1. Views returned here point into the bytes given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/nal.hpp"
#include "server/media/random_access.hpp"
#include "server/media/track.hpp"

namespace kapok::media::avc {

constexpr unsigned kIdr = 5;
constexpr unsigned kSei = 6;
constexpr unsigned kSps = 7;
constexpr unsigned kPps = 8;

constexpr unsigned nal_type(ByteSpan nal) {
  return std::to_integer<unsigned>(nal.front()) & 0x1f;
}

struct Config {
  std::uint8_t nal_length_size = 4;
  std::vector<ByteSpan> sps;  // at least one
  std::vector<ByteSpan> pps;
};
Result<Config> parse_config(ByteSpan avcc);

struct Sps {
  std::uint8_t profile = 0;
  std::uint8_t constraints = 0;
  std::uint8_t level = 0;
  VideoFacts facts;  // nal_length_size is the record's
};
// `nal` begins with its header byte.
Result<Sps> parse_sps(ByteSpan nal);

// [RFC 6381 3.3] "avc1.640033"
std::string codec_string(const Sps& sps);

RandomAccess random_access(ByteSpan access_unit, unsigned nal_length_size);
// Adds the display SEI of an access unit and, where `facts` has none, the colour of an in-band SPS.
void enrich(VideoFacts& facts, ByteSpan access_unit);

}  // namespace kapok::media::avc
