// Data packets between arrival and their turn, ordered by sequence number: a ring of slots, so that
// placing one costs the same however many are held. The payloads are references into the reader's
// slabs. Messages come out when their time has come (source time plus latency), what is missing
// then is given up [draft 4.5, 4.6]. One for a connection; one for ALL links of a group: whichever
// link brings a packet first fills its slot.
//
// Bounds: window_packets slots at most (the ring grows with what is really held) and buffer_bytes
// of payload. No loop runs over numbers that a packet named: ranges are first cut to what lies
// between the first and the last packet held.
#pragma once

#include <optional>
#include <vector>

#include "server/picture/protocols/srt/output.hpp"
#include "server/picture/protocols/srt/packet.hpp"

namespace kapok::srt {

struct HeldPacket {
  Buffer payload;
  MonoTime source_at;
  MessageWord message;
};

class ReceiveBuffer {
 public:
  struct Limits {
    std::uint32_t window_packets;
    std::size_t buffer_bytes;
  };
  enum class Placed : std::uint8_t {
    stored,
    duplicate,  // its slot is filled
    belated,    // its turn is over
    beyond,     // further ahead than the window: not believed yet
    full,       // the cap in bytes is reached
  };

  ReceiveBuffer(Sequence first, Limits limits);

  Placed place(Sequence sequence, HeldPacket packet);
  // Nothing to wait for: held, given up, or its turn is over.
  bool settled(Sequence sequence) const;
  // What place() would say, without the packet: spares the work of decrypting a duplicate.
  std::optional<Placed> refusal(Sequence sequence) const;

  Sequence first() const { return first_; }            // whose turn is next
  Sequence first_missing() const { return missing_; }  // everything before is settled
  Sequence end() const { return end_; }                // one after the last packet held
  std::uint32_t available_packets() const;

  // The peer will not send these any more.
  void give_up(SequenceRange range);

  // Appends messages whose time has come, and gaps.
  void deliver(MonoTime now, nanoseconds latency, std::vector<Event>& out);
  // Everything held, due or not: the stream ended.
  void flush(std::vector<Event>& out);
  // The source time of the first packet held: its turn comes `latency` later.
  std::optional<MonoTime> next_source_at() const;

  std::uint32_t held_packets() const { return held_packets_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  nanoseconds held_time() const;
  std::uint64_t dropped_packets() const { return dropped_packets_; }
  std::uint64_t delivered_packets() const { return delivered_packets_; }

 private:
  enum class State : std::uint8_t { empty, held, given_up };
  struct Slot {
    HeldPacket packet;
    State state = State::empty;
  };

  Slot& slot(Sequence sequence) { return ring_[sequence.value() & (ring_.size() - 1)]; }
  const Slot& slot(Sequence sequence) const { return ring_[sequence.value() & (ring_.size() - 1)]; }
  bool jump_confirmed(Sequence sequence);
  void grow(std::size_t slots);
  std::optional<Sequence> find_held() const;
  void advance_missing();
  void skip_to(Sequence sequence, std::vector<Event>& out);
  void deliver_message(std::vector<Event>& out);
  void release(Slot& slot);

  Limits limits_;
  std::vector<Slot> ring_;  // a power of two of them
  Sequence first_;
  Sequence missing_;
  Sequence end_;
  mutable Sequence first_held_;  // not after the first packet held; find_held() makes it exact
  std::optional<Sequence> jump_;
  std::uint32_t jumped_over_ = 0;  // a gap to be told
  std::uint32_t held_packets_ = 0;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t dropped_packets_ = 0;
  std::uint64_t delivered_packets_ = 0;
};

}  // namespace kapok::srt
