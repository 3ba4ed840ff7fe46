#include "server/media/describe.hpp"

#include <utility>

#include "server/media/aac.hpp"
#include "server/media/ac3.hpp"
#include "server/media/av1.hpp"
#include "server/media/avc.hpp"
#include "server/media/flac.hpp"
#include "server/media/hevc.hpp"
#include "server/media/mpeg_audio.hpp"
#include "server/media/opus.hpp"

namespace kapok::media {

namespace {

Result<void> describe_avc(Track& track) {
  const auto config = KAPOK_TRY(avc::parse_config(track.config.bytes()));
  auto sps = KAPOK_TRY(avc::parse_sps(config.sps.front()));
  track.codec_string = avc::codec_string(sps);
  sps.facts.nal_length_size = config.nal_length_size;
  track.facts = sps.facts;
  return {};
}

Result<void> describe_hevc(Track& track) {
  const auto config = KAPOK_TRY(hevc::parse_config(track.config.bytes()));
  auto sps = KAPOK_TRY(hevc::parse_sps(config.first(hevc::kSps)));
  track.codec_string = hevc::codec_string(sps.tier_level);
  sps.facts.nal_length_size = config.nal_length_size;
  DisplaySei sei;  // HDR10 SEI may stand in the record instead of the samples
  for (const auto& array : config.arrays)
    if (array.type == hevc::kPrefixSei)
      for (const ByteSpan nal : array.nals)
        read_display_sei(nal.subspan(hevc::kNalHeaderBytes), sei);
  apply(sei, sps.facts);
  track.facts = sps.facts;
  return {};
}

Result<void> describe_aac(Track& track) {
  const auto config = KAPOK_TRY(aac::parse_config(track.config.bytes()));
  track.codec_string = aac::codec_string(config);
  track.facts = config.facts;
  return {};
}

Result<void> describe_av1(Track& track) {
  const auto config = KAPOK_TRY(av1::parse_config(track.config.bytes()));
  track.codec_string = av1::codec_string(config.sequence);
  track.facts = config.sequence.facts;
  return {};
}

Result<void> describe_opus(Track& track) {
  const auto head = KAPOK_TRY(opus::parse_head(track.config.bytes()));
  track.codec_string = "opus";
  track.facts = AudioFacts{opus::kRate, head.channels, 0};  // packets of 2.5 to 120 ms may mix
  return {};
}

Result<void> describe_flac(Track& track) {
  track.facts = KAPOK_TRY(flac::parse_config(track.config.bytes()));
  track.config = Buffer(KAPOK_TRY(flac::normalised(track.config.bytes())));
  track.codec_string = "flac";
  return {};
}

Result<void> describe_ac3(Track& track) {
  track.facts = KAPOK_TRY(ac3::parse_dac3(track.config.bytes()));
  track.codec_string = "ac-3";
  return {};
}

Result<void> describe_eac3(Track& track) {
  track.facts = KAPOK_TRY(ac3::parse_dec3(track.config.bytes()));
  track.codec_string = "ec-3";
  return {};
}

Result<void> describe_by_config(Track& track) {
  switch (track.codec) {
    case Codec::avc:
      return describe_avc(track);
    case Codec::hevc:
      return describe_hevc(track);
    case Codec::av1:
      return describe_av1(track);
    case Codec::aac:
      return describe_aac(track);
    case Codec::opus:
      return describe_opus(track);
    case Codec::ac3:
      return describe_ac3(track);
    case Codec::eac3:
      return describe_eac3(track);
    case Codec::flac:
      return describe_flac(track);
    case Codec::mp2:
    case Codec::mp3:
    case Codec::avs2:
    case Codec::avs3:
    case Codec::audio_vivid:
    case Codec::scte35:
    case Codec::klv:
    case Codec::unknown:
      break;
  }
  return fail(Errc::unsupported, "codec {} has no configuration record", name_of(track.codec));
}

Result<void> describe_by_frame(Track& track, ByteSpan frame) {
  switch (track.codec) {
    case Codec::ac3: {
      auto described = KAPOK_TRY(ac3::describe_ac3(frame));
      track.config = Buffer(std::move(described.config));
      track.facts = described.facts;
      track.codec_string = "ac-3";
      return {};
    }
    case Codec::eac3: {
      auto described = KAPOK_TRY(ac3::describe_eac3(frame));
      track.config = Buffer(std::move(described.config));
      track.facts = described.facts;
      track.codec_string = "ec-3";
      return {};
    }
    case Codec::mp2:
      track.facts = KAPOK_TRY(mpeg_audio::parse_frame(frame, mpeg_audio::Layer::two));
      track.codec_string = "mp4a.40.33";  // [ISO/IEC 14496-3 table 1.17] audio object type Layer-2
      return {};
    case Codec::mp3:
      track.facts = KAPOK_TRY(mpeg_audio::parse_frame(frame, mpeg_audio::Layer::three));
      track.codec_string = "mp4a.6B";  // [mp4ra.org object types]
      return {};
    case Codec::av1:  // av1C need not hold the sequence header; then the bitstream does
      if (auto config = av1::make_config(frame)) track.config = Buffer(std::move(*config));
      return describe_av1(track);
    default:
      return describe_by_config(track);
  }
}

Result<Track> begin(TrackDraft draft) {
  if (draft.timescale == 0) return fail(Errc::malformed, "track {}: timescale 0", draft.id);
  if (draft.config.size() > kMaxConfigBytes)
    return fail(Errc::limit, "{} configuration of {} bytes", name_of(draft.codec),
                draft.config.size());
  Track track;
  track.id = draft.id;
  track.kind = kind_of(draft.codec);
  track.codec = draft.codec;
  track.timescale = draft.timescale;
  track.config = std::move(draft.config);
  track.language = std::move(draft.language);
  return track;
}

}  // namespace

Result<std::shared_ptr<const Track>> describe_track(TrackDraft draft) {
  auto track = KAPOK_TRY(begin(std::move(draft)));
  KAPOK_TRY(describe_by_config(track));
  return std::make_shared<const Track>(std::move(track));
}

Result<std::shared_ptr<const Track>> describe_track_from_frame(TrackDraft draft,
                                                               ByteSpan first_frame) {
  auto track = KAPOK_TRY(begin(std::move(draft)));
  KAPOK_TRY(describe_by_frame(track, first_frame));
  return std::make_shared<const Track>(std::move(track));
}

std::shared_ptr<const Track> enriched(const std::shared_ptr<const Track>& track,
                                      ByteSpan access_unit) {
  const VideoFacts* known = track->video();
  if (known == nullptr) return track;
  VideoFacts facts = *known;
  if (track->codec == Codec::avc) avc::enrich(facts, access_unit);
  if (track->codec == Codec::hevc) hevc::enrich(facts, access_unit);
  if (track->codec == Codec::av1) av1::enrich(facts, access_unit);
  if (facts == *known) return track;
  Track more = *track;
  more.facts = facts;
  return std::make_shared<const Track>(std::move(more));
}

RandomAccess random_access(const Track& track, ByteSpan access_unit) {
  const VideoFacts* video = track.video();
  if (video == nullptr)
    return track.kind == TrackKind::video ? RandomAccess::none : RandomAccess::closed_gop;
  switch (track.codec) {
    case Codec::avc:
      return avc::random_access(access_unit, video->nal_length_size);
    case Codec::hevc: {
      const auto found = hevc::random_access(access_unit, video->nal_length_size, 1);
      if (found != RandomAccess::open_gop) return found;
      // A CRA, once a GOP: only now is the record worth another look.
      const auto config = hevc::parse_config(track.config.bytes());
      if (!config) return found;
      const auto sps = hevc::parse_sps(config->first(hevc::kSps));
      return sps && sps->max_reorder == 0 ? RandomAccess::closed_gop : found;
    }
    case Codec::av1:
      return av1::random_access(access_unit);
    default:
      return RandomAccess::none;
  }
}

bool is_sync(const Track& track, ByteSpan access_unit) {
  return random_access(track, access_unit) == RandomAccess::closed_gop;
}

}  // namespace kapok::media
