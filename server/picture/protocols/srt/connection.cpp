#include "server/picture/protocols/srt/connection.hpp"

#include <algorithm>

#include "server/picture/protocols/srt/link.hpp"
#include "server/picture/protocols/srt/message_split.hpp"

namespace kapok::srt {

struct Connection::State {
  State(MonoTime now, Negotiated negotiated)
      : reception{ReceiveBuffer(negotiated.first_received, {negotiated.options.window_packets,
                                                            negotiated.options.buffer_bytes}),
                  TimeBase(negotiated.peer_start)},
        latency(negotiated.receive_latency),
        delivered_at(now),
        link(now, std::move(negotiated), reception, Link::Standing::alone) {}

  void close_when_ended(Output& out) {
    if (told_closed || !link.closed()) return;
    told_closed = true;
    reception.buffer.flush(out.events);
    out.events.emplace_back(Closed{*link.closed()});
  }

  Reception reception;
  nanoseconds latency;
  MonoTime delivered_at;
  Link link;
  MessageNumber next_message;
  bool told_closed = false;
};

Connection::Connection(MonoTime now, Negotiated negotiated)
    : state_(std::make_unique<State>(now, std::move(negotiated))) {}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

void Connection::receive(MonoTime now, const PeerAddress& from, Buffer datagram, Output& out) {
  state_->link.receive(now, from, std::move(datagram), out);
}

void Connection::advance(MonoTime now, Output& out) {
  State& state = *state_;
  if (state.told_closed) return;
  state.reception.buffer.deliver(now, state.latency, out.events);
  state.delivered_at = now;
  state.link.advance(now, out);
  state.close_when_ended(out);
}

MonoTime Connection::next_deadline() const {
  MonoTime at = state_->link.next_deadline();
  if (const auto source_at = state_->reception.buffer.next_source_at())
    at = std::min(at, std::max(*source_at + state_->latency, state_->delivered_at + kDeliveryStep));
  return at;
}

Result<void> Connection::send(MonoTime now, Buffer message, std::optional<MonoTime> source_at) {
  State& state = *state_;
  if (state.link.closed()) return fail(Errc::closed, "the SRT connection is closed");
  const std::size_t most = state.link.max_payload_bytes();
  if (!state.link.can_send(packets_of(message.size(), most), message.size()))
    return fail(Errc::full, "the SRT send buffer is full: the link is slower than the stream");
  split_message(message, most, std::exchange(state.next_message, state.next_message.next()),
                [&](Buffer part, MessageWord word) {
                  state.link.send(now, std::move(part), word, source_at.value_or(now));
                });
  return {};
}

std::size_t Connection::max_payload_bytes() const {
  return state_->link.max_payload_bytes();
}

void Connection::shutdown(MonoTime now, Output& out) {
  state_->link.shutdown(now, out);
  state_->close_when_ended(out);
}

bool Connection::closed() const {
  return state_->link.closed().has_value();
}
SocketId Connection::socket_id() const {
  return state_->link.socket_id();
}
const PeerAddress& Connection::peer() const {
  return state_->link.peer();
}
LinkStats Connection::stats(MonoTime now) const {
  return state_->link.stats(now);
}

}  // namespace kapok::srt
