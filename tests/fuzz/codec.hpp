// What the codec fuzz targets share: a record (or first frame) goes through everything that ingest
// and packaging do with it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "server/media/av1.hpp"
#include "server/media/describe.hpp"
#include "server/media/supplemental.hpp"
#include "server/picture/containers/cmaf/init.hpp"

namespace kapok::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void use(const std::shared_ptr<const media::Track>& track, ByteSpan bytes) {
  media::random_access(*track, bytes);
  const auto more = media::enriched(track, bytes);
  require(more != nullptr);
  if (const auto* video = more->video()) {
    require(video->width > 0 && video->width <= media::kMaxPictureSide);
    require(video->height > 0 && video->height <= media::kMaxPictureSide);
    require(video->bit_depth >= 8 && video->bit_depth <= 16 && video->chroma_format <= 3);
    require(video->frame_rate.denominator > 0 && video->sample_aspect.denominator > 0);
  } else {
    require(more->audio() != nullptr && more->audio()->sample_rate > 0 &&
            more->audio()->channels > 0);
  }
  // What ingest accepts, packaging writes and recovery reads back.
  const auto back = cmaf::read_init(Buffer(cmaf::write_init(*more)), 1);
  require(back.has_value());
  require((*back)->codec_string == more->codec_string);
  require(media::supplemental_codecs(**back) == media::supplemental_codecs(*more));
  require(media::offered_codec(**back) == media::offered_codec(*more));
  if (more->codec == media::Codec::hevc && more->video()->hdr_vivid)
    require((*back)->video()->hdr_vivid);
}

inline void try_codec(media::Codec codec, ByteSpan bytes) {
  const auto draft = [&] {
    return media::TrackDraft{.id = 1,
                             .codec = codec,
                             .timescale = 90000,
                             .config = Buffer::copy_of(bytes),
                             .language = "zh"};
  };
  if (const auto track = media::describe_track(draft())) use(*track, bytes);
  if (const auto track = media::describe_track_from_frame(draft(), bytes)) use(*track, bytes);
  // The bytes as an access unit of some track.
  static const auto any = [](media::Codec of) {
    media::Track track{.kind = media::kind_of(of),
                       .codec = of,
                       .config = {},
                       .codec_string = {},
                       .language = {},
                       .facts = {},
                       .ts = {}};
    if (track.kind == media::TrackKind::video) track.facts = media::VideoFacts{};
    return std::make_shared<const media::Track>(std::move(track));
  };
  const auto track = any(codec);
  media::random_access(*track, bytes);
  require(media::enriched(track, bytes) != nullptr);
  if (codec == media::Codec::av1) media::av1::without_delimiters(Buffer::copy_of(bytes));
}

}  // namespace kapok::fuzz
