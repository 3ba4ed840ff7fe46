#include "server/picture/protocols/srt/reject_reason.hpp"

#include <algorithm>
#include <array>

namespace kapok::srt {

namespace {

struct Description {
  RejectReason reason;
  std::string_view name;
  std::string_view text;
};

using enum RejectReason;
constexpr std::array kDescriptions = {
    Description{unknown, "unknown", "no reason was given"},
    Description{system, "system", "a system call failed there; look at its log"},
    Description{peer, "peer", "refused without a reason; look at the other side's log"},
    Description{resource, "resource",
                "the other side refused or has no resources; look at its log"},
    Description{rogue, "rogue",
                "the handshake was not understood; another program may use the port"},
    Description{backlog, "backlog", "too many callers are waiting; try again"},
    Description{internal, "internal", "an internal error there; look at its log"},
    Description{closing, "closing", "the listener is being closed; try again"},
    Description{version, "version",
                "this SRT version is not accepted; bring the older side up to date"},
    Description{rendezvous_cookie, "rendezvous_cookie",
                "rendezvous with itself; each side must name the other's address"},
    Description{bad_secret, "bad_secret", "the passphrase is not the one of the other side"},
    Description{unsecure, "unsecure",
                "only one side has a passphrase; set the same one on both, or none"},
    Description{message_api, "message_api", "one side is in file mode; use live mode on both"},
    Description{congestion, "congestion",
                "the congestion controls differ; use live mode on both sides"},
    Description{filter, "filter", "the packet filters do not agree; set the same on both, or one"},
    Description{group, "group", "this kind of link group is not accepted"},
    Description{timeout, "timeout", "no answer; check address, port and firewall (UDP)"},
    Description{crypto, "crypto", "the ciphers differ; set AES-CTR or AES-GCM on both sides"},
    Description{fallback, "fallback", "refused by the application"},
    Description{key_unsupported, "key_unsupported", "a key of the stream id is not supported"},
    Description{file_path, "file_path", "the path in the stream id is wrong"},
    Description{host_not_found, "host_not_found", "the host in the stream id is not known"},
    Description{bad_request, "bad_request",
                "the stream id was not understood; use #!::r=<channel>,m=publish,u=<key>"},
    Description{unauthorized, "unauthorized", "the key is missing or wrong"},
    Description{overload, "overload", "too much load or too many attempts; try again later"},
    Description{forbidden, "forbidden", "access to this channel is refused"},
    Description{not_found, "not_found", "there is no such channel"},
    Description{bad_mode, "bad_mode", "this mode (m=) is not offered for the channel"},
    Description{unacceptable, "unacceptable", "the parameters cannot be satisfied"},
    Description{conflict, "conflict", "somebody else publishes to this channel"},
    Description{media_unsupported, "media_unsupported", "this type (t=) is not supported"},
    Description{locked, "locked", "the channel is locked"},
    Description{failed_dependency, "failed_dependency", "the session that it needs has ended"},
    Description{internal_server_error, "internal_server_error",
                "an error in the server; look at its log"},
    Description{unimplemented, "unimplemented", "the server does not do this"},
    Description{gateway, "gateway", "the server's own upstream refused"},
    Description{down, "down", "the server is down for maintenance; try again later"},
    Description{application_version, "application_version",
                "the server does not support this version"},
    Description{no_room, "no_room", "the server has no storage left"},
};

const Description* find(RejectReason reason) {
  const auto* found = std::ranges::find(kDescriptions, reason, &Description::reason);
  return found == kDescriptions.end() ? nullptr : found;
}

}  // namespace

std::string_view name_of(RejectReason reason) {
  const auto* description = find(reason);
  return description == nullptr ? "other" : description->name;
}

std::string_view explain(RejectReason reason) {
  const auto* description = find(reason);
  return description == nullptr ? "refused by the other side" : description->text;
}

RejectReason reject_reason_of(Errc code) {
  switch (code) {
    case Errc::malformed:
      return bad_request;
    case Errc::unsupported:
      return unimplemented;
    case Errc::limit:
    case Errc::full:
      return overload;
    case Errc::denied:
      return unauthorized;
    case Errc::not_found:
      return RejectReason::not_found;
    case Errc::conflict:
      return RejectReason::conflict;
    case Errc::closed:
      return down;
    case Errc::timeout:
    case Errc::io:
    case Errc::config:
    case Errc::internal:
      return internal_server_error;
  }
  return internal_server_error;
}

}  // namespace kapok::srt
