// One CMAF chunk (= HLS part): [styp] [prft] [emsg...] moof mdat. The head is made here; payloads
// are handed through by reference and never copied: write head and samples in order with pwritev.
// Pure functions, no I/O.
//
// Time. Presentation time is always exactly Sample::pts: tfdt plus composition offset (version 1
// trun), and there is no edit list, so tracks that share a channel timeline stay in sync whatever
// their decode times are. tfdt is dts + decode_shift. There are two good values for that:
//   0: offsets are not negative, a segment's tfdt is the reorder delay before its first picture.
//   decode_shift_of(first sync packet of the era): tfdt is the first picture's presentation time,
//     as the cmf2 brand and DASH-IF want it, and reordered pictures have negative offsets.
// Players on Media Source Extensions place by pts and show the same with both. libavformat (5.1 and
// 8.1 measured), and so what is built on it, adds the largest negative offset of a track to all its
// pts, which puts video behind its audio by the reorder delay: prefer 0, although a strict cmf2
// checker will note it. Whatever is chosen must not change within an era, or decode time would
// jump.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/media/packet.hpp"
#include "server/media/time.hpp"

namespace kapok::cmaf {

// A part holds at most a segment's frames; more is our own bug (asserted).
constexpr std::size_t kMaxSamplesPerChunk = 65536;

struct Sample {
  media::Ticks dts;
  media::Ticks pts;
  media::Ticks duration;  // next dts - dts; below 2^32, not negative
  bool sync = false;
  Buffer payload;
};
inline Sample sample_of(const media::Packet& packet, media::Ticks duration) {
  return {packet.dts, packet.pts, duration, packet.sync, packet.payload};
}
inline media::Ticks decode_shift_of(const media::Packet& first_sync) {
  return first_sync.pts - first_sync.dts;
}

enum class ChunkPlace : std::uint8_t {
  opens_segment,   // begins with styp
  inside_segment,  // no styp: 24 bytes a part saved, nobody needs them
};

// [ISO/IEC 14496-12 8.16.5] what the wall clock of a prft was read at.
enum class ReferencePoint : std::uint8_t {
  encoder_input = 0,
  encoder_output = 1,
  moof_finalised = 2,
  moof_written = 4,
  captured = 24,  // at a constant, small offset
};
struct ProducerTime {
  UtcTime utc;
  media::Ticks pts;  // of the chunk's first picture
  ReferencePoint point = ReferencePoint::encoder_output;
};

// [ISO/IEC 23009-1 5.10.3.3.3] emsg version 1: SCTE 35, ID3.
struct TimedEvent {
  std::string scheme;
  std::string value;
  media::Timescale timescale = 1000;
  media::Ticks at;
  std::uint32_t duration = UINT32_MAX;  // in timescale; the maximum means unknown
  std::uint32_t id = 0;
  Buffer message;
};

struct ChunkSpec {
  std::uint32_t sequence = 1;  // mfhd; rises by one per chunk of a rendition
  ChunkPlace place = ChunkPlace::inside_segment;
  media::Ticks decode_shift{};
  std::optional<ProducerTime> producer_time{};
  std::vector<TimedEvent> events{};
};

struct Chunk {
  Bytes head;
  std::vector<Buffer> samples;
  std::uint64_t size = 0;  // head and samples together
};

// Samples in decoding order; at least one, first dts + decode_shift not negative (asserted).
Chunk write_chunk(const ChunkSpec& spec, std::span<const Sample> samples);

}  // namespace kapok::cmaf
