// How playlists and init segments name a picture, and what they say of it beyond its codec: dynamic
// metadata over a base layer that plays without them. Pure functions of a track.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/media/track.hpp"

namespace kapok::media {

// As CODECS of HLS and @codecs of DASH have it. That is the codec of the bitstream, except where
// only a decoder for Dolby Vision shows the right colours: then "dvh1.05.06", which others pass
// over.
std::string offered_codec(const Track& track);

// The range that a decoder of offered_codec() gives: of one for Dolby Vision alone it is PQ,
// whatever the bitstream says of its colours.
DynamicRange offered_range(const VideoFacts& facts);

// What the track is too, for who decodes it [RFC 8216bis 4.4.6.2], and the registered brand
// [mp4ra.org] of it.
struct SupplementalCodec {
  std::string codec;
  std::string_view brand;
  bool operator==(const SupplementalCodec&) const = default;
};
// Of Dolby Vision "dvh1.08.06" and "db1p", "db2g", "db4h" or "db4g"; of HDR10+ the codec itself and
// "cdm4" [SCTE 215-1-1, "HDR10+ AV1 Metadata Handling" 3.2]. Empty where there is neither, or where
// the picture is not what the brand asks for.
std::vector<SupplementalCodec> supplemental_codecs(const Track& track);

// The one of HDR10+.
bool is_hdr10_plus(const Track& track);

}  // namespace kapok::media
