#include "server/picture/containers/flv/av1_descriptor.hpp"

namespace kapok::flv {

namespace {
constexpr unsigned kObuSequenceHeader = 1;
constexpr unsigned kObuTemporalDelimiter = 2;
constexpr std::size_t kMaxObus = 64;  // the sequence header stands near the front

// One OBU with a size field [AV1 5.3]; nullopt when it has none or is cut short.
struct Obu {
  unsigned type;
  ByteSpan whole;
};
std::optional<Obu> first_obu(ByteSpan bytes) {
  if (bytes.empty()) return std::nullopt;
  const unsigned header = std::to_integer<unsigned>(bytes[0]);
  if ((header & 0x02) == 0) return std::nullopt;
  std::size_t at = (header & 0x04) != 0 ? 2 : 1;
  std::uint64_t size = 0;
  for (unsigned i = 0;; ++i, ++at) {
    if (at >= bytes.size() || i == 8) return std::nullopt;
    const auto byte = std::to_integer<std::uint64_t>(bytes[at]);
    size |= (byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) break;
  }
  ++at;
  if (size > bytes.size() - at) return std::nullopt;
  return Obu{(header >> 3) & 0x0F, bytes.first(at + static_cast<std::size_t>(size))};
}
}  // namespace

std::optional<Bytes> av1_record(ByteSpan descriptor, ByteSpan frame) {
  if (descriptor.size() < 4) return std::nullopt;
  for (std::size_t i = 0; i < kMaxObus; ++i) {
    const auto obu = first_obu(frame);
    if (!obu) return std::nullopt;
    if (obu->type == kObuSequenceHeader) {
      Bytes record(descriptor.begin(), descriptor.begin() + 4);
      record[0] = std::byte{0x81};   // marker and version 1
      record[3] &= std::byte{0x1F};  // hdr_wcg_idc is the descriptor's alone
      ByteWriter(record).bytes(obu->whole);
      return record;
    }
    frame = frame.subspan(obu->whole.size());
  }
  return std::nullopt;
}

ByteSpan without_temporal_delimiter(ByteSpan frame) {
  while (true) {
    const auto obu = first_obu(frame);
    if (!obu || obu->type != kObuTemporalDelimiter) return frame;
    frame = frame.subspan(obu->whole.size());
  }
}

}  // namespace kapok::flv
