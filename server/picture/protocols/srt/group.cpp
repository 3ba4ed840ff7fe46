#include "server/picture/protocols/srt/group.hpp"

#include <algorithm>

#include "server/picture/protocols/srt/link.hpp"
#include "server/picture/protocols/srt/message_split.hpp"
#include "server/picture/protocols/srt/negotiation.hpp"

namespace kapok::srt {

struct Group::State {
  State(MonoTime now, GroupOptions options_) : options(options_), start(now), delivered_at(now) {}

  struct Member {
    std::unique_ptr<Link> link;
    std::uint16_t weight = 0;
  };

  Member* find(SocketId id) {
    const auto found =
        std::ranges::find_if(members, [&](const Member& m) { return m.link->socket_id() == id; });
    return found == members.end() ? nullptr : &*found;
  }
  void bury(Output& out);

  GroupOptions options;
  MonoTime start;                      // of our packet timestamps, on all links
  std::optional<Reception> reception;  // from the first link on
  nanoseconds latency{0};
  MonoTime delivered_at;
  std::vector<Member> members;
  Sequence next_sequence;
  bool sent_any = false;
  MessageNumber next_message;
};

Group::Group(MonoTime now, GroupOptions options) : state_(std::make_unique<State>(now, options)) {}
Group::~Group() = default;
Group::Group(Group&&) noexcept = default;
Group& Group::operator=(Group&&) noexcept = default;

void Group::introduce(OwnSide& own, std::uint16_t weight) const {
  own.start = state_->start;
  if (!state_->members.empty()) own.first_sequence = state_->next_sequence;
  own.group = GroupExtension{.group_id = state_->options.group_id | kGroupBit,
                             .type = static_cast<std::uint8_t>(state_->options.type),
                             .flags = 0,
                             .weight = weight};
}

void Group::join(MonoTime now, Negotiated negotiated) {
  State& state = *state_;
  if (state.members.empty()) {
    state.next_sequence = negotiated.first_sent;
    state.latency = negotiated.receive_latency;
    state.reception.emplace(ReceiveBuffer(negotiated.first_received, {state.options.window_packets,
                                                                      state.options.buffer_bytes}),
                            TimeBase(negotiated.peer_start));
  }
  const std::uint16_t weight = negotiated.weight;
  state.members.push_back(
      {std::make_unique<Link>(now, std::move(negotiated), *state.reception, Link::Standing::member),
       weight});
}

void Group::receive(MonoTime now, SocketId link, const PeerAddress& from, Buffer datagram,
                    Output& out) {
  if (State::Member* member = state_->find(link))
    member->link->receive(now, from, std::move(datagram), out);
}

// Takes out links that ended; with the last one everything held goes out.
void Group::State::bury(Output& out) {
  for (std::size_t i = 0; i < members.size();) {
    const auto reason = members[i].link->closed();
    if (!reason) {
      ++i;
      continue;
    }
    const SocketId id = members[i].link->socket_id();
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    out.events.emplace_back(Closed{*reason, id});
    if (!members.empty()) continue;
    reception->buffer.flush(out.events);
    out.events.emplace_back(Closed{*reason, 0});
  }
}

void Group::advance(MonoTime now, Output& out) {
  State& state = *state_;
  if (state.members.empty()) return;
  state.reception->buffer.deliver(now, state.latency, out.events);
  state.delivered_at = now;
  for (State::Member& member : state.members) member.link->advance(now, out);
  state.bury(out);
}

MonoTime Group::next_deadline() const {
  const State& state = *state_;
  MonoTime at = state.delivered_at + kKeepAlive;
  for (const State::Member& member : state.members) at = std::min(at, member.link->next_deadline());
  if (state.members.empty()) return at;
  if (const auto source_at = state.reception->buffer.next_source_at())
    at = std::min(at, std::max(*source_at + state.latency, state.delivered_at + kDeliveryStep));
  return at;
}

Result<void> Group::send(MonoTime now, Buffer message, std::optional<MonoTime> source_at) {
  State& state = *state_;
  const std::size_t most = max_payload_bytes();
  if (most == 0) return fail(Errc::closed, "the SRT group has no link");
  bool sent = false;
  const MessageNumber number = std::exchange(state.next_message, state.next_message.next());
  const std::size_t packets = packets_of(message.size(), most);
  for (State::Member& member : state.members) {
    if (!member.link->can_send(packets, message.size())) continue;
    member.link->restart_sending_at(state.next_sequence);
    split_message(message, most, number, [&](Buffer part, MessageWord word) {
      member.link->send(now, std::move(part), word, source_at.value_or(now));
    });
    sent = true;
  }
  state.next_sequence = state.next_sequence + static_cast<std::uint32_t>(packets);
  if (!sent) return fail(Errc::full, "no link of the SRT group takes more");
  return {};
}

std::size_t Group::max_payload_bytes() const {
  std::size_t most = 0;
  for (const State::Member& member : state_->members) {
    const std::size_t room = member.link->max_payload_bytes();
    most = most == 0 ? room : std::min(most, room);
  }
  return most;
}

void Group::shutdown(MonoTime now, Output& out) {
  for (State::Member& member : state_->members) member.link->shutdown(now, out);
  state_->bury(out);
}

void Group::shutdown_link(MonoTime now, SocketId link, Output& out) {
  if (State::Member* member = state_->find(link)) member->link->shutdown(now, out);
  state_->bury(out);
}

std::size_t Group::link_count() const {
  return state_->members.size();
}
bool Group::has_link(SocketId link) const {
  return state_->find(link) != nullptr;
}
SocketId Group::group_id() const {
  return state_->options.group_id;
}
GroupType Group::type() const {
  return state_->options.type;
}

GroupStats Group::stats(MonoTime now) const {
  GroupStats stats;
  stats.type = state_->options.type;
  if (state_->reception) {
    const ReceiveBuffer& buffer = state_->reception->buffer;
    stats.packets_delivered = buffer.delivered_packets();
    stats.packets_dropped = buffer.dropped_packets();
    stats.buffered_packets = buffer.held_packets();
    stats.buffered_bytes = buffer.held_bytes();
    stats.buffered = std::chrono::duration_cast<milliseconds>(buffer.held_time());
  }
  for (const State::Member& member : state_->members)
    stats.links.push_back({member.link->stats(now), member.weight, LinkState::stable});
  return stats;
}

std::string_view name_of(LinkState state) {
  switch (state) {
    case LinkState::idle:
      return "idle";
    case LinkState::fresh:
      return "fresh";
    case LinkState::stable:
      return "stable";
    case LinkState::wary:
      return "wary";
    case LinkState::unstable:
      return "unstable";
    case LinkState::broken:
      return "broken";
  }
  return "unknown";
}

}  // namespace kapok::srt
