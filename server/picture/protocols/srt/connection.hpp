// One established SRT link in live mode, both directions: reordering, loss reports,
// acknowledgements, delivery by timestamp, drops of what is too late, encryption, packet filter,
// statistics. Sans-I/O: the owner hands in datagrams and time and takes datagrams and events. Made
// by Listener::accept and by Caller. Used from one thread.
//
// The owner's duties:
//  - datagrams for our socket id (destination_of() in packet.hpp tells) go to receive(); those of
//    other senders are ignored inside;
//  - after any call, and no later than next_deadline(), advance() is called;
//  - a Closed event is the last one; the object may then be destroyed;
//  - a batch of datagrams goes through receive(), then one advance() delivers.
// [draft] is draft-sharabayko-srt.
#pragma once

#include <memory>
#include <optional>

#include "server/base/buffer.hpp"
#include "server/picture/protocols/srt/options.hpp"
#include "server/picture/protocols/srt/output.hpp"
#include "server/picture/protocols/srt/stats.hpp"

namespace kapok::srt {

struct Negotiated;  // what a handshake settled: negotiated.hpp

class Connection {
 public:
  Connection(MonoTime now, Negotiated negotiated);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // A datagram for this socket id, header included. The buffer is kept (not copied) as long as its
  // payload waits for its turn. `now` may be the kernel's receive timestamp: the better it is, the
  // better are RTT and the capacity estimate. Messages whose turn has come are not delivered here
  // but by advance(), so that a batch of datagrams costs one delivery.
  void receive(MonoTime now, const PeerAddress& from, Buffer datagram, Output& out);

  // Timers, acknowledgements, loss reports, sending, delivery.
  void advance(MonoTime now, Output& out);
  // When advance() has something to do next; always within a second.
  MonoTime next_deadline() const;

  // Queues one message; it leaves with this or a later advance(). One of more than
  // max_payload_bytes() is split; Errc::full when the send buffer is. `source_at` (default: now) is
  // what the receiver's delivery times follow.
  Result<void> send(MonoTime now, Buffer message, std::optional<MonoTime> source_at = {});
  std::size_t max_payload_bytes() const;

  // Says goodbye; a Closed event follows with the datagram in `out`.
  void shutdown(MonoTime now, Output& out);
  bool closed() const;

  SocketId socket_id() const;
  const PeerAddress& peer() const;
  LinkStats stats(MonoTime now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::srt
