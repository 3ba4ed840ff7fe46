#include "server/picture/containers/mpegts/psi.hpp"

#include "server/base/crc32.hpp"
#include "server/media/language.hpp"
#include "server/picture/containers/mpegts/section.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

namespace {

constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kMaxTableBytes = 3 + 1021;  // [2.4.4.3, 2.4.4.9]
constexpr std::uint16_t kPidMask = 0x1fff;
constexpr std::uint16_t kLengthMask = 0x0fff;

// What both tables have in front [2.4.4.3].
struct Head {
  std::uint16_t id = 0;
  std::uint8_t version = 0;
  bool current = false;
};
Result<Head> read_head(ByteReader& in, std::uint8_t table) {
  const std::uint8_t table_id = KAPOK_TRY(in.u8());
  const std::uint16_t length = KAPOK_TRY(in.u16());
  if (table_id != table || (length & 0x8000) == 0)
    return fail(Errc::malformed, "table {} where {} should be", table_id, table);
  Head head;
  head.id = KAPOK_TRY(in.u16());
  const std::uint8_t flags = KAPOK_TRY(in.u8());
  head.version = flags >> 1 & 0x1f;
  head.current = (flags & 1) != 0;
  KAPOK_TRY(in.skip(2));  // section_number, last_section_number
  return head;
}

Result<ByteReader> content_of(ByteSpan section) {
  if (section.size() < kCrcBytes) return fail(Errc::malformed, "section cut short");
  if (crc32(section) != 0) return fail(Errc::malformed, "section with a wrong CRC");
  return ByteReader(section.first(section.size() - kCrcBytes));
}

void write_head(ByteWriter& out, std::uint8_t table, std::uint16_t id, std::uint8_t version) {
  out.u8(table);
  out.u16(0);  // patched by finish()
  out.u16(id);
  out.u8(static_cast<std::uint8_t>(0xc1 | version << 1));
  out.u16(0);  // the only section
}
void finish(Bytes& section) {
  const std::size_t length = section.size() - 3 + kCrcBytes;
  section[1] = static_cast<std::byte>(0xb0 | length >> 8);
  section[2] = static_cast<std::byte>(length);
  const std::uint32_t crc = crc32(section);
  ByteWriter(section).u32(crc);
}

}  // namespace

Result<std::optional<Pat>> read_pat(ByteSpan section) {
  ByteReader in = KAPOK_TRY(content_of(section));
  const Head head = KAPOK_TRY(read_head(in, kPatTable));
  if (!head.current) return std::nullopt;
  Pat pat{head.id, head.version, {}};
  while (in.left() >= 4) {
    const std::uint16_t number = KAPOK_TRY(in.u16());
    const std::uint16_t pid = KAPOK_TRY(in.u16()) & kPidMask;
    if (number != 0 && pid >= kFirstFreePid && pid != kNullPid)
      pat.programs.push_back({number, pid});
  }
  return pat;
}

Result<std::optional<Pmt>> read_pmt(ByteSpan section) {
  ByteReader in = KAPOK_TRY(content_of(section));
  const Head head = KAPOK_TRY(read_head(in, kPmtTable));
  if (!head.current) return std::nullopt;
  Pmt pmt;
  pmt.program = head.id;
  pmt.version = head.version;
  pmt.pcr_pid = KAPOK_TRY(in.u16()) & kPidMask;
  const std::size_t program_length = KAPOK_TRY(in.u16()) & kLengthMask;
  pmt.descriptors = KAPOK_TRY(in.take(program_length));
  while (in.left() >= 5 && pmt.streams.size() < kMaxStreams) {
    PmtStream stream;
    stream.type = KAPOK_TRY(in.u8());
    stream.pid = KAPOK_TRY(in.u16()) & kPidMask;
    const std::size_t length = KAPOK_TRY(in.u16()) & kLengthMask;
    stream.descriptors = KAPOK_TRY(in.take(length));
    if (stream.pid >= kFirstFreePid && stream.pid != kNullPid) pmt.streams.push_back(stream);
  }
  return pmt;
}

Bytes write_pat(const Pat& pat) {
  Bytes section;
  ByteWriter out(section);
  write_head(out, kPatTable, pat.transport_stream_id, pat.version);
  for (const PatProgram& program : pat.programs) {
    out.u16(program.number);
    out.u16(static_cast<std::uint16_t>(0xe000 | program.pmt_pid));
  }
  finish(section);
  return section;
}

Result<Bytes> write_pmt(const Pmt& pmt) {
  Bytes section;
  ByteWriter out(section);
  write_head(out, kPmtTable, pmt.program, pmt.version);
  out.u16(static_cast<std::uint16_t>(0xe000 | pmt.pcr_pid));
  out.u16(static_cast<std::uint16_t>(0xf000 | pmt.descriptors.size()));
  out.bytes(pmt.descriptors);
  for (const PmtStream& stream : pmt.streams) {
    out.u8(stream.type);
    out.u16(static_cast<std::uint16_t>(0xe000 | stream.pid));
    out.u16(static_cast<std::uint16_t>(0xf000 | stream.descriptors.size()));
    out.bytes(stream.descriptors);
  }
  if (section.size() + kCrcBytes > kMaxTableBytes)
    return fail(Errc::limit, "a program map of {} bytes does not fit in its section",
                section.size());
  finish(section);
  return section;
}

std::optional<Descriptor> DescriptorWalker::next() {
  if (bytes_.size() < 2) return std::nullopt;
  const auto length = std::to_integer<std::size_t>(bytes_[1]);
  if (bytes_.size() < 2 + length) return std::nullopt;
  const Descriptor found{std::to_integer<std::uint8_t>(bytes_[0]), bytes_.subspan(2, length)};
  bytes_ = bytes_.subspan(2 + length);
  return found;
}

std::optional<Descriptor> find_descriptor(ByteSpan descriptors, std::uint8_t tag) {
  DescriptorWalker walker(descriptors);
  while (const auto found = walker.next())
    if (found->tag == tag) return found;
  return std::nullopt;
}

void write_descriptor(ByteWriter& out, std::uint8_t tag, ByteSpan body) {
  out.u8(tag);
  out.u8(static_cast<std::uint8_t>(body.size()));
  out.bytes(body);
}

bool has_registration(ByteSpan descriptors, std::string_view identifier) {
  DescriptorWalker walker(descriptors);
  while (const auto found = walker.next())
    if (found->tag == kRegistration && as_text(found->body).starts_with(identifier)) return true;
  return false;
}

std::string language_of(ByteSpan descriptors) {
  const auto found = find_descriptor(descriptors, kLanguage);
  if (!found || found->body.size() < 3) return {};
  return media::bcp47_of(as_text(found->body.first(3)));
}

}  // namespace kapok::mpegts
