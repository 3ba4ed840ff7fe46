#include <algorithm>
#include <utility>

#include "server/media/describe.hpp"
#include "server/media/dolby_vision.hpp"
#include "server/media/opus.hpp"
#include "server/picture/containers/cmaf/box_reader.hpp"
#include "server/picture/containers/cmaf/init.hpp"

namespace kapok::cmaf {

using media::Codec;
using media::Track;
using media::TrackDraft;
using media::VideoFacts;

namespace {

constexpr std::size_t kVisualEntryBytes = 78;
constexpr std::size_t kAudioEntryBytes = 28;
constexpr std::size_t kMaxLanguageBytes = 64;
constexpr std::uint8_t kObjectTypeMpeg1Audio = 0x6b;

struct EntryName {
  std::string_view entry;
  std::string_view config;
  Codec codec;
};
constexpr EntryName kEntries[] = {{"avc1", "avcC", Codec::avc},  {"hvc1", "hvcC", Codec::hevc},
                                  {"dvh1", "hvcC", Codec::hevc}, {"av01", "av1C", Codec::av1},
                                  {"dav1", "av1C", Codec::av1},  {"mp4a", "esds", Codec::aac},
                                  {"Opus", "dOps", Codec::opus}, {"ac-3", "dac3", Codec::ac3},
                                  {"ec-3", "dec3", Codec::eac3}, {"fLaC", "dfLa", Codec::flac}};

// [ISO/IEC 14496-1 7.2.6]
Result<ByteSpan> read_descriptor(ByteReader& in, std::uint8_t tag) {
  const std::uint8_t found = KAPOK_TRY(in.u8());
  if (found != tag) return fail(Errc::malformed, "esds: descriptor {} instead of {}", found, tag);
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i) {
    const std::uint8_t byte = KAPOK_TRY(in.u8());
    size = (size << 7) | (byte & 0x7f);
    if (!(byte & 0x80)) return in.take(size);
  }
  return fail(Errc::malformed, "esds: length of a descriptor does not end");
}

struct Esds {
  std::uint8_t object_type = 0;
  Bytes specific;  // AudioSpecificConfig; MPEG-1 audio has none
};
Result<Esds> read_esds(ByteSpan body) {
  ByteReader in(body);
  KAPOK_TRY(in.skip(4));
  ByteReader stream(KAPOK_TRY(read_descriptor(in, 3)));
  KAPOK_TRY(stream.skip(3));
  ByteReader config(KAPOK_TRY(read_descriptor(stream, 4)));
  Esds esds;
  esds.object_type = KAPOK_TRY(config.u8());
  KAPOK_TRY(config.skip(12));
  if (esds.object_type == kObjectTypeMpeg1Audio) return esds;
  const ByteSpan specific = KAPOK_TRY(read_descriptor(config, 5));
  esds.specific.assign(specific.begin(), specific.end());
  return esds;
}

// MP3 has no record to be described by: its sample entry says what there is to know.
Result<std::shared_ptr<const Track>> mp3_track(TrackDraft draft, ByteSpan entry) {
  ByteReader in(entry);
  KAPOK_TRY(in.skip(16));
  media::AudioFacts facts;
  facts.channels = static_cast<std::uint8_t>(KAPOK_TRY(in.u16()));
  KAPOK_TRY(in.skip(6));
  facts.sample_rate = KAPOK_TRY(in.u16());
  if (facts.channels == 0 || facts.channels > 2 || facts.sample_rate == 0 || draft.timescale == 0)
    return fail(Errc::malformed, "MP3 sample entry: {} channels at {} Hz", facts.channels,
                facts.sample_rate);
  facts.samples_per_frame = facts.sample_rate >= 32000 ? 1152 : 576;  // MPEG-1, else MPEG-2
  Track track;
  track.id = draft.id;
  track.kind = media::TrackKind::audio;
  track.codec = Codec::mp3;
  track.timescale = draft.timescale;
  track.codec_string = "mp4a.6B";
  track.language = std::move(draft.language);
  track.facts = facts;
  return std::make_shared<const Track>(std::move(track));
}

// The configuration as Track::config has it.
Result<Bytes> read_config(Codec codec, ByteSpan body) {
  if (codec == Codec::opus) return media::opus::head_from_specific_box(body);
  if (codec == Codec::flac) {
    ByteReader in(body);
    KAPOK_TRY(in.skip(4));
    Bytes config = to_bytes("fLaC");
    config.insert(config.end(), in.rest().begin(), in.rest().end());
    return config;
  }
  return Bytes(body.begin(), body.end());
}

// As write_init writes it; what it never writes is left aside.
Result<std::optional<media::DolbyVision>> read_dolby_vision(ByteReader in) {
  KAPOK_TRY(in.skip(2));
  const std::uint16_t bits = KAPOK_TRY(in.u16());
  const std::uint8_t compatibility = KAPOK_TRY(in.u8()) >> 4;
  media::DolbyVision stream;
  stream.profile = static_cast<std::uint8_t>(bits >> 9);
  stream.level = static_cast<std::uint8_t>((bits >> 3) & 0x3f);
  stream.compatibility = compatibility;
  const bool known = stream.profile == 5 || stream.profile == 8 || stream.profile == 10;
  if (!known || *stream.level == 0 || *stream.level > media::dolby_vision::kMaxLevel)
    return std::nullopt;
  return stream;
}

// What stands beside the configuration: colour and HDR metadata that came from SEI, and which
// dynamic ones the pictures have with them.
Result<void> read_colour_boxes(ByteSpan boxes, VideoFacts& facts) {
  const auto views = KAPOK_TRY(read_boxes(boxes));
  for (const BoxView& box : views) {
    ByteReader in(box.body);
    if (box.type == "colr" && box.body.size() >= 11) {
      KAPOK_TRY(in.skip(4));
      facts.colour.primaries = static_cast<std::uint8_t>(KAPOK_TRY(in.u16()));
      facts.colour.transfer = static_cast<std::uint8_t>(KAPOK_TRY(in.u16()));
      facts.colour.matrix = static_cast<std::uint8_t>(KAPOK_TRY(in.u16()));
      facts.colour.full_range = (KAPOK_TRY(in.u8()) & 0x80) != 0;
    } else if (box.type == "mdcv") {
      media::MasteringDisplay mastering;
      for (unsigned i = 0; i < 3; ++i) {
        mastering.primaries_x[i] = KAPOK_TRY(in.u16());
        mastering.primaries_y[i] = KAPOK_TRY(in.u16());
      }
      mastering.white_x = KAPOK_TRY(in.u16());
      mastering.white_y = KAPOK_TRY(in.u16());
      mastering.max_luminance = KAPOK_TRY(in.u32());
      mastering.min_luminance = KAPOK_TRY(in.u32());
      facts.mastering = mastering;
    } else if (box.type == "clli") {
      media::ContentLight light;
      light.max_content = KAPOK_TRY(in.u16());
      light.max_frame_average = KAPOK_TRY(in.u16());
      facts.light = light;
    } else if (box.type == "cuvv") {
      facts.hdr_vivid |= KAPOK_TRY(in.u16()) != 0;
    } else if (box.type == "dvcC" || box.type == "dvvC") {
      facts.dolby_vision = KAPOK_TRY(read_dolby_vision(in));
    }
  }
  return {};
}

// [ISO/IEC 14496-12 4.3] compatible brands stand behind the major brand and its version.
bool has_brand(ByteSpan init, std::string_view brand) {
  const auto ftyp = find_box(init, "ftyp");
  if (!ftyp) return false;
  for (std::size_t at = 8; at + 4 <= ftyp->size(); at += 4)
    if (as_text(ftyp->subspan(at, 4)) == brand) return true;
  return false;
}

Result<std::string> read_language(ByteSpan mdia) {
  const auto elng = find_box(mdia, "elng");
  if (!elng) return std::string();
  if (elng->size() < 5 || elng->size() > kMaxLanguageBytes)
    return fail(Errc::malformed, "elng: {} bytes", elng->size());
  return std::string(as_text(elng->subspan(4, elng->size() - 5)));
}

Result<media::Timescale> read_timescale(ByteSpan mdia) {
  ByteReader mdhd(KAPOK_TRY(find_box(mdia, "mdhd")));
  const std::uint8_t version = KAPOK_TRY(mdhd.u8());
  KAPOK_TRY(mdhd.skip(version == 1 ? 3 + 16 : 3 + 8));
  return mdhd.u32();
}

}  // namespace

Result<std::shared_ptr<const Track>> read_init(const Buffer& init, media::TrackId id) {
  const ByteSpan mdia = KAPOK_TRY(find_box(init.bytes(), "moov/trak/mdia"));
  TrackDraft draft;
  draft.id = id;
  draft.timescale = KAPOK_TRY(read_timescale(mdia));
  draft.language = KAPOK_TRY(read_language(mdia));
  const ByteSpan stsd = KAPOK_TRY(find_box(mdia, "minf/stbl/stsd"));
  if (stsd.size() < 8) return fail(Errc::malformed, "stsd: cut short");
  const BoxView entry = KAPOK_TRY(read_box(stsd.subspan(8)));
  const auto* name = std::ranges::find(kEntries, entry.type, &EntryName::entry);
  if (name == std::end(kEntries)) return fail(Errc::unsupported, "sample entry '{}'", entry.type);
  draft.codec = name->codec;
  const bool video = media::kind_of(draft.codec) == media::TrackKind::video;
  const std::size_t fixed = video ? kVisualEntryBytes : kAudioEntryBytes;
  if (entry.body.size() < fixed) return fail(Errc::malformed, "sample entry cut short");
  const ByteSpan boxes = entry.body.subspan(fixed);
  const ByteSpan config = KAPOK_TRY(find_box(boxes, name->config));
  if (draft.codec == Codec::aac) {
    auto esds = KAPOK_TRY(read_esds(config));
    if (esds.object_type == kObjectTypeMpeg1Audio) return mp3_track(std::move(draft), entry.body);
    draft.config = Buffer(std::move(esds.specific));
  } else {
    draft.config = Buffer(KAPOK_TRY(read_config(draft.codec, config)));
  }
  auto track = KAPOK_TRY(media::describe_track(std::move(draft)));
  if (const VideoFacts* known = track->video()) {
    Track more = *track;
    VideoFacts facts = *known;
    KAPOK_TRY(read_colour_boxes(boxes, facts));
    facts.hdr10_plus |= has_brand(init.bytes(), "cdm4");
    more.facts = facts;
    track = std::make_shared<const Track>(std::move(more));
  }
  return track;
}

}  // namespace kapok::cmaf
