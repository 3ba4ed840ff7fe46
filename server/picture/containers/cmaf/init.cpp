#include "server/picture/containers/cmaf/init.hpp"

#include <cassert>

#include "server/media/language.hpp"
#include "server/media/supplemental.hpp"
#include "server/picture/containers/cmaf/box_writer.hpp"
#include "server/picture/containers/cmaf/language.hpp"
#include "server/picture/containers/cmaf/sample_entry.hpp"

namespace kapok::cmaf {

using media::Codec;
using media::DynamicRange;
using media::Track;
using media::TrackKind;
using media::VideoFacts;

namespace {

constexpr std::uint32_t kTrackEnabledInMovie = 3;

// [ISO/IEC 23000-19 annexes] A media profile brand is claimed only where the facts prove it.
std::string_view profile_brand(const Track& track) {
  if (media::offered_codec(track) != track.codec_string) return "";
  if (const auto* audio = track.audio())
    return track.codec == Codec::aac && audio->channels <= 2 ? "caac" : "";
  if (track.codec == Codec::av1) return "av01";
  const VideoFacts* video = track.video();
  if (track.codec != Codec::hevc || video == nullptr) return "";
  const bool main10 = video->bit_depth == 10 && video->chroma_format == 1 && !video->interlaced;
  const double rate = video->frame_rate.value();
  if (!main10 || video->width > 3840 || video->height > 2160 || rate <= 0 || rate > 60) return "";
  if (video->colour.primaries != 9 || video->colour.matrix != 9) return "";
  switch (media::dynamic_range_of(video->colour)) {
    case DynamicRange::pq:
      return "chd1";
    case DynamicRange::hlg:
      return "clg1";
    default:
      return "";
  }
}

void write_ftyp(ByteWriter& out, const Track& track) {
  const Box ftyp(out, "ftyp");
  out.text("cmf2");
  out.u32(0);
  out.text("cmf2iso6cmfc");
  out.text(profile_brand(track));
  for (const auto& codec : media::supplemental_codecs(track)) out.text(codec.brand);
}

void write_matrix(ByteWriter& out) {
  for (const std::uint32_t value : {0x00010000u, 0u, 0u, 0u, 0x00010000u, 0u, 0u, 0u, 0x40000000u})
    out.u32(value);
}

// Creation times and durations are 0: a live track has no length, and equal tracks give equal
// bytes.
void write_mvhd(ByteWriter& out, const Track& track) {
  const Box mvhd(out, "mvhd", 0, 0);
  out.zeros(8);
  out.u32(track.timescale);
  out.u32(0);
  out.u32(0x00010000);  // rate
  out.u16(0x0100);      // volume
  out.zeros(10);
  write_matrix(out);
  out.zeros(24);
  out.u32(kTrackId + 1);
}

void write_tkhd(ByteWriter& out, const Track& track) {
  const Box tkhd(out, "tkhd", 0, kTrackEnabledInMovie);
  out.zeros(8);
  out.u32(kTrackId);
  out.zeros(4 + 4 + 8);
  out.u16(0);  // layer
  out.u16(0);  // alternate_group
  out.u16(track.kind == TrackKind::audio ? 0x0100 : 0);
  out.u16(0);
  write_matrix(out);
  if (const VideoFacts* video = track.video()) {
    // As shown: with square pixels [14496-12 8.3.2.3].
    const auto shown = static_cast<std::uint64_t>(video->width) * video->sample_aspect.numerator *
                       0x10000 / video->sample_aspect.denominator;
    out.u32(shown <= UINT32_MAX ? static_cast<std::uint32_t>(shown) : video->width << 16);
    out.u32(video->height << 16);
  } else {
    out.zeros(8);
  }
}

void write_mdhd(ByteWriter& out, const Track& track) {
  const Box mdhd(out, "mdhd", 0, 0);
  out.zeros(8);
  out.u32(track.timescale);
  out.u32(0);
  out.u16(packed_language(media::iso639_of(track.language)));
  out.u16(0);
}

void write_hdlr(ByteWriter& out, const Track& track) {
  const Box hdlr(out, "hdlr", 0, 0);
  out.u32(0);
  out.text(track.kind == TrackKind::video ? "vide" : "soun");
  out.zeros(12);
  out.text("Kapok");
  out.u8(0);
}

void write_minf(ByteWriter& out, const Track& track) {
  const Box minf(out, "minf");
  if (track.kind == TrackKind::video) {
    const Box vmhd(out, "vmhd", 0, 1);
    out.zeros(8);
  } else {
    const Box smhd(out, "smhd", 0, 0);
    out.zeros(4);
  }
  {
    const Box dinf(out, "dinf");
    const Box dref(out, "dref", 0, 0);
    out.u32(1);
    const Box url(out, "url ", 0, 1);  // in this file
  }
  const Box stbl(out, "stbl");
  {
    const Box stsd(out, "stsd", 0, 0);
    out.u32(1);
    write_sample_entry(out, track);
  }
  for (const std::string_view empty : {"stts", "stsc"}) {
    const Box table(out, empty, 0, 0);
    out.u32(0);
  }
  {
    const Box stsz(out, "stsz", 0, 0);
    out.zeros(8);
  }
  const Box stco(out, "stco", 0, 0);
  out.u32(0);
}

void write_trak(ByteWriter& out, const Track& track) {
  const Box trak(out, "trak");
  write_tkhd(out, track);
  const Box mdia(out, "mdia");
  write_mdhd(out, track);
  write_hdlr(out, track);
  if (!track.language.empty()) {
    const Box elng(out, "elng", 0, 0);
    out.text(track.language);
    out.u8(0);
  }
  write_minf(out, track);
}

void write_mvex(ByteWriter& out) {
  const Box mvex(out, "mvex");
  const Box trex(out, "trex", 0, 0);
  out.u32(kTrackId);
  out.u32(1);     // sample description
  out.zeros(12);  // nothing depends on defaults from here: every chunk stands alone (cmf2)
}

}  // namespace

bool can_write(Codec codec) {
  return media::is_packaged(codec) || codec == Codec::mp3;
}

Bytes write_init(const Track& track) {
  assert(can_write(track.codec) && (track.video() != nullptr || track.audio() != nullptr));
  Bytes bytes;
  bytes.reserve(1024 + track.config.size());
  ByteWriter out(bytes);
  write_ftyp(out, track);
  {
    const Box moov(out, "moov");
    write_mvhd(out, track);
    write_trak(out, track);
    write_mvex(out);
  }
  return bytes;
}

}  // namespace kapok::cmaf
