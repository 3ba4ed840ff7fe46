// An srt:// address as encoders and field engineers write it, for feeds that the server fetches:
// srt://host:port?mode=caller&streamid=...&passphrase=...&pbkeylen=16&latency=400&weight=1. The
// parameters are libsrt's (latency in milliseconds, cryptomode by number or name). It holds
// secrets: never log it, log place().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/base/result.hpp"
#include "server/picture/protocols/srt/key_material.hpp"

namespace kapok::ingest {

enum class SrtMode : std::uint8_t { caller, rendezvous };

struct SrtUrl {
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  SrtMode mode = SrtMode::caller;
  std::string stream_id;
  std::string passphrase;
  unsigned key_bytes = 16;
  srt::CipherMode cipher = srt::CipherMode::ctr;
  std::optional<milliseconds> latency;  // nothing: the server's
  std::uint16_t weight = 0;             // in a backup bond: the greatest is used first
  std::string filter;                   // packet filter

  // "host:9000", "[2001:db8::1]:9000": what may be logged.
  std::string place() const;
  bool operator==(const SrtUrl&) const = default;
};

// Errors: config, which repeat nothing of the address but names of parameters.
Result<SrtUrl> parse_srt_url(std::string_view text);

}  // namespace kapok::ingest
