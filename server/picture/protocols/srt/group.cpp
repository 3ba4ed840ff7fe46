#include "server/picture/protocols/srt/group.hpp"

#include <algorithm>
#include <deque>

#include "server/picture/protocols/srt/link.hpp"
#include "server/picture/protocols/srt/message_split.hpp"
#include "server/picture/protocols/srt/negotiation.hpp"

namespace kapok::srt {

namespace {
// What a backup link may have to send again; older packets would come too late.
constexpr milliseconds kResendAge{1'000};
}  // namespace

struct Group::State {
  State(MonoTime now, GroupOptions options_) : options(options_), start(now), delivered_at(now) {}

  struct Member {
    std::unique_ptr<Link> link;
    BackupStanding standing;
  };
  struct Packet {
    Sequence sequence;
    Buffer payload;
    MessageWord message;
    MonoTime source_at;
  };

  Member* find(SocketId id) {
    const auto found =
        std::ranges::find_if(members, [&](const Member& m) { return m.link->socket_id() == id; });
    return found == members.end() ? nullptr : &*found;
  }
  std::vector<const BackupStanding*> standings() const {
    std::vector<const BackupStanding*> all;
    for (const Member& member : members) all.push_back(&member.standing);
    return all;
  }
  void bury(MonoTime now, Output& out);
  bool send_over(Member& member, MonoTime now, const Packet& packet);
  void forget_acknowledged(MonoTime now);
  void activate_if_needed(MonoTime now);
  void silence_redundant();

  GroupOptions options;
  MonoTime start;                      // of our packet timestamps, on all links
  std::optional<Reception> reception;  // from the first link on
  nanoseconds latency{0};
  MonoTime delivered_at;
  std::vector<Member> members;
  Sequence next_sequence;
  std::optional<Sequence> offered;  // by calls that are under way, none having come through
  MessageNumber next_message;
  std::deque<Packet> unacknowledged;  // backup only: for the link that comes next
  bool activated_before = false;
  std::uint64_t switches = 0;
};

Group::Group(MonoTime now, GroupOptions options) : state_(std::make_unique<State>(now, options)) {}
Group::~Group() = default;
Group::Group(Group&&) noexcept = default;
Group& Group::operator=(Group&&) noexcept = default;

void Group::introduce(OwnSide& own, std::uint16_t weight) const {
  own.start = state_->start;
  // [libsrt srtcore/api.cpp, groupConnect] Links that call at the same time offer the same number:
  // which of them the peer takes as the first is not ours to know.
  if (!state_->members.empty())
    own.first_sequence = state_->next_sequence;
  else if (state_->offered)
    own.first_sequence = *state_->offered;
  else
    state_->offered = own.first_sequence;
  own.group = GroupExtension{.group_id = state_->options.group_id | kGroupBit,
                             .type = static_cast<std::uint8_t>(state_->options.type),
                             .flags = 0,
                             .weight = weight};
}

void Group::join(MonoTime now, Negotiated negotiated) {
  State& state = *state_;
  if (state.members.empty()) {
    state.offered.reset();
    state.next_sequence = negotiated.first_sent;
    state.latency = negotiated.receive_latency;
    state.reception.emplace(ReceiveBuffer(negotiated.first_received, {state.options.window_packets,
                                                                      state.options.buffer_bytes}),
                            TimeBase(negotiated.peer_start));
  }
  const std::uint16_t weight = negotiated.weight;
  state.members.push_back(
      {std::make_unique<Link>(now, std::move(negotiated), *state.reception, Link::Standing::member),
       BackupStanding(weight)});
  // [libsrt srtcore/group.cpp, applyGroupSequences] The handshake's own number counts for the first
  // link only: both links may have begun theirs before either was there.
  state.members.back().link->restart_sending_at(state.next_sequence);
}

void Group::receive(MonoTime now, SocketId link, const PeerAddress& from, Buffer datagram,
                    Output& out) {
  if (State::Member* member = state_->find(link))
    member->link->receive(now, from, std::move(datagram), out);
}

// Takes out links that ended; with the last one everything held goes out.
void Group::State::bury(MonoTime now, Output& out) {
  for (std::size_t i = 0; i < members.size();) {
    const auto reason = members[i].link->closed();
    if (!reason) {
      ++i;
      continue;
    }
    const SocketId id = members[i].link->socket_id();
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    out.events.emplace_back(Closed{*reason, id});
    if (!members.empty()) {
      if (!unacknowledged.empty()) activate_if_needed(now);
      continue;
    }
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
  state.bury(now, out);
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

// A link that cannot take a packet leaves it out and goes on where the group is.
bool Group::State::send_over(Member& member, MonoTime now, const Packet& packet) {
  if (!member.link->can_send(1, packet.payload.size())) return false;
  member.link->restart_sending_at(packet.sequence);
  member.link->send(now, packet.payload, packet.message, packet.source_at);
  return true;
}

Result<void> Group::send(MonoTime now, Buffer message, std::optional<MonoTime> source_at) {
  State& state = *state_;
  const std::size_t most = max_payload_bytes();
  if (most == 0) return fail(Errc::closed, "the SRT group has no link");
  const bool backup = state.options.type == GroupType::backup;
  for (State::Member& member : state.members) {
    if (backup)
      member.standing.qualify(now, member.link->health());
    else if (!member.standing.active())
      member.standing.activate(now, member.link->health());
  }
  if (backup) {
    state.forget_acknowledged(now);
    state.activate_if_needed(now);
  }
  bool sent = false;
  const MessageNumber number = std::exchange(state.next_message, state.next_message.next());
  split_message(message, most, number, [&](Buffer part, MessageWord word) {
    const State::Packet packet{state.next_sequence, std::move(part), word, source_at.value_or(now)};
    state.next_sequence = state.next_sequence + 1;
    for (State::Member& member : state.members) {
      if (!member.standing.active()) continue;
      if (state.send_over(member, now, packet))
        sent = true;
      else if (backup)
        member.standing.failed();
    }
    if (backup) state.unacknowledged.push_back(packet);
  });
  if (backup) state.silence_redundant();
  if (!sent) return fail(Errc::full, "no link of the SRT group takes more");
  return {};
}

void Group::State::forget_acknowledged(MonoTime now) {
  Sequence done = next_sequence;
  bool any = false;
  for (const Member& member : members) {
    if (!member.standing.active()) continue;
    const Sequence acknowledged = member.link->acknowledged();
    if (!any || done.before(acknowledged)) done = acknowledged;
    any = true;
  }
  const milliseconds age = std::max(kResendAge, std::chrono::duration_cast<milliseconds>(latency));
  while (!unacknowledged.empty() && (unacknowledged.size() > options.window_packets ||
                                     unacknowledged.front().source_at + age < now ||
                                     (any && unacknowledged.front().sequence.before(done))))
    unacknowledged.pop_front();
}

// [libsrt srtcore/group.cpp, sendBackupRexmit] The new link begins with everything that nobody has
// acknowledged; it never goes back behind what it carried before.
void Group::State::activate_if_needed(MonoTime now) {
  const auto chosen = link_to_activate(standings());
  if (!chosen) return;
  Member& member = members[*chosen];
  if (std::exchange(activated_before, true)) ++switches;
  member.standing.activate(now, member.link->health());
  const Sequence from = member.link->next_sequence();
  for (const Packet& packet : unacknowledged)
    if (!packet.sequence.before(from) && !send_over(member, now, packet)) break;
}

void Group::State::silence_redundant() {
  for (const std::size_t i : links_to_silence(standings())) members[i].standing.silence();
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
  state_->bury(now, out);
}

std::size_t Group::link_count() const {
  return state_->members.size();
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
  for (const State::Member& member : state_->members) {
    LinkState shown = member.standing.state();
    // Broadcast asks nothing of a link: it is used or not.
    if (stats.type == GroupType::broadcast && member.standing.active()) shown = LinkState::stable;
    stats.links.push_back({member.link->stats(now), member.standing.weight(), shown});
  }
  stats.switches = state_->switches;
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
  }
  return "unknown";
}

}  // namespace kapok::srt
