// PES packet headers [ISO/IEC 13818-1 2.4.3.6, 2.4.3.7].
#pragma once

#include <cstdint>
#include <optional>

#include "server/base/bytes.hpp"

namespace kapok::mpegts {

struct PesHeader {
  std::uint8_t stream_id = 0;
  std::optional<std::uint64_t> pts;         // 90 kHz, modulo 2^33
  std::optional<std::uint64_t> dts;         // only beside a PTS that differs
  std::size_t size = 0;                     // of the header itself
  std::optional<std::size_t> payload_size;  // nullopt: up to the next PES packet (video only)
};

// Gathers the header of a PES packet, which may lie in several transport packets, and counts its
// payload.
class PesReader {
 public:
  // At the packet in which a PES packet begins.
  void start() {
    gathered_ = 0;
    state_ = State::header;
  }
  // Until the next start() nothing more is wanted: packets were lost, or this is no PES packet.
  void stop() { state_ = State::idle; }

  // Takes the header's bytes from the front of `bytes`; the header, once, when it is whole. A
  // broken one stops the reader.
  std::optional<PesHeader> header(ByteSpan& bytes);
  // What of `bytes` belongs to the payload.
  ByteSpan payload(ByteSpan bytes);
  // The payload came whole; only a packet that states its length can tell.
  bool is_complete() const { return state_ == State::payload && left_ == std::size_t{0}; }

 private:
  enum class State : std::uint8_t { idle, header, payload };
  static constexpr std::size_t kMaxHeaderBytes = 9 + 255;

  std::size_t header_bytes() const;
  std::optional<PesHeader> parse() const;

  State state_ = State::idle;
  std::size_t gathered_ = 0;
  std::byte bytes_[kMaxHeaderBytes] = {};
  std::optional<std::size_t> left_;
};

struct PesTimes {
  std::uint64_t pts = 0;
  std::uint64_t dts = 0;
};
// A header for a payload of that size. One too long for the length field gets length 0, "up to the
// next" [2.4.3.7]: meant for video, and of what else is that long it says what its source said.
void write_pes_header(ByteWriter& out, std::uint8_t stream_id, std::optional<PesTimes> times,
                      std::size_t payload_size);

// [table 2-22] streams whose header has no optional fields.
bool has_plain_header(std::uint8_t stream_id);

}  // namespace kapok::mpegts
