// Transport streams made by hand, packet by packet, independently of the multiplexer.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "server/base/crypto.hpp"
#include "server/picture/containers/mpegts/pes.hpp"
#include "server/picture/containers/mpegts/psi.hpp"
#include "server/picture/containers/mpegts/stream_type.hpp"
#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::mpegts {

inline Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

class StreamBuilder {
 public:
  static constexpr std::uint16_t kPmtPid = 0x1000;

  struct Extra {
    std::optional<std::uint64_t> pcr = std::nullopt;  // 27 MHz
    bool discontinuity = false;
    bool random_access = false;
  };
  enum class Unit : std::uint8_t { starts, continues };
  enum class Length : std::uint8_t { stated, open };

  // One packet; at most 184 bytes less what `extra` needs.
  void packet(std::uint16_t pid, Unit unit, ByteSpan payload, Extra extra) {
    const std::size_t begin = bytes.size();
    const bool flags = extra.pcr || extra.discontinuity || extra.random_access;
    std::size_t adaptation = flags ? 2 + (extra.pcr ? 6 : 0) : 0;
    adaptation = std::max(adaptation, 184 - payload.size());
    ByteWriter out(bytes);
    out.u8(0x47);
    out.u16(static_cast<std::uint16_t>((unit == Unit::starts ? 0x4000 : 0) | pid));
    out.u8(
        static_cast<std::uint8_t>((adaptation > 0 ? 0x20 : 0) | 0x10 | (continuity[pid]++ & 0xf)));
    if (adaptation > 0) out.u8(static_cast<std::uint8_t>(adaptation - 1));
    if (adaptation > 1)
      out.u8(static_cast<std::uint8_t>((extra.discontinuity ? 0x80 : 0) |
                                       (extra.random_access ? 0x40 : 0) | (extra.pcr ? 0x10 : 0)));
    if (extra.pcr) {
      out.u32(static_cast<std::uint32_t>(*extra.pcr / 300 >> 1));
      out.u16(static_cast<std::uint16_t>((*extra.pcr / 300 & 1) << 15 | 0x7e00 | *extra.pcr % 300));
    }
    while (bytes.size() < begin + kPacketBytes - payload.size()) out.u8(0xff);
    out.bytes(payload);
  }
  void unit(std::uint16_t pid, ByteSpan whole, Extra extra) {
    std::size_t room = 184 - (extra.pcr ? 8 : extra.discontinuity || extra.random_access ? 2 : 0);
    Unit kind = Unit::starts;
    while (!whole.empty()) {
      const std::size_t taken = std::min(room, whole.size());
      packet(pid, kind, whole.first(taken), extra);
      whole = whole.subspan(taken);
      room = 184;
      kind = Unit::continues;
      extra = {};
    }
  }
  void section(std::uint16_t pid, ByteSpan section) {
    Bytes whole{std::byte{0}};
    whole.insert(whole.end(), section.begin(), section.end());
    whole.resize((whole.size() + 183) / 184 * 184, std::byte{0xff});
    unit(pid, whole, {});
  }
  void tables(std::vector<PmtStream> streams, std::uint8_t version) {
    section(kPatPid, write_pat({1, 0, {{1, kPmtPid}}}));
    Pmt pmt;
    pmt.version = version;
    pmt.pcr_pid = streams.front().pid;
    pmt.streams = std::move(streams);
    section(kPmtPid, write_pmt(pmt).value());
  }
  void pes(std::uint16_t pid, std::uint8_t id, std::optional<PesTimes> times, ByteSpan payload) {
    pes(pid, id, times, payload, Length::stated, {});
  }
  void pes(std::uint16_t pid, std::uint8_t id, std::optional<PesTimes> times, ByteSpan payload,
           Length length, Extra extra) {
    Bytes whole;
    ByteWriter out(whole);
    write_pes_header(out, id, times, payload.size());
    if (length == Length::open) whole[4] = whole[5] = std::byte{0};
    out.bytes(payload);
    unit(pid, whole, extra);
  }

  Bytes bytes;
  std::map<std::uint16_t, std::uint8_t> continuity;
};

// Parts of H.264 access units, in byte stream form.
namespace h264 {
inline const std::string kDelimiter = "0000000109f0";
inline const std::string kSets =
    "00000001674d402aeca03c0113f2e02d40404050000003001000000640f1831960"
    "0000000168ce0fc8";
inline const std::string kOtherSets =
    "000000016764001eacd940b424dff8020001688000000300800000190f8a14cb"
    "0000000168fba3cb22c0";
// first_mb_in_slice is 0 when the byte after the header begins with a 1 bit.
inline const std::string kIdr = "000001658811223344";
inline const std::string kIdrRest = "000001651811223344";
inline const std::string kPicture = "0000014188aabbccdd";
inline const std::string kPictureRest = "0000014118aabbccdd";
}  // namespace h264

}  // namespace kapok::mpegts
