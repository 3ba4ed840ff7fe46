// The listener's stateless cookie [draft 4.3.1.1]: whoever sends it back has received it at that
// address, not long ago. HMAC-SHA-256 with a random key over address and period, cut to 32 bits;
// the previous period's is good too.
#pragma once

#include <array>

#include "server/base/clock.hpp"
#include "server/base/crypto.hpp"
#include "server/picture/protocols/srt/peer_address.hpp"

namespace kapok::srt {

using CookieSecret = std::array<std::byte, 32>;

class CookieJar {
 public:
  // A cookie is good for one to two of these; a handshake lasts at most three seconds.
  static constexpr seconds kPeriod{10};

  explicit CookieJar(CookieSecret secret) : secret_(secret) {}

  std::uint32_t bake(MonoTime now, const PeerAddress& peer) const {
    return at_period(now.time_since_epoch() / kPeriod, peer);
  }
  bool good(MonoTime now, const PeerAddress& peer, std::uint32_t cookie) const {
    const auto period = now.time_since_epoch() / kPeriod;
    return cookie == at_period(period, peer) || cookie == at_period(period - 1, peer);
  }

 private:
  std::uint32_t at_period(std::int64_t period, const PeerAddress& peer) const {
    Bytes text;
    ByteWriter out(text);
    out.bytes(std::as_bytes(std::span(peer.ip)));
    out.u16(peer.port);
    out.u64(static_cast<std::uint64_t>(period));
    const Digest256 digest = hmac_sha256(secret_, text);
    const ByteSpan bytes(digest);
    return ByteReader(bytes).u32().value_or(0);
  }
  CookieSecret secret_;
};

}  // namespace kapok::srt
