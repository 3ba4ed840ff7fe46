// Why a handshake is refused. The numbers are those that SRT tools print: libsrt's own below 1000
// [libsrt docs/API/rejection-codes.md] and the ones modelled on HTTP from 1400. On the wire the
// handshake's type is 1000 more [libsrt srtcore/handshake.h, URQFailure], so 10 travels as 1010 and
// 1401 as 2401.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "server/base/result.hpp"

namespace kapok::srt {

enum class RejectReason : std::uint32_t {
  unknown = 0,
  system = 1,
  peer = 2,
  resource = 3,
  rogue = 4,
  backlog = 5,
  internal = 6,
  closing = 7,
  version = 8,
  rendezvous_cookie = 9,
  bad_secret = 10,
  unsecure = 11,
  message_api = 12,
  congestion = 13,
  filter = 14,
  group = 15,
  timeout = 16,
  crypto = 17,

  fallback = 1000,
  key_unsupported = 1001,
  file_path = 1002,
  host_not_found = 1003,
  bad_request = 1400,
  unauthorized = 1401,
  overload = 1402,
  forbidden = 1403,
  not_found = 1404,
  bad_mode = 1405,
  unacceptable = 1406,
  conflict = 1409,
  media_unsupported = 1415,
  locked = 1423,
  failed_dependency = 1424,
  internal_server_error = 1500,
  unimplemented = 1501,
  gateway = 1502,
  down = 1503,
  application_version = 1505,
  no_room = 1507,
};

constexpr std::uint32_t code_of(RejectReason reason) {
  return static_cast<std::uint32_t>(reason);
}
// "bad_secret"; "other" for codes that no specification names.
std::string_view name_of(RejectReason reason);
// For people, with the remedy: "the passphrase is not the one that the other side has".
std::string_view explain(RejectReason reason);

// The handshake type of a refusal, and back: nothing when the type is no refusal.
constexpr std::uint32_t kFirstRefusal = 1000;
constexpr std::uint32_t handshake_type_of(RejectReason reason) {
  return kFirstRefusal + code_of(reason);
}

// How our own errors about access are told to a caller.
RejectReason reject_reason_of(Errc code);

// A refusal with what our log says about it.
struct Refusal {
  RejectReason reason = RejectReason::unknown;
  std::string why;
};
template <class T>
using OrRefusal = std::expected<T, Refusal>;

}  // namespace kapok::srt
