// What a stream of a program map is [ISO/IEC 13818-1 table 2-34 and the descriptors that tell
// private streams apart].
#pragma once

#include <cstdint>

#include "server/media/track.hpp"
#include "server/picture/containers/mpegts/psi.hpp"

namespace kapok::mpegts {

constexpr std::uint8_t kMpeg1Audio = 0x03;
constexpr std::uint8_t kMpeg2Audio = 0x04;
constexpr std::uint8_t kPrivateSections = 0x05;
constexpr std::uint8_t kPrivatePes = 0x06;
constexpr std::uint8_t kAdts = 0x0f;
constexpr std::uint8_t kLatm = 0x11;
constexpr std::uint8_t kMetadataPes = 0x15;
constexpr std::uint8_t kMetadataSections = 0x16;
constexpr std::uint8_t kAvc = 0x1b;
constexpr std::uint8_t kHevc = 0x24;
constexpr std::uint8_t kAc3 = 0x81;     // [ATSC A/52 annex A]
constexpr std::uint8_t kScte35 = 0x86;  // [SCTE 35 8.1]
constexpr std::uint8_t kEac3 = 0x87;    // [ATSC A/52 annex G]
constexpr std::uint8_t kAvs2 = 0xd2;
constexpr std::uint8_t kAvs3 = 0xd4;
constexpr std::uint8_t kAudioVivid = 0xd5;

// Descriptors of DVB [ETSI EN 300 468 annex D] and of Opus and AV1 in TS.
constexpr std::uint8_t kDvbAc3 = 0x6a;
constexpr std::uint8_t kDvbEac3 = 0x7a;
constexpr std::uint8_t kOpusExtension = 0x80;
constexpr std::uint8_t kAv1Video = 0x80;

// `program`: the descriptors of the program, where some identifiers stand for all its streams.
media::Codec codec_of(const PmtStream& stream, ByteSpan program);
// Whether packets of an unknown or sparse type are likely sections; the first one tells for sure.
bool is_section_type(std::uint8_t type);

}  // namespace kapok::mpegts
