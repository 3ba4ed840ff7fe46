// How a datagram finds its shard: the low byte of the socket id that it is addressed to is the
// index of the shard, and 0 (a handshake) goes to the first. The kernel looks at the same byte, so
// as a rule a datagram arrives where it belongs.
#pragma once

#include <cstdint>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/net/address_limits.hpp"
#include "server/net/udp_socket.hpp"
#include "server/picture/protocols/srt/handshake.hpp"

namespace kapok::ingest {

// [draft-sharabayko-srt 3] the destination socket id is the fourth word of every header.
constexpr std::uint32_t kSteeringByte = 15;
constexpr std::size_t kMaxSrtShards = 256;  // as many as the byte tells apart

constexpr std::size_t shard_of(srt::SocketId id) {
  return id & 0xFF;
}

// A socket id of that shard, unguessable so far as 22 bits are; never 0.
inline srt::SocketId random_socket_id(std::size_t shard) {
  std::uint32_t high = 0;
  while (high == 0) {
    const auto random = random_bytes<4>();
    ByteReader in(random);
    high = in.u32().value_or(0) & 0x3FFF'FF00;
  }
  return high | static_cast<std::uint32_t>(shard);
}
inline srt::SocketId random_group_id() {
  return random_socket_id(0) | srt::kGroupBit;
}

inline srt::PeerAddress peer_address(const boost::asio::ip::udp::endpoint& endpoint) {
  return {net::mapped_address(endpoint.address()).to_bytes(), endpoint.port()};
}

}  // namespace kapok::ingest
