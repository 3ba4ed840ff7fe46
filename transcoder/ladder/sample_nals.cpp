#include "transcoder/ladder/sample_nals.hpp"

#include <string_view>

#include "server/media/avc.hpp"
#include "server/media/hevc.hpp"
#include "server/media/parameter_sets.hpp"

namespace kapok::ladder {

namespace {

// [H.264 table 7-1, H.265 table 7-1]
constexpr unsigned kAvcDelimiter = 9;
constexpr unsigned kHevcDelimiter = 35;
// [H.265 D.2.28, D.2.35]
constexpr std::uint8_t kMasteringDisplay = 137;
constexpr std::uint8_t kContentLight = 144;

void write_nal(Bytes& to, ByteSpan nal) {
  ByteWriter out(to);
  out.u32(static_cast<std::uint32_t>(nal.size()));
  out.bytes(nal);
}

// One SEI message as a NAL unit, with emulation prevention [H.265 7.3.1.1].
void write_sei(Bytes& to, std::uint8_t type, ByteSpan payload) {
  Bytes nal;
  ByteWriter out(nal);
  out.u8(media::hevc::kPrefixSei << 1);
  out.u8(1);  // layer 0, temporal id 0
  out.u8(type);
  out.u8(static_cast<std::uint8_t>(payload.size()));
  unsigned zeros = 0;
  for (const std::byte byte : payload) {
    constexpr unsigned kEmulated = 3;
    if (zeros == 2 && std::to_integer<unsigned>(byte) <= kEmulated) {
      out.u8(kEmulated);
      zeros = 0;
    }
    out.u8(std::to_integer<std::uint8_t>(byte));
    zeros = byte == std::byte{0} ? zeros + 1 : 0;
  }
  constexpr std::uint8_t kTrailingBits = 0x80;
  out.u8(kTrailingBits);
  write_nal(to, nal);
}

}  // namespace

Bytes length_prefixed(media::Codec codec, ByteSpan start_coded, ParameterSetsIn sets) {
  constexpr std::string_view kStart("\0\0\1", 3);
  const std::string_view stream = as_text(start_coded);
  Bytes made;
  std::size_t at = stream.find(kStart);
  while (at != std::string_view::npos) {
    const std::size_t begin = at + kStart.size();
    at = stream.find(kStart, begin);
    std::string_view nal = stream.substr(begin, at == std::string_view::npos ? at : at - begin);
    // What stands before the next start code; a NAL unit itself never ends with it.
    while (nal.ends_with('\0')) nal.remove_suffix(1);
    if (nal.empty()) continue;
    const bool avc = codec == media::Codec::avc;
    const unsigned type =
        avc ? media::avc::nal_type(as_bytes(nal)) : media::hevc::nal_type(as_bytes(nal));
    if (type == (avc ? kAvcDelimiter : kHevcDelimiter)) continue;
    if (sets == ParameterSetsIn::leave_out && media::ParameterSets::is_parameter_set(codec, type))
      continue;
    write_nal(made, as_bytes(nal));
  }
  return made;
}

Buffer with_sei(Buffer sample, ByteSpan sei) {
  if (sei.empty() || sample.text().find(as_text(sei)) != std::string_view::npos) return sample;
  Bytes made(sei.begin(), sei.end());
  made.insert(made.end(), sample.bytes().begin(), sample.bytes().end());
  return Buffer(std::move(made));
}

Bytes display_sei(const media::VideoFacts& facts) {
  Bytes made;
  if (facts.mastering) {
    const auto& display = *facts.mastering;
    Bytes payload;
    ByteWriter out(payload);
    for (int i = 0; i < 3; ++i) {
      out.u16(display.primaries_x[i]);
      out.u16(display.primaries_y[i]);
    }
    out.u16(display.white_x);
    out.u16(display.white_y);
    out.u32(display.max_luminance);
    out.u32(display.min_luminance);
    write_sei(made, kMasteringDisplay, payload);
  }
  if (facts.light) {
    Bytes payload;
    ByteWriter out(payload);
    out.u16(facts.light->max_content);
    out.u16(facts.light->max_frame_average);
    write_sei(made, kContentLight, payload);
  }
  return made;
}

}  // namespace kapok::ladder
