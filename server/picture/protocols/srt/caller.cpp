#include "server/picture/protocols/srt/caller.hpp"

#include "server/base/crypto.hpp"
#include "server/picture/protocols/srt/group.hpp"
#include "server/picture/protocols/srt/negotiation.hpp"

namespace kapok::srt {

namespace {

std::uint32_t random_u32() {
  return load_u32(random_bytes<4>().data());
}

constexpr std::uint32_t type_of(HandshakeType type) {
  return static_cast<std::uint32_t>(type);
}

}  // namespace

struct Caller::State {
  // What is said now and repeated until the peer makes us go on.
  enum class Stage : std::uint8_t {
    asking,     // caller: induction; rendezvous: waving
    concluding  // with the peer's cookie (caller) or role decided (rendezvous)
  };
  enum class Role : std::uint8_t { open, initiator, responder };

  State(MonoTime now, Mode mode_, CallOptions options_)
      : mode(mode_), options(std::move(options_)), started(now), speak_at(now) {
    own.socket_id = options.socket_id;
    own.link = options.link;
    own.first_sequence = Sequence(random_u32());
    own.start = now;
    own.stream_id = options.stream_id;
    if (options.group != nullptr) options.group->introduce(own, options.weight);
    own_cookie = mode == Mode::rendezvous ? random_u32() : 0;
    if (mode == Mode::caller) role = Role::initiator;
    if (options.group != nullptr && options.group->link_count() >= Group::kMaxLinks) {
      failure =
          Error{Errc::limit, fmt::format("an SRT group has {} links at most", Group::kMaxLinks)};
      return;
    }
    if (options.link.encryption.passphrase.empty()) return;
    auto made = Encryption::initiate(options.link.encryption);
    if (made)
      encryption = *std::move(made);
    else
      failure = std::move(made).error();
  }

  bool done() const { return failure || settled || joined; }
  void give_up(Refusal refusal) {
    failure = Error{Errc::denied, fmt::format("{}: {}", name_of(refusal.reason), refusal.why)};
  }

  Bytes words(MonoTime now) const;
  void on_handshake(MonoTime now, const Header& header, ByteSpan body, Output& out);
  void on_answer(MonoTime now, PeerSide peer, Output& out);
  void on_rendezvous(MonoTime now, PeerSide peer, Output& out);
  void respond(MonoTime now, PeerSide peer);
  void establish(MonoTime now, Negotiated negotiated);
  void speak(MonoTime now, Output& out) {
    out.datagrams.push_back({.to = options.peer, .head = {}, .payload = Buffer(words(now))});
    speak_at = now + kHandshakeRepeat;
  }
  std::uint32_t timestamp(MonoTime now) const {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<microseconds>(now - own.start).count());
  }

  Mode mode;
  CallOptions options;
  OwnSide own;
  MonoTime started;
  MonoTime speak_at;
  Stage stage = Stage::asking;
  Role role = Role::open;
  SocketId peer_id = 0;           // rendezvous: once known
  std::uint32_t own_cookie = 0;   // rendezvous
  std::uint32_t peer_cookie = 0;  // caller: the listener's
  std::unique_ptr<Encryption> encryption;
  // The rendezvous responder's answer; it counts once the peer shows that it came.
  std::optional<Negotiated> answered;
  Extensions answer;

  std::optional<Negotiated> settled;
  bool joined = false;
  std::optional<Error> failure;
  std::uint32_t reject_code = 0;
};

// The handshake datagram for where we stand.
Bytes Caller::State::words(MonoTime now) const {
  Handshake handshake = own_handshake(own, type_of(HandshakeType::conclusion), options.peer);
  Extensions extensions;
  if (mode == Mode::caller && stage == Stage::asking) {
    handshake.version = kInductionVersion;
    handshake.type = type_of(HandshakeType::induction);
    handshake.extension = kDatagramSocket;
  } else if (stage == Stage::asking) {
    handshake.type = type_of(HandshakeType::wave_a_hand);
    handshake.cookie = own_cookie;
  } else {
    handshake.cookie = mode == Mode::caller ? peer_cookie : own_cookie;
    if (role == Role::initiator)
      extensions = make_request(own, encryption.get());
    else if (answered)
      extensions = answer;
    handshake.extension = extension_flags(extensions);
  }
  if (handshake.type != type_of(HandshakeType::induction) &&
      !own.link.encryption.passphrase.empty())
    handshake.encryption = static_cast<std::uint16_t>(own.link.encryption.key_bytes / 8);
  return handshake_datagram({options.peer, peer_id, timestamp(now)}, handshake, extensions);
}

void Caller::State::establish(MonoTime now, Negotiated negotiated) {
  if (options.group != nullptr) {
    options.group->join(now, std::move(negotiated));
    joined = true;
  } else {
    settled = std::move(negotiated);
  }
}

void Caller::State::on_handshake(MonoTime now, const Header& header, ByteSpan body, Output& out) {
  const auto handshake = parse_handshake(body);
  if (!handshake) return;
  if (handshake->type >= kFirstRefusal && handshake->type < 0x8000'0000U) {
    reject_code = handshake->type - kFirstRefusal;
    const auto reason = static_cast<RejectReason>(reject_code);
    failure = Error{Errc::denied, fmt::format("refused ({} {}): {}", reject_code, name_of(reason),
                                              explain(reason))};
    return;
  }
  PeerSide peer{options.peer, *handshake, {}, header.timestamp, now};
  if (handshake->is(HandshakeType::conclusion) && handshake->extension != 0) {
    auto extensions = parse_extensions(body);
    if (!extensions) return;
    peer.extensions = *std::move(extensions);
  }
  if (mode == Mode::caller)
    on_answer(now, std::move(peer), out);
  else
    on_rendezvous(now, std::move(peer), out);
}

void Caller::State::on_answer(MonoTime now, PeerSide peer, Output& out) {
  if (stage == Stage::asking) {
    if (!peer.handshake.is(HandshakeType::induction)) return;
    if (peer.handshake.version != kHandshakeVersion || peer.handshake.extension != kMagic)
      return give_up({RejectReason::version, "the listener speaks an SRT older than 1.3"});
    peer_cookie = peer.handshake.cookie;
    stage = Stage::concluding;
    return speak(now, out);
  }
  if (!peer.handshake.is(HandshakeType::conclusion)) return;
  auto taken = take_response(own, peer, std::move(encryption));
  if (!taken) return give_up(std::move(taken).error());
  establish(now, *std::move(taken));
}

// [draft 4.3.2; libsrt docs/features/handshake.md] The greater cookie initiates.
void Caller::State::on_rendezvous(MonoTime now, PeerSide peer, Output& out) {
  if (peer.handshake.version != kHandshakeVersion || peer.handshake.socket_id == 0) return;
  if (role == Role::open) {
    const std::uint32_t contest = own_cookie - peer.handshake.cookie;
    if (contest == 0) return;
    role = (contest & 0x8000'0000U) != 0 ? Role::responder : Role::initiator;
    peer_id = peer.handshake.socket_id;
    stage = Stage::concluding;
  }
  if (peer.handshake.socket_id != peer_id) return;
  if (peer.handshake.is(HandshakeType::agreement)) {
    if (answered) establish(now, *std::exchange(answered, std::nullopt));
    return;
  }
  if (role == Role::responder) {
    if (peer.extensions.request && !answered) respond(now, std::move(peer));
    if (!failure) speak(now, out);
    return;
  }
  if (!peer.extensions.response) return speak(now, out);
  auto taken = take_response(own, peer, std::move(encryption));
  if (!taken) return give_up(std::move(taken).error());
  Handshake agreement = own_handshake(own, type_of(HandshakeType::agreement), options.peer);
  agreement.cookie = own_cookie;
  taken->handshake_again =
      handshake_datagram({options.peer, peer_id, timestamp(now)}, agreement, {});
  out.datagrams.push_back(
      {.to = options.peer, .head = {}, .payload = Buffer::copy_of(taken->handshake_again)});
  establish(now, *std::move(taken));
}

void Caller::State::respond(MonoTime, PeerSide peer) {
  auto sane = check_peer(peer.handshake, *peer.extensions.request, peer.extensions);
  if (!sane) return give_up(std::move(sane).error());
  auto made = answer_request(own, peer);
  if (!made) return give_up(std::move(made).error());
  answered = std::move(made->negotiated);
  answer = std::move(made->extensions);
}

Caller::Caller(MonoTime now, Mode mode, CallOptions options)
    : state_(std::make_unique<State>(now, mode, std::move(options))) {}
Caller::~Caller() = default;
Caller::Caller(Caller&&) noexcept = default;
Caller& Caller::operator=(Caller&&) noexcept = default;

void Caller::receive(MonoTime now, const PeerAddress& from, ByteSpan datagram, Output& out) {
  State& state = *state_;
  const auto header = parse_header(datagram);
  if (state.done() || !header || from != state.options.peer) return;
  const bool ours = header->destination == state.own.socket_id;
  if (!ours && (state.mode == Mode::caller || header->destination != 0)) return;
  if (header->control && header->type == ControlType::handshake)
    return state.on_handshake(now, *header, datagram.subspan(kHeaderBytes), out);
  // [draft 4.3.2] Whatever only a connected peer sends stands for an agreement that was lost.
  if (ours && state.answered) state.establish(now, *std::exchange(state.answered, std::nullopt));
}

void Caller::advance(MonoTime now, Output& out) {
  State& state = *state_;
  if (state.done()) return;
  if (now - state.started >= kHandshakeTimeout) {
    state.failure =
        Error{Errc::timeout, "no answer to the SRT handshake: is the port open for UDP?"};
    return;
  }
  if (now >= state.speak_at) state.speak(now, out);
}

MonoTime Caller::next_deadline() const {
  return std::min(state_->speak_at, state_->started + kHandshakeTimeout);
}

bool Caller::done() const {
  return state_->done();
}

Result<std::unique_ptr<Connection>> Caller::take(MonoTime now) {
  State& state = *state_;
  if (state.failure) return std::unexpected(*state.failure);
  if (!state.settled) return nullptr;
  return std::make_unique<Connection>(now, *std::exchange(state.settled, std::nullopt));
}

std::uint32_t Caller::reject_code() const {
  return state_->reject_code;
}

}  // namespace kapok::srt
