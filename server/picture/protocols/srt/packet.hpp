// The 16-byte header of SRT and its control packets [draft 3]. Parsing checks every length before a
// field is read and yields views; writing appends a Datagram whose head holds everything but long
// bodies. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "server/picture/protocols/srt/options.hpp"
#include "server/picture/protocols/srt/output.hpp"

namespace kapok::srt {

// [draft 3.2, table 1]
enum class ControlType : std::uint16_t {
  handshake = 0,
  keep_alive = 1,
  ack = 2,
  nak = 3,
  congestion_warning = 4,
  shutdown = 5,
  ackack = 6,
  drop_request = 7,
  peer_error = 8,
  user = 0x7FFF,
};
// Subtypes of `user`: a key refresh outside the handshake [draft 3.2.2].
constexpr std::uint16_t kSubtypeKeyRequest = 3;
constexpr std::uint16_t kSubtypeKeyResponse = 4;

inline std::uint32_t load_u32(const std::byte* at) {
  return std::to_integer<std::uint32_t>(at[0]) << 24 | std::to_integer<std::uint32_t>(at[1]) << 16 |
         std::to_integer<std::uint32_t>(at[2]) << 8 | std::to_integer<std::uint32_t>(at[3]);
}
inline void store_u32(std::byte* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

// The second word of a data packet [draft 3.1].
struct MessageWord {
  static constexpr std::uint32_t kFirst = 0x8000'0000;
  static constexpr std::uint32_t kLast = 0x4000'0000;
  static constexpr std::uint32_t kInOrder = 0x2000'0000;
  static constexpr std::uint32_t kRetransmitted = 0x0400'0000;

  std::uint32_t bits = 0;

  bool first() const { return (bits & kFirst) != 0; }
  bool last() const { return (bits & kLast) != 0; }
  std::uint8_t key_flags() const { return static_cast<std::uint8_t>(bits >> 27 & 3); }
  bool retransmitted() const { return (bits & kRetransmitted) != 0; }
  MessageNumber number() const { return MessageNumber(bits); }
  MessageWord with_key_flags(std::uint8_t flags) const {
    return {(bits & ~(3U << 27)) | std::uint32_t{flags} << 27};
  }
};

struct Header {
  bool control = false;
  ControlType type = ControlType::handshake;  // control
  std::uint16_t subtype = 0;                  // control
  std::uint32_t word1 = 0;                    // control: type-specific information
  Sequence sequence;                          // data
  MessageWord message;                        // data
  std::uint32_t timestamp = 0;
  SocketId destination = 0;
};
// Nothing: shorter than a header.
std::optional<Header> parse_header(ByteSpan datagram);
// For whoever sorts datagrams by connection; 0 also when there is no header.
SocketId destination_of(ByteSpan datagram);

void write_data_header(std::span<std::byte, kHeaderBytes> to, Sequence sequence,
                       MessageWord message, std::uint32_t timestamp, SocketId destination);

// Where a control packet goes and what time it carries.
struct Route {
  PeerAddress to;
  SocketId destination = 0;
  std::uint32_t timestamp = 0;
};
struct ControlHead {
  ControlType type;
  std::uint16_t subtype = 0;
  std::uint32_t word1 = 0;
};
// `body` is a multiple of four bytes; short ones lie in the datagram's head.
void write_control(std::vector<Datagram>& out, const Route& route, ControlHead head, ByteSpan body);

// [draft 3.2.4] A light ACK has the sequence number only, a small one four fields, a full one
// seven.
struct Ack {
  std::uint32_t number = 0;  // 0: light
  Sequence up_to;            // the first one not received
  bool has_link = false;     // the fields below came
  std::uint32_t rtt_us = 0;
  std::uint32_t rtt_variance_us = 0;
  std::uint32_t available_packets = 0;
  bool has_rates = false;
  std::uint32_t packets_per_second = 0;
  std::uint32_t capacity_packets_per_second = 0;
  std::uint32_t bytes_per_second = 0;
};
std::optional<Ack> parse_ack(const Header& header, ByteSpan body);
void write_ack(std::vector<Datagram>& out, const Route& route, const Ack& ack);

// [draft 3.2.5, appendix A] Ranges as listed; stops at the first that is reversed or cut short.
std::vector<SequenceRange> parse_nak(ByteSpan body);
// As many packets as it takes for all of them, each at most `max_body` bytes.
void write_nak(std::vector<Datagram>& out, const Route& route, std::span<const SequenceRange> lost,
               std::size_t max_body);

// [draft 3.2.9] Nothing: wrong length or reversed.
std::optional<SequenceRange> parse_drop_request(ByteSpan body);

}  // namespace kapok::srt
