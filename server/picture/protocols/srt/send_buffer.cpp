#include "server/picture/protocols/srt/send_buffer.hpp"

#include <algorithm>
#include <bit>

namespace kapok::srt {

namespace {
constexpr std::size_t kFirstSlots = 256;
}

SendBuffer::SendBuffer(Sequence first, std::uint32_t most_packets, std::size_t most_bytes)
    : most_packets_(most_packets),
      most_bytes_(most_bytes),
      first_(first),
      next_(first),
      end_(first) {
  ring_.resize(kFirstSlots);
}

bool SendBuffer::fits(std::size_t packets, std::size_t bytes) const {
  return this->packets() + packets <= most_packets_ && bytes_ + bytes <= most_bytes_;
}

void SendBuffer::push(SendPacket packet) {
  if (packets() == ring_.size()) {
    std::vector<SendPacket> wider(ring_.size() * 2);
    for (Sequence at_ = first_; at_.before(end_); at_ = at_ + 1)
      wider[at_.value() & (wider.size() - 1)] = std::move(at(at_));
    ring_ = std::move(wider);
  }
  bytes_ += packet.payload.size();
  at(end_) = std::move(packet);
  end_ = end_ + 1;
}

void SendBuffer::replace_payload(Sequence sequence, Buffer payload) {
  Buffer& held = at(sequence).payload;
  bytes_ += payload.size();
  bytes_ -= held.size();
  held = std::move(payload);
}

void SendBuffer::restart_at(Sequence sequence) {
  while (!empty()) release_first();
  first_ = next_ = end_ = sequence;
}

void SendBuffer::release_first() {
  SendPacket& packet = at(first_);
  bytes_ -= packet.payload.size();
  packet = {};
  first_ = first_ + 1;
  if (next_.before(first_)) next_ = first_;
}

bool SendBuffer::acknowledge(Sequence up_to) {
  if (next_.before(up_to)) return false;
  while (first_.before(up_to)) release_first();
  return true;
}

std::uint32_t SendBuffer::want(SequenceRange lost) {
  if (lost.first.before(first_)) lost.first = first_;
  if (!lost.last.before(next_)) lost.last = next_ - 1;
  std::uint32_t marked = 0;
  for (Sequence sequence = lost.first; !lost.last.before(sequence); sequence = sequence + 1) {
    SendPacket& packet = at(sequence);
    if (packet.wanted) continue;
    packet.wanted = true;
    wanted_.push_back(sequence);
    ++marked;
  }
  return marked;
}

std::optional<Sequence> SendBuffer::next_wanted(MonoTime sent_before) {
  while (!wanted_.empty()) {
    const Sequence sequence = wanted_.front();
    wanted_.pop_front();
    if (sequence.before(first_)) continue;
    SendPacket& packet = at(sequence);
    packet.wanted = false;
    // [libsrt SRTO_RETRANSMITALGO 1] Its retransmission is on its way already. A report about the
    // first transmission is always right.
    if (packet.message.retransmitted() && packet.sent_at > sent_before) continue;
    return sequence;
  }
  return std::nullopt;
}

std::uint32_t SendBuffer::drop_before(MonoTime source_at) {
  std::uint32_t dropped = 0;
  for (; first_.before(end_) && at(first_).source_at < source_at; ++dropped) release_first();
  return dropped;
}

}  // namespace kapok::srt
