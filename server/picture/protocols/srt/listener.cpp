#include "server/picture/protocols/srt/listener.hpp"

#include <map>
#include <unordered_map>

#include "server/picture/protocols/srt/group.hpp"
#include "server/picture/protocols/srt/negotiation.hpp"

namespace kapok::srt {

namespace {

struct Caller {
  PeerAddress peer;
  SocketId socket_id;
  bool operator==(const Caller&) const = default;
};
struct CallerHash {
  std::size_t operator()(const Caller& caller) const {
    return PeerAddressHash{}(caller.peer) ^ caller.socket_id * 0x9E37'79B9U;
  }
};

struct Entry {
  PeerSide peer;
  Bytes key_request;            // what peer.extensions.key_request shows
  std::size_t asked_bytes = 0;  // of the conclusion: no answer is longer
  Bytes response;               // empty while the owner thinks
};

void send(Output& out, const PeerAddress& to, Bytes datagram) {
  out.datagrams.push_back({.to = to, .head = {}, .payload = Buffer(std::move(datagram))});
}

PeerAddress host_of(PeerAddress peer) {
  peer.port = 0;
  return peer;
}

}  // namespace

struct Listener::State {
  explicit State(CookieSecret secret) : cookies(secret) {}

  CookieJar cookies;
  // Ids rise with time, so the first entry is the oldest.
  std::map<std::uint64_t, Entry> entries;
  std::unordered_map<Caller, std::uint64_t, CallerHash> by_caller;
  std::unordered_map<PeerAddress, std::size_t, PeerAddressHash> by_host;
  std::uint64_t last_id = 0;
  ListenerCounters counters;

  void induct(MonoTime now, const PeerAddress& from, const Handshake& asked, Output& out) {
    ++counters.inductions;
    Handshake answer = asked;
    answer.version = kHandshakeVersion;
    answer.encryption = 0;
    answer.extension = kMagic;
    answer.cookie = cookies.bake(now, from);
    send(out, from, handshake_datagram({from, asked.socket_id, 0}, answer, {}));
  }

  void forget(std::map<std::uint64_t, Entry>::iterator at) {
    const PeerSide& peer = at->second.peer;
    by_caller.erase({peer.address, peer.handshake.socket_id});
    const auto host = by_host.find(host_of(peer.address));
    if (--host->second == 0) by_host.erase(host);
    entries.erase(at);
  }

  void expire(MonoTime now) {
    while (!entries.empty() && now - entries.begin()->second.peer.arrived_at >= kHandshakeTimeout)
      forget(entries.begin());
  }

  // The entry is answered with this, now and whenever the caller repeats its question.
  void answer(Entry& entry, Bytes datagram, Output& out) {
    entry.response = datagram;
    entry.key_request = {};
    entry.peer.extensions = {};
    send(out, entry.peer.address, std::move(datagram));
  }
};

OrRefusal<void> check_conclusion(ByteSpan datagram, const LinkOptions& link) {
  if (datagram.size() < kHeaderBytes)
    return std::unexpected(Refusal{RejectReason::rogue, "no conclusion"});
  const ByteSpan body = datagram.subspan(kHeaderBytes);
  const auto asked = parse_handshake(body);
  auto extensions = parse_extensions(body);
  if (!asked || !extensions || !extensions->request)
    return std::unexpected(Refusal{RejectReason::rogue, "no conclusion"});
  PeerSide peer;
  peer.handshake = *asked;
  peer.extensions = *std::move(extensions);
  OwnSide own;
  own.link = link;
  const OrRefusal<Answer> answer = answer_request(own, peer);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Listener::Listener(CookieSecret secret) : state_(std::make_unique<State>(secret)) {}
Listener::~Listener() = default;
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;

std::optional<Asked> Listener::receive(MonoTime now, const PeerAddress& from, ByteSpan datagram,
                                       Output& out) {
  State& state = *state_;
  const auto header = parse_header(datagram);
  if (!header || !header->control || header->type != ControlType::handshake ||
      header->destination != 0) {
    ++state.counters.malformed;
    return std::nullopt;
  }
  const ByteSpan body = datagram.subspan(kHeaderBytes);
  const auto asked = parse_handshake(body);
  if (!asked) {
    ++state.counters.malformed;
    return std::nullopt;
  }
  if (asked->is(HandshakeType::induction)) {
    state.induct(now, from, *asked, out);
    return std::nullopt;
  }
  if (!asked->is(HandshakeType::conclusion) || asked->version != kHandshakeVersion) {
    ++state.counters.malformed;
    return std::nullopt;
  }
  if (!state.cookies.good(now, from, asked->cookie)) {
    ++state.counters.bad_cookies;
    return std::nullopt;
  }
  ++state.counters.conclusions;
  state.expire(now);
  if (const auto known = state.by_caller.find({from, asked->socket_id});
      known != state.by_caller.end()) {
    const Bytes& response = state.entries.at(known->second).response;
    if (!response.empty() && response.size() <= datagram.size()) send(out, from, response);
    return std::nullopt;
  }

  const auto refuse = [&](RejectReason reason) {
    send(out, from, refusal_datagram(from, *asked, code_of(reason)));
    return std::nullopt;
  };
  auto extensions = parse_extensions(body);
  if (!extensions || !extensions->request) {
    ++state.counters.malformed;
    return refuse(RejectReason::rogue);
  }
  if (const auto sane = check_peer(*asked, *extensions->request, *extensions); !sane)
    return refuse(sane.error().reason);
  if (state.entries.size() >= kMaxPending || state.by_host[host_of(from)] >= kMaxPending / 2) {
    ++state.counters.table_full;
    return refuse(RejectReason::backlog);
  }

  ++state.by_host[host_of(from)];
  const std::uint64_t id = ++state.last_id;
  state.by_caller[{from, asked->socket_id}] = id;
  Entry& entry = state.entries[id];
  entry.asked_bytes = datagram.size();
  if (extensions->key_request) {
    entry.key_request.assign(extensions->key_request->begin(), extensions->key_request->end());
    extensions->key_request = entry.key_request;
  }
  entry.peer = {from, *asked, *std::move(extensions), header->timestamp, now};

  const Extensions& told = entry.peer.extensions;
  Asked question{.id = id,
                 .peer = from,
                 .peer_socket_id = asked->socket_id,
                 .peer_version = told.request->version,
                 .stream_id = told.stream_id,
                 .encrypted = told.key_request.has_value(),
                 .key_bytes = asked->encryption * 8U,
                 .latency = std::max(told.request->receive_latency, told.request->send_latency),
                 .filter = told.filter,
                 .group = {}};
  if (told.group)
    question.group = GroupClaim{told.group->group_id, static_cast<GroupType>(told.group->type),
                                told.group->weight};
  return question;
}

Result<std::unique_ptr<Connection>> Listener::accept(MonoTime now, std::uint64_t id,
                                                     const AcceptOptions& options, Output& out) {
  State& state = *state_;
  const auto found = state.entries.find(id);
  if (found == state.entries.end() || !found->second.response.empty())
    return fail(Errc::not_found, "the SRT caller gave up, or was answered before");
  Entry& entry = found->second;

  OwnSide own{.socket_id = options.socket_id,
              .link = options.link,
              // [libsrt srtcore/core.cpp, acceptAndRespond] Both directions begin with one number.
              .first_sequence = entry.peer.handshake.first_sequence,
              .start = now,
              .stream_id = {},
              .group = {}};
  if (options.group != nullptr) options.group->introduce(own, 0);
  const bool crowded = options.group != nullptr && options.group->link_count() >= Group::kMaxLinks;
  OrRefusal<Answer> answer =
      crowded ? std::unexpected(Refusal{RejectReason::resource, "the group has all its links"})
              : answer_request(own, entry.peer);
  if (answer) {
    Handshake handshake = own_handshake(own, static_cast<std::uint32_t>(HandshakeType::conclusion),
                                        entry.peer.address);
    handshake.segment_bytes = answer->negotiated.segment_bytes;
    handshake.encryption = entry.peer.handshake.encryption;
    handshake.extension = extension_flags(answer->extensions);
    const auto timestamp = std::chrono::duration_cast<microseconds>(now - own.start).count();
    Bytes datagram = handshake_datagram(
        {entry.peer.address, entry.peer.handshake.socket_id, static_cast<std::uint32_t>(timestamp)},
        handshake, answer->extensions);
    if (datagram.size() <= entry.asked_bytes) {
      state.answer(entry, std::move(datagram), out);
      if (options.group == nullptr)
        return std::make_unique<Connection>(now, std::move(answer->negotiated));
      options.group->join(now, std::move(answer->negotiated));
      return nullptr;
    }
    answer = std::unexpected(Refusal{
        RejectReason::filter, "the packet filter must be asked for with all its parameters"});
  }
  const Refusal& refusal = answer.error();
  reject(now, id, code_of(refusal.reason), out);
  return fail(refusal.reason == RejectReason::filter ? Errc::unsupported : Errc::denied, "{}: {}",
              name_of(refusal.reason), refusal.why);
}

void Listener::reject(MonoTime, std::uint64_t id, std::uint32_t reason, Output& out) {
  const auto found = state_->entries.find(id);
  if (found == state_->entries.end() || !found->second.response.empty()) return;
  const PeerSide& peer = found->second.peer;
  state_->answer(found->second, refusal_datagram(peer.address, peer.handshake, reason), out);
}

void Listener::advance(MonoTime now) {
  state_->expire(now);
}

const ListenerCounters& Listener::counters() const {
  return state_->counters;
}

}  // namespace kapok::srt
