// Who reads a channel as a feed (media::FeedSource): the home shard's side of their subscriptions.
// Every reader has a bounded queue here and at most one batch on its own executor; it asks for the
// next batch when it has taken one, so that a batch holds what came in between. Lives on the
// channel's home shard, owned by the channel; the subscriptions may outlive it, then they are
// closed. No lock: both sides post values to each other.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "server/base/metrics.hpp"
#include "server/media/feed_source.hpp"

namespace kapok::channel {

class FeedReaders : public std::enable_shared_from_this<FeedReaders> {
 public:
  // Outputs to other sites, not an audience: more on one channel is a mistake or an attack.
  static constexpr std::size_t kMaxReaders = 256;
  // Packets without payload cost memory too.
  static constexpr std::size_t kMaxItems = 65'536;

  struct Series {
    Gauge& readers;
    Counter& skipped;
  };
  FeedReaders(boost::asio::any_io_executor home, Series series)
      : home_(std::move(home)), series_(series) {}
  ~FeedReaders();

  // Errors: limit.
  Result<std::unique_ptr<media::FeedSubscription>> add(boost::asio::any_io_executor reader,
                                                       media::ReaderLimits limits);
  bool empty() const { return readers_.empty(); }

  // A feed goes on air: its tracks and packets follow, from an era's start.
  void start();
  void track(std::shared_ptr<const media::Track> track);
  enum class Place : std::uint8_t { sync, inside };  // a reader may begin with it, or not
  void packet(const std::shared_ptr<const media::Packet>& packet, Place place);
  // Nothing is on air any more.
  void end(media::FeedEnd reason);
  // All subscriptions are closed.
  void close();

 private:
  class Inbox;
  class Subscription;
  struct Reader {
    boost::asio::any_io_executor executor;
    std::weak_ptr<Inbox> inbox;  // the subscription's: it must end on its own executor
    media::ReaderLimits limits;
    std::deque<media::FeedItem> queue;
    std::size_t bytes = 0;
    std::optional<MonoTime> oldest;  // arrival of the first packet in the queue
    bool asked = false;
    bool reading = false;  // gets packets; else it waits for a place to begin
    bool has_begun = false;
    bool moved_on = false;  // waits for the next sync packet because it was slow
    std::uint64_t skipped = 0;
  };
  void ask(std::uint64_t id);
  void remove(std::uint64_t id);
  void begin(Reader& reader);
  void move_on(Reader& reader);
  void give(Reader& reader);

  boost::asio::any_io_executor home_;
  Series series_;
  std::map<std::uint64_t, Reader> readers_;
  std::uint64_t next_id_ = 0;
  std::map<media::TrackId, std::shared_ptr<const media::Track>> tracks_;  // on air
};

}  // namespace kapok::channel
