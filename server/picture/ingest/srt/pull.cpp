#include "server/picture/ingest/srt/pull.hpp"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>

namespace kapok::ingest {

namespace asio = boost::asio;

namespace {
constexpr seconds kFirstPause{1};
constexpr seconds kLongestPause{30};
}  // namespace

SrtPuller::SrtPuller(SrtPull pull, SrtDoor& door, SrtShared shared)
    : pull_(std::move(pull)),
      door_(door),
      shared_(shared),
      log_(shared_.services.log.with("channel", pull_.channel).with("feed", pull_.feed)) {
  for (const SrtUrl& url : pull_.urls)
    links_.push_back(std::make_unique<Link>(url, door_.shard.executor()));
}

void SrtPuller::start() {
  for (std::size_t i = 0; i < links_.size(); ++i)
    door_.shard.tasks.spawn(keep(shared_from_this(), i), [log = log_](const std::string& what) {
      log.error("srt.task_failed", {{"what", what}});
    });
}

void SrtPuller::stop(std::string_view why) {
  stopped_ = true;
  for (const auto& link : links_) {
    if (link->call) link->call->hang_up();
    link->wake.cancel();
  }
  if (feed_) feed_->cut(std::string(why), media::FeedEnd::connection_lost);
}

Task<> SrtPuller::keep(std::shared_ptr<SrtPuller> self, std::size_t index) {
  Link& link = *self->links_[index];
  seconds pause = kFirstPause;
  while (!self->stopped_) {
    const auto connected = co_await self->connect(index);
    if (connected) pause = kFirstPause;
    while (connected && link.id != 0) {
      link.wake.expires_at(asio::steady_timer::time_point::max());
      [[maybe_unused]] auto [error] = co_await link.wake.async_wait(kAsValue);
    }
    if (self->stopped_) break;
    if (!connected)
      self->log_.warn("srt.call_failed", {{"place", link.url.place()},
                                          {"why", connected.error().message},
                                          {"again_s", pause.count()}});
    link.wake.expires_after(pause);
    [[maybe_unused]] auto [error] = co_await link.wake.async_wait(kAsValue);
    pause = std::min(pause * 2, kLongestPause);
  }
}

Task<Result<asio::ip::udp::endpoint>> SrtPuller::resolve(std::string host, std::uint16_t port) {
  // Asio asks the system's resolver on a thread of its own.
  asio::ip::udp::resolver resolver(door_.shard.executor());
  auto [error, found] = co_await resolver.async_resolve(
      host, std::to_string(port), asio::ip::udp::resolver::numeric_service, kAsValue);
  if (error || found.empty())
    co_return fail(Errc::not_found, "{} has no address: {}", host, error.message());
  asio::ip::udp::endpoint to = found.begin()->endpoint();
  // The socket is one for both families.
  if (door_.shard.is_v6()) to.address(net::mapped_address(to.address()));
  co_return to;
}

Task<Result<void>> SrtPuller::connect(std::size_t index) {
  Link& link = *links_[index];
  const auto resolved = co_await resolve(link.url.host, link.url.port);
  const net::UdpPath path{KAPOK_CO_TRY(resolved), {}};
  if (stopped_) co_return fail(Errc::closed, "stopped");
  const auto feed = pull_.urls.size() > 1 ? bonded_feed() : nullptr;
  srt::CallOptions options;
  options.peer = peer_address(path.peer);
  options.socket_id = door_.shard.new_socket_id();
  options.link.latency = link.url.latency.value_or(shared_.options.latency);
  options.link.encryption.passphrase = link.url.passphrase;
  options.link.encryption.key_bytes = link.url.key_bytes;
  options.link.encryption.mode = link.url.cipher;
  options.link.filter = link.url.filter;
  options.stream_id = link.url.stream_id;
  options.weight = link.url.weight;
  if (feed) options.group = feed->group();
  const srt::SocketId id = options.socket_id;

  const auto call = std::make_shared<SrtCall>(
      door_.shard,
      link.url.mode == SrtMode::caller ? srt::Caller::Mode::caller : srt::Caller::Mode::rendezvous,
      path, std::move(options));
  link.call = call;
  door_.shard.add(id, call);
  if (link.url.mode == SrtMode::rendezvous) shared_.meet(peer_address(path.peer), door_, call);
  co_await call->wait();
  link.call.reset();
  door_.shard.forget(id);
  auto connection = call->take(door_.shard.now());
  if (!connection) co_return std::unexpected(std::move(connection).error());
  if (stopped_) co_return fail(Errc::closed, "stopped");
  if (feed && feed->ending()) co_return fail(Errc::closed, "the other links have ended");

  const auto owner = feed ? feed : make_feed(SrtCarrier(*std::move(connection)));
  feed_ = owner;
  owner->add_link({id, path, link.url.place(), std::nullopt});
  door_.shard.add(id, owner);
  door_.shard.take(call->take_early());
  link.id = id;
  if (!std::exchange(granted_, true))
    door_.shard.tasks.spawn(
        open(shared_from_this(), owner, link.url.place()),
        [log = log_](const std::string& what) { log.error("srt.task_failed", {{"what", what}}); });
  co_return Result<void>();
}

std::shared_ptr<SrtFeed> SrtPuller::bonded_feed() {
  if (!feed_ || feed_->ending())
    feed_ = make_feed(SrtCarrier(std::make_unique<srt::Group>(
        door_.shard.now(), srt::GroupOptions{pull_.bond, random_group_id()})));
  return feed_;
}

std::shared_ptr<SrtFeed> SrtPuller::make_feed(SrtCarrier carrier) {
  granted_ = false;
  auto feed =
      std::make_shared<SrtFeed>(std::move(carrier), SrtFeedNames{pull_.channel, pull_.feed, "SRT"},
                                SrtFeedServices{.shard = door_.shard,
                                                .metrics = shared_.metrics,
                                                .series = shared_.services.metrics,
                                                .log = shared_.services.log,
                                                .idle_deadline = shared_.options.idle_deadline});
  feed->on_end([weak = weak_from_this(), ended = feed.get()](srt::SocketId id) {
    if (const auto self = weak.lock()) self->ended(ended, id);
  });
  door_.feeds.push_back(feed);
  return feed;
}

void SrtPuller::ended(const SrtFeed* feed, srt::SocketId id) {
  if (feed != feed_.get()) return;
  for (const auto& link : links_) {
    if (link->id == 0 || (id != 0 && link->id != id)) continue;
    link->id = 0;
    link->wake.cancel();
  }
  if (id == 0) feed_.reset();
}

Task<> SrtPuller::open(std::shared_ptr<SrtPuller> self, std::shared_ptr<SrtFeed> feed,
                       std::string peer) {
  const auto order = std::make_shared<SrtCloseOrder>();
  media::PublishRequest request;
  request.protocol = media::IngestProtocol::srt;
  request.channel = self->pull_.channel;
  request.key = self->pull_.key;
  request.peer = std::move(peer);
  request.encoder = feed->names().encoder;
  request.close = [order](std::string_view why) { order->give(why); };
  auto grant = co_await self->shared_.services.feeds.open(std::move(request));
  if (!grant) {
    feed->cut("publish refused: " + grant.error().message, media::FeedEnd::error);
    co_return;
  }
  if (feed->ending()) {
    [[maybe_unused]] const auto taken =
        grant->sink->accept(media::EndOfFeed{media::FeedEnd::connection_lost});
    co_return;
  }
  feed->grant(std::move(grant->sink));
  order->attach(feed);
}

}  // namespace kapok::ingest
