// What field engineers ask about a transport stream, counted since the demuxer was made.
#pragma once

#include <cstdint>

#include "server/base/clock.hpp"

namespace kapok::mpegts {

struct TsStats {
  std::uint64_t packets = 0;  // of 188 bytes, damaged and null ones included
  std::uint64_t null_packets = 0;
  std::uint64_t continuity_errors = 0;  // [ISO/IEC 13818-1 2.4.3.3] packets were lost before one
  std::uint64_t transport_errors = 0;   // packets whose sender marked them damaged
  std::uint64_t scrambled_packets = 0;
  std::uint64_t resyncs = 0;          // times that 0x47 was not where it should be
  std::uint64_t skipped_bytes = 0;    // between such a place and the next packet
  std::uint64_t section_errors = 0;   // PSI sections with a wrong CRC or broken fields
  std::uint64_t damaged_units = 0;    // access units and frames dropped as incomplete or oversized
  std::uint64_t discontinuities = 0;  // jumps of the source's clock
  std::uint32_t pcr_interval_ms = 0;  // the last one
  std::uint32_t pcr_interval_max_ms = 0;
};

struct PidStats {
  std::uint16_t pid = 0;
  std::uint8_t stream_type = 0;  // 0: tables, or not announced
  std::uint64_t packets = 0;
  std::uint64_t continuity_errors = 0;
  std::uint64_t bits_per_second = 0;  // over the last second of arrival
};

}  // namespace kapok::mpegts
