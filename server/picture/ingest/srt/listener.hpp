// SRT ingest: one UDP port for all channels, spread over the shards by socket id. Handshakes are
// met on the first shard, which asks the FeedDirectory whether a publish may be; the connection
// then lives on the channel's home shard and hands the feed's items to the sink there. Links that
// belong to one group [draft-sharabayko-srt 3.2.1.4] share a feed. Callers that want to receive are
// handed to a ViewerDirectory. Also fetches feeds from elsewhere (SrtPull). Hostile or slow peers
// cost a table entry for three seconds, bounded memory and nobody else anything. Owned by
// app/server.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/base/result.hpp"
#include "server/base/task.hpp"
#include "server/media/feed.hpp"
#include "server/net/address_limits.hpp"
#include "server/picture/ingest/srt/feed.hpp"
#include "server/picture/protocols/srt/viewers.hpp"

namespace kapok::ingest {

// Whether anybody may call us; if not, the port is for the calls that we make.
enum class SrtCallers : std::uint8_t { welcome, ignored };

struct SrtListenerOptions {
  SrtCallers callers = SrtCallers::welcome;
  std::string address;  // empty: every address
  std::uint16_t port = 9000;
  // How long lost packets may take to come again; a peer that asks for more gets more. Four round
  // trips of a loaded 5G uplink (100 ms): two retransmissions and a moment of congestion.
  milliseconds latency{400};
  // What all callers' received and not yet delivered datagrams may hold together: 20 feeds of
  // 120 Mb/s at a second of latency take 300 MiB.
  std::size_t receive_memory_bytes = std::size_t{512} * 1024 * 1024;
  std::size_t receive_buffer_bytes = std::size_t{8} * 1024 * 1024;  // the kernel's, per shard
  // A publisher that sends signs of life and no media.
  nanoseconds idle_deadline = seconds(30);
  // A relay site may bring all its feeds from one address, and all at once.
  net::AddressLimitOptions limits{.half_open = 256, .open = 1'024, .total = 4'096};
};

struct SrtListenerServices {
  std::vector<boost::asio::any_io_executor> shards;
  media::FeedDirectory& feeds;
  srt::ViewerDirectory* viewers = nullptr;  // null: nobody may receive
  // The passphrase of a channel's feed, empty: in clear. Called from any shard.
  std::function<std::string(std::string_view channel, std::string_view feed)> passphrase;
  const Clock& clock;
  Log log;
  Metrics& metrics;
};

struct SrtPull;

class SrtListener {
 public:
  SrtListener(SrtListenerOptions options, SrtListenerServices services);
  ~SrtListener();  // drain() first
  SrtListener(const SrtListener&) = delete;
  SrtListener& operator=(const SrtListener&) = delete;

  // Binds the port and starts. Errors: those of net::UdpSocket::open. Call once, before or while
  // the shards run.
  Result<void> start();
  std::uint16_t port() const;

  // What is fetched from elsewhere, at start and after a reload: those that did not change are not
  // disturbed. After start(); from any shard.
  Task<> fetch(std::vector<SrtPull> pulls);

  // Of every feed that comes over SRT now. From any shard.
  Task<std::vector<SrtFeedStats>> feeds();
  std::size_t connections() const;  // that came to us

  // Refuses handshakes, says goodbye to everybody, cuts who is left after `deadline`, returns when
  // nobody is left. From any shard, once.
  Task<> drain(nanoseconds deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kapok::ingest
