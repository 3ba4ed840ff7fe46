#include "server/picture/ingest/srt/reception.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "server/base/crypto.hpp"
#include "server/picture/ingest/srt/call.hpp"
#include "server/picture/protocols/srt/handshake.hpp"
#include "server/picture/protocols/srt/reject_reason.hpp"

namespace kapok::ingest {

namespace asio = boost::asio;
using srt::RejectReason;

namespace {

// As many as the protocol keeps questions; a repetition beyond it is asked anew and refused.
constexpr std::size_t kMaxSentOn = srt::Listener::kMaxPending;

srt::SocketId caller_id(ByteSpan datagram) {
  if (datagram.size() < srt::kHeaderBytes) return 0;
  const auto handshake = srt::parse_handshake(datagram.subspan(srt::kHeaderBytes));
  return handshake ? handshake->socket_id : 0;
}

std::string encoder_name(std::uint32_t version) {
  return fmt::format("SRT {}.{}.{}", (version >> 16) & 0xFF, (version >> 8) & 0xFF, version & 0xFF);
}

template <class T>
Task<T> on_home(SrtDoor& door, Task<T> task) {
  return asio::co_spawn(door.shard.executor(), std::move(task), asio::use_awaitable);
}

}  // namespace

SrtReception::SrtReception(SrtShared shared) : shared_(shared), first_(*shared.doors.front()) {}

SrtDoor* SrtReception::door_of(const asio::any_io_executor& home) {
  for (const auto& door : shared_.doors)
    if (door->shard.executor() == home) return door.get();
  return nullptr;
}

void SrtReception::handshake(MonoTime now, const net::ReceivedDatagram& datagram) {
  const srt::PeerAddress from = peer_address(datagram.path.peer);
  if (const auto at = sent_on_.find({from, caller_id(datagram.bytes.bytes())});
      at != sent_on_.end() && now < at->second.until) {
    SrtDoor* const door = at->second.door;
    asio::post(door->shard.executor(), [door, datagram, from] {
      srt::Output out;
      // Its own entry knows the answer.
      [[maybe_unused]] const auto asked =
          door->listener.receive(door->shard.now(), from, datagram.bytes.bytes(), out);
      door->shard.send(out, datagram.path);
    });
    return;
  }
  if (const auto at = rendezvous_.find(from); at != rendezvous_.end()) {
    asio::post(at->second.door->shard.executor(),
               [door = at->second.door, weak = at->second.call, datagram] {
                 if (const auto call = weak.lock()) door->shard.hand(*call, datagram);
               });
    return;
  }
  if (shared_.options.callers == SrtCallers::ignored) return;
  srt::Output out;
  auto asked = first_.listener.receive(now, from, datagram.bytes.bytes(), out);
  first_.shard.send(out, datagram.path);
  if (!asked) return;
  auto caller = std::make_shared<Caller>();
  caller->asked = *std::move(asked);
  // A copy: the caller may wait for seconds, and the slab is for media.
  caller->conclusion = {Buffer::copy_of(datagram.bytes.bytes()), datagram.path};
  caller->name = net::peer_name(datagram.path.peer.address(), datagram.path.peer.port());
  caller->encoder = encoder_name(caller->asked.peer_version);
  const Log log = shared_.services.log;
  first_.shard.tasks.spawn(admit(std::move(caller)), [log](const std::string& what) {
    log.error("srt.task_failed", {{"what", what}});
  });
}

void SrtReception::meet(srt::PeerAddress peer, SrtDoor& door, std::weak_ptr<SrtCall> call) {
  rendezvous_[peer] = {&door, std::move(call)};
}

void SrtReception::tidy(MonoTime now) {
  std::erase_if(rendezvous_, [](const auto& entry) { return entry.second.call.expired(); });
  std::erase_if(sent_on_, [now](const auto& entry) { return now >= entry.second.until; });
  std::erase_if(bonds_, [](const auto& entry) {
    return !entry.second->opening && entry.second->feed.expired();
  });
}

void SrtReception::refuse(const Caller& caller, RejectReason reason, std::string_view why) {
  srt::Output out;
  first_.listener.reject(first_.shard.now(), caller.asked.id, srt::code_of(reason), out);
  first_.shard.send(out, caller.conclusion.path);
  shared_.metrics.refused.increment();
  shared_.services.log.info("srt.refused", {{"peer", caller.name},
                                            {"channel", caller.channel},
                                            {"code", srt::code_of(reason)},
                                            {"reason", why}});
}

void SrtReception::note_refusal(const Caller& caller, const Error& error) {
  shared_.metrics.refused.increment();
  shared_.services.log.info("srt.refused", {{"peer", caller.name},
                                            {"channel", caller.channel},
                                            {"code", name_of(error.code)},
                                            {"reason", error.message}});
}

Task<> SrtReception::admit(CallerPtr caller) {
  if (first_.shard.draining) {
    refuse(*caller, RejectReason::down, "this server is going down");
    co_return;
  }
  auto stream = srt::parse_stream_id(caller->asked.stream_id);
  if (!stream) {
    refuse(*caller, srt::reject_reason_of(stream.error().code), stream.error().message);
    co_return;
  }
  caller->channel = stream->channel;
  caller->place = shared_.limits.admit(caller->conclusion.path.peer.address());
  if (!caller->place) {
    refuse(*caller, RejectReason::overload, "too many connections");
    co_return;
  }
  if (stream->mode == srt::StreamMode::publish) {
    co_await admit_publisher(std::move(caller), *std::move(stream));
  } else {
    co_await admit_viewer(std::move(caller), *std::move(stream));
  }
}

Task<> SrtReception::admit_publisher(CallerPtr caller, srt::StreamId stream) {
  Publish publish;
  if (caller->asked.group) {
    auto bond = co_await join(caller, stream.key);
    if (!bond) co_return;
    publish.bond = *std::move(bond);
  }
  const std::shared_ptr<Bond> bond = publish.bond;
  publish.close_order = std::make_shared<SrtCloseOrder>();
  media::PublishRequest request;
  request.protocol = media::IngestProtocol::srt;
  request.channel = stream.channel;
  request.key = std::move(stream.key);
  request.peer = caller->name;
  request.encoder = caller->encoder;
  request.close = [order = publish.close_order](std::string_view why) { order->give(why); };
  request.check = checked_by(caller);
  auto grant = co_await shared_.services.feeds.open(std::move(request));
  if (!grant) {
    settled(bond, nullptr, {});
    refuse(*caller, caller->found_wanting.value_or(srt::reject_reason_of(grant.error().code)),
           grant.error().message);
    co_return;
  }
  SrtDoor* const door = door_of(grant->home);
  if (door == nullptr) {
    settled(bond, nullptr, {});
    refuse(*caller, RejectReason::internal_server_error, "the channel lives on no shard of ours");
    co_return;
  }
  publish.grant = *std::move(grant);
  send_on(*caller, *door);
  auto feed = co_await on_home(*door, settle_publisher(door, caller, std::move(publish)));
  if (!feed) {
    settled(bond, nullptr, {});
    note_refusal(*caller, feed.error());
    co_return;
  }
  settled(bond, door, *feed);
}

std::function<Result<void>(std::string_view)> SrtReception::checked_by(
    const CallerPtr& asking) const {
  // The request may be kept as long as the feed; the caller's place is its link's.
  return [this, weak = std::weak_ptr<Caller>(asking)](std::string_view feed) -> Result<void> {
    const auto caller = weak.lock();
    if (!caller) return fail(Errc::closed, "the caller has been answered");
    const auto passed =
        srt::check_conclusion(caller->conclusion.bytes.bytes(),
                              link_options(shared_.services.passphrase(caller->channel, feed)));
    if (passed) return {};
    caller->found_wanting = passed.error().reason;
    return fail(Errc::denied, "{}: {}", srt::name_of(passed.error().reason), passed.error().why);
  };
}

Task<> SrtReception::admit_viewer(CallerPtr caller, srt::StreamId stream) {
  if (shared_.services.viewers == nullptr) {
    refuse(*caller, RejectReason::bad_mode, "nobody may receive here");
    co_return;
  }
  auto grant = co_await shared_.services.viewers->open(
      {std::move(stream), caller->name, caller->asked.encrypted});
  if (!grant) {
    refuse(*caller, srt::reject_reason_of(grant.error().code), grant.error().message);
    co_return;
  }
  SrtDoor* const door = door_of(grant->home);
  if (door == nullptr) {
    refuse(*caller, RejectReason::internal_server_error, "the viewer lives on no shard of ours");
    co_return;
  }
  send_on(*caller, *door);
  const auto settled = co_await on_home(*door, settle_viewer(door, caller, *std::move(grant)));
  if (!settled) note_refusal(*caller, settled.error());
}

void SrtReception::send_on(const Caller& caller, SrtDoor& door) {
  if (&door == &first_ || sent_on_.size() >= kMaxSentOn) return;
  sent_on_[{caller.asked.peer, caller.asked.peer_socket_id}] = {
      &door, first_.shard.now() + srt::kHandshakeTimeout};
}

Task<std::optional<std::shared_ptr<SrtReception::Bond>>> SrtReception::join(CallerPtr caller,
                                                                            std::string key) {
  const BondKey name{caller->channel, caller->asked.group->group_id};
  while (true) {
    const auto found = bonds_.find(name);
    if (found == bonds_.end()) break;
    const std::shared_ptr<Bond> other = found->second;
    // A group claimed with another key is another publisher's: the directory shall decide.
    if (!equal_constant_time(as_bytes(other->key), as_bytes(key))) co_return nullptr;
    while (other->opening) {
      [[maybe_unused]] auto [error] = co_await other->settled.async_wait(kAsValue);
    }
    if (other->door != nullptr) {
      send_on(*caller, *other->door);
      const auto joined = co_await on_home(*other->door, settle_link(other->door, caller, other));
      if (!joined) note_refusal(*caller, joined.error());
      if (!joined || *joined) co_return std::nullopt;
    }
    // That feed has ended meanwhile.
    if (const auto still = bonds_.find(name); still != bonds_.end() && still->second == other)
      bonds_.erase(still);
  }
  auto bond = std::make_shared<Bond>(first_.shard.executor());
  bond->name = name;
  bond->key = std::move(key);
  bonds_.emplace(name, bond);
  co_return bond;
}

void SrtReception::settled(const std::shared_ptr<Bond>& bond, SrtDoor* door,
                           std::weak_ptr<SrtFeed> feed) {
  if (!bond) return;
  bond->feed = std::move(feed);
  bond->door = door;
  bond->opening = false;
  bond->settled.cancel();
}

}  // namespace kapok::ingest
