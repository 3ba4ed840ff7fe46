// One feed that comes over SRT, on one connection or several bonded ones, from the grant to its
// end: messages go through the TS demuxer to the channel's sink, in batches as their turn comes.
// Lives on the channel's home shard, driven by its SrtShard.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/log.hpp"
#include "server/media/feed.hpp"
#include "server/net/address_limits.hpp"
#include "server/picture/containers/mpegts/demuxer.hpp"
#include "server/picture/ingest/srt/carrier.hpp"
#include "server/picture/ingest/srt/health.hpp"
#include "server/picture/ingest/srt/metrics.hpp"
#include "server/picture/ingest/srt/shard.hpp"

namespace kapok::ingest {

// One of the connections of a feed, as the sockets see it.
struct SrtLink {
  srt::SocketId id = 0;
  net::UdpPath path;
  std::string peer;  // "192.0.2.1:51234"
  // Of a caller that came to us; a feed that we fetch takes nobody's place.
  std::optional<net::AddressLimits::Place> place;
  // Its last datagrams are still to be sent, then it goes.
  bool left = false;
};

struct SrtFeedNames {
  std::string channel;
  std::string feed;
  std::string encoder;  // "SRT 1.5.1"
};

struct SrtFeedServices {
  SrtShard& shard;
  SrtMetrics& metrics;
  Metrics& series;
  Log log;
  // A peer that sends nothing but signs of life for this long is cut.
  nanoseconds idle_deadline;
};

struct SrtFeedStats {
  std::string channel;
  std::string feed;
  srt::GroupStats transport;
  std::vector<std::string> peers;  // of transport.links
  bool bonded = false;
  mpegts::TsStats ts;
};

class SrtFeed;

// How a channel tells a feed to go, perhaps before there is one. For the home shard.
class SrtCloseOrder {
 public:
  void give(std::string_view why);
  void attach(const std::shared_ptr<SrtFeed>& feed);

 private:
  std::weak_ptr<SrtFeed> feed_;
  std::optional<std::string> reason_;
};

class SrtFeed final : public SrtLine {
 public:
  SrtFeed(SrtCarrier carrier, SrtFeedNames names, SrtFeedServices services);
  ~SrtFeed() override;

  // What comes before is dropped; the delivery latency gives the directory its time.
  void grant(std::shared_ptr<media::FeedSink> sink);
  void add_link(SrtLink link);
  // Null: a connection of its own, which nothing can join.
  srt::Group* group() { return carrier_.group(); }
  // Says goodbye to the peer and ends the feed; the first reason counts.
  void cut(std::string reason, media::FeedEnd end);
  bool ending() const { return cut_.has_value() || over_; }
  // Calls back when one of its links (its id) or the feed itself (0) has ended.
  void on_end(std::function<void(srt::SocketId)> call) { ended_ = std::move(call); }
  SrtFeedStats stats(MonoTime now) const;
  const SrtFeedNames& names() const { return names_; }

  void receive(MonoTime now, srt::SocketId id, const net::ReceivedDatagram& datagram,
               srt::Output& out) override;
  bool advance(MonoTime now, srt::Output& out) override;
  MonoTime next_deadline() const override;
  const net::UdpPath& path_to(const srt::PeerAddress& peer) const override;

 private:
  struct Cut {
    std::string reason;
    media::FeedEnd end;
    bool told = false;  // the peer
  };
  void handle(MonoTime now, srt::Output& out);
  void message(const srt::Message& message);
  void deliver();
  void link_closed(const srt::Closed& closed);
  std::size_t links_left() const;
  void end(srt::CloseReason reason);
  void report(MonoTime now);
  void remember(const srt::GroupStats& stats);

  SrtCarrier carrier_;
  SrtFeedNames names_;
  SrtFeedServices services_;
  Log log_;
  std::function<void(srt::SocketId)> ended_;
  std::shared_ptr<media::FeedSink> sink_;
  mpegts::TsDemuxer demuxer_;
  mpegts::TsDemuxer::Items items_;
  std::vector<SrtLink> links_;
  std::optional<Cut> cut_;
  bool over_ = false;
  bool granted_ = false;
  MonoTime began_;
  MonoTime last_message_;
  MonoTime next_report_;
  milliseconds latency_{0};
  SrtHealth health_;
  SrtTotals totals_;  // as last seen: a closed connection has none
  std::string encryption_;
  SrtFeedMetrics feed_metrics_;
};

}  // namespace kapok::ingest
