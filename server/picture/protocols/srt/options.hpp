// What the two ends bring to a handshake, and the bounds that hold whatever the other side claims.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/encryption.hpp"

namespace kapok::srt {

// IP and UDP headers (28) and SRT's own (16) within the segment size [libsrt srtcore/packet.h].
constexpr std::uint32_t kHeaderBytes = 16;
constexpr std::uint32_t kSegmentOverhead = 28 + kHeaderBytes;
constexpr std::uint32_t kDefaultSegmentBytes = 1500;
// Smaller segments leave no room for a control packet; libsrt was corrupted by them (PR 3359).
constexpr std::uint32_t kMinSegmentBytes = 76;
constexpr std::size_t kMaxStreamIdBytes = 512;  // [draft 3.2.1.3]
// Ten times the default of 120 ms is usual on 5G; an hour would be a way to make us hoard.
constexpr milliseconds kMaxLatency{10'000};
// Messages that are due within this are delivered together: a wake-up for each would cost more.
constexpr milliseconds kDeliveryStep{5};
constexpr milliseconds kAckInterval{10};     // [draft 3.2.4]
constexpr milliseconds kKeepAlive{1'000};    // [draft 3.2.3]
constexpr milliseconds kIdleTimeout{5'000};  // libsrt's SRTO_PEERIDLETIMEO
constexpr milliseconds kHandshakeTimeout{3'000};
constexpr milliseconds kHandshakeRepeat{250};

struct LinkOptions {
  milliseconds latency{120};     // the greater of both sides' is used, in each direction
  EncryptionOptions encryption;  // no passphrase: in clear
  std::uint32_t segment_bytes = kDefaultSegmentBytes;
  // Packets in flight and in the receive buffer. 120 Mb/s needs 11,400 a second.
  std::uint32_t window_packets = 32'768;
  // Payload held for this link in each direction: 400 Mb/s for a second, and some.
  std::size_t buffer_bytes = 64 * 1024 * 1024;
  // Packets that may overtake one before it is reported lost; adapts up to this [libsrt
  // SRTO_LOSSMAXTTL].
  std::uint32_t reorder_packets = 40;
  // What retransmissions may add to what is sent, in per cent of it; 25 is libsrt's SRTO_OHEADBW.
  unsigned overhead_percent = 25;
  std::string filter;  // packet filter, "fec,cols:10,rows:5"; empty: as the peer wishes
};

}  // namespace kapok::srt
