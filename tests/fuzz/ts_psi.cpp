// Sections: the bytes as payloads of one PID (first byte: how long each is), and as the content of
// an association and of a map whose CRC is right. What is read and written again reads the same.
#include <algorithm>
#include <cstdint>

#include "server/base/crc32.hpp"
#include "server/picture/containers/mpegts/section.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"

using namespace kapok;

namespace {
Bytes with_crc(std::uint8_t table, ByteSpan content) {
  Bytes section;
  ByteWriter out(section);
  out.u8(table);
  out.u16(static_cast<std::uint16_t>(0xb000 | ((content.size() + 4) & 0xfff)));
  out.bytes(content);
  const std::uint32_t crc = crc32(section);
  out.u32(crc);
  return section;
}

void map(ByteSpan section) {
  const auto read = mpegts::read_pmt(section);
  if (!read || !*read) return;
  const mpegts::Pmt& pmt = **read;
  for (const mpegts::PmtStream& stream : pmt.streams) {
    if (stream.descriptors.data() < section.data() ||
        stream.descriptors.data() + stream.descriptors.size() > section.data() + section.size())
      __builtin_trap();
    mpegts::codec_of(stream, pmt.descriptors);
    if (mpegts::language_of(stream.descriptors).size() > 3) __builtin_trap();
  }
  const auto written = mpegts::write_pmt(pmt);
  if (!written) return;
  const auto again = mpegts::read_pmt(*written);
  if (!again || !*again || (*again)->streams.size() != pmt.streams.size() ||
      (*again)->pcr_pid != pmt.pcr_pid || (*again)->version != pmt.version)
    __builtin_trap();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes = as_bytes(data + 1, size - 1);
  const std::size_t step = std::min<std::size_t>(1 + data[0], 184);
  mpegts::SectionAssembler assembler;
  std::vector<Bytes> sections;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const ByteSpan part = bytes.subspan(at, std::min(step, bytes.size() - at));
    // The first bit of what would be the pointer field decides, so that both kinds come.
    const bool starts = (part[0] & std::byte{0x80}) == std::byte{0};
    assembler.payload(part,
                      starts ? mpegts::SectionAssembler::Payload::starts
                             : mpegts::SectionAssembler::Payload::continues,
                      sections);
  }
  for (const Bytes& section : sections) {
    if (section.size() > mpegts::kMaxSectionBytes) __builtin_trap();
    map(section);
  }
  if (bytes.size() > 4000) return 0;
  map(with_crc(mpegts::kPmtTable, bytes));
  const Bytes section = with_crc(mpegts::kPatTable, bytes);
  const auto pat = mpegts::read_pat(section);
  if (pat && *pat && !mpegts::read_pat(mpegts::write_pat(**pat))) __builtin_trap();
  return 0;
}
