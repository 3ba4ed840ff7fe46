// The asking side: caller [draft 4.3.1] and rendezvous [draft 4.3.2]. Give it datagrams addressed
// to its socket id (rendezvous: also those to 0 from the peer) until done(); then take the
// connection or read why not. Resolution of names, choice of the local port and another attempt are
// the owner's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/picture/protocols/srt/connection.hpp"

namespace kapok::srt {

class Group;

struct CallOptions {
  PeerAddress peer;
  SocketId socket_id = 0;  // ours: unique in the process, not 0
  LinkOptions link;
  std::string stream_id;
  Group* group = nullptr;    // the group that this link will join
  std::uint16_t weight = 0;  // in a backup group: the greater is used first
};

class Caller {
 public:
  enum class Mode : std::uint8_t { caller, rendezvous };

  Caller(MonoTime now, Mode mode, CallOptions options);
  ~Caller();
  Caller(Caller&&) noexcept;
  Caller& operator=(Caller&&) noexcept;

  void receive(MonoTime now, const PeerAddress& from, ByteSpan datagram, Output& out);
  // Sends and repeats; gives up after kHandshakeTimeout.
  void advance(MonoTime now, Output& out);
  MonoTime next_deadline() const;

  bool done() const;
  // Once done: the connection (null with options.group: the group has it), or the error. `denied`
  // carries the peer's reason in words, reject_code() its number.
  Result<std::unique_ptr<Connection>> take(MonoTime now);
  std::uint32_t reject_code() const;  // 0: the peer did not refuse

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::srt
