#include "server/app/send/link.hpp"

#include <algorithm>

#include "server/net/address_limits.hpp"
#include "server/picture/protocols/srt/packet.hpp"

namespace kapok::send_app {

namespace {

namespace asio = boost::asio;

// A person who unplugged a cable waits at most this long after plugging it in again.
constexpr milliseconds kFirstBackOff{500};
constexpr milliseconds kLastBackOff{8'000};

constexpr std::uint32_t kConclusion = 0xFFFF'FFFF;
constexpr std::size_t kTypeAt = srt::kHeaderBytes + 20;
constexpr std::size_t kSocketIdAt = srt::kHeaderBytes + 24;

}  // namespace

Result<std::unique_ptr<Link>> Link::open(const LinkTarget& target, net::UdpSlabs& slabs,
                                         const asio::any_io_executor& executor) {
  auto link = std::make_unique<Link>();
  link->target = target;
  net::UdpOptions options;
  options.listen = {.address = target.bind, .port = 0, .what = "a link", .remedy = "try again"};
  auto sockets = net::UdpSocket::open({executor}, options, slabs, Log());
  if (!sockets)
    return kapok::fail(Errc::config,
                       "{}: this machine has no uplink with the address {} (ip addr shows them)",
                       target.name(), target.bind);
  link->socket = std::move(sockets->front());
  return link;
}

net::UdpPath Link::path_to(const srt::PeerAddress& peer) const {
  asio::ip::address address = asio::ip::address_v6(peer.ip);
  // A socket that is bound to an IPv4 address knows no others.
  if (target.bind.contains('.')) address = net::plain_address(address);
  return {.peer = {address, peer.port}, .local = {}};
}

void Link::fail(MonoTime now) {
  state = LinkState::waiting;
  caller.reset();
  before = counts();
  stats = {};
  back_off = std::clamp(back_off * 2, kFirstBackOff, kLastBackOff);
  next_call = now + back_off;
}

LinkCounts Link::counts() const {
  LinkCounts sum = before;
  sum += {.bytes = stats.bytes_sent,
          .packets = stats.packets_sent,
          .lost = stats.packets_reported_lost,
          .resent = stats.packets_retransmitted,
          .dropped = stats.packets_send_dropped};
  return sum;
}

srt::PeerAddress peer_of(const asio::ip::udp::endpoint& endpoint) {
  return {.ip = net::mapped_address(endpoint.address()).to_bytes(), .port = endpoint.port()};
}

srt::SocketId announced_id(ByteSpan datagram) {
  const auto header = srt::parse_header(datagram);
  if (!header || !header->control || header->type != srt::ControlType::handshake ||
      datagram.size() < kSocketIdAt + 4 || srt::load_u32(datagram.data() + kTypeAt) != kConclusion)
    return 0;
  return srt::load_u32(datagram.data() + kSocketIdAt);
}

}  // namespace kapok::send_app
