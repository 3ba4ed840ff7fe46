// A Track describes one elementary stream: codec, its configuration record and the facts read from
// it. Immutable once made; a change of configuration is a new Track with the same id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/base/buffer.hpp"
#include "server/base/result.hpp"
#include "server/media/time.hpp"

namespace kapok::media {

enum class TrackKind : std::uint8_t { video, audio, text, metadata, opaque };
enum class Codec : std::uint8_t {
  avc,
  hevc,
  av1,
  aac,
  opus,
  ac3,
  eac3,
  flac,
  mp2,
  mp3,
  // Known by name only: they come in MPEG-TS, are reported, and leave as they came.
  avs2,
  avs3,
  audio_vivid,
  scte35,
  klv,
  unknown
};

std::string_view name_of(Codec codec);  // "avc", "hevc", ...
TrackKind kind_of(Codec codec);
// Whether its tracks may become renditions. The others are reported by the API and go out through
// FeedSource only: no browser plays MP2 or MP3 in CMAF reliably, the rest has no CMAF form that we
// could write without reading its bitstream.
bool is_packaged(Codec codec);

// Code points of ISO/IEC 23091-2 (CICP); 2 is "unspecified".
struct Colour {
  std::uint8_t primaries = 2;
  std::uint8_t transfer = 2;
  std::uint8_t matrix = 2;
  bool full_range = false;
  bool operator==(const Colour&) const = default;
};
enum class DynamicRange : std::uint8_t { sdr, pq, hlg };
// PQ is transfer 16; HLG is 18, or 14 with an alternative transfer of 18 (already folded into
// `transfer`).
DynamicRange dynamic_range_of(const Colour& colour);

// SMPTE ST 2086 as in HEVC SEI 137 / `mdcv`: chromaticities in 0.00002, luminance in 0.0001 cd/m2;
// primaries in the order green, blue, red.
struct MasteringDisplay {
  std::uint16_t primaries_x[3] = {};
  std::uint16_t primaries_y[3] = {};
  std::uint16_t white_x = 0;
  std::uint16_t white_y = 0;
  std::uint32_t max_luminance = 0;
  std::uint32_t min_luminance = 0;
  bool operator==(const MasteringDisplay&) const = default;
};
// CTA-861.3 as in HEVC SEI 144 / `clli`, in cd/m2.
struct ContentLight {
  std::uint16_t max_content = 0;        // MaxCLL
  std::uint16_t max_frame_average = 0;  // MaxFALL
  bool operator==(const ContentLight&) const = default;
};

// What the RPU of a picture and its base layer say together: see dolby_vision.hpp.
struct DolbyVision {
  std::uint8_t profile = 0;           // 4, 5, 7, 8 (HEVC), 10 (AV1)
  std::optional<std::uint8_t> level;  // 1..13; unknown as the frame rate is, or beyond
  // dv_bl_signal_compatibility_id, of the base layer alone: 0 none, 1 HDR10, 2 SDR, 4 HLG. Unknown
  // where its colours are none of these, and with two layers.
  std::optional<std::uint8_t> compatibility;
  bool operator==(const DolbyVision&) const = default;
};

struct Rational {
  std::uint32_t numerator = 0;  // 0: unknown
  std::uint32_t denominator = 1;
  bool operator==(const Rational&) const = default;
  double value() const { return numerator / static_cast<double>(denominator); }
};

struct VideoFacts {
  std::uint32_t width = 0;  // after cropping
  std::uint32_t height = 0;
  std::uint8_t bit_depth = 8;
  std::uint8_t chroma_format = 1;  // chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4
  Rational frame_rate;             // from the bitstream's timing; unknown is common
  Rational sample_aspect{1, 1};
  Colour colour;
  std::optional<MasteringDisplay> mastering;
  std::optional<ContentLight> light;
  std::uint8_t nal_length_size = 4;  // AVC and HEVC only
  bool interlaced = false;           // coded as fields, or may be (AVC frame_mbs_only_flag 0)
  bool hdr_vivid = false;            // carries dynamic metadata of T/UWA 005.1 (SEI)
  bool hdr10_plus = false;           // carries dynamic metadata of SMPTE ST 2094-40 (SEI, OBU)
  std::optional<DolbyVision> dolby_vision;
  bool closed_captions = false;  // carries CEA-608 or CEA-708 captions
  bool operator==(const VideoFacts&) const = default;
};

struct AudioFacts {
  std::uint32_t sample_rate = 0;        // Hz
  std::uint8_t channels = 0;            // including LFE
  std::uint32_t samples_per_frame = 0;  // 1024, 960, 1536, ...; 0: varies
  bool operator==(const AudioFacts&) const = default;
};

using TrackId = std::uint32_t;  // unique within a feed

// How a track stood in an MPEG-TS program map [ISO/IEC 13818-1 2.4.4.9], so that an output can say
// the same of it. Of a codec that is not packaged the packets are what the PES packets (or private
// sections) held, byte for byte.
struct TsStream {
  std::uint8_t stream_type = 0;
  std::optional<std::uint8_t> pes_stream_id;  // absent: its packets are whole private sections
  Buffer descriptors;                         // the ES_info loop
};

struct Track {
  TrackId id = 0;
  TrackKind kind = TrackKind::opaque;
  Codec codec = Codec::unknown;
  Timescale timescale = 1000;
  // avcC / hvcC / av1C record, AudioSpecificConfig, OpusHead (RFC 7845 5.1), `fLaC` + STREAMINFO
  // blocks; for AC-3 and E-AC-3 the payload of dac3 / dec3 made from the first frame.
  Buffer config;
  std::string codec_string;  // RFC 6381: "hvc1.2.4.L153.B0", "mp4a.40.2"
  std::string language;      // BCP 47, empty: unknown
  std::variant<std::monostate, VideoFacts, AudioFacts> facts;
  std::optional<TsStream> ts;  // of a track that came in MPEG-TS

  const VideoFacts* video() const { return std::get_if<VideoFacts>(&facts); }
  const AudioFacts* audio() const { return std::get_if<AudioFacts>(&facts); }
};

}  // namespace kapok::media
