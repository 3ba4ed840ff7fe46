// How a datagram finds its shard: the low byte of the socket id that it is addressed to is the
// index of the shard, and 0 (a handshake) goes to the first. The kernel looks at the same byte, so
// as a rule a datagram arrives where it belongs.
#pragma once

#include <cstdint>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/net/udp_socket.hpp"
#include "server/picture/protocols/srt/handshake.hpp"

namespace kapok::ingest {

// [draft-sharabayko-srt 3] the destination socket id is the fourth word of every header.
constexpr std::size_t kDestinationOffset = 12;
constexpr std::uint32_t kSteeringByte = kDestinationOffset + 3;
constexpr std::size_t kMaxSrtShards = 256;

// Nothing: too short to be SRT.
inline std::optional<srt::SocketId> destination_of(ByteSpan datagram) {
  ByteReader in(datagram);
  if (!in.skip(kDestinationOffset)) return std::nullopt;
  const auto id = in.u32();
  return id ? std::optional(*id) : std::nullopt;
}
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
  const auto address = endpoint.address();
  const auto six = address.is_v6() ? address.to_v6()
                                   : boost::asio::ip::make_address_v6(boost::asio::ip::v4_mapped,
                                                                      address.to_v4());
  return {six.to_bytes(), endpoint.port()};
}

}  // namespace kapok::ingest
