#include "server/picture/containers/flv/tag.hpp"

#include <algorithm>

namespace kapok::flv {

using media::Codec;

namespace {
// [Enhanced RTMP v2, VideoPacketType and AudioPacketType] the same numbers mean other things.
enum VideoPacketType : unsigned {
  kVideoSequenceStart = 0,
  kVideoCodedFrames = 1,
  kVideoSequenceEnd = 2,
  kVideoCodedFramesX = 3,
  kVideoMetadata = 4,
  kVideoMpeg2TsSequenceStart = 5,
  kVideoMultitrack = 6,
};
enum AudioPacketType : unsigned {
  kAudioSequenceStart = 0,
  kAudioCodedFrames = 1,
  kAudioSequenceEnd = 2,
  kAudioMultichannelConfig = 4,
  kAudioMultitrack = 5,
};
constexpr unsigned kModEx = 7;
constexpr unsigned kFrameTypeKey = 1;
constexpr unsigned kFrameTypeCommand = 5;
constexpr unsigned kSoundFormatExtended = 9;
enum MultitrackType : unsigned { kOneTrack = 0, kManyTracks = 1, kManyTracksManyCodecs = 2 };

constexpr std::uint32_t kAvc1 = fourcc_of("avc1");
constexpr std::uint32_t kHvc1 = fourcc_of("hvc1");
constexpr std::uint32_t kVvc1 = fourcc_of("vvc1");

Codec codec_of(std::uint32_t fourcc) {
  switch (fourcc) {
    case kAvc1:
      return Codec::avc;
    case kHvc1:
      return Codec::hevc;
    case fourcc_of("av01"):
      return Codec::av1;
    case fourcc_of("mp4a"):
      return Codec::aac;
    case fourcc_of("Opus"):
      return Codec::opus;
    case fourcc_of("ac-3"):
      return Codec::ac3;
    case fourcc_of("ec-3"):
      return Codec::eac3;
    case fourcc_of("fLaC"):
      return Codec::flac;
    case fourcc_of(".mp3"):
      return Codec::mp3;
    default:
      return Codec::unknown;  // vp08, vp09, vvc1 and what may come
  }
}

Result<std::int32_t> signed24(ByteReader& in) {
  const std::uint32_t bits = KAPOK_TRY(in.u24());
  return static_cast<std::int32_t>(bits << 8) >> 8;
}

struct Modified {
  unsigned packet_type = 0;
  std::uint32_t nanoseconds = 0;
};

// [Enhanced RTMP v2, ModEx] modifiers before the packet type proper.
Result<Modified> read_modifiers(ByteReader& in, unsigned packet_type) {
  Modified modified{packet_type, 0};
  for (std::size_t loops = 0; modified.packet_type == kModEx; ++loops) {
    if (loops == kMaxModExLoops) return fail(Errc::limit, "over {} modifiers", kMaxModExLoops);
    std::size_t size = std::size_t{KAPOK_TRY(in.u8())} + 1;
    if (size == 256) size = std::size_t{KAPOK_TRY(in.u16())} + 1;
    ByteReader modifier(KAPOK_TRY(in.take(size)));
    const unsigned next = KAPOK_TRY(in.u8());
    if ((next >> 4) == 0 && size >= 3)
      modified.nanoseconds = std::min(KAPOK_TRY(modifier.u24()), 999'999u);
    modified.packet_type = next & 0x0F;
  }
  return modified;
}

// What all parts of one extended tag share while the body is walked.
struct Walk {
  TagPart common;
  unsigned packet_type = 0;
  unsigned multitrack = kOneTrack;
};

using ReadPart = Result<bool> (*)(const Walk& walk, ByteReader& in, TagPart& part);

Result<void> read_parts(Walk walk, ByteReader& in, ReadPart read_part,
                        std::vector<TagPart>& parts) {
  const std::size_t first = parts.size();
  do {
    TagPart part = walk.common;
    std::size_t size = in.left();
    if (part.wrapping == Wrapping::multitrack) {
      if (walk.multitrack == kManyTracksManyCodecs) {
        part.fourcc = KAPOK_TRY(in.u32());
        part.codec = codec_of(part.fourcc);
      }
      part.track = KAPOK_TRY(in.u8());
      size = walk.multitrack == kOneTrack ? in.left() : std::size_t{KAPOK_TRY(in.u24())};
    }
    const std::size_t at = in.offset();
    ByteReader inner(KAPOK_TRY(in.take(size)));
    if (KAPOK_TRY(read_part(walk, inner, part))) {
      part.offset = at + inner.offset();
      part.size = inner.left();
      if (parts.size() - first == kMaxPartsInTag)
        return fail(Errc::limit, "over {} tracks in one tag", kMaxPartsInTag);
      parts.push_back(part);
    }
  } while (walk.common.wrapping == Wrapping::multitrack && !in.empty());
  return {};
}

Result<void> read_multitrack(Walk& walk, ByteReader& in, unsigned multitrack_packet) {
  const unsigned types = KAPOK_TRY(in.u8());
  walk.common.wrapping = Wrapping::multitrack;
  walk.multitrack = types >> 4;
  walk.packet_type = types & 0x0F;
  if (walk.multitrack > kManyTracksManyCodecs)
    return fail(Errc::malformed, "multitrack type {}", walk.multitrack);
  if (walk.packet_type == multitrack_packet)
    return fail(Errc::malformed, "multitrack inside multitrack");
  return {};
}

Result<void> read_fourcc(Walk& walk, ByteReader& in) {
  if (walk.common.wrapping == Wrapping::multitrack && walk.multitrack == kManyTracksManyCodecs)
    return {};  // each track brings its own
  walk.common.fourcc = KAPOK_TRY(in.u32());
  walk.common.codec = codec_of(walk.common.fourcc);
  return {};
}

// False: nothing that we know; skipped, as the specification asks of unknown packet types.
Result<bool> read_video_part(const Walk& walk, ByteReader& in, TagPart& part) {
  switch (walk.packet_type) {
    case kVideoSequenceStart:
      part.type = PartType::sequence_start;
      return true;
    case kVideoCodedFrames:
      part.type = PartType::coded_frames;
      if (part.fourcc == kAvc1 || part.fourcc == kHvc1 || part.fourcc == kVvc1)
        part.composition_ms = KAPOK_TRY(signed24(in));
      return true;
    case kVideoCodedFramesX:
      part.type = PartType::coded_frames;
      return true;
    case kVideoSequenceEnd:
      part.type = PartType::sequence_end;
      return true;
    case kVideoMetadata:
      part.type = PartType::metadata;
      return true;
    case kVideoMpeg2TsSequenceStart:
      part.type = PartType::mpeg2ts_sequence_start;
      return true;
    default:
      return false;
  }
}

Result<bool> read_audio_part(const Walk& walk, ByteReader&, TagPart& part) {
  switch (walk.packet_type) {
    case kAudioSequenceStart:
      part.type = PartType::sequence_start;
      return true;
    case kAudioCodedFrames:
      part.type = PartType::coded_frames;
      return true;
    case kAudioSequenceEnd:
      part.type = PartType::sequence_end;
      return true;
    case kAudioMultichannelConfig:
      part.type = PartType::multichannel_config;
      return true;
    default:
      return false;
  }
}

Result<void> read_extended_video(unsigned first, ByteReader& in, std::vector<TagPart>& parts) {
  const unsigned frame_type = (first >> 4) & 7;
  const Modified modified = KAPOK_TRY(read_modifiers(in, first & 0x0F));
  if (frame_type == kFrameTypeCommand && modified.packet_type != kVideoMetadata) return {};
  Walk walk;
  walk.packet_type = modified.packet_type;
  walk.common.nanoseconds = modified.nanoseconds;
  walk.common.sync_claimed = frame_type == kFrameTypeKey;
  if (walk.packet_type == kVideoMultitrack) KAPOK_TRY(read_multitrack(walk, in, kVideoMultitrack));
  KAPOK_TRY(read_fourcc(walk, in));
  return read_parts(walk, in, read_video_part, parts);
}

// [FLV 10.1 E.4.3] frame type and codec, then the AVC packet type and composition time.
Result<void> read_legacy_video(unsigned first, ByteReader& in, std::vector<TagPart>& parts) {
  if ((first >> 4) == kFrameTypeCommand) return {};
  TagPart part;
  part.sync_claimed = (first >> 4) == kFrameTypeKey;
  switch (first & 0x0F) {
    case 7:
      part.codec = Codec::avc;
      break;
    case 12:
      part.codec = Codec::hevc;
      break;
    default:
      parts.push_back(part);
      return {};
  }
  const unsigned packet_type = KAPOK_TRY(in.u8());
  part.composition_ms = KAPOK_TRY(signed24(in));
  if (packet_type > 2) return {};
  part.type = packet_type == 0   ? PartType::sequence_start
              : packet_type == 1 ? PartType::coded_frames
                                 : PartType::sequence_end;
  part.offset = in.offset();
  part.size = in.left();
  parts.push_back(part);
  return {};
}

Result<void> read_extended_audio(unsigned first, ByteReader& in, std::vector<TagPart>& parts) {
  const Modified modified = KAPOK_TRY(read_modifiers(in, first & 0x0F));
  Walk walk;
  walk.packet_type = modified.packet_type;
  walk.common.nanoseconds = modified.nanoseconds;
  if (walk.packet_type == kAudioMultitrack) KAPOK_TRY(read_multitrack(walk, in, kAudioMultitrack));
  KAPOK_TRY(read_fourcc(walk, in));
  return read_parts(walk, in, read_audio_part, parts);
}
}  // namespace

std::string fourcc_name(std::uint32_t fourcc) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const char letter = static_cast<char>((fourcc >> shift) & 0xFF);
    name.push_back(letter > ' ' && letter < 127 ? letter : '?');
  }
  return name;
}

Result<void> read_video_tag(ByteSpan body, std::vector<TagPart>& parts) {
  if (body.empty()) return {};
  ByteReader in(body);
  const unsigned first = KAPOK_TRY(in.u8());
  return (first & 0x80) != 0 ? read_extended_video(first, in, parts)
                             : read_legacy_video(first, in, parts);
}

Result<void> read_audio_tag(ByteSpan body, std::vector<TagPart>& parts) {
  if (body.empty()) return {};
  ByteReader in(body);
  const unsigned first = KAPOK_TRY(in.u8());
  if ((first >> 4) == kSoundFormatExtended) return read_extended_audio(first, in, parts);
  TagPart part;
  switch (first >> 4) {
    case 10:
      part.codec = Codec::aac;
      // [FLV 10.1 E.4.2.1] AACPacketType
      part.type = KAPOK_TRY(in.u8()) == 0 ? PartType::sequence_start : PartType::coded_frames;
      break;
    case 2:
    case 14:
      part.codec = Codec::mp3;
      break;
    default:
      break;
  }
  part.offset = in.offset();
  part.size = in.left();
  parts.push_back(part);
  return {};
}

}  // namespace kapok::flv
