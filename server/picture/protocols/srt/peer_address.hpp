// Where a datagram came from, as an opaque key of 18 bytes: the protocol compares and hashes it and
// never looks inside. Whoever owns the socket fills it (IPv4 as ::ffff:a.b.c.d).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>

namespace kapok::srt {

// Names one end of a connection; never 0, which addresses a listener [draft 3].
using SocketId = std::uint32_t;

struct PeerAddress {
  std::array<std::uint8_t, 16> ip{};  // network byte order
  std::uint16_t port = 0;             // host byte order

  auto operator<=>(const PeerAddress&) const = default;
};

struct PeerAddressHash {
  std::size_t operator()(const PeerAddress& peer) const {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, peer.ip.data(), 8);
    std::memcpy(&low, peer.ip.data() + 8, 8);
    return std::hash<std::uint64_t>{}((high * 0x9E37'79B9'7F4A'7C15U) ^ low ^
                                      (std::uint64_t{peer.port} << 32));
  }
};

}  // namespace kapok::srt
