#include "server/picture/channel/shard_sink.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace kapok::channel {
namespace {

std::size_t size_of(const media::FeedItem& item) {
  const auto* packet = std::get_if<std::shared_ptr<const media::Packet>>(&item);
  return packet != nullptr ? (*packet)->payload.size() : 0;
}

}  // namespace

struct ShardSink::Shared {
  explicit Shared(std::shared_ptr<FeedIntake> to) : intake(std::move(to)) {}
  const std::shared_ptr<FeedIntake> intake;
  std::atomic<std::uint64_t> taken{0};  // written at home, read by the producer
  std::atomic<bool> refused{false};
};

ShardSink::ShardSink(boost::asio::any_io_executor home, std::shared_ptr<FeedIntake> intake,
                     const Clock& clock, SinkLimits limits)
    : home_(std::move(home)),
      shared_(std::make_shared<Shared>(std::move(intake))),
      clock_(clock),
      limits_(limits) {}

ShardSink::~ShardSink() = default;

bool ShardSink::at_home() const {
  const auto* shard = home_.target<boost::asio::io_context::executor_type>();
  return shard != nullptr && shard->running_in_this_thread();
}

Result<void> ShardSink::accept(media::FeedItem item) {
  if (cut_ || shared_->refused.load(std::memory_order_acquire))
    return fail(Errc::closed, "the channel has closed this feed");
  // What is still under way must not be overtaken.
  if (bytes_under_way_ == 0 && under_way_.empty() && at_home()) {
    auto taken = shared_->intake->take(std::move(item));
    if (!taken) shared_->refused.store(true, std::memory_order_release);
    return taken;
  }
  return post(std::move(item));
}

Result<void> ShardSink::post(media::FeedItem item) {
  const MonoTime now = clock_.mono();
  const std::uint64_t taken = shared_->taken.load(std::memory_order_acquire);
  for (; settled_ < taken; ++settled_) {
    bytes_under_way_ -= under_way_.front().bytes;
    under_way_.pop_front();
  }
  const std::size_t bytes = size_of(item);
  if (!under_way_.empty() &&
      (bytes_under_way_ + bytes > limits_.bytes || under_way_.size() >= limits_.items ||
       now - under_way_.front().since > limits_.time)) {
    cut_ = true;
    boost::asio::post(home_, [shared = shared_] {
      shared->intake->cut("the channel's shard is too far behind this connection");
    });
    return fail(Errc::full, "the channel's shard is {} bytes behind this connection",
                bytes_under_way_);
  }
  under_way_.push_back({bytes, now});
  bytes_under_way_ += bytes;
  boost::asio::post(home_, [shared = shared_, item = std::move(item)]() mutable {
    if (!shared->refused.load(std::memory_order_relaxed) && !shared->intake->take(std::move(item)))
      shared->refused.store(true, std::memory_order_release);
    shared->taken.fetch_add(1, std::memory_order_release);
  });
  return {};
}

}  // namespace kapok::channel
