#include "server/picture/delivery/http/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "server/picture/delivery/http/connection.hpp"

namespace kapok::delivery {

using boost::asio::ip::tcp;

namespace {

// So many refused clients at a time are told so; each costs a socket and, with TLS, a handshake.
// Beyond, a connection is cut without a word.
constexpr std::size_t kTurnedAwayAtOnce = 64;
constexpr seconds kTurnAwayDeadline{2};
constexpr std::string_view kOverloaded =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\n"
    "too many connections\n";

}  // namespace

struct HttpServer::Listening {
  enum class Security : std::uint8_t { plain, tls };
  Security security = Security::plain;
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors;  // one per shard
};

HttpServer::HttpServer(HttpServerOptions options, HttpServerServices services)
    : options_(std::move(options)), services_(std::move(services)) {}

HttpServer::~HttpServer() = default;

Result<void> HttpServer::start() {
  assert(listening_.empty() && !services_.shards.empty());
  AccessRule rule = KAPOK_TRY(AccessRule::make(options_.access));
  std::vector<boost::asio::any_io_executor> executors;
  for (const auto& shard : services_.shards) executors.push_back(shard.executor);
  const auto listen = [&](const net::ListenOptions& at, Listening::Security security) -> Result<> {
    auto listening = std::make_unique<Listening>();
    listening->security = security;
    listening->acceptors = KAPOK_TRY(net::Acceptor::open(executors, at, services_.log));
    listening->port = listening->acceptors.front()->port();
    listening_.push_back(std::move(listening));
    return {};
  };
  if (options_.http) KAPOK_TRY(listen(*options_.http, Listening::Security::plain));
  if (options_.https && !services_.tls)
    return fail(Errc::config,
                "https.port is set but there is no certificate: set https.certificate "
                "and https.key, or remove the port");
  if (options_.https) KAPOK_TRY(listen(*options_.https, Listening::Security::tls));
  addresses_ = std::make_unique<net::AddressLimits>(options_.addresses);
  shared_ = std::make_unique<HttpShared>(HttpShared{.router = services_.router,
                                                    .pages = services_.pages,
                                                    .signer = services_.signer,
                                                    .evidence = services_.evidence,
                                                    .clock = services_.clock,
                                                    .log = services_.log,
                                                    .metrics = services_.metrics,
                                                    .disk = services_.disk,
                                                    .rule = std::move(rule),
                                                    .limits = options_.limits,
                                                    .addresses = *addresses_});
  for (const auto& shard : services_.shards)
    shards_.push_back(std::make_unique<HttpShard>(shard.executor, *shard.live, *shared_));
  for (std::size_t i = 0; i < shards_.size(); ++i)
    boost::asio::post(executors[i], [this, i] {
      for (const auto& listening : listening_) shards_[i]->tasks.spawn(accept_on(*listening, i));
    });
  return {};
}

std::uint16_t HttpServer::http_port() const {
  for (const auto& listening : listening_)
    if (listening->security == Listening::Security::plain) return listening->port;
  return 0;
}

std::uint16_t HttpServer::https_port() const {
  for (const auto& listening : listening_)
    if (listening->security == Listening::Security::tls) return listening->port;
  return 0;
}

Task<> HttpServer::accept_on(Listening& listening, std::size_t shard) {
  net::Acceptor& acceptor = *listening.acceptors[shard];
  while (true) {
    auto socket = co_await acceptor.accept();
    if (!socket) co_return;
    if (shards_[shard]->draining) co_return;
    serve(std::move(*socket), listening, shard);
  }
}

void HttpServer::serve(tcp::socket socket, Listening& listening, std::size_t index) {
  HttpShard& shard = *shards_[index];
  boost::system::error_code gone;
  const tcp::endpoint peer = socket.remote_endpoint(gone);
  if (gone) return;
  const auto address = net::plain_address(peer.address());
  auto place = addresses_->admit(address);
  if (!place) {
    shard.metrics.connections_refused.increment();
    if (shard.turning_away >= kTurnedAwayAtOnce) return;
  }
  auto stream = listening.security == Listening::Security::tls
                    ? std::make_unique<net::Stream>(std::move(socket), *services_.tls->current(),
                                                    shard.cipher)
                    : std::make_unique<net::Stream>(std::move(socket));
  const auto on_error = [log = services_.log](const std::string& what) {
    log.error("http.connection_failed", {{"reason", what}});
  };
  if (!place) {
    ++shard.turning_away;
    shard.tasks.spawn(turn_away(std::move(stream), shard), on_error);
    return;
  }
  auto connection = std::make_shared<Connection>(
      shard, std::move(stream),
      Connection::Peer{.address = address, .port = peer.port(), .place = std::move(*place)});
  const auto run = [](std::shared_ptr<Connection> self) -> Task<> { co_await self->run(); };
  shard.tasks.spawn(run(std::move(connection)), on_error);
}

Task<> HttpServer::turn_away(std::unique_ptr<net::Stream> stream, HttpShard& shard) {
  net::Watchdog watchdog(shard.executor, [&stream] { stream->close(); });
  watchdog.arm(kTurnAwayDeadline);
  bool open = co_await stream->handshake();
  // The request is read first: closing with unread input would take the answer with it.
  if (open) open = co_await stream->wait(net::Ready::read);
  if (open && !stream->receive(shard.input).closed) {
    stream->send(as_bytes(kOverloaded));
    stream->end_sending();
  }
  stream->close();
  --shard.turning_away;
}

Task<> HttpServer::drain(milliseconds patience) {
  const auto here = co_await boost::asio::this_coro::executor;
  // All shards first, then wait for each: they drain at the same time.
  for (std::size_t i = 0; i < shards_.size(); ++i)
    boost::asio::post(shards_[i]->executor, [this, i] {
      HttpShard& shard = *shards_[i];
      shard.draining = true;
      for (const auto& listening : listening_) listening->acceptors[i]->close();
      shard.live.stop();
      for (Connection* connection : shard.connections) connection->finish();
    });
  const auto drain_shard = [](HttpShard& shard, milliseconds limit) -> Task<> {
    boost::asio::steady_timer cut(shard.executor, limit);
    cut.async_wait([&shard](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      for (Connection* connection : shard.connections) connection->abort();
    });
    co_await shard.tasks.drain();
    cut.cancel();
    // The timer's handler refers to the shard: let it run before the shard may go.
    co_await boost::asio::post(shard.executor, boost::asio::use_awaitable);
  };
  const MonoTime deadline = std::chrono::steady_clock::now() + patience;
  for (const auto& shard : shards_) {
    const auto left = std::chrono::duration_cast<milliseconds>(
        std::max(deadline - std::chrono::steady_clock::now(), nanoseconds(0)));
    co_await boost::asio::co_spawn(shard->executor, drain_shard(*shard, left),
                                   boost::asio::use_awaitable);
  }
}

}  // namespace kapok::delivery
