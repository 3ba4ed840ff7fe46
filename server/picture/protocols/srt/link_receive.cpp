// The receiving half of a link [draft 4.8.1, 4.8.2].
#include <algorithm>

#include "server/picture/protocols/srt/link.hpp"

namespace kapok::srt {

namespace {
constexpr std::uint32_t kLightAckEvery = 64;  // [draft 3.2.4]
// A report travels, a retransmission comes back: sooner repeats only double the traffic.
constexpr nanoseconds kMinReportInterval = milliseconds(20);  // [draft 4.8.2]
}  // namespace

void Link::receive_data(MonoTime now, const Header& header, const Buffer& datagram, Output& out) {
  DataPacket packet{.sequence = header.sequence,
                    .message = header.message,
                    .timestamp = header.timestamp,
                    .head = datagram.bytes().first<kHeaderBytes>(),
                    .payload = datagram.slice(kHeaderBytes)};
  if (packet.payload.empty() || datagram.size() + 28 > settled_.segment_bytes) {
    ++stats_.packets_refused;
    return;
  }
  if (fec_receiver_) {
    filter(now, packet);
  } else {
    accept(now, std::move(packet));
  }
  if (losses_.overtaken(expected_ - 1)) report_losses(now, out);
  if (since_ack_ >= kLightAckEvery) send_light_ack(now, out);
}

void Link::filter(MonoTime now, const DataPacket& packet) {
  const FecPacket seen{.sequence = packet.sequence,
                       .timestamp = packet.timestamp,
                       .key_flags = packet.message.key_flags(),
                       .payload = packet.payload.bytes()};
  // [libsrt srtcore/packetfilter.cpp] Message number 0 marks what the filter itself sent.
  const bool parity = (packet.message.bits & MessageNumber::kMask) == 0;
  rebuilt_.clear();
  if (parity) {
    fec_receiver_->receive_parity(seen, rebuilt_);
  } else {
    if (packet.message.first() && packet.message.last())
      neighbour_ = WholeMessage{packet.sequence, packet.message};
    accept(now, packet);
    fec_receiver_->receive(seen, rebuilt_);
  }
  for (RebuiltPacket& mended : rebuilt_) {
    if (reception_->buffer.settled(mended.sequence)) continue;
    ++stats_.packets_recovered_by_fec;
    const MessageWord message = message_of(mended);
    std::array<std::byte, kHeaderBytes> head;
    write_data_header(head, mended.sequence, message, mended.timestamp, settled_.own_id);
    accept(now,
           {mended.sequence, message, mended.timestamp, head, Buffer(std::move(mended.payload))});
  }
  if (settled_.fec->arq == FecArq::onreq)
    for (const SequenceRange& range : fec_receiver_->take_irrecoverable()) losses_.add(now, range);
}

// Parity does not cover the message word, which GCM authenticates. In live mode each packet is a
// message, so it follows from another packet's.
MessageWord Link::message_of(const RebuiltPacket& mended) const {
  const WholeMessage near = neighbour_.value_or(WholeMessage{
      mended.sequence, {MessageWord::kFirst | MessageWord::kLast | MessageWord::kInOrder | 1}});
  const MessageNumber number = near.message.number().plus(mended.sequence.ahead_of(near.sequence));
  const std::uint32_t flags =
      near.message.bits & ~(MessageNumber::kMask | MessageWord::kRetransmitted);
  return MessageWord{flags | number.value()}.with_key_flags(mended.key_flags);
}

void Link::accept(MonoTime now, DataPacket packet) {
  using Placed = ReceiveBuffer::Placed;
  ++stats_.packets_received;
  stats_.bytes_received += packet.payload.size();
  if (packet.message.retransmitted()) ++stats_.packets_retransmitted_received;
  receive_rate_.add(now, packet.payload.size());
  capacity_.add(packet.sequence.value(), now, packet.payload.size());
  ReceiveBuffer& buffer = reception_->buffer;

  auto refused = buffer.refusal(packet.sequence);
  if (!refused) {
    // What cannot be read proves nothing: it is as if it had not come.
    if (!decrypt(packet)) return;
    const MonoTime source_at = reception_->time_base.moment_of(packet.timestamp, now);
    const Placed placed =
        buffer.place(packet.sequence, {std::move(packet.payload), source_at, packet.message});
    if (placed != Placed::stored) refused = placed;
  }
  if (refused == Placed::beyond || refused == Placed::full) {
    // Not tracked: the next one that is accepted shows it as lost, and it is asked for again.
    ++stats_.packets_refused;
    return;
  }
  if (!refused) {
    ++stats_.packets_contributed;
    // Neither a loss nor a retransmission: it was overtaken.
    if (heard_data_ && packet.sequence.before(expected_) && !packet.message.retransmitted())
      losses_.seen_reordered(static_cast<std::uint32_t>(expected_.ahead_of(packet.sequence)));
  }
  if (refused == Placed::duplicate) ++stats_.packets_duplicate;
  if (refused == Placed::belated) {
    ++stats_.packets_belated;
    // Numbers far back are no part of the stream, and on a circle they would be far ahead.
    const std::int32_t late = buffer.first().ahead_of(packet.sequence);
    if (static_cast<std::uint32_t>(late) > settled_.options.window_packets) return;
  }
  track(now, packet.sequence);
}

bool Link::decrypt(DataPacket& packet) {
  const std::uint8_t flags = packet.message.key_flags();
  if (!settled_.encryption) {
    if (flags == 0) return true;
    ++stats_.packets_undecrypted;
    return false;
  }
  // A secured link takes nothing in clear, whatever came before.
  if (flags == 0) {
    ++stats_.packets_refused;
    return false;
  }
  const std::span<std::byte> room = slab_.room(packet.payload.size());
  const auto size = settled_.encryption->decrypt(packet.head, packet.payload.bytes(), room);
  if (!size) {
    ++stats_.packets_undecrypted;
    return false;
  }
  packet.payload = slab_.take(*size);
  return true;
}

// What this packet's number says about the others of this link.
void Link::track(MonoTime now, Sequence sequence) {
  // A member may join anywhere. What is missing right before may have been its first packets: a
  // backup link begins with what the other one left unfinished.
  if (!heard_data_ && standing_ == Standing::member) {
    const Sequence missing = reception_->buffer.first_missing();
    expected_ = missing.before(sequence) ? missing : sequence;
  }
  heard_data_ = true;
  ack_wanted_ = true;
  ++since_ack_;
  const std::int32_t ahead = sequence.ahead_of(expected_);
  if (ahead < 0) return;
  if (ahead == 0) {
    losses_.seen_in_order();
  } else if (static_cast<std::uint32_t>(ahead) <= settled_.options.window_packets) {
    if (!settled_.fec || settled_.fec->arq == FecArq::always)
      losses_.add(now, {expected_, sequence - 1});
    else
      stats_.packets_lost += static_cast<std::uint32_t>(ahead);
  }
  expected_ = sequence + 1;
}

nanoseconds Link::report_interval() const {
  return std::max<nanoseconds>(kMinReportInterval, rtt_.rtt() + 2 * rtt_.variance());
}

void Link::report_losses(MonoTime now, Output& out) {
  if (losses_.empty()) return;
  report_.clear();
  const std::uint32_t newly_lost =
      losses_.take_due(now, report_interval(), expected_ - 1, reception_->buffer, report_);
  if (!settled_.fec || settled_.fec->arq == FecArq::always) stats_.packets_lost += newly_lost;
  if (report_.empty()) return;
  const std::size_t before = out.datagrams.size();
  write_nak(out.datagrams, route(now), report_, settled_.segment_bytes - kSegmentOverhead);
  stats_.naks_sent += out.datagrams.size() - before;
  last_sent_ = now;
}

// Never more than this link brought itself: a sender takes an acknowledgement of what it has not
// sent for an attack [libsrt srtcore/core.cpp, processCtrlAck].
Sequence Link::acknowledgeable() const {
  const Sequence settled = reception_->buffer.first_missing();
  return settled.before(expected_) ? settled : expected_;
}

void Link::send_light_ack(MonoTime now, Output& out) {
  since_ack_ = 0;
  const Sequence up_to = acknowledgeable();
  if (!acked_.before(up_to)) return;
  acked_ = up_to;
  write_ack(out.datagrams, route(now), {.up_to = up_to});
  last_sent_ = now;
}

void Link::send_full_ack(MonoTime now, Output& out) {
  const Sequence up_to = acknowledgeable();
  if (up_to == confirmed_) {
    // Nothing new; the next packet asks again.
    ack_wanted_ = false;
    return;
  }
  SentAck& last = journal_[ack_number_ % kAckJournal];
  if (last.number != 0 && last.up_to == up_to && now - last.at < rtt_.rtt() + 4 * rtt_.variance()) {
    acked_at_ = now;
    return;
  }
  if (++ack_number_ == 0) ack_number_ = 1;
  journal_[ack_number_ % kAckJournal] = {ack_number_, up_to, now};
  acked_ = up_to;
  acked_at_ = now;
  since_ack_ = 0;
  write_ack(
      out.datagrams, route(now),
      {.number = ack_number_,
       .up_to = up_to,
       .has_link = true,
       .rtt_us = static_cast<std::uint32_t>(rtt_.rtt().count()),
       .rtt_variance_us = static_cast<std::uint32_t>(rtt_.variance().count()),
       .available_packets = std::max(2U, reception_->buffer.available_packets()),
       .has_rates = true,
       .packets_per_second = static_cast<std::uint32_t>(receive_rate_.packets_per_second(now)),
       .capacity_packets_per_second =
           static_cast<std::uint32_t>(std::min(1e9, capacity_.packets_per_second())),
       .bytes_per_second =
           static_cast<std::uint32_t>(std::min(4e9, receive_rate_.bytes_per_second(now)))});
  ++stats_.acks_sent;
  last_sent_ = now;
}

void Link::on_ackack(MonoTime now, const Header& header) {
  SentAck& sent = journal_[header.word1 % kAckJournal];
  if (header.word1 == 0 || sent.number != header.word1) return;
  const auto sample = std::chrono::duration_cast<microseconds>(now - sent.at);
  sent.number = 0;
  if (confirmed_.before(sent.up_to)) confirmed_ = sent.up_to;
  rtt_.add(sample);
  // Half of what the round trip is longer than at first is the way here [libsrt
  // srtcore/tsbpd_time.cpp].
  TimeBase& base = reception_->time_base;
  if (rtt_reference_ == microseconds(0)) rtt_reference_ = rtt_.rtt();
  const nanoseconds detour = (rtt_.rtt() - rtt_reference_) / 2;
  if (!drift_reference_) drift_reference_ = base.deviation(header.timestamp, now) - detour;
  base.add_sample(header.timestamp, now, *drift_reference_ + detour);
}

void Link::on_drop_request(ByteSpan body) {
  auto range = parse_drop_request(body);
  // What this link has not reached yet is not lost; a range wider than all we hold is nonsense.
  if (!range || !range->first.before(expected_) || range->count() > settled_.options.window_packets)
    return;
  if (!range->last.before(expected_)) range->last = expected_ - 1;
  losses_.remove(*range);
  // In a group another link may still bring them.
  if (standing_ == Standing::alone) {
    reception_->buffer.give_up(*range);
    ack_wanted_ = true;
  }
}

}  // namespace kapok::srt
