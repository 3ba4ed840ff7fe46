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
    case Codec::mp2:
      return "mp2";
    case Codec::mp3:
      return "mp3";
    case Codec::avs2:
      return "avs2";
    case Codec::avs3:
      return "avs3";
    case Codec::audio_vivid:
      return "audio-vivid";
    case Codec::scte35:
      return "scte35";
    case Codec::klv:
      return "klv";
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
    case Codec::avs2:
    case Codec::avs3:
      return TrackKind::video;
    case Codec::aac:
    case Codec::opus:
    case Codec::ac3:
    case Codec::eac3:
    case Codec::flac:
    case Codec::mp2:
    case Codec::mp3:
    case Codec::audio_vivid:
      return TrackKind::audio;
    case Codec::scte35:
    case Codec::klv:
      return TrackKind::metadata;
    case Codec::unknown:
      return TrackKind::opaque;
  }
  return TrackKind::opaque;
}

bool is_packaged(Codec codec) {
  switch (codec) {
    case Codec::avc:
    case Codec::hevc:
    case Codec::av1:
    case Codec::aac:
    case Codec::opus:
    case Codec::ac3:
    case Codec::eac3:
    case Codec::flac:
      return true;
    case Codec::mp2:
    case Codec::mp3:
    case Codec::avs2:
    case Codec::avs3:
    case Codec::audio_vivid:
    case Codec::scte35:
    case Codec::klv:
    case Codec::unknown:
      return false;
  }
  return false;
}

DynamicRange dynamic_range_of(const Colour& colour) {
  if (colour.transfer == 16) return DynamicRange::pq;
  if (colour.transfer == 18) return DynamicRange::hlg;
  return DynamicRange::sdr;
}

}  // namespace kapok::media
