// Cuts an MPEG-TS byte stream into SRT messages of seven packets and, if it is to be sent by its
// own clock, says when each is due: packets between two program clock references are spread evenly
// between them [ISO/IEC 13818-1 2.4.2]. Where the clock jumps (an edit, a loop) the last rate goes
// on. Sans-I/O; bounded by kMaxBetweenClocks.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "server/app/send/options.hpp"
#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::send_app {

struct TsMessage {
  Buffer bytes;
  // Since the first packet's; always 0 with Pace::arrival.
  nanoseconds due{0};
};

class TsMessages {
 public:
  static constexpr std::size_t kPacketsPerMessage = 7;  // 1316 bytes, SRT's live payload
  // 400 Mb/s for the 100 ms that may lie between two clock references.
  static constexpr std::size_t kMaxBetweenClocks = std::size_t{8} * 1024 * 1024;
  // What may be skipped in search of a packet before the input counts as something else.
  static constexpr std::size_t kMaxSkipped = std::size_t{64} * 1024;

  explicit TsMessages(Pace pace) : pace_(pace) {}

  // Errors: malformed (no MPEG-TS; no clock to pace by).
  Result<void> push(ByteSpan bytes, std::vector<TsMessage>& out);
  // The end of the input, or of one turn of a loop: what is held comes out.
  void finish(std::vector<TsMessage>& out);

 private:
  Result<void> take_packet(ByteSpan packet, std::vector<TsMessage>& out);
  Result<void> take_by_clock(ByteSpan packet, std::vector<TsMessage>& out);
  void release(nanoseconds span, std::vector<TsMessage>& out);
  void append(ByteSpan packet, nanoseconds due, std::vector<TsMessage>& out);
  void close_message(std::vector<TsMessage>& out);
  nanoseconds at_last_rate(std::size_t bytes) const;

  Pace pace_;
  Bytes cut_;  // a packet that has not come whole
  std::size_t skipped_ = 0;

  Bytes between_;  // packets since the last clock reference
  std::optional<std::uint16_t> clock_pid_;
  std::optional<std::uint64_t> clock_;
  nanoseconds now_{0};
  double nanoseconds_per_byte_ = 0;

  Bytes message_;
  nanoseconds message_due_{0};
};

}  // namespace kapok::send_app
