// The sending half of a link [draft 4.8].
#include <algorithm>

#include "server/picture/protocols/srt/link.hpp"

namespace kapok::srt {

namespace {
// [libsrt srtcore/core.cpp, checkNeedDrop] The receiver gives a packet up after its latency; before
// a second has passed the sender does not, for clocks and estimates differ.
constexpr milliseconds kMinSendAge{1'000};
constexpr milliseconds kSendAgeMargin{20};
// Answers to one loss report about packets that are gone.
constexpr int kMaxDropRequests = 8;
// A second of what is sent, and never less than this, may be earned for retransmissions.
constexpr double kMinCreditCap = 256.0 * 1024;
}  // namespace

bool Link::can_send(std::size_t packets, std::size_t bytes) const {
  return !closed_ && sending_.fits(packets, bytes);
}

LinkHealth Link::health() const {
  return {.last_heard = last_heard_,
          .rtt = rtt_.rtt(),
          .rtt_variance = rtt_.variance(),
          .latency = settled_.send_latency,
          .dropped = stats_.packets_send_dropped};
}

void Link::send(MonoTime now, Buffer payload, MessageWord message, MonoTime source_at) {
  const auto elapsed =
      std::chrono::duration_cast<microseconds>(source_at - settled_.own_start).count();
  send_rate_.add(now, payload.size());
  sending_.push({.payload = std::move(payload),
                 .message = message,
                 .timestamp = static_cast<std::uint32_t>(elapsed),
                 .source_at = source_at,
                 .sent_at = {}});
}

void Link::on_ack(MonoTime now, const Header& header, ByteSpan body, Output& out) {
  const auto ack = parse_ack(header, body);
  if (!ack || !sending_.acknowledge(ack->up_to)) {
    ++stats_.packets_refused;
    return;
  }
  ++stats_.acks_received;
  if (ack->number != 0) {
    write_control(out.datagrams, route(now), {.type = ControlType::ackack, .word1 = ack->number},
                  {});
    last_sent_ = now;
  }
  if (!ack->has_link) return;
  peer_window_ = std::min(ack->available_packets, Sequence::kMask / 4);
  if (!rtt_.known()) rtt_.adopt(microseconds(ack->rtt_us), microseconds(ack->rtt_variance_us));
  if (ack->has_rates && ack->capacity_packets_per_second < 100'000'000)
    peer_capacity_ = ack->capacity_packets_per_second;
  transmit(now, out);
}

void Link::on_nak(MonoTime now, ByteSpan body, Output& out) {
  ++stats_.naks_received;
  // All ranges together cannot name more than is under way: what goes beyond is repetition.
  std::uint32_t allowance = sending_.flight();
  int answered = 0;
  for (SequenceRange lost : parse_nak(body)) {
    if (lost.first.before(sending_.first())) {
      // Gone: acknowledged meanwhile, or too old [draft 3.2.9].
      const Sequence last = lost.last.before(sending_.first()) ? lost.last : sending_.first() - 1;
      if (answered++ < kMaxDropRequests) send_drop_request(now, {lost.first, last}, out);
      lost.first = sending_.first();
    }
    if (!lost.last.before(sending_.next())) lost.last = sending_.next() - 1;
    if (lost.last.before(lost.first)) continue;
    if (lost.count() > allowance) break;
    allowance -= lost.count();
    stats_.packets_reported_lost += sending_.want(lost);
  }
  transmit(now, out);
}

void Link::send_drop_request(MonoTime now, SequenceRange gone, Output& out) {
  std::array<std::byte, 8> body;
  store_u32(body.data(), gone.first.value());
  store_u32(body.data() + 4, gone.last.value());
  write_control(out.datagrams, route(now), {.type = ControlType::drop_request}, body);
}

void Link::drop_late(MonoTime now) {
  if (sending_.empty()) return;
  const nanoseconds age =
      std::max<nanoseconds>(kMinSendAge, settled_.send_latency) + kSendAgeMargin;
  stats_.packets_send_dropped += sending_.drop_before(now - age);
}

bool Link::can_transmit() const {
  return (sending_.waiting() > 0 && sending_.flight() < window()) ||
         (sending_.any_wanted() && retransmit_credit_ > 0);
}

// [libsrt srtcore/core.cpp, processCtrlAck] One of less than two would never open again.
std::uint32_t Link::window() const {
  return std::max(2U, peer_window_);
}

void Link::transmit(MonoTime now, Output& out) {
  // A report that came sooner after a retransmission than a (short) round trip did not know of it.
  const microseconds unaware = std::max(rtt_.rtt() / 2, rtt_.rtt() - 2 * rtt_.variance());
  while (sending_.any_wanted() && retransmit_credit_ > 0) {
    const auto again = sending_.next_wanted(now - unaware);
    if (!again) break;
    SendPacket& packet = sending_.at(*again);
    packet.message.bits |= MessageWord::kRetransmitted;
    retransmit_credit_ -= static_cast<double>(packet.payload.size());
    ++stats_.packets_retransmitted;
    emit(now, *again, out);
  }
  while (sending_.waiting() > 0 && sending_.flight() < window()) {
    const Sequence sequence = sending_.next();
    SendPacket& packet = sending_.at(sequence);
    if (settled_.encryption) encrypt(packet, sequence);
    sending_.sent_next();
    emit(now, sequence, out);
    const double cap = std::max(kMinCreditCap, send_rate_.bytes_per_second(now));
    retransmit_credit_ =
        std::min(cap, retransmit_credit_ + static_cast<double>(packet.payload.size()) *
                                               settled_.options.overhead_percent / 100.0);
    if (fec_sender_) emit_parity(packet, sequence, out);
  }
}

void Link::emit(MonoTime now, Sequence sequence, Output& out) {
  SendPacket& packet = sending_.at(sequence);
  Datagram& datagram = out.datagrams.emplace_back();
  datagram.to = settled_.peer;
  datagram.head_size = kHeaderBytes;
  write_data_header(std::span(datagram.head).first<kHeaderBytes>(), sequence, packet.message,
                    packet.timestamp, settled_.peer_id);
  datagram.payload = packet.payload;
  packet.sent_at = now;
  last_sent_ = now;
  ++stats_.packets_sent;
  stats_.bytes_sent += packet.payload.size();
}

void Link::encrypt(SendPacket& packet, Sequence sequence) {
  Encryption& encryption = *settled_.encryption;
  packet.message =
      packet.message.with_key_flags(static_cast<std::uint8_t>(encryption.sending_parity()));
  std::array<std::byte, kHeaderBytes> head;
  write_data_header(head, sequence, packet.message, packet.timestamp, settled_.peer_id);
  const std::size_t size = packet.payload.size() + encryption.overhead_bytes();
  encryption.encrypt(head, packet.payload.bytes(), slab_.room(size));
  sending_.replace_payload(sequence, slab_.take(size));
}

void Link::emit_parity(const SendPacket& packet, Sequence sequence, Output& out) {
  fec_sender_->feed({.sequence = sequence,
                     .timestamp = packet.timestamp,
                     .key_flags = packet.message.key_flags(),
                     .payload = packet.payload.bytes()});
  while (auto parity = fec_sender_->take_parity()) {
    Datagram& datagram = out.datagrams.emplace_back();
    datagram.to = settled_.peer;
    datagram.head_size = kHeaderBytes;
    write_data_header(std::span(datagram.head).first<kHeaderBytes>(), parity->sequence,
                      {MessageWord::kFirst | MessageWord::kLast}, parity->timestamp,
                      settled_.peer_id);
    datagram.payload = Buffer(std::move(parity->payload));
  }
}

}  // namespace kapok::srt
