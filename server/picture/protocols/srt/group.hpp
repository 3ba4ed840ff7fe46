// Several links that carry one stream [draft 3.2.1.4; libsrt docs/features/bonding-*.md].
// Receiving: all links write into ONE buffer ordered by sequence number, so a packet that any link
// brought is no loss on the others, a link may join late, lag by up to the latency, or die, and not
// one byte is missing. Sending: broadcast puts every packet on all links; main/backup uses the link
// of greatest weight, watches its answers, and goes over to the next with everything not yet
// acknowledged. A group that a peer names belongs to one publisher: whoever accepts links must
// check that they come with the same rights. Used from one thread: all links of a group live on one
// shard.
#pragma once

#include <memory>
#include <optional>

#include "server/picture/protocols/srt/connection.hpp"

namespace kapok::srt {

struct GroupOptions {
  GroupType type = GroupType::broadcast;
  SocketId group_id = 0;  // ours, as told to the peer; not 0
  // Of the whole group; packets of all links together.
  std::uint32_t window_packets = 32'768;
  std::size_t buffer_bytes = 64 * 1024 * 1024;
};

struct Negotiated;
struct OwnSide;

class Group {
 public:
  // More links than this serve nobody.
  static constexpr std::size_t kMaxLinks = 8;

  Group(MonoTime now, GroupOptions options);
  ~Group();
  Group(Group&&) noexcept;
  Group& operator=(Group&&) noexcept;

  // A datagram for the link with that socket id.
  void receive(MonoTime now, SocketId link, const PeerAddress& from, Buffer datagram, Output& out);
  // As Connection's. A Closed event with a link's id: that link is gone, the group goes on.
  // One with link 0: it was the last; an owner that waits for reconnection keeps the group.
  void advance(MonoTime now, Output& out);
  MonoTime next_deadline() const;
  Result<void> send(MonoTime now, Buffer message, std::optional<MonoTime> source_at = {});
  std::size_t max_payload_bytes() const;

  void shutdown(MonoTime now, Output& out);

  std::size_t link_count() const;
  GroupStats stats(MonoTime now) const;

 private:
  friend class Listener;
  friend class Caller;
  // Fills in what a new link shares with the others: time base, sequence number, group id.
  void introduce(OwnSide& own, std::uint16_t weight) const;
  void join(MonoTime now, Negotiated negotiated);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::srt
