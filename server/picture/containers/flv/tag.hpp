// The bodies of FLV video and audio tags, which RTMP sends as its messages: legacy headers (AVC 7,
// the domestic HEVC 12, AAC 10, MP3 2) and Enhanced RTMP v1 and v2 (FourCC, multitrack, ModEx). A
// body becomes one or more TagParts that point into it: nothing is copied. Pure functions, no
// state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"
#include "server/media/track.hpp"

namespace kapok::flv {

constexpr std::size_t kMaxModExLoops = 8;    // one modifier is defined today
constexpr std::size_t kMaxPartsInTag = 256;  // track ids have 8 bits

enum class PartType : std::uint8_t {
  sequence_start,
  coded_frames,
  sequence_end,
  metadata,                // video: AMF0 "colorInfo"
  mpeg2ts_sequence_start,  // AV1: the descriptor of MPEG-2 TS instead of av1C
  multichannel_config,     // audio
};

// How its track is named: a colorInfo without the multitrack wrapper may mean another track.
enum class Wrapping : std::uint8_t { plain, multitrack };

struct TagPart {
  PartType type = PartType::coded_frames;
  Wrapping wrapping = Wrapping::plain;
  std::uint8_t track = 0;
  media::Codec codec = media::Codec::unknown;
  std::uint32_t fourcc = 0;         // 0: a legacy header
  bool sync_claimed = false;        // the frame type says key frame; video only
  std::int32_t composition_ms = 0;  // pts - dts
  std::uint32_t nanoseconds = 0;    // 0..999999, beyond the message's millisecond
  std::size_t offset = 0;           // of the payload in the body
  std::size_t size = 0;
};

constexpr std::uint32_t fourcc_of(const char (&name)[5]) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 8) | static_cast<unsigned char>(name[i]);
  return value;
}
std::string fourcc_name(std::uint32_t fourcc);  // printable: others become '?'

// Append to `parts`. Nothing is appended for what carries no media (seek commands, an empty audio
// message, which older encoders send for silence). An unknown codec is a part with Codec::unknown.
Result<void> read_video_tag(ByteSpan body, std::vector<TagPart>& parts);
Result<void> read_audio_tag(ByteSpan body, std::vector<TagPart>& parts);

}  // namespace kapok::flv
