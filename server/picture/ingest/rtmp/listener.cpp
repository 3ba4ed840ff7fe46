#include "server/picture/ingest/rtmp/listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "server/picture/ingest/rtmp/connection.hpp"

namespace kapok::ingest {

namespace asio = boost::asio;

namespace {
constexpr milliseconds kDrainLook{20};  // how often a drain looks whether all have left

std::string name_of(const asio::ip::tcp::endpoint& peer) {
  const auto address = net::plain_address(peer.address());
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), peer.port())
                         : fmt::format("{}:{}", address.to_string(), peer.port());
}
}  // namespace

struct RtmpListener::State {
  State(RtmpListenerOptions with, RtmpListenerServices uses)
      : options(std::move(with)),
        services(std::move(uses)),
        metrics(services.metrics),
        limits(options.limits) {
    for (const auto& executor : services.shards)
      shards.push_back(std::make_unique<RtmpShard>(executor));
  }

  RtmpListenerOptions options;
  RtmpListenerServices services;
  RtmpMetrics metrics;
  net::AddressLimits limits;
  std::vector<std::unique_ptr<RtmpShard>> shards;
  std::atomic<std::size_t> alive = 0;
  std::uint16_t port = 0;
  std::uint16_t tls_port = 0;

  Task<> accept_all(RtmpShard* shard, net::Acceptor* acceptor, media::IngestProtocol protocol);
  void admit(RtmpShard& shard, asio::ip::tcp::socket socket, media::IngestProtocol protocol);
  Task<> stop_accepting(RtmpShard* shard);
  Task<> cut_all(RtmpShard* shard);
  Task<std::size_t> drain_tasks(RtmpShard* shard);
};

RtmpListener::RtmpListener(RtmpListenerOptions options, RtmpListenerServices services)
    : state_(std::make_unique<State>(std::move(options), std::move(services))) {}

RtmpListener::~RtmpListener() = default;

Result<void> RtmpListener::start() {
  State& state = *state_;
  using Acceptors = std::vector<std::unique_ptr<net::Acceptor>>;
  Acceptors plain;
  Acceptors tls;
  if (state.options.plain) {
    plain = KAPOK_TRY(net::Acceptor::open(
        state.services.shards,
        {state.options.address, state.options.port, "RTMP", "choose another with rtmp.port"},
        state.services.log));
    state.port = plain.front()->port();
  }
  if (state.services.tls) {
    tls = KAPOK_TRY(net::Acceptor::open(
        state.services.shards,
        {state.options.address, state.options.tls_port, "RTMPS", "choose another with rtmps.port"},
        state.services.log));
    state.tls_port = tls.front()->port();
  }
  for (std::size_t i = 0; i < state.shards.size(); ++i) {
    RtmpShard& shard = *state.shards[i];
    if (!plain.empty()) shard.plain = std::move(plain[i]);
    if (!tls.empty()) shard.tls = std::move(tls[i]);
    asio::post(shard.executor, [&state, &shard] {
      if (shard.plain)
        shard.tasks.spawn(state.accept_all(&shard, shard.plain.get(), media::IngestProtocol::rtmp));
      if (shard.tls)
        shard.tasks.spawn(state.accept_all(&shard, shard.tls.get(), media::IngestProtocol::rtmps));
    });
  }
  state.services.log.info("rtmp.listening", {{"port", state.port}, {"tls_port", state.tls_port}});
  return {};
}

std::uint16_t RtmpListener::port() const {
  return state_->port;
}

std::uint16_t RtmpListener::tls_port() const {
  return state_->tls_port;
}

std::size_t RtmpListener::connections() const {
  return state_->alive;
}

Task<> RtmpListener::State::accept_all(RtmpShard* shard, net::Acceptor* acceptor,
                                       media::IngestProtocol protocol) {
  while (!shard->draining) {
    auto socket = co_await acceptor->accept();
    if (!socket) co_return;
    admit(*shard, *std::move(socket), protocol);
  }
}

void RtmpListener::State::admit(RtmpShard& shard, asio::ip::tcp::socket socket,
                                media::IngestProtocol protocol) {
  boost::system::error_code gone;
  const auto peer = socket.remote_endpoint(gone);
  if (gone || shard.draining) return;
  auto place = limits.admit(peer.address());
  if (!place) {
    metrics.rejected.increment();
    return;  // the socket closes; no log line a peer could flood
  }
  RtmpTransport transport = protocol == media::IngestProtocol::rtmps
                                ? RtmpTransport(std::move(socket), services.tls->current())
                                : RtmpTransport(std::move(socket));
  auto connection = std::make_shared<RtmpConnection>(
      RtmpShared{options, services, metrics, shards, alive}, std::move(transport),
      RtmpPeer{name_of(peer), *std::move(place)});
  RtmpConnection::spawn(std::move(connection), shard);
}

Task<> RtmpListener::State::stop_accepting(RtmpShard* shard) {
  shard->draining = true;
  if (shard->plain) shard->plain->close();
  if (shard->tls) shard->tls->close();
  const std::vector<RtmpConnection*> now(shard->connections.begin(), shard->connections.end());
  for (RtmpConnection* connection : now) connection->ask_to_leave();
  co_return;
}

Task<> RtmpListener::State::cut_all(RtmpShard* shard) {
  const std::vector<RtmpConnection*> now(shard->connections.begin(), shard->connections.end());
  for (RtmpConnection* connection : now)
    connection->dismiss("draining", media::FeedEnd::connection_lost);
  co_return;
}

Task<std::size_t> RtmpListener::State::drain_tasks(RtmpShard* shard) {
  co_await shard->tasks.drain();
  co_return shard->tasks.alive();
}

Task<> RtmpListener::drain(nanoseconds deadline) {
  State& state = *state_;
  for (const auto& shard : state.shards)
    co_await asio::co_spawn(shard->executor, state.stop_accepting(shard.get()),
                            asio::use_awaitable);

  const auto here = co_await asio::this_coro::executor;
  asio::steady_timer look(here);
  const MonoTime end = state.services.clock.mono() + deadline;
  while (state.alive > 0 && state.services.clock.mono() < end) {
    look.expires_after(kDrainLook);
    [[maybe_unused]] auto [error] = co_await look.async_wait(kAsValue);
  }
  // A connection that was on its way to another shard appears there once more: look again until
  // nobody is left.
  bool left = true;
  while (left) {
    left = false;
    for (const auto& shard : state.shards) {
      co_await asio::co_spawn(shard->executor, state.cut_all(shard.get()), asio::use_awaitable);
      co_await asio::co_spawn(shard->executor, state.drain_tasks(shard.get()), asio::use_awaitable);
    }
    if (state.alive > 0) left = true;
  }
}

}  // namespace kapok::ingest
