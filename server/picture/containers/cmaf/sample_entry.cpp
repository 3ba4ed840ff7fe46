#include "server/picture/containers/cmaf/sample_entry.hpp"

#include <cassert>

#include "server/media/dolby_vision.hpp"
#include "server/media/hevc.hpp"
#include "server/media/opus.hpp"
#include "server/picture/containers/cmaf/box_writer.hpp"

namespace kapok::cmaf {

using media::AudioFacts;
using media::Codec;
using media::Track;
using media::VideoFacts;

namespace {

constexpr std::size_t kHvccHeaderBytes = 23;
constexpr std::byte kArrayComplete{0x80};

// [ISO/IEC 14496-15 8.4.1.1.2] under the name hvc1 every parameter set array must be complete;
// records that come through FLV often leave the bit unset.
void write_hvcc(ByteWriter& out, ByteSpan record) {
  Bytes bytes(record.begin(), record.end());
  std::size_t at = kHvccHeaderBytes;
  while (at + 3 <= bytes.size()) {
    const unsigned type = std::to_integer<unsigned>(bytes[at]) & 0x3f;
    const auto be16 = [&](std::size_t i) {
      return (std::to_integer<std::size_t>(bytes[i]) << 8) |
             std::to_integer<std::size_t>(bytes[i + 1]);
    };
    std::size_t nals = be16(at + 1);
    if (type >= media::hevc::kVps && type <= media::hevc::kPps) bytes[at] |= kArrayComplete;
    at += 3;
    for (; nals > 0 && at + 2 <= bytes.size(); --nals) at += 2 + be16(at);
  }
  out.bytes(bytes);
}

// [ISO/IEC 14496-12 12.1.5]
void write_colour(ByteWriter& out, const VideoFacts& facts) {
  if (facts.colour == media::Colour{}) return;  // all unspecified says nothing
  const Box colr(out, "colr");
  out.text("nclx");
  out.u16(facts.colour.primaries);
  out.u16(facts.colour.transfer);
  out.u16(facts.colour.matrix);
  out.u8(facts.colour.full_range ? 0x80 : 0);
}

// [12.1.6, 12.1.7] plain boxes, fields as in SEI 137 and 144.
void write_hdr(ByteWriter& out, const VideoFacts& facts) {
  if (facts.mastering) {
    const Box mdcv(out, "mdcv");
    for (unsigned i = 0; i < 3; ++i) {
      out.u16(facts.mastering->primaries_x[i]);
      out.u16(facts.mastering->primaries_y[i]);
    }
    out.u16(facts.mastering->white_x);
    out.u16(facts.mastering->white_y);
    out.u32(facts.mastering->max_luminance);
    out.u32(facts.mastering->min_luminance);
  }
  if (facts.light) {
    const Box clli(out, "clli");
    out.u16(facts.light->max_content);
    out.u16(facts.light->max_frame_average);
  }
}

// [T/UWA 005.2-1] what a decoder of HDR Vivid will find in SEI messages: version 1, which is what
// is_hdr_vivid() knows.
void write_hdr_vivid(ByteWriter& out) {
  const Box cuvv(out, "cuvv");
  out.u16(1);     // cuva_version_map, a bit for each version
  out.u16(4);     // terminal_provide_code
  out.u16(5);     // terminal_provide_oriented_code, of the highest version
  out.zeros(16);  // reserved
}

// ["Dolby Vision Streams Within the ISO Base Media File Format" 2] DOVIDecoderConfigurationRecord:
// the RPUs are in the samples of the base layer, there is no other layer and no compression.
void write_dolby_vision(ByteWriter& out, const media::DolbyVision& stream) {
  constexpr std::uint8_t kLastOfFirstBox = 7;
  constexpr unsigned kRpuAndBase = 0b101;
  const Box box(out, stream.profile > kLastOfFirstBox ? "dvvC" : "dvcC");
  out.u8(1);  // dv_version_major, minor
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(stream.profile << 9 | stream.level.value_or(0) << 3 |
                                     kRpuAndBase));
  out.u8(static_cast<std::uint8_t>(stream.compatibility.value_or(0) << 4));
  out.zeros(19);
}

struct VideoNames {
  std::string_view entry;
  std::string_view config;
};
// Who does not know dvh1 and dav1 does not decode what has colours for nobody else.
VideoNames video_names(Codec codec, bool needs_dolby_vision) {
  switch (codec) {
    case Codec::avc:
      return {"avc1", "avcC"};
    case Codec::hevc:
      return {needs_dolby_vision ? "dvh1" : "hvc1", "hvcC"};
    default:
      return {needs_dolby_vision ? "dav1" : "av01", "av1C"};
  }
}

// [ISO/IEC 14496-12 12.1.3]
void write_video(ByteWriter& out, const Track& track, const VideoFacts& facts) {
  const auto dolby_vision = media::dolby_vision::told(track);
  const VideoNames names =
      video_names(track.codec, dolby_vision && media::dolby_vision::needs_decoder(*dolby_vision));
  const Box entry(out, names.entry);
  out.zeros(6);
  out.u16(1);  // data_reference_index
  out.zeros(16);
  out.u16(static_cast<std::uint16_t>(facts.width));
  out.u16(static_cast<std::uint16_t>(facts.height));
  out.u32(0x00480000);  // 72 dpi, as everybody writes
  out.u32(0x00480000);
  out.u32(0);
  out.u16(1);     // frame_count
  out.zeros(32);  // compressorname
  out.u16(0x0018);
  out.u16(0xffff);
  {
    const Box config(out, names.config);
    if (track.codec == Codec::hevc)
      write_hvcc(out, track.config.bytes());
    else
      out.bytes(track.config.bytes());
  }
  write_colour(out, facts);
  write_hdr(out, facts);
  if (facts.hdr_vivid && track.codec == Codec::hevc) write_hdr_vivid(out);
  if (dolby_vision) write_dolby_vision(out, *dolby_vision);
  const Box pasp(out, "pasp");
  out.u32(facts.sample_aspect.numerator);
  out.u32(facts.sample_aspect.denominator);
}

// [ISO/IEC 14496-1 7.2.6] a descriptor's length, in its shortest form.
void write_descriptor(ByteWriter& out, std::uint8_t tag, ByteSpan body) {
  out.u8(tag);
  for (int shift = 21; shift > 0; shift -= 7)
    if (body.size() >> shift)
      out.u8(static_cast<std::uint8_t>(0x80 | ((body.size() >> shift) & 0x7f)));
  out.u8(static_cast<std::uint8_t>(body.size() & 0x7f));
  out.bytes(body);
}

constexpr std::uint8_t kObjectTypeAac = 0x40;
constexpr std::uint8_t kObjectTypeMpeg1Audio = 0x6b;

void write_esds(ByteWriter& out, const Track& track) {
  Bytes config;
  ByteWriter config_out(config);
  config_out.u8(track.codec == Codec::mp3 ? kObjectTypeMpeg1Audio : kObjectTypeAac);
  config_out.u8(0x15);  // audio stream, reserved bit
  config_out.u24(0);    // bufferSizeDB, bit rates: unknown
  config_out.u32(0);
  config_out.u32(0);
  if (!track.config.empty()) write_descriptor(config_out, 5, track.config.bytes());
  Bytes stream;
  ByteWriter stream_out(stream);
  stream_out.u16(0);  // ES_ID: 0 within a file [ISO/IEC 14496-14 3.1.2]
  stream_out.u8(0);
  write_descriptor(stream_out, 4, config);
  static constexpr std::byte kMp4Predefined{2};
  write_descriptor(stream_out, 6, {&kMp4Predefined, 1});
  const Box esds(out, "esds", 0, 0);
  write_descriptor(out, 3, stream);
}

void write_audio_config(ByteWriter& out, const Track& track) {
  switch (track.codec) {
    case Codec::opus: {
      const Box dops(out, "dOps");
      out.bytes(media::opus::specific_box(track.config.bytes()));
      return;
    }
    case Codec::ac3: {
      const Box dac3(out, "dac3");
      out.bytes(track.config.bytes());
      return;
    }
    case Codec::eac3: {
      const Box dec3(out, "dec3");
      out.bytes(track.config.bytes());
      return;
    }
    case Codec::flac: {
      const Box dfla(out, "dfLa", 0, 0);
      out.bytes(track.config.bytes().subspan(4));  // without "fLaC"
      return;
    }
    default:
      write_esds(out, track);
  }
}

std::string_view audio_entry(Codec codec) {
  switch (codec) {
    case Codec::opus:
      return "Opus";
    case Codec::ac3:
      return "ac-3";
    case Codec::eac3:
      return "ec-3";
    case Codec::flac:
      return "fLaC";
    default:
      return "mp4a";
  }
}

// [ISO/IEC 14496-12 12.2.3] 16 bits of Hz. What does not fit is 0, and for FLAC the greatest
// regular division of it [FLAC in ISOBMFF 3.3.1]; decoders read the codec's own configuration.
std::uint32_t rate_field(Codec codec, std::uint32_t rate) {
  if (codec == Codec::opus) return 48000;
  if (codec == Codec::flac)
    while (rate > UINT16_MAX) rate /= 2;
  return rate <= UINT16_MAX ? rate : 0;
}

void write_audio(ByteWriter& out, const Track& track, const AudioFacts& facts) {
  const Box entry(out, audio_entry(track.codec));
  out.zeros(6);
  out.u16(1);  // data_reference_index
  out.zeros(8);
  out.u16(facts.channels);
  out.u16(16);  // samplesize
  out.zeros(4);
  out.u32(rate_field(track.codec, facts.sample_rate) << 16);
  write_audio_config(out, track);
}

}  // namespace

void write_sample_entry(ByteWriter& out, const Track& track) {
  if (const VideoFacts* video = track.video()) {
    write_video(out, track, *video);
  } else {
    assert(track.audio() != nullptr);
    write_audio(out, track, *track.audio());
  }
}

}  // namespace kapok::cmaf
