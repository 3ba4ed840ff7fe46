#include "server/media/supplemental.hpp"

#include "server/media/dolby_vision.hpp"

namespace kapok::media {

std::string offered_codec(const Track& track) {
  const auto stream = dolby_vision::told(track);
  return stream && dolby_vision::needs_decoder(*stream) ? dolby_vision::codec_string(*stream)
                                                        : track.codec_string;
}

DynamicRange offered_range(const VideoFacts& facts) {
  const auto& stream = facts.dolby_vision;
  return stream && stream->level && dolby_vision::needs_decoder(*stream)
             ? DynamicRange::pq
             : dynamic_range_of(facts.colour);
}

std::vector<SupplementalCodec> supplemental_codecs(const Track& track) {
  std::vector<SupplementalCodec> codecs;
  if (const auto stream = dolby_vision::told(track);
      stream && !dolby_vision::needs_decoder(*stream))
    codecs.push_back({dolby_vision::codec_string(*stream), dolby_vision::brand(*stream, track)});
  if (is_hdr10_plus(track)) codecs.push_back({track.codec_string, "cdm4"});
  return codecs;
}

bool is_hdr10_plus(const Track& track) {
  const VideoFacts* video = track.video();
  if (video == nullptr || !video->hdr10_plus) return false;
  if (track.codec != Codec::hevc && track.codec != Codec::av1) return false;
  return video->bit_depth == 10 && video->colour.primaries == 9 && video->colour.transfer == 16 &&
         video->colour.matrix == 9;
}

}  // namespace kapok::media
