#include "server/picture/containers/mpegts/stream_type.hpp"

namespace kapok::mpegts {

using media::Codec;

namespace {

Codec private_codec(ByteSpan descriptors) {
  if (has_registration(descriptors, "AV01")) return Codec::av1;
  if (has_registration(descriptors, "Opus")) return Codec::opus;
  if (has_registration(descriptors, "HEVC")) return Codec::hevc;
  if (has_registration(descriptors, "KLVA")) return Codec::klv;
  if (has_registration(descriptors, "AC-3") || find_descriptor(descriptors, kDvbAc3))
    return Codec::ac3;
  if (has_registration(descriptors, "EAC3") || find_descriptor(descriptors, kDvbEac3))
    return Codec::eac3;
  return Codec::unknown;
}

// [ISO/IEC 13818-1 2.6.60] metadata_application_format, then the identifier of the format.
bool is_klv_metadata(ByteSpan descriptors) {
  const auto metadata = find_descriptor(descriptors, kMetadata);
  return has_registration(descriptors, "KLVA") ||
         (metadata && as_text(metadata->body).find("KLVA") != std::string_view::npos);
}

}  // namespace

Codec codec_of(const PmtStream& stream, ByteSpan program) {
  switch (stream.type) {
    case kMpeg1Audio:
    case kMpeg2Audio:
      return Codec::mp2;
    case kPrivatePes:
      return private_codec(stream.descriptors);
    case kAdts:
    case kLatm:
      return Codec::aac;
    case kMetadataPes:
      return is_klv_metadata(stream.descriptors) ? Codec::klv : Codec::unknown;
    case kAvc:
      return Codec::avc;
    case kHevc:
      return Codec::hevc;
    case kAc3:
      return Codec::ac3;
    case kEac3:
      return Codec::eac3;
    case kScte35:
      // Blu-ray's use of the number for DTS-HD comes with its own identifier.
      return has_registration(program, "HDMV") ? Codec::unknown : Codec::scte35;
    case kAvs2:
      return Codec::avs2;
    case kAvs3:
      return Codec::avs3;
    case kAudioVivid:
      return Codec::audio_vivid;
    default:
      return Codec::unknown;
  }
}

bool is_section_type(std::uint8_t type) {
  // 0x0A to 0x0D: DSM-CC [ISO/IEC 13818-6].
  return type == kPrivateSections || (type >= 0x0a && type <= 0x0d) || type == kMetadataSections ||
         type == kScte35;
}

}  // namespace kapok::mpegts
