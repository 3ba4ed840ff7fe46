// The bytes of the wire between a channel and its worker. Everything is big-endian; `text` is a
// length (u8 for a name, which is printable ASCII; u16 for prose) and that many bytes; a time is a
// signed 64-bit count of ticks. Each message is a header and a body:
//
//   0  4  magic "KpkW"         8  4  length of the body, at most max_body_bytes(type)
//   4  1  type                12  .  the body, by type; what is left over is an error
//   5  3  zero
//
//   hello          0  2 version (this much holds for every version)
//   ladder         name, name engine, name device; u8 video rungs, u8 audio rungs; then each
//                  video: name, u8 codec, u32 height, u8 rate, u32 bit rate, u32 vbv ms, u8 bit
//                         depth, u8 range, u8 B-frames, name preset, name tune, prose bin
//                  audio: name, u8 codec, u8 channels, u32 bit rate, i8 loudness, u8 source
//                  then u32 each: shortest black, frozen, bars, silence in us; frozen noise
//   source_track   a track
//   source_packet  a packet
//   discontinuity, drain, drained   empty
//   file_start     0  8 from, ns   8  4 segment, ms   12  4 ceiling, ms   16  1 publish source
//   worker_hello   0  2 version; then name engine, name device (absent where the version differs)
//   rung_track     name rung, a track
//   rung_packet    name rung, a packet
//   heartbeat      0  8 frames decoded    24  4 waiting ms       44  1 rungs, then each
//                  8  8 decode errors     28  8 CPU ms               name, u64 encoded, u64 shed
//                 16  8 packets dropped   36  8 memory in bytes; after them: name device
//   notice         u8 level, name event, prose text
//   anomaly        0  1 kind               2  8 from, us of channel time
//                  1  1 state             10  8 to
//   file_opened    name format, u64 duration in ns
//   file_track     u8 published, a track (of codec unknown: with the facts of a picture or sound)
//   file_packet    a packet
//   file_segment   0  8 at, ns
//   file_refused   u8 why, prose text
//   image          0  1 kind: 0 poster, 1 thumbnail           5  8 pts        17  4 height
//                  1  4 timescale                            13  4 width      21  . the JPEG
//
//   a track        0  4 id                 9  1 kind of facts: 0 none, 1 video, 2 audio
//                  4  1 codec             10  4 length of the config record, then that
//                  5  4 timescale             name codec string, name language, the facts
//   video facts    0  4 width             19  4 sample aspect, numerator
//                  4  4 height            23  4 denominator
//                  8  1 bit depth         27  1 primaries
//                  9  1 chroma format     28  1 transfer
//                 10  1 NAL length size   29  1 matrix
//                 11  4 frame rate,       30  1 bits: 1 full range, 2 interlaced, 4 HDR Vivid,
//                       numerator               8 captions, 16 mastering, 32 content light,
//                                               64 HDR10+, 128 Dolby Vision
//                 15  4 denominator       31  . mastering (24), content light (4), Dolby Vision (3)
//                                               where they are
//   mastering      0 12 x, y of green, blue, red (u16 each)   12  4 white x, y
//                 16  4 maximum, 20 4 minimum luminance
//   Dolby Vision   0  1 profile, 1 1 level, 2 1 compatibility; 255 is unknown
//   audio facts    0  4 sample rate        4  1 channels       5  4 samples per frame
//   a packet       0  4 track             28  1 bits: 1 sync, 2 segment start (source only)
//                  4  8 dts               29  8 arrival, ns of CLOCK_MONOTONIC
//                 12  8 pts               37  . the payload, to the end of the body
//                 20  8 duration
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/media/describe.hpp"
#include "server/media/image.hpp"
#include "server/media/ladder.hpp"
#include "server/media/packet.hpp"

namespace kapok::wire {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::string_view kMagic = "KpkW";
constexpr std::size_t kPacketHeadBytes = 37;

// Types from 0x80 come from the worker.
enum class Type : std::uint8_t {
  hello = 1,
  ladder = 2,
  source_track = 3,
  source_packet = 4,
  discontinuity = 5,
  drain = 6,
  file_start = 7,
  worker_hello = 0x81,
  rung_track = 0x82,
  rung_packet = 0x83,
  heartbeat = 0x84,
  notice = 0x85,
  drained = 0x86,
  anomaly = 0x88,
  file_opened = 0x90,
  file_track = 0x91,
  file_packet = 0x92,
  file_segment = 0x93,
  file_refused = 0x94,
  image = 0x87,
};
std::optional<Type> type_of(std::uint8_t byte);
std::string_view name_of(Type type);
constexpr bool is_from_worker(Type type) {
  return static_cast<std::uint8_t>(type) >= 0x80;
}

constexpr std::size_t kMaxNameBytes = 255;    // a name's length is one byte
constexpr std::size_t kMaxProseBytes = 1024;  // a log line's worth
// A configuration record and its track, or the largest ladder, with room to spare.
constexpr std::size_t kMaxPlainBodyBytes = media::kMaxConfigBytes + std::size_t{4} * 1024;
// A packet's fields and its rung's name.
constexpr std::size_t kMaxPacketBodyBytes = media::kMaxPacketBytes + std::size_t{64} * 1024;
constexpr std::size_t kMaxLadderBodyBytes = kMaxPlainBodyBytes + media::kMaxLogoBytes;
constexpr std::size_t kMaxImageBodyBytes = media::kMaxImageBytes + std::size_t{64};
constexpr std::size_t max_body_bytes(Type type) {
  if (type == Type::source_packet || type == Type::rung_packet || type == Type::file_packet)
    return kMaxPacketBodyBytes;
  if (type == Type::ladder) return kMaxLadderBodyBytes;
  return type == Type::image ? kMaxImageBodyBytes : kMaxPlainBodyBytes;
}
// Channel time in any real timescale stays far below (1970 + 100 years at 90 MHz); sums and
// differences of a few such times cannot overflow.
constexpr std::int64_t kMaxTicks = std::int64_t{1} << 60;
// A year of pictures is no file.
constexpr nanoseconds kMaxFileTime = std::chrono::hours(24 * 366);

}  // namespace kapok::wire
