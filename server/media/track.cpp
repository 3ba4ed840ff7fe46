#include "server/media/track.hpp"

namespace kapok::media {

std::string_view name_of(Codec codec) {
  switch (codec) {
    case Codec::avc:
      return "avc";
    case Codec::hevc:
      return "hevc";
    case Codec::av1:
      return "av1";
    case Codec::aac:
      return "aac";
    case Codec::opus:
      return "opus";
    case Codec::ac3:
      return "ac3";
    case Codec::eac3:
      return "eac3";
    case Codec::flac:
      return "flac";
    case Codec::mp3:
      return "mp3";
    case Codec::unknown:
      return "unknown";
  }
  return "unknown";
}

TrackKind kind_of(Codec codec) {
  switch (codec) {
    case Codec::avc:
    case Codec::hevc:
    case Codec::av1:
      return TrackKind::video;
    case Codec::aac:
    case Codec::opus:
    case Codec::ac3:
    case Codec::eac3:
    case Codec::flac:
    case Codec::mp3:
      return TrackKind::audio;
    case Codec::unknown:
      return TrackKind::opaque;
  }
  return TrackKind::opaque;
}

DynamicRange dynamic_range_of(const Colour& colour) {
  if (colour.transfer == 16) return DynamicRange::pq;
  if (colour.transfer == 18) return DynamicRange::hlg;
  return DynamicRange::sdr;
}

}  // namespace kapok::media
