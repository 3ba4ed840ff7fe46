#include <algorithm>
#include <array>

#include "server/media/dolby_vision.hpp"
#include "server/picture/wire/fields.hpp"
#include "server/picture/wire/layout.hpp"

namespace kapok::wire {

namespace {

enum class FactsKind : std::uint8_t { none, video, audio };

constexpr std::uint8_t kFullRange = 1;
constexpr std::uint8_t kInterlaced = 2;
constexpr std::uint8_t kHdrVivid = 4;
constexpr std::uint8_t kCaptions = 8;
constexpr std::uint8_t kMastering = 16;
constexpr std::uint8_t kLight = 32;
constexpr std::uint8_t kHdr10Plus = 64;
constexpr std::uint8_t kDolbyVision = 128;
constexpr std::uint8_t kUnknown = 255;  // level and compatibility of Dolby Vision

void write_rational(ByteWriter& out, const media::Rational& value) {
  out.u32(value.numerator);
  out.u32(value.denominator);
}

Result<media::Rational> read_rational(ByteReader& in) {
  media::Rational value;
  value.numerator = KAPOK_TRY(in.u32());
  value.denominator = KAPOK_TRY(in.u32());
  if (value.denominator == 0) return fail(Errc::malformed, "a ratio over zero");
  return value;
}

void write_mastering(ByteWriter& out, const media::MasteringDisplay& display) {
  for (std::size_t i = 0; i < 3; ++i) {
    out.u16(display.primaries_x[i]);
    out.u16(display.primaries_y[i]);
  }
  out.u16(display.white_x);
  out.u16(display.white_y);
  out.u32(display.max_luminance);
  out.u32(display.min_luminance);
}

Result<media::MasteringDisplay> read_mastering(ByteReader& in) {
  media::MasteringDisplay display;
  for (std::size_t i = 0; i < 3; ++i) {
    display.primaries_x[i] = KAPOK_TRY(in.u16());
    display.primaries_y[i] = KAPOK_TRY(in.u16());
  }
  display.white_x = KAPOK_TRY(in.u16());
  display.white_y = KAPOK_TRY(in.u16());
  display.max_luminance = KAPOK_TRY(in.u32());
  display.min_luminance = KAPOK_TRY(in.u32());
  return display;
}

std::optional<std::uint8_t> known(std::uint8_t value) {
  return value == kUnknown ? std::nullopt : std::optional(value);
}

Result<media::DolbyVision> read_dolby_vision(ByteReader& in) {
  media::DolbyVision stream;
  stream.profile = KAPOK_TRY(in.u8());
  stream.level = known(KAPOK_TRY(in.u8()));
  stream.compatibility = known(KAPOK_TRY(in.u8()));
  // What fits into a DOVIDecoderConfigurationRecord.
  if (stream.profile > 127 || stream.level.value_or(0) > media::dolby_vision::kMaxLevel ||
      stream.compatibility.value_or(0) > 15)
    return fail(Errc::malformed, "Dolby Vision profile {}, level {}, compatibility {}",
                stream.profile, stream.level.value_or(0), stream.compatibility.value_or(0));
  return stream;
}

void write_video(ByteWriter& out, const media::VideoFacts& facts) {
  out.u32(facts.width);
  out.u32(facts.height);
  out.u8(facts.bit_depth);
  out.u8(facts.chroma_format);
  out.u8(facts.nal_length_size);
  write_rational(out, facts.frame_rate);
  write_rational(out, facts.sample_aspect);
  out.u8(facts.colour.primaries);
  out.u8(facts.colour.transfer);
  out.u8(facts.colour.matrix);
  out.u8(static_cast<std::uint8_t>(
      (facts.colour.full_range ? kFullRange : 0) | (facts.interlaced ? kInterlaced : 0) |
      (facts.hdr_vivid ? kHdrVivid : 0) | (facts.closed_captions ? kCaptions : 0) |
      (facts.mastering ? kMastering : 0) | (facts.light ? kLight : 0) |
      (facts.hdr10_plus ? kHdr10Plus : 0) | (facts.dolby_vision ? kDolbyVision : 0)));
  if (facts.mastering) write_mastering(out, *facts.mastering);
  if (facts.light) {
    out.u16(facts.light->max_content);
    out.u16(facts.light->max_frame_average);
  }
  if (facts.dolby_vision) {
    out.u8(facts.dolby_vision->profile);
    out.u8(facts.dolby_vision->level.value_or(kUnknown));
    out.u8(facts.dolby_vision->compatibility.value_or(kUnknown));
  }
}

Result<media::VideoFacts> read_video(ByteReader& in) {
  media::VideoFacts facts;
  facts.width = KAPOK_TRY(in.u32());
  facts.height = KAPOK_TRY(in.u32());
  facts.bit_depth = KAPOK_TRY(in.u8());
  facts.chroma_format = KAPOK_TRY(in.u8());
  facts.nal_length_size = KAPOK_TRY(in.u8());
  if (facts.width == 0 || facts.height == 0 || facts.width > media::kMaxPictureSide ||
      facts.height > media::kMaxPictureSide)
    return fail(Errc::limit, "a picture of {}x{}", facts.width, facts.height);
  if (facts.bit_depth == 0 || facts.bit_depth > 16 || facts.chroma_format > 3 ||
      facts.nal_length_size == 0 || facts.nal_length_size > 4)
    return fail(Errc::malformed, "bit depth {}, chroma format {}, NAL length size {}",
                facts.bit_depth, facts.chroma_format, facts.nal_length_size);
  facts.frame_rate = KAPOK_TRY(read_rational(in));
  facts.sample_aspect = KAPOK_TRY(read_rational(in));
  facts.colour.primaries = KAPOK_TRY(in.u8());
  facts.colour.transfer = KAPOK_TRY(in.u8());
  facts.colour.matrix = KAPOK_TRY(in.u8());
  const std::uint8_t bits = KAPOK_TRY(in.u8());
  facts.colour.full_range = (bits & kFullRange) != 0;
  facts.interlaced = (bits & kInterlaced) != 0;
  facts.hdr_vivid = (bits & kHdrVivid) != 0;
  facts.hdr10_plus = (bits & kHdr10Plus) != 0;
  facts.closed_captions = (bits & kCaptions) != 0;
  if ((bits & kMastering) != 0) facts.mastering = KAPOK_TRY(read_mastering(in));
  if ((bits & kLight) != 0) {
    media::ContentLight light;
    light.max_content = KAPOK_TRY(in.u16());
    light.max_frame_average = KAPOK_TRY(in.u16());
    facts.light = light;
  }
  if ((bits & kDolbyVision) != 0) facts.dolby_vision = KAPOK_TRY(read_dolby_vision(in));
  return facts;
}

Result<media::AudioFacts> read_audio(ByteReader& in) {
  media::AudioFacts facts;
  facts.sample_rate = KAPOK_TRY(in.u32());
  facts.channels = KAPOK_TRY(in.u8());
  facts.samples_per_frame = KAPOK_TRY(in.u32());
  if (facts.sample_rate == 0 || facts.channels == 0)
    return fail(Errc::malformed, "sound of {} Hz, {} channels", facts.sample_rate, facts.channels);
  return facts;
}

// They are written into playlists and manifests: nothing that could end an attribute there.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
  });
}

}  // namespace

Result<void> write_track(ByteWriter& out, const media::Track& track) {
  if (track.config.size() > media::kMaxConfigBytes)
    return fail(Errc::limit, "a configuration record of {} bytes", track.config.size());
  const FactsKind kind = track.video()   ? FactsKind::video
                         : track.audio() ? FactsKind::audio
                                         : FactsKind::none;
  out.u32(track.id);
  out.u8(static_cast<std::uint8_t>(track.codec));
  out.u32(track.timescale);
  out.u8(static_cast<std::uint8_t>(kind));
  out.u32(static_cast<std::uint32_t>(track.config.size()));
  out.bytes(track.config.bytes());
  KAPOK_TRY(write_name(out, track.codec_string));
  KAPOK_TRY(write_name(out, track.language));
  if (const media::VideoFacts* video = track.video()) write_video(out, *video);
  if (const media::AudioFacts* audio = track.audio()) {
    out.u32(audio->sample_rate);
    out.u8(audio->channels);
    out.u32(audio->samples_per_frame);
  }
  return {};
}

namespace {

enum class Foreign : std::uint8_t { refused, allowed };

Result<std::shared_ptr<const media::Track>> read_track(ByteReader& in, Foreign foreign) {
  auto track = std::make_shared<media::Track>();
  track->id = KAPOK_TRY(in.u32());
  const std::uint8_t codec = KAPOK_TRY(in.u8());
  if (codec > static_cast<std::uint8_t>(media::Codec::unknown))
    return fail(Errc::malformed, "codec {} does not exist", codec);
  track->codec = static_cast<media::Codec>(codec);
  track->kind = media::kind_of(track->codec);
  track->timescale = KAPOK_TRY(in.u32());
  if (track->timescale == 0) return fail(Errc::malformed, "a timescale of zero");
  const std::uint8_t kind = KAPOK_TRY(in.u8());
  const std::uint32_t config_bytes = KAPOK_TRY(in.u32());
  if (config_bytes > media::kMaxConfigBytes)
    return fail(Errc::limit, "a configuration record of {} bytes", config_bytes);
  track->config = Buffer::copy_of(KAPOK_TRY(in.take(config_bytes)));
  track->codec_string = KAPOK_TRY(read_name(in));
  track->language = KAPOK_TRY(read_name(in));
  if (!is_plain(track->codec_string) || !is_plain(track->language))
    return fail(Errc::malformed, "a codec string or language with foreign characters");
  const auto wanted = [&](media::TrackKind facts) -> Result<void> {
    if (foreign == Foreign::allowed && track->codec == media::Codec::unknown) track->kind = facts;
    if (track->kind == facts) return {};
    return fail(Errc::malformed, "facts that a {} track has not", media::name_of(track->codec));
  };
  switch (kind) {
    case static_cast<std::uint8_t>(FactsKind::none):
      return track;
    case static_cast<std::uint8_t>(FactsKind::video):
      KAPOK_TRY(wanted(media::TrackKind::video));
      track->facts = KAPOK_TRY(read_video(in));
      return track;
    case static_cast<std::uint8_t>(FactsKind::audio):
      KAPOK_TRY(wanted(media::TrackKind::audio));
      track->facts = KAPOK_TRY(read_audio(in));
      return track;
    default:
      return fail(Errc::malformed, "facts of kind {}", kind);
  }
}

}  // namespace

Result<std::shared_ptr<const media::Track>> read_track(ByteReader& in) {
  return read_track(in, Foreign::refused);
}
Result<std::shared_ptr<const media::Track>> read_file_track(ByteReader& in) {
  return read_track(in, Foreign::allowed);
}

}  // namespace kapok::wire
