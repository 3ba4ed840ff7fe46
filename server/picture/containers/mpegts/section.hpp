// Sections of tables (PAT, PMT, SCTE-35 and private ones) gathered from the packets of one PID
// [ISO/IEC 13818-1 2.4.4]. Holds at most one unfinished section.
#pragma once

#include <cstdint>
#include <vector>

#include "server/base/bytes.hpp"

namespace kapok::mpegts {

// [2.4.4.11] private_section_length is at most 4093, three bytes stand before it.
constexpr std::size_t kMaxSectionBytes = 4096;

class SectionAssembler {
 public:
  enum class Payload : std::uint8_t { starts, continues };  // payload_unit_start_indicator

  // Appends the sections that this payload completes, header and CRC included, to `out`. What
  // breaks its format is left out until the next start; broken() counts it.
  void payload(ByteSpan bytes, Payload kind, std::vector<Bytes>& out);
  // Packets were lost: the section being gathered is not whole.
  void lost();
  std::uint64_t broken() const { return broken_; }

 private:
  // Takes from the front of `bytes` what belongs to the open section.
  void gather(ByteSpan& bytes, std::vector<Bytes>& out);

  Bytes section_;
  bool open_ = false;
  std::uint64_t broken_ = 0;
};

}  // namespace kapok::mpegts
