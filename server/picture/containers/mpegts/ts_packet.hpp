// One transport stream packet taken apart [ISO/IEC 13818-1 2.4.3.2 to 2.4.3.5]. Views point into
// the bytes given.
#pragma once

#include <cstdint>
#include <optional>

#include "server/base/bytes.hpp"
#include "server/media/time.hpp"

namespace kapok::mpegts {

constexpr std::size_t kPacketBytes = 188;
constexpr std::byte kSyncByte{0x47};
constexpr std::uint16_t kPatPid = 0x0000;
// [2.4.3.3 table 2-3] 0x0000..0x000F are reserved for tables, 0x1FFF is padding.
constexpr std::uint16_t kFirstFreePid = 0x0010;
constexpr std::uint16_t kNullPid = 0x1fff;

constexpr media::Timescale kClockRate = 90'000;  // of PTS, DTS and the base of PCR
constexpr std::uint32_t kPcrPerTick = 300;       // PCR counts 27 MHz
constexpr int kClockBits = 33;

struct TsPacket {
  std::uint16_t pid = kNullPid;
  bool damaged = false;  // transport_error_indicator
  bool starts = false;   // payload_unit_start_indicator: a PES packet or a section begins here
  bool scrambled = false;
  bool has_payload = false;
  std::uint8_t continuity = 0;
  bool discontinuity = false;        // discontinuity_indicator
  bool random_access = false;        // random_access_indicator
  std::optional<std::uint64_t> pcr;  // 27 MHz, modulo 2^33 * 300
  ByteSpan payload;
};

// `bytes` are kPacketBytes and begin with kSyncByte. nullopt: the adaptation field does not fit.
std::optional<TsPacket> read_packet(ByteSpan bytes);

}  // namespace kapok::mpegts
