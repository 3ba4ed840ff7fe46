#include "server/picture/protocols/srt/link.hpp"

#include <algorithm>

#include "server/picture/protocols/srt/handshake.hpp"

namespace kapok::srt {

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer_shutdown:
      return "peer_shutdown";
    case CloseReason::peer_silent:
      return "peer_silent";
    case CloseReason::own_shutdown:
      return "own_shutdown";
  }
  return "unknown";
}

namespace {
// Blackouts are made good at once up to this much, even before anything was earned.
constexpr double kFirstRetransmitCredit = 256.0 * 1024;

std::size_t payload_room(const Negotiated& settled) {
  std::size_t room = settled.segment_bytes - kSegmentOverhead;
  if (settled.encryption) room -= settled.encryption->overhead_bytes();
  if (settled.fec) room -= kFecOverhead;
  return room;
}
}  // namespace

Link::Link(MonoTime now, Negotiated negotiated, Reception& reception, Standing standing)
    : settled_(std::move(negotiated)),
      reception_(&reception),
      standing_(standing),
      max_payload_bytes_(payload_room(settled_)),
      last_heard_(now),
      last_sent_(now),
      expected_(settled_.first_received),
      losses_(settled_.options.reorder_packets),
      receive_rate_(now),
      acked_(settled_.first_received),
      confirmed_(settled_.first_received),
      acked_at_(now),
      sending_(settled_.first_sent, settled_.options.window_packets, settled_.options.buffer_bytes),
      send_rate_(now),
      peer_window_(settled_.peer_window_packets),
      retransmit_credit_(kFirstRetransmitCredit) {
  if (standing == Standing::alone) drift_reference_ = nanoseconds(0);
  if (settled_.fec) {
    fec_receiver_.emplace(*settled_.fec, settled_.first_received,
                          settled_.segment_bytes - kSegmentOverhead);
    // A member's numbers have holes where other links were used; parity wants none.
    if (standing == Standing::alone) fec_sender_.emplace(*settled_.fec, settled_.first_sent);
  }
}

Route Link::route(MonoTime now) const {
  const auto elapsed = std::chrono::duration_cast<microseconds>(now - settled_.own_start).count();
  return {settled_.peer, settled_.peer_id, static_cast<std::uint32_t>(elapsed)};
}

void Link::receive(MonoTime now, const PeerAddress& from, Buffer datagram, Output& out) {
  if (closed_) return;
  const auto header = parse_header(datagram.bytes());
  // A forged sender must know address, port and both socket ids; it gets no answer otherwise.
  if (!header || from != settled_.peer || header->destination != settled_.own_id) {
    ++stats_.packets_refused;
    return;
  }
  last_heard_ = now;
  if (header->control)
    receive_control(now, *header, datagram.bytes().subspan(kHeaderBytes), out);
  else
    receive_data(now, *header, datagram, out);
}

void Link::receive_control(MonoTime now, const Header& header, ByteSpan body, Output& out) {
  switch (header.type) {
    case ControlType::ack:
      return on_ack(now, header, body, out);
    case ControlType::nak:
      return on_nak(now, body, out);
    case ControlType::ackack:
      return on_ackack(now, header);
    case ControlType::drop_request:
      return on_drop_request(body);
    case ControlType::shutdown:
      closed_ = CloseReason::peer_shutdown;
      return;
    case ControlType::handshake:
      repeat_agreement(body, out);
      return;
    case ControlType::user:
      if (!settled_.encryption) return;
      if (header.subtype == kSubtypeKeyRequest) {
        const Bytes response = settled_.encryption->receive_request(body);
        write_control(out.datagrams, route(now),
                      {.type = ControlType::user, .subtype = kSubtypeKeyResponse}, response);
      } else if (header.subtype == kSubtypeKeyResponse) {
        settled_.encryption->receive_response(body);
      }
      return;
    case ControlType::keep_alive:
    case ControlType::congestion_warning:  // [draft 3.2.6] reserved
    case ControlType::peer_error:          // [draft 3.2.10] file transfer only
      return;
  }
}

// [draft 4.3.2] The peer of a rendezvous concludes once more: it missed our agreement. The peer of
// a listener never asks here.
void Link::repeat_agreement(ByteSpan body, Output& out) {
  if (settled_.handshake_again.empty()) return;
  const auto said = parse_handshake(body);
  if (!said || !said->is(HandshakeType::conclusion)) return;
  out.datagrams.push_back(
      {.to = settled_.peer, .head = {}, .payload = Buffer::copy_of(settled_.handshake_again)});
}

void Link::announce_key(MonoTime now, Output& out) {
  if (!settled_.encryption) return;
  if (const auto message = settled_.encryption->announcement_due(now, rtt_.rtt())) {
    write_control(out.datagrams, route(now),
                  {.type = ControlType::user, .subtype = kSubtypeKeyRequest}, *message);
    last_sent_ = now;
  }
}

void Link::advance(MonoTime now, Output& out) {
  if (closed_) return;
  if (now - last_heard_ >= kIdleTimeout) {
    closed_ = CloseReason::peer_silent;
    return;
  }
  report_losses(now, out);
  if (ack_wanted_ && now - acked_at_ >= kAckInterval) send_full_ack(now, out);
  announce_key(now, out);
  drop_late(now);
  transmit(now, out);
  if (now - last_sent_ >= kKeepAlive) keep_alive(now, out);
}

void Link::keep_alive(MonoTime now, Output& out) {
  write_control(out.datagrams, route(now), {.type = ControlType::keep_alive}, {});
  last_sent_ = now;
}

MonoTime Link::next_deadline() const {
  if (can_transmit()) return last_sent_;
  MonoTime at = std::min(last_heard_ + kIdleTimeout, last_sent_ + kKeepAlive);
  if (ack_wanted_) at = std::min(at, acked_at_ + kAckInterval);
  if (const auto report = losses_.next_deadline(report_interval())) at = std::min(at, *report);
  if (settled_.encryption) at = std::min(at, settled_.encryption->next_deadline(rtt_.rtt()));
  return at;
}

void Link::shutdown(MonoTime now, Output& out) {
  if (closed_) return;
  write_control(out.datagrams, route(now), {.type = ControlType::shutdown}, {});
  closed_ = CloseReason::own_shutdown;
}

LinkStats Link::stats(MonoTime now) const {
  LinkStats stats = stats_;
  const ReceiveBuffer& buffer = reception_->buffer;
  const auto mbps = [&](const RateMeter& meter) { return meter.bytes_per_second(now) * 8e-6; };
  stats.socket_id = settled_.own_id;
  stats.peer = settled_.peer;
  stats.receive_latency = settled_.receive_latency;
  stats.send_latency = settled_.send_latency;
  if (settled_.encryption) stats.encryption = settled_.encryption->name();
  stats.peer_version = settled_.peer_version;
  stats.rtt = rtt_.rtt();
  stats.rtt_variance = rtt_.variance();
  if (standing_ == Standing::alone) stats.packets_dropped = buffer.dropped_packets();
  stats.receive_mbps = mbps(receive_rate_);
  const double packet_bits = stats.packets_received == 0
                                 ? 0
                                 : 8.0 * static_cast<double>(stats.bytes_received) /
                                       static_cast<double>(stats.packets_received);
  stats.link_capacity_mbps = capacity_.packets_per_second() * packet_bits * 1e-6;
  if (stats.packets_received == 0)
    stats.link_capacity_mbps =
        static_cast<double>(peer_capacity_) * static_cast<double>(settled_.segment_bytes) * 8e-6;
  stats.buffered_packets = buffer.held_packets();
  stats.buffered_bytes = buffer.held_bytes();
  stats.buffered = std::chrono::duration_cast<milliseconds>(buffer.held_time());
  stats.drift = reception_->time_base.drift();
  stats.flight_packets = sending_.flight();
  stats.flow_window = peer_window_;
  stats.send_buffered_packets = sending_.packets();
  stats.send_buffered_bytes = sending_.bytes();
  stats.send_mbps = mbps(send_rate_);
  return stats;
}

}  // namespace kapok::srt
