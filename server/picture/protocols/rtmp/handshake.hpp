// The RTMP handshake, plain and with digests. [RTMP 1.0, 5.2] Flash-era clients, and FFmpeg to this
// day, hide an HMAC-SHA-256 in C1 and may check that the server answers in kind; the keys are
// public constants and prove nothing. A server answers a digest with a digest, else it echoes.
// Sans-I/O: fed whatever has come, one object a connection.
#pragma once

#include <cstdint>
#include <optional>

#include "server/base/bytes.hpp"

namespace kapok::rtmp {

constexpr std::size_t kHandshakeBytes = 1536;  // C1, C2, S1, S2

// Where in C1 and S1 the digest lies. schema1 keeps it in the first half (FFmpeg), schema0 in the
// second.
enum class DigestScheme : std::uint8_t { none, schema0, schema1 };

class ServerHandshake {
 public:
  // Returns bytes consumed (0: more is needed) and appends S0 S1 S2 to `out` when due.
  Result<std::size_t> read(ByteSpan bytes, Bytes& out);
  bool done() const { return state_ == State::done; }
  DigestScheme scheme() const { return scheme_; }

 private:
  enum class State : std::uint8_t { c0_c1, c2, done };
  State state_ = State::c0_c1;
  DigestScheme scheme_ = DigestScheme::none;
};

class ClientHandshake {
 public:
  // Appends C0 C1.
  void start(DigestScheme scheme, Bytes& out);
  // Likewise for S0 S1 S2; appends C2. With a digest scheme, an answer without the right digest
  // is Errc::malformed.
  Result<std::size_t> read(ByteSpan bytes, Bytes& out);
  bool done() const { return done_; }

 private:
  DigestScheme scheme_ = DigestScheme::none;
  Bytes digest_;  // ours, that S2 must be signed with
  bool done_ = false;
};

}  // namespace kapok::rtmp
