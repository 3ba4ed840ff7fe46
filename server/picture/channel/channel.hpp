// A live service fed by one or more feeds: it decides which of them is on air, maps that one to
// channel time and hands its packets to the rendering and to the readers. Also what may be said
// about the feeds (facts). Everything is called on the channel's home shard, except construction;
// its work per packet is a few look-ups and one new Packet around the same payload.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/crypto.hpp"
#include "server/base/log.hpp"
#include "server/base/metrics.hpp"
#include "server/media/feed_source.hpp"
#include "server/picture/channel/channel_facts.hpp"
#include "server/picture/channel/era_keeper.hpp"
#include "server/picture/channel/feed_choice.hpp"
#include "server/picture/channel/feed_readers.hpp"
#include "server/picture/channel/feed_session.hpp"
#include "server/picture/channel/rungs.hpp"

namespace kapok::channel {

struct FeedConfig {
  std::string name;  // a valid id
  int priority = 0;  // the larger wins
  // The key, its hash or the URL, as configured. Used to see that it changed, kept as a hash only;
  // who may publish is the authoriser's to say.
  std::string credential;
};

struct ChannelConfig {
  std::string id;
  std::string title;
  std::vector<FeedConfig> feeds;
  packaging::PackagerOptions packager;
  std::optional<media::Ladder> ladder;
};

struct ChannelServices {
  boost::asio::any_io_executor home;
  const Clock& clock;
  Log log;
  Metrics& metrics;
  ChildProgram transcoder;
  evidence::EvidenceSink* evidence = nullptr;  // for what the transcoder finds; null: nobody counts
  std::shared_ptr<DeviceLoad> devices = std::make_shared<DeviceLoad>();  // of all channels
};

class Channel {
 public:
  // The publisher of a feed that has been silent for this long may be replaced.
  static constexpr nanoseconds kReplaceableAfter = seconds(2);

  Channel(const ChannelConfig& config, ChannelServices services,
          std::unique_ptr<Rendering> rendering);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Recovers the window; the errors are the packager's.
  Result<void> open();
  // The key has been checked and opened `feed`.
  Result<media::FeedGrant> publish(const std::string& feed, media::PublishRequest request);
  Result<media::FeedAccess> subscribe(media::SubscribeRequest request);
  // Title, feeds, priorities, keys. Feeds that are gone or have another key lose their publisher.
  void reconfigure(const ChannelConfig& config);
  ChannelFacts facts() const;
  // Ends all feeds, then everything pending is written.
  Task<> close();

  // For FeedSession.
  Result<void> take(FeedSession& session, media::FeedItem item);
  void close_session(FeedSession& session, media::FeedEnd reason, std::string_view why);

 private:
  struct Feed {
    std::string name;
    int priority = 0;
    Digest256 credential{};
    std::shared_ptr<FeedSession> session;
    std::optional<media::FeedEnd> last_end;
    Counter* packets = nullptr;
    Counter* bytes = nullptr;
    Counter* dropped = nullptr;
    Counter* discontinuities = nullptr;
    Gauge* drift = nullptr;
  };
  Feed make_feed(const FeedConfig& config) const;
  Feed* find(std::string_view name);

  Result<void> take_track(FeedSession& session, const std::shared_ptr<const media::Track>& track);
  void take_packet(FeedSession& session, std::shared_ptr<const media::Packet> packet);
  void break_era(FeedSession& session, std::string_view why);
  void hold(FeedSession& session, const FeedSession::TrackState& track,
            std::shared_ptr<const media::Packet> packet);
  void go_on_air(FeedSession& session);
  void put_out(FeedSession& session, const std::shared_ptr<const media::Packet>& packet);
  void relay(FeedSession& session, FeedSession::TrackState& track, const media::Packet& packet);
  // Once a GOP: what changes slowly.
  void review(FeedSession& session, const FeedSession::TrackState& track, MonoTime arrival);
  // Returns the session that should be on air.
  FeedSession* chosen(MonoTime now) const;
  void end_session(Feed& feed, media::FeedEnd reason, std::string_view why);

  std::string id_;
  std::string title_;
  microseconds segment_target_;
  ChannelServices services_;
  EraKeeper era_;
  Rungs rungs_;
  std::shared_ptr<FeedReaders> readers_;
  FeedChoice choice_;
  std::vector<Feed> feeds_;
  FeedSession* on_air_ = nullptr;
  bool closed_ = false;
  Gauge& live_;
  Counter& eras_;
};

}  // namespace kapok::channel
