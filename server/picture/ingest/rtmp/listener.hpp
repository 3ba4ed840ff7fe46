// RTMP and RTMPS ingest: acceptors on every shard, one task a connection. Asks the FeedDirectory
// whether a publish may be, then hands the feed's items to the sink it was given, on the channel's
// home shard (a plain connection moves there with its socket). Hostile or slow peers are cut by
// their own watchdog and limits and cost nobody else anything. One log line a connection:
// rtmp.closed. Owned by app/server.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/media/feed.hpp"
#include "server/net/acceptor.hpp"
#include "server/net/address_limits.hpp"
#include "server/net/tls_context.hpp"

namespace kapok::ingest {

struct RtmpListenerOptions {
  bool plain = true;
  std::string address;  // empty: every address
  std::uint16_t port = 1935;
  std::uint16_t tls_port = 1936;  // used only with a TLS context
  std::string application = "live";
  // A peer that has not shown who it is gets this long for each step: a handshake, a publish.
  nanoseconds handshake_deadline = seconds(10);
  nanoseconds publish_deadline = seconds(10);
  // A known publisher: silence while publishing, or no new publish after an unpublish.
  nanoseconds idle_deadline = seconds(30);
  net::AddressLimitOptions limits;
};

struct RtmpListenerServices {
  std::vector<boost::asio::any_io_executor> shards;
  media::FeedDirectory& feeds;
  std::shared_ptr<net::TlsContext> tls;  // null: no rtmps
  const Clock& clock;
  Log log;
  Metrics& metrics;
};

class RtmpListener {
 public:
  RtmpListener(RtmpListenerOptions options, RtmpListenerServices services);
  ~RtmpListener();  // drain() first
  RtmpListener(const RtmpListener&) = delete;
  RtmpListener& operator=(const RtmpListener&) = delete;

  // Binds the ports and starts accepting. Errors: those of net::Acceptor::open. Call once, before
  // or while the shards run.
  Result<void> start();
  std::uint16_t port() const;  // what was bound; 0: none
  std::uint16_t tls_port() const;

  // Stops accepting, asks publishers to come back elsewhere (those that understand), cuts who is
  // left after `deadline`, returns when no connection is left. From any shard, once.
  Task<> drain(nanoseconds deadline);
  std::size_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::ingest
