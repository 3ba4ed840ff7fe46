// What field engineers expect to read of an SRT link: counters since the connection began and
// present values. Plain values, taken by copy; the names follow libsrt's where those are well known
// [libsrt docs/API/statistics.md] and are spelled out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/peer_address.hpp"

namespace kapok::srt {

struct LinkStats {
  SocketId socket_id = 0;
  PeerAddress peer;
  milliseconds receive_latency{0};  // negotiated
  milliseconds send_latency{0};     // negotiated: how long the peer buffers
  std::string encryption = "none";  // "none", "aes-ctr-128", "aes-gcm-256", ...
  std::uint32_t peer_version = 0;   // 0x010503 is 1.5.3

  microseconds rtt{0};
  microseconds rtt_variance{0};

  // Receiving. Packets are data packets; `lost` counts every packet reported missing, also those
  // that a retransmission brought later; `dropped` those that were given up.
  std::uint64_t packets_received = 0;  // unique or not, in time or not
  std::uint64_t bytes_received = 0;    // payload of those
  std::uint64_t packets_lost = 0;
  std::uint64_t packets_retransmitted_received = 0;  // with the retransmission flag
  std::uint64_t packets_duplicate = 0;               // already held (in a group: from any link)
  std::uint64_t packets_belated = 0;                 // after their turn
  std::uint64_t packets_dropped = 0;  // missing when their turn came; 0 in a group's links
  std::uint64_t packets_undecrypted = 0;
  std::uint64_t packets_refused = 0;  // malformed, out of the window, over the cap, in clear
  std::uint64_t packets_recovered_by_fec = 0;
  std::uint64_t packets_contributed = 0;  // first to arrive: in a group, this link's share
  std::uint64_t naks_sent = 0;
  std::uint64_t acks_sent = 0;
  double receive_mbps = 0;        // last second, payload
  double link_capacity_mbps = 0;  // from probe pairs; 0 until known
  std::uint32_t buffered_packets = 0;
  std::uint64_t buffered_bytes = 0;
  milliseconds buffered{0};  // source time between oldest and newest packet held
  microseconds drift{0};     // of the peer's clock against ours, since the connection began

  // Sending.
  std::uint64_t packets_sent = 0;  // with retransmissions
  std::uint64_t bytes_sent = 0;    // payload of those
  std::uint64_t packets_retransmitted = 0;
  std::uint64_t packets_reported_lost = 0;  // by the peer's NAKs
  std::uint64_t packets_send_dropped = 0;   // too old to be sent any more
  std::uint64_t naks_received = 0;
  std::uint64_t acks_received = 0;
  std::uint32_t flight_packets = 0;  // sent and not acknowledged
  std::uint32_t flow_window = 0;     // what the peer can take
  std::uint32_t send_buffered_packets = 0;
  std::uint64_t send_buffered_bytes = 0;
  double send_mbps = 0;  // last second, payload
};

enum class GroupType : std::uint8_t { broadcast = 1, backup = 2 };  // [draft 3.2.1.4]

// [libsrt docs/features/bonding-main-backup.md] How a sending group sees a link: standing by, just
// activated, in use, answering again, not answering as it should.
enum class LinkState : std::uint8_t { idle, fresh, stable, wary, unstable };
std::string_view name_of(LinkState state);

struct GroupLinkStats {
  LinkStats link;
  std::uint16_t weight = 0;
  LinkState state = LinkState::idle;  // broadcast: idle until used, then stable
};

struct GroupStats {
  GroupType type = GroupType::broadcast;
  std::uint64_t packets_delivered = 0;
  std::uint64_t packets_dropped = 0;  // that no link brought in time
  std::uint32_t buffered_packets = 0;
  std::uint64_t buffered_bytes = 0;
  milliseconds buffered{0};
  std::uint64_t switches = 0;  // backup links activated
  std::vector<GroupLinkStats> links;
};

}  // namespace kapok::srt
