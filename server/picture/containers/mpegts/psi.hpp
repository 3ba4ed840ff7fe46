// Program association and program map sections, read and written [ISO/IEC 13818-1 2.4.4], and the
// descriptors in them [2.6]. Read forms hold views of the section.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/result.hpp"

namespace kapok::mpegts {

constexpr std::uint8_t kPatTable = 0x00;
constexpr std::uint8_t kPmtTable = 0x02;
// A program of more streams is cut off there.
constexpr std::size_t kMaxStreams = 32;

struct PatProgram {
  std::uint16_t number = 0;
  std::uint16_t pmt_pid = 0;
};
struct Pat {
  std::uint16_t transport_stream_id = 1;
  std::uint8_t version = 0;
  std::vector<PatProgram> programs;  // without number 0, the network's
};

struct PmtStream {
  std::uint8_t type = 0;
  std::uint16_t pid = 0;
  ByteSpan descriptors;
};
struct Pmt {
  std::uint16_t program = 1;
  std::uint8_t version = 0;
  std::uint16_t pcr_pid = 0;
  ByteSpan descriptors;  // of the program
  std::vector<PmtStream> streams;
};

// nullopt: well-formed, but a table that will be valid only later (current_next_indicator 0).
// Errors: malformed (CRC too).
Result<std::optional<Pat>> read_pat(ByteSpan section);
Result<std::optional<Pmt>> read_pmt(ByteSpan section);
// Whole sections with CRC. A program map that would be too long for one section (1021 bytes of
// content, 2.4.4.9) is an error: limit.
Bytes write_pat(const Pat& pat);
Result<Bytes> write_pmt(const Pmt& pmt);

// [2.6.1]
struct Descriptor {
  std::uint8_t tag = 0;
  ByteSpan body;
};
class DescriptorWalker {
 public:
  explicit DescriptorWalker(ByteSpan bytes) : bytes_(bytes) {}
  // nullopt at the end and at the first that does not fit.
  std::optional<Descriptor> next();

 private:
  ByteSpan bytes_;
};
std::optional<Descriptor> find_descriptor(ByteSpan descriptors, std::uint8_t tag);
void write_descriptor(ByteWriter& out, std::uint8_t tag, ByteSpan body);

constexpr std::uint8_t kRegistration = 0x05;  // [2.6.8]
constexpr std::uint8_t kLanguage = 0x0a;      // [2.6.18] ISO 639, with the audio type
constexpr std::uint8_t kMetadata = 0x26;      // [2.6.60]
constexpr std::uint8_t kExtension = 0x7f;     // [ETSI EN 300 468 6.2.16]; its tag is the first byte

// The format identifiers of all registration descriptors, "HEVC", "AC-3", ...
bool has_registration(ByteSpan descriptors, std::string_view identifier);
// BCP 47 of the first ISO 639 language; empty: unknown.
std::string language_of(ByteSpan descriptors);

}  // namespace kapok::mpegts
