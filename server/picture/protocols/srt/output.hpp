// What the protocol gives back: datagrams to send and events to handle, appended to vectors of the
// caller's, which it clears and reuses, so that nothing is allocated per packet. A datagram is a
// short head held here and a slice of a payload held elsewhere (sendmmsg with two iovecs): the
// payload is never copied.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/picture/protocols/srt/peer_address.hpp"
#include "server/picture/protocols/srt/sequence.hpp"

namespace kapok::srt {

struct Datagram {
  // Header and a full ACK [draft 3.2.4], the longest of what is sent a hundred times a second.
  static constexpr std::size_t kMaxHead = 48;

  PeerAddress to;
  std::uint8_t head_size = 0;
  std::array<std::byte, kMaxHead> head;  // left uninitialised beyond head_size
  Buffer payload;                        // may be empty

  ByteSpan head_bytes() const { return ByteSpan(head).first(head_size); }
  std::size_t size() const { return head_size + payload.size(); }
};

// One message as the peer's application sent it: for live streams seven TS packets as a rule.
struct Message {
  Buffer payload;      // a slice of the reader's slab where the message was one packet in clear
  Sequence first;      // of its first packet
  MonoTime source_at;  // when the peer took it over, on our clock; delivered `latency` later
};

// The packets that did not come in time, at this place between two messages.
struct Gap {
  std::uint32_t packets = 0;
};

enum class CloseReason : std::uint8_t {
  peer_shutdown,  // the peer said goodbye
  peer_silent,    // nothing heard for the idle timeout
  own_shutdown,   // shutdown() was called
};
std::string_view name_of(CloseReason reason);

struct Closed {
  CloseReason reason = CloseReason::own_shutdown;
  // The link of a group that ended; 0 when it is the connection itself, or the group's last link.
  SocketId link = 0;
};

using Event = std::variant<Message, Gap, Closed>;

struct Output {
  std::vector<Datagram> datagrams;
  std::vector<Event> events;

  void clear() {
    datagrams.clear();
    events.clear();
  }
};

}  // namespace kapok::srt
