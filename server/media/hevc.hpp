// HEVC (H.265): the hvcC record, the sequence parameter set, and what an access unit is. ISO/IEC
// 14496-15 8.3.3 and ITU-T H.265 7.3.2.2. Views returned here point into the bytes given.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/nal.hpp"
#include "server/media/random_access.hpp"
#include "server/media/track.hpp"

namespace kapok::media::hevc {

constexpr unsigned kRaslN = 8;
constexpr unsigned kRaslR = 9;
constexpr unsigned kBlaWLp = 16;
constexpr unsigned kIdrNLp = 20;
constexpr unsigned kCra = 21;
constexpr unsigned kVps = 32;
constexpr unsigned kSps = 33;
constexpr unsigned kPps = 34;
constexpr unsigned kPrefixSei = 39;
// Unspecified types that Dolby Vision uses: an RPU, and a NAL unit of an enhancement layer.
constexpr unsigned kRpu = 62;
constexpr unsigned kEnhancement = 63;

constexpr std::size_t kNalHeaderBytes = 2;
constexpr unsigned nal_type(ByteSpan nal) {
  return (std::to_integer<unsigned>(nal.front()) >> 1) & 0x3f;
}

struct NalArray {
  std::uint8_t type = 0;
  std::vector<ByteSpan> nals;
};
struct Config {
  std::uint8_t nal_length_size = 4;
  std::vector<NalArray> arrays;
  // The first NAL unit of that type, or empty.
  ByteSpan first(unsigned type) const;
};
// Refuses a record without SPS.
Result<Config> parse_config(ByteSpan hvcc);

// [H.265 7.3.3] general_* of profile_tier_level.
struct ProfileTierLevel {
  std::uint8_t profile_space = 0;
  bool high_tier = false;
  std::uint8_t profile = 0;
  std::uint32_t compatibility = 0;            // general_profile_compatibility_flag[0] is the MSB
  std::array<std::uint8_t, 6> constraints{};  // from progressive_source_flag on
  std::uint8_t level = 0;                     // 30 times the level
};

struct Sps {
  ProfileTierLevel tier_level;
  VideoFacts facts;  // nal_length_size is the record's
  // sps_max_num_reorder_pics of the highest sub-layer: 0 means that output order is decoding order,
  // so no picture can lead a CRA.
  std::uint32_t max_reorder = 0;
};
// `nal` begins with its two header bytes.
Result<Sps> parse_sps(ByteSpan nal);

// [ISO/IEC 14496-15 annex E.3] "hvc1.2.4.L153.B0": compatibility flags bit-reversed in hexadecimal,
// constraint bytes without trailing zero bytes.
std::string codec_string(const ProfileTierLevel& tier_level);

// A CRA is closed_gop only when `max_reorder` is 0: whether RASL pictures follow is seen only
// later, so a CRA of a stream that reorders is open_gop. BLA_W_LP may have RASL pictures too, but
// decoders must drop those after any BLA, so it starts like an IDR.
RandomAccess random_access(ByteSpan access_unit, unsigned nal_length_size,
                           std::uint32_t max_reorder);
// A picture that cannot be decoded when decoding started at the CRA it leads.
bool is_skipped_leading(ByteSpan access_unit, unsigned nal_length_size);
// Adds the display SEI of an access unit and, where `facts` has none, the colour of an in-band SPS;
// Dolby Vision by the RPU behind the slices, if no layer comes with it that the RPU does not tell.
void enrich(VideoFacts& facts, ByteSpan access_unit);

}  // namespace kapok::media::hevc
