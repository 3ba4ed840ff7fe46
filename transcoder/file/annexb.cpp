#include "transcoder/file/annexb.hpp"

#include <algorithm>

#include "server/media/nal.hpp"

namespace kapok::file {

namespace {

constexpr unsigned kAvcDelimiter = 9;
constexpr unsigned kHevcDelimiter = 35;

unsigned type_of(media::Codec codec, ByteSpan nal) {
  const unsigned first = std::to_integer<unsigned>(nal[0]);
  return codec == media::Codec::avc ? first & 0x1f : first >> 1 & 0x3f;
}

// Where the next 00 00 01 begins, or the end.
std::size_t next_start(ByteSpan bytes, std::size_t from) {
  constexpr std::byte kStart[] = {std::byte{0}, std::byte{0}, std::byte{1}};
  const auto at = std::search(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(),
                              std::begin(kStart), std::end(kStart));
  return static_cast<std::size_t>(at - bytes.begin());
}

}  // namespace

Bytes length_prefixed(media::Codec codec, ByteSpan stream, media::ParameterSets& sets) {
  constexpr std::size_t kStartBytes = 3;
  Bytes out;
  ByteWriter writer(out);
  std::size_t units = 0;
  std::size_t start = next_start(stream, 0);
  while (start < stream.size() && units++ < media::kMaxNalsPerAccessUnit) {
    const std::size_t begin = start + kStartBytes;
    start = next_start(stream, begin);
    ByteSpan nal = stream.subspan(begin, start - begin);
    // Zeros before a start code belong to it [annex B.2].
    while (!nal.empty() && nal.back() == std::byte{0}) nal = nal.first(nal.size() - 1);
    if (nal.empty()) continue;
    const unsigned type = type_of(codec, nal);
    if (media::ParameterSets::is_parameter_set(codec, type)) {
      sets.take(nal);
    } else if (type != (codec == media::Codec::avc ? kAvcDelimiter : kHevcDelimiter)) {
      writer.u32(static_cast<std::uint32_t>(nal.size()));
      writer.bytes(nal);
    }
  }
  return out;
}

}  // namespace kapok::file
