// What all connections of one shard share: the live windows, the routes, and buffers that are only
// used between two suspensions, so that one set serves ten thousand connections.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/base/log.hpp"
#include "server/base/task.hpp"
#include "server/base/worker_thread.hpp"
#include "server/net/address_limits.hpp"
#include "server/net/address_rate.hpp"
#include "server/net/stream.hpp"
#include "server/picture/delivery/http/http_metrics.hpp"
#include "server/picture/delivery/http/live_store.hpp"
#include "server/picture/delivery/http/media_routes.hpp"
#include "server/picture/delivery/http/router.hpp"
#include "server/picture/delivery/http/static_files.hpp"
#include "server/picture/protocols/http/limits.hpp"
#include "server/picture/protocols/http/request_head.hpp"
#include "server/picture/protocols/http/response_head.hpp"

namespace kapok::delivery {

class Connection;

struct HttpLimits {
  seconds handshake{5};
  seconds header{5};  // from the first byte of a request to the end of its head
  seconds body{10};
  seconds idle{60};  // keep-alive
  // A client that takes less than `floor_bytes` within `stall` is cut: it holds kernel memory and
  // will never catch up with a live stream.
  seconds stall{10};
  std::uint64_t floor_bytes = 10 * 1024;
  std::size_t body_bytes = http::kMaxBodyBytes;
  // After an error with unread input: so long for the client to read the answer before the reset.
  seconds linger{2};
};

// The same for all shards; outlives them.
struct HttpShared {
  const Router& router;
  std::shared_ptr<const StaticFiles> pages;  // may be null
  const access::TokenSigner* signer;         // may be null
  evidence::EvidenceSink& evidence;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  WorkerThread& disk;  // cold reads of the spool
  AccessRule rule;
  HttpLimits limits;
  net::AddressLimits& addresses;
};

struct HttpShard {
  HttpShard(boost::asio::any_io_executor on, LiveStore& store, const HttpShared& common)
      : executor(on),
        live(store),
        shared(common),
        routes(store, common.rule, common.signer, common.clock),
        metrics(common.metrics),
        tasks(on),
        input(kInputBytes),
        file_bytes(kTlsTurnBytes) {}

  // A whole head, and what a client pipelines behind it in one read.
  static constexpr std::size_t kInputBytes = http::kMaxHeadBytes + 16 * 1024;
  static constexpr std::uint32_t kRefusalsToldPerMinute = 10;
  static constexpr std::size_t kRefusalAddresses = 4096;
  // What a TLS stream takes at once.
  static constexpr std::size_t kTlsTurnBytes = 64 * 1024;

  boost::asio::any_io_executor executor;
  LiveStore& live;
  const HttpShared& shared;
  MediaRoutes routes;
  HttpMetrics metrics;
  http::DateText date;
  TaskGroup tasks;
  std::unordered_set<Connection*> connections;
  bool draining = false;
  std::size_t turning_away = 0;
  // Of each address a few lines a minute: a port scan must not fill the log.
  net::AddressRate refusals_told{kRefusalsToldPerMinute, kRefusalAddresses};
  // Valid until the next suspension of whoever uses them.
  std::vector<std::byte> input;
  std::vector<std::byte> file_bytes;
  std::string head;
  http::RequestHead request;
  net::CipherScratch cipher;
};

}  // namespace kapok::delivery
