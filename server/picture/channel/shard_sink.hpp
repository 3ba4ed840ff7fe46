// The FeedSink that a publisher's connection holds. On the channel's home shard it hands items
// straight on; from another shard (a TLS connection stays where it was accepted) it posts them,
// with a bound on what is under way in bytes and in time: over it the feed is cut. One connection,
// one thread at a time; no lock.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <memory>
#include <string_view>

#include "server/base/clock.hpp"
#include "server/media/feed.hpp"

namespace kapok::channel {

// The home side of a sink; called on the home shard only.
class FeedIntake {
 public:
  virtual ~FeedIntake() = default;
  virtual Result<void> take(media::FeedItem item) = 0;
  // The connection could not get its items across: end the feed.
  virtual void cut(std::string_view reason) = 0;
};

struct SinkLimits {
  // One largest packet and as much again: less would cut an 8K feed at its IDR.
  std::size_t bytes = 2 * media::kMaxPacketBytes;
  // A home shard that is this far behind does not catch up.
  nanoseconds time = seconds(2);
  // Empty-payload packets cost memory too.
  std::size_t items = 65'536;
};

class ShardSink final : public media::FeedSink {
 public:
  ShardSink(boost::asio::any_io_executor home, std::shared_ptr<FeedIntake> intake,
            const Clock& clock, SinkLimits limits);
  ~ShardSink() override;

  Result<void> accept(media::FeedItem item) override;

 private:
  struct Shared;
  struct UnderWay {
    std::size_t bytes = 0;
    MonoTime since;
  };
  bool at_home() const;
  Result<void> post(media::FeedItem item);

  boost::asio::any_io_executor home_;
  std::shared_ptr<Shared> shared_;
  const Clock& clock_;
  SinkLimits limits_;
  // Producer's own book of what was posted and not yet taken.
  std::deque<UnderWay> under_way_;
  std::size_t bytes_under_way_ = 0;
  std::uint64_t settled_ = 0;  // how many of the consumer's count are off the book
  bool cut_ = false;
};

}  // namespace kapok::channel
