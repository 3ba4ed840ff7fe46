// HTTP and HTTPS on every shard: listens, serves live media, handlers and pages, and drains. The
// composition root makes one, gives it the shards with their LiveStores, and starts it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/net/acceptor.hpp"
#include "server/net/tls_context.hpp"
#include "server/picture/delivery/http/http_shard.hpp"

namespace kapok::delivery {

struct HttpServerOptions {
  std::optional<net::ListenOptions> http;   // at least one of the two
  std::optional<net::ListenOptions> https;  // needs services.tls
  HttpLimits limits;
  // Viewers share addresses (one per household, one per mobile carrier's gateway): generous.
  net::AddressLimitOptions addresses{.half_open = 256, .open = 4096, .total = 65'536};
  MediaAccess access;
};

// All of it outlives the server.
struct HttpServerServices {
  struct Shard {
    boost::asio::any_io_executor executor;
    LiveStore* live;
  };
  std::vector<Shard> shards;
  const Router& router;
  std::shared_ptr<const StaticFiles> pages;  // null: no web pages
  const access::TokenSigner* signer;         // null: no sessions
  evidence::EvidenceSink& evidence;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  WorkerThread& disk;
  std::shared_ptr<net::TlsContext> tls;  // null: no HTTPS
};

class HttpServer {
 public:
  HttpServer(HttpServerOptions options, HttpServerServices services);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens and begins to accept on every shard; callable from any thread, once. Errors: conflict,
  // denied, config, each with its remedy.
  Result<void> start();
  // The ports in use (they matter where 0 was asked for); 0: not listening.
  std::uint16_t http_port() const;
  std::uint16_t https_port() const;

  // Stops accepting, closes idle connections, lets requests finish, cuts what is left after
  // `patience`. Held requests are answered with what there is. Returns when no connection is left;
  // the server may be destroyed then. Awaited on any one shard.
  Task<> drain(milliseconds patience);

 private:
  struct Listening;
  Task<> accept_on(Listening& listening, std::size_t shard);
  void serve(boost::asio::ip::tcp::socket socket, Listening& listening, std::size_t shard);
  // Over a limit: 503 in answer to the first request, a bounded number at a time.
  static Task<> turn_away(std::unique_ptr<net::Stream> stream, HttpShard& shard);

  HttpServerOptions options_;
  HttpServerServices services_;
  std::unique_ptr<net::AddressLimits> addresses_;
  std::unique_ptr<HttpShared> shared_;
  std::vector<std::unique_ptr<HttpShard>> shards_;
  std::vector<std::unique_ptr<Listening>> listening_;
};

}  // namespace kapok::delivery
