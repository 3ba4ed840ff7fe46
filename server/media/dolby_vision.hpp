// Dolby Vision: what the RPU (reference processing unit) of a picture and the facts of its base
// layer say together. An RPU is a NAL unit of type 62 at the end of an HEVC access unit, or an
// ITU-T T.35 message of an AV1 temporal unit; its header is the vdr_rpu_data_header of ETSI GS CCM
// 001 V1.1.1, its end a CRC. Profiles, levels and strings are those of "Dolby Vision Profiles and
// Levels". Where anything is not certain, nothing is claimed: the base layer plays by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/bytes.hpp"
#include "server/media/track.hpp"

namespace kapok::media::dolby_vision {

// Real ones have some hundred bytes, a kilobyte with many trims.
constexpr std::size_t kMaxRpuBytes = std::size_t{16} * 1024;

constexpr std::uint8_t kMaxLevel = 13;

// As a header tells it: the profile that it would have in HEVC.
struct Rpu {
  std::uint8_t profile = 0;  // 4, 5, 7 or 8
  std::uint8_t base_depth = 0;
  bool operator==(const Rpu&) const = default;
};

// From rpu_type to the byte 0x80 behind the CRC, without emulation prevention. Nothing where the
// CRC is wrong or the profile is not one of those.
std::optional<Rpu> parse_rpu(ByteSpan rpu);
// Of a NAL unit of type 62, its header first, still with emulation prevention.
std::optional<Rpu> rpu_of_nal(ByteSpan nal);
// Of an ITU-T T.35 message, its country code first; nothing if it is another one.
std::optional<Rpu> rpu_of_t35(ByteSpan t35);

// The stream that has such RPUs over such pictures.
std::optional<DolbyVision> describe(const Rpu& rpu, const VideoFacts& facts, Codec codec);

// Nothing of it plays without a decoder for Dolby Vision: the colours are IPT, and other players
// would show them in green and purple. Profile 5, and 10 without compatibility.
bool needs_decoder(const DolbyVision& stream);

// What may be told of the track: profile, level and compatibility are known, the brand is
// registered. Not of dual layers (4, 7), which no browser or phone takes from HLS and DASH.
std::optional<DolbyVision> told(const Track& track);

// "5", "7"; "8.1", "10.0" with their compatibility, where it is known.
std::string profile_name(const DolbyVision& stream);

// "dvh1.08.06", "dav1.10.09": of one that told() gave.
std::string codec_string(const DolbyVision& stream);
// [mp4ra.org] of one that told() gave: "db1p" over HDR10, "db2g" over SDR, "db4h" and "db4g" over
// HLG (transfer 18, or 14 with SEI 147). Empty where it needs a decoder.
std::string_view brand(const DolbyVision& stream, const Track& track);

}  // namespace kapok::media::dolby_vision
