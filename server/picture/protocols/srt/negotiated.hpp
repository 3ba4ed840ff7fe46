// What a handshake settled: everything that a link needs to begin.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/picture/protocols/srt/encryption.hpp"
#include "server/picture/protocols/srt/fec.hpp"
#include "server/picture/protocols/srt/options.hpp"
#include "server/picture/protocols/srt/peer_address.hpp"
#include "server/picture/protocols/srt/sequence.hpp"

namespace kapok::srt {

struct Negotiated {
  PeerAddress peer;
  SocketId own_id = 0;
  SocketId peer_id = 0;
  std::uint32_t peer_version = 0;

  Sequence first_sent;      // our first data packet's number
  Sequence first_received;  // the peer's
  // When our clock of packet timestamps began, and the peer's as seen from here: the arrival of its
  // handshake less that packet's timestamp [draft 4.5.1].
  MonoTime own_start;
  MonoTime peer_start;

  milliseconds receive_latency{120};
  milliseconds send_latency{120};
  std::uint32_t segment_bytes = kDefaultSegmentBytes;  // the smaller of both
  std::uint32_t peer_window_packets = 0;

  LinkOptions options;  // ours: bounds and tolerances
  std::unique_ptr<Encryption> encryption;
  std::optional<FecConfig> fec;
  std::uint16_t weight = 0;  // in a group
  // A whole handshake datagram that answers a late one of the peer's; empty: none is answered.
  Bytes handshake_again;
};

}  // namespace kapok::srt
