// Packets from their queueing until the peer has acknowledged them: first sent in order, then again
// where the peer reports a loss [draft 4.8]. A ring by sequence number; payloads are references.
// What became too old is dropped [draft 4.6]. Bounds: packets, bytes, and age.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "server/picture/protocols/srt/packet.hpp"

namespace kapok::srt {

struct SendPacket {
  Buffer payload;  // from its first transmission on: as it goes over the wire
  MessageWord message;
  std::uint32_t timestamp = 0;
  MonoTime source_at;
  MonoTime sent_at;     // last time, once next() is past it
  bool wanted = false;  // again, by the peer
};

class SendBuffer {
 public:
  SendBuffer(Sequence first, std::uint32_t most_packets, std::size_t most_bytes);

  bool fits(std::size_t packets, std::size_t bytes) const;
  void push(SendPacket packet);
  // Forgets everything and goes on from there: where the other links of a group are.
  void restart_at(Sequence sequence);

  Sequence first() const { return first_; }  // oldest not acknowledged
  Sequence next() const { return next_; }    // the next new one to be sent
  Sequence end() const { return end_; }      // what a new one would get
  bool empty() const { return first_ == end_; }
  std::uint32_t flight() const { return static_cast<std::uint32_t>(next_.ahead_of(first_)); }
  std::uint32_t waiting() const { return static_cast<std::uint32_t>(end_.ahead_of(next_)); }
  std::uint32_t packets() const { return static_cast<std::uint32_t>(end_.ahead_of(first_)); }
  std::uint64_t bytes() const { return bytes_; }

  SendPacket& at(Sequence sequence) { return ring_[sequence.value() & (ring_.size() - 1)]; }
  const SendPacket& at(Sequence sequence) const {
    return ring_[sequence.value() & (ring_.size() - 1)];
  }

  // Encryption changes a payload, and with GCM its length.
  void replace_payload(Sequence sequence, Buffer payload);
  // The next new one is on its way.
  void sent_next() { next_ = next_ + 1; }
  // Everything before `up_to` arrived. False: more than was ever sent; nothing is changed.
  bool acknowledge(Sequence up_to);
  // Marks what lies between first() and next(); returns how many.
  std::uint32_t want(SequenceRange lost);
  // The next one wanted whose retransmission, if any, was not after `sent_before`.
  std::optional<Sequence> next_wanted(MonoTime sent_before);
  bool any_wanted() const { return !wanted_.empty(); }
  // Forgets what is older; returns how many.
  std::uint32_t drop_before(MonoTime source_at);

 private:
  void release_first();

  std::uint32_t most_packets_;
  std::size_t most_bytes_;
  std::vector<SendPacket> ring_;  // a power of two of them
  Sequence first_;
  Sequence next_;
  Sequence end_;
  std::uint64_t bytes_ = 0;
  std::deque<Sequence> wanted_;  // may name packets that are gone
};

}  // namespace kapok::srt
