#include "transcoder/gstreamer/annex_b.hpp"

#include <algorithm>
#include <string_view>

#include "server/media/avc.hpp"
#include "server/media/hevc.hpp"
#include "server/media/parameter_sets.hpp"

namespace kapok::gstreamer {

namespace {

template <class Each>
void each_nal(ByteSpan access_unit, Each each) {
  constexpr std::string_view kStart("\0\0\1", 3);
  const std::string_view text = as_text(access_unit);
  std::size_t at = text.find(kStart);
  while (at != std::string_view::npos) {
    const std::size_t begin = at + kStart.size();
    at = text.find(kStart, begin);
    std::size_t end = std::min(at, text.size());
    while (end > begin && text[end - 1] == '\0') --end;  // of a longer start code, or padding
    if (end > begin) each(access_unit.subspan(begin, end - begin));
  }
}

void append(Bytes& to, ByteSpan nal) {
  ByteWriter out(to);
  out.u32(static_cast<std::uint32_t>(nal.size()));
  out.bytes(nal);
}

bool is_left_out(media::Codec codec, ByteSpan nal) {
  constexpr unsigned kAvcDelimiter = 9;
  constexpr unsigned kHevcDelimiter = 35;
  const bool avc = codec == media::Codec::avc;
  const unsigned type = avc ? media::avc::nal_type(nal) : media::hevc::nal_type(nal);
  return type == (avc ? kAvcDelimiter : kHevcDelimiter) ||
         media::ParameterSets::is_parameter_set(codec, type);
}

}  // namespace

Bytes length_prefixed(ByteSpan access_unit) {
  Bytes made;
  each_nal(access_unit, [&](ByteSpan nal) { append(made, nal); });
  return made;
}

Bytes sample_of(media::Codec codec, ByteSpan access_unit) {
  Bytes made;
  made.reserve(access_unit.size() + 64);
  each_nal(access_unit, [&](ByteSpan nal) {
    if (!is_left_out(codec, nal)) append(made, nal);
  });
  return made;
}

Buffer with_sei(Buffer sample, ByteSpan sei) {
  if (sei.empty() || sample.text().find(as_text(sei)) != std::string_view::npos) return sample;
  Bytes made(sei.begin(), sei.end());
  made.insert(made.end(), sample.bytes().begin(), sample.bytes().end());
  return Buffer(std::move(made));
}

}  // namespace kapok::gstreamer
