// One link of kapok-send: its socket on its uplink, the call that is being made, and what is known
// of it. The sender moves it along.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/app/send/options.hpp"
#include "server/app/send/report.hpp"
#include "server/net/udp_socket.hpp"
#include "server/picture/protocols/srt/caller.hpp"

namespace kapok::send_app {

enum class LinkState : std::uint8_t { waiting, resolving, calling, up };

struct Link {
  // Errors: config (the address to bind is none of this machine's).
  static Result<std::unique_ptr<Link>> open(const LinkTarget& target, net::UdpSlabs& slabs,
                                            const boost::asio::any_io_executor& executor);

  // Where a datagram for `peer` goes by this link's socket.
  net::UdpPath path_to(const srt::PeerAddress& peer) const;
  void fail(MonoTime now);

  LinkTarget target;
  std::unique_ptr<net::UdpSocket> socket;

  LinkState state = LinkState::waiting;
  std::optional<srt::Caller> caller;
  srt::SocketId id = 0;       // ours, of this call
  srt::SocketId peer_id = 0;  // the listener's: says which of our sockets a datagram leaves by
  MonoTime next_call = MonoTime::min();
  milliseconds back_off{0};
  bool refused = false;  // the last call was: in words, with a code

  srt::LinkStats stats;  // of the present connection, a moment ago
  LinkCounts before;     // of those that ended
  LinkCounts counts() const;
};

srt::PeerAddress peer_of(const boost::asio::ip::udp::endpoint& endpoint);
// The id of the listener's socket in its answer to a conclusion; 0 in any other datagram.
// [draft-sharabayko-srt 3.2.1]
srt::SocketId announced_id(ByteSpan datagram);

}  // namespace kapok::send_app
