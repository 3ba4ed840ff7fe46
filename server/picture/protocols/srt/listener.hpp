// The answering side of the caller-listener handshake [draft 4.3.1] for one UDP port: it takes
// every datagram whose destination socket id is 0. Induction is answered without keeping anything:
// the cookie is a keyed hash of the address and a coarse time. Only a conclusion with a valid
// cookie makes an entry (under 1 KiB, kMaxPending of them, 3 s), while the owner is asked whether
// the caller may come in; a repeated conclusion is answered from the entry. No answer is longer
// than what it answers. Used from one thread; with several shards each has its own, made with the
// same secret.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/picture/protocols/srt/connection.hpp"
#include "server/picture/protocols/srt/cookie.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::srt {

class Group;

// A peer's claim to be one link of a group [draft 3.2.1.4].
struct GroupClaim {
  SocketId group_id = 0;  // the peer's name for its group: unique per peer only
  GroupType type = GroupType::broadcast;
  std::uint16_t weight = 0;
};

// Somebody wants in. Answer with accept() or reject() within kHandshakeTimeout; an owner that does
// neither lets the entry expire.
struct Asked {
  std::uint64_t id = 0;
  PeerAddress peer;
  SocketId peer_socket_id = 0;
  std::uint32_t peer_version = 0;
  std::string stream_id;    // as sent, at most 512 bytes, may be empty; see stream_id.hpp
  bool encrypted = false;   // the caller brought key material
  unsigned key_bytes = 0;   // of the announced key; 0: not announced
  milliseconds latency{0};  // what the peer asks for, the greater of both directions
  std::string filter;       // its packet filter, "" without
  std::optional<GroupClaim> group;
};

struct AcceptOptions {
  SocketId socket_id = 0;  // ours for this connection: unique in the process, not 0
  LinkOptions link;
  // The group to join (its links share sequence numbers and time base), or none: then a group
  // member is answered as a plain connection would be, and the peer drops its grouping.
  Group* group = nullptr;
};

struct ListenerCounters {
  std::uint64_t inductions = 0;
  std::uint64_t conclusions = 0;
  std::uint64_t bad_cookies = 0;
  std::uint64_t malformed = 0;
  std::uint64_t table_full = 0;
};

// What accept() would say of a conclusion that receive() has asked about, short of the limits of a
// group. Pure; tells the peer nothing.
OrRefusal<void> check_conclusion(ByteSpan datagram, const LinkOptions& link);

class Listener {
 public:
  // Entries waiting for an answer, all peers together; half of them at most for one IP address.
  static constexpr std::size_t kMaxPending = 1024;

  explicit Listener(CookieSecret secret);
  ~Listener();
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;

  // A datagram with destination 0. The question is asked once per caller.
  std::optional<Asked> receive(MonoTime now, const PeerAddress& from, ByteSpan datagram,
                               Output& out);

  // The connection is live from here on; its first datagram is in `out`. With options.group it has
  // joined and belongs to the group: the pointer returned is then null.
  // Fails (and has told the peer): denied for a wrong or missing passphrase, not_found for an id
  // that expired, unsupported for a filter or mode that we do not speak.
  Result<std::unique_ptr<Connection>> accept(MonoTime now, std::uint64_t id,
                                             const AcceptOptions& options, Output& out);
  // `reason` is the code of reject_reason.hpp: 1..999 libsrt's own, 1400.. the HTTP-like ones.
  void reject(MonoTime now, std::uint64_t id, std::uint32_t reason, Output& out);

  // Forgets entries that expired; call about once a second.
  void advance(MonoTime now);
  const ListenerCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::srt
