// An MPEG-TS file as an endless live stream: each pass goes on where the last one ended, in PCR,
// PTS, DTS and continuity counters (ISO/IEC 13818-1 2.4.3), as an encoder that never stops would
// send it.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/result.hpp"

namespace kapok::support {

// What all loops over one file share.
struct TsFile {
  static constexpr std::size_t kPacketBytes = 188;
  static constexpr std::size_t kMessageBytes = 7 * kPacketBytes;

  // Errors: io, corrupt (no TS, no clock, no video).
  static Result<std::shared_ptr<const TsFile>> load(const std::filesystem::path& path);

  Bytes bytes;                   // whole messages only, but for the last
  std::vector<nanoseconds> due;  // of each message, by the PCRs around it, from the first on
  std::int64_t pass_ticks = 0;   // one pass, 90 kHz
  std::array<std::uint8_t, 8192> packets_mod_16{};  // with payload, by PID, in one pass
};

class TsLoop {
 public:
  explicit TsLoop(std::shared_ptr<const TsFile> file) : file_(std::move(file)) {}

  nanoseconds due() const;  // of the next message, since the first
  Buffer next();

 private:
  void restamp(std::span<std::byte> packet) const;

  std::shared_ptr<const TsFile> file_;
  std::size_t message_ = 0;
  std::int64_t pass_ = 0;
};

}  // namespace kapok::support
