#include "server/picture/protocols/srt/receive_buffer.hpp"

#include <algorithm>
#include <bit>

namespace kapok::srt {

namespace {
constexpr std::size_t kFirstSlots = 256;
// Two packets as near to each other as this are believed when they come from far ahead.
constexpr std::int32_t kJumpTolerance = 64;

void add_gap(std::vector<Event>& out, std::uint32_t packets) {
  if (!out.empty())
    if (auto* gap = std::get_if<Gap>(&out.back())) {
      gap->packets += packets;
      return;
    }
  out.emplace_back(Gap{packets});
}
}  // namespace

ReceiveBuffer::ReceiveBuffer(Sequence first, Limits limits)
    : limits_(limits), first_(first), missing_(first), end_(first), first_held_(first) {
  ring_.resize(std::min(kFirstSlots, std::size_t{std::bit_ceil(limits.window_packets)}));
}

std::uint32_t ReceiveBuffer::available_packets() const {
  const auto used = static_cast<std::uint32_t>(end_.ahead_of(first_));
  return limits_.window_packets - std::min(used, limits_.window_packets);
}

bool ReceiveBuffer::settled(Sequence sequence) const {
  if (sequence.before(missing_)) return true;
  return sequence.before(end_) && slot(sequence).state != State::empty;
}

std::optional<ReceiveBuffer::Placed> ReceiveBuffer::refusal(Sequence sequence) const {
  const std::int32_t ahead = sequence.ahead_of(first_);
  if (ahead < 0) return Placed::belated;
  if (sequence.before(end_) && slot(sequence).state != State::empty) return Placed::duplicate;
  return std::nullopt;
}

ReceiveBuffer::Placed ReceiveBuffer::place(Sequence sequence, HeldPacket packet) {
  if (const auto refused = refusal(sequence)) return *refused;
  if (static_cast<std::uint32_t>(sequence.ahead_of(first_)) >= limits_.window_packets &&
      !jump_confirmed(sequence))
    return Placed::beyond;
  if (held_bytes_ + packet.payload.size() > limits_.buffer_bytes) return Placed::full;
  const auto slots = static_cast<std::size_t>(sequence.ahead_of(first_)) + 1;
  if (slots > ring_.size()) grow(slots);

  Slot& at = slot(sequence);
  held_bytes_ += packet.payload.size();
  ++held_packets_;
  at.packet = std::move(packet);
  at.state = State::held;
  if (sequence.before(first_held_) || held_packets_ == 1) first_held_ = sequence;
  if (!sequence.before(end_)) end_ = sequence + 1;
  if (sequence == missing_) advance_missing();
  return Placed::stored;
}

// After a long silence the stream may go on further ahead than the window. While anything is held
// the time for it has not come; then one packet alone is not believed either, or a single forged
// one would make everything that follows belated.
bool ReceiveBuffer::jump_confirmed(Sequence sequence) {
  const bool again =
      jump_ && *jump_ != sequence && std::abs(sequence.ahead_of(*jump_)) < kJumpTolerance;
  jump_ = sequence;
  if (!again || held_packets_ > 0) return false;
  jumped_over_ += static_cast<std::uint32_t>(sequence.ahead_of(first_));
  dropped_packets_ += static_cast<std::uint32_t>(sequence.ahead_of(first_));
  for (Sequence at = first_; at.before(end_); at = at + 1) slot(at).state = State::empty;
  first_ = missing_ = end_ = first_held_ = sequence;
  jump_.reset();
  return true;
}

void ReceiveBuffer::grow(std::size_t slots) {
  std::vector<Slot> wider(std::bit_ceil(slots));
  for (Sequence at = first_; at.before(end_); at = at + 1)
    wider[at.value() & (wider.size() - 1)] = std::move(slot(at));
  ring_ = std::move(wider);
}

void ReceiveBuffer::advance_missing() {
  while (missing_.before(end_) && slot(missing_).state != State::empty) missing_ = missing_ + 1;
}

void ReceiveBuffer::give_up(SequenceRange range) {
  if (range.first.before(missing_)) range.first = missing_;
  if (!range.last.before(end_)) range.last = end_ - 1;
  if (range.last.before(range.first)) return;
  for (Sequence at = range.first; !range.last.before(at); at = at + 1)
    if (slot(at).state == State::empty) slot(at).state = State::given_up;
  advance_missing();
}

std::optional<Sequence> ReceiveBuffer::find_held() const {
  if (held_packets_ == 0) return std::nullopt;
  if (first_held_.before(first_)) first_held_ = first_;
  while (slot(first_held_).state != State::held) first_held_ = first_held_ + 1;
  return first_held_;
}

std::optional<MonoTime> ReceiveBuffer::next_source_at() const {
  const auto next = find_held();
  if (!next) return std::nullopt;
  return slot(*next).packet.source_at;
}

nanoseconds ReceiveBuffer::held_time() const {
  const auto oldest = next_source_at();
  if (!oldest) return nanoseconds(0);
  return std::max(nanoseconds(0), slot(end_ - 1).packet.source_at - *oldest);
}

void ReceiveBuffer::release(Slot& at) {
  if (at.state == State::held) {
    held_bytes_ -= at.packet.payload.size();
    --held_packets_;
    at.packet.payload = {};
  }
  at.state = State::empty;
}

void ReceiveBuffer::skip_to(Sequence sequence, std::vector<Event>& out) {
  const auto packets = static_cast<std::uint32_t>(sequence.ahead_of(first_));
  if (packets == 0) return;
  for (; first_.before(sequence); first_ = first_ + 1) release(slot(first_));
  if (missing_.before(first_)) missing_ = first_;
  advance_missing();
  dropped_packets_ += packets;
  add_gap(out, packets);
}

// first_ holds a packet whose time has come.
void ReceiveBuffer::deliver_message(std::vector<Event>& out) {
  const HeldPacket& head = slot(first_).packet;
  // [draft 3.1] 11: alone; 10: first; 00: middle; 01: last.
  if (head.message.first() && head.message.last()) {
    out.emplace_back(Message{head.payload, first_, head.source_at});
    release(slot(first_));
    first_ = first_ + 1;
    ++delivered_packets_;
    return;
  }
  // The rest of it must be here by now: all parts carry the same time.
  Sequence after = first_ + 1;
  std::size_t size = head.payload.size();
  bool whole = false;
  if (head.message.first())
    for (; after.before(end_) && slot(after).state == State::held; after = after + 1) {
      const HeldPacket& part = slot(after).packet;
      if (part.message.first() || part.message.number() != head.message.number()) break;
      size += part.payload.size();
      if (!part.message.last()) continue;
      whole = true;
      after = after + 1;
      break;
    }
  if (!whole) return skip_to(after, out);
  Bytes joined;
  joined.reserve(size);
  const Message message{{}, first_, head.source_at};
  for (; first_.before(after); first_ = first_ + 1) {
    const ByteSpan part = slot(first_).packet.payload.bytes();
    joined.insert(joined.end(), part.begin(), part.end());
    release(slot(first_));
    ++delivered_packets_;
  }
  out.emplace_back(Message{Buffer(std::move(joined)), message.first, message.source_at});
}

void ReceiveBuffer::deliver(MonoTime now, nanoseconds latency, std::vector<Event>& out) {
  if (jumped_over_ > 0) add_gap(out, std::exchange(jumped_over_, 0));
  while (const auto next = find_held()) {
    if (slot(*next).packet.source_at + latency > now) return;
    skip_to(*next, out);
    deliver_message(out);
  }
}

void ReceiveBuffer::flush(std::vector<Event>& out) {
  while (const auto next = find_held()) {
    skip_to(*next, out);
    deliver_message(out);
  }
}

}  // namespace kapok::srt
