// One RTMP connection: moves bytes between a transport and an RtmpServerSession, and a published
// feed from there through the FLV demuxer to its sink. Its task, run(), lives on one shard at a
// time; when a plain connection's publish is granted it ends there and begins anew on the channel's
// home, so that items reach the sink without a hop. Every member is for the present shard only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/base/clock.hpp"
#include "server/media/feed.hpp"
#include "server/net/acceptor.hpp"
#include "server/net/address_limits.hpp"
#include "server/net/watchdog.hpp"
#include "server/picture/containers/flv/demuxer.hpp"
#include "server/picture/ingest/rtmp/listener.hpp"
#include "server/picture/ingest/rtmp/transport.hpp"
#include "server/picture/protocols/rtmp/server_session.hpp"

namespace kapok::ingest {

class RtmpConnection;

// What the connections of one shard share; touched on that shard only.
struct RtmpShard {
  explicit RtmpShard(const boost::asio::any_io_executor& on)
      : executor(on), tasks(on), rounds(on) {}
  boost::asio::any_io_executor executor;
  TaskGroup tasks;
  ReadRounds rounds;
  std::unique_ptr<net::Acceptor> plain;
  std::unique_ptr<net::Acceptor> tls;
  std::unordered_set<RtmpConnection*> connections;
  bool draining = false;
};

struct RtmpMetrics {
  explicit RtmpMetrics(Metrics& metrics);
  Gauge& connections;
  Gauge& publishing;
  Counter& bytes;
  Counter& refused;   // publishes
  Counter& rejected;  // connections over a limit
};

// What all connections of a listener share.
struct RtmpShared {
  const RtmpListenerOptions& options;
  RtmpListenerServices& services;
  RtmpMetrics& metrics;
  std::vector<std::unique_ptr<RtmpShard>>& shards;
  std::atomic<std::size_t>& alive;
};

struct RtmpPeer {
  std::string name;  // "192.0.2.1:51234"
  net::AddressLimits::Place place;
};

class RtmpConnection : public std::enable_shared_from_this<RtmpConnection> {
 public:
  RtmpConnection(RtmpShared shared, RtmpTransport transport, RtmpPeer peer);
  ~RtmpConnection();

  // Starts its task, which keeps it alive, on `shard`; to be called there.
  static void spawn(std::shared_ptr<RtmpConnection> self, RtmpShard& shard);

  // Draining: a publisher is asked to reconnect, others are cut.
  void ask_to_leave();
  void cut(std::string reason, media::FeedEnd end);
  // The same for a publisher of ours: it is told why (onStatus) and has a moment to read it.
  void dismiss(std::string reason, media::FeedEnd end);

 private:
  enum class Next : std::uint8_t { go_on, moved, over };
  struct Feed {
    media::FeedGrant grant;
    flv::FlvDemuxer demuxer;
    bool refused = false;       // the sink wants no more items
    bool encoder_told = false;  // in the log
  };

  static Task<> run(std::shared_ptr<RtmpConnection> self, RtmpShard* shard);
  // Shards outlive their connections.
  Task<> serve(RtmpShard* shard);
  Task<Result<Next>> turn(RtmpShard* shard);
  Task<Result<std::size_t>> read();
  Task<Result<Next>> ask(rtmp::PublishAsked asked, RtmpShard* shard);
  Task<Result<Next>> begin_feed(media::FeedGrant grant, RtmpShard* shard);
  Task<bool> move_to(RtmpShard* home, RtmpShard* from);
  Result<void> demux(const rtmp::MediaMessage& message, flv::FlvDemuxer::Items& items,
                     MonoTime now);
  void tell_encoder();
  Task<Result<void>> deliver(flv::FlvDemuxer::Items items);
  Task<> end_feed(media::FeedEnd reason);
  Task<Result<void>> flush();
  static Task<> flush_later(std::shared_ptr<RtmpConnection> self);
  Task<> linger();
  void attach(RtmpShard& shard);
  void detach();
  void watch(nanoseconds deadline);
  void log_closed();

  struct CloseOrder;  // how a channel on its home reaches this connection

  RtmpShared shared_;
  RtmpTransport transport_;
  RtmpPeer peer_;
  rtmp::RtmpServerSession session_;
  RtmpShard* shard_ = nullptr;
  std::optional<net::Watchdog> watchdog_;
  std::vector<rtmp::ServerEvent> events_;
  std::optional<Feed> feed_;
  std::shared_ptr<CloseOrder> close_order_;
  Bytes outgoing_;
  bool writing_ = false;
  bool secured_ = false;
  bool resume_ = false;  // the session has bytes that waited for the grant
  MonoTime accepted_;
  std::string channel_;
  std::string feed_name_;
  std::string reason_;  // the first cause of the end
  media::FeedEnd end_ = media::FeedEnd::connection_lost;
  rtmp::SessionState last_state_ = rtmp::SessionState::handshake;
};

}  // namespace kapok::ingest
