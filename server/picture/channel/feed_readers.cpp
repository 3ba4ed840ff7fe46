#include "server/picture/channel/feed_readers.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace kapok::channel {

using media::FeedBatch;
using media::FeedItem;

// Where the home shard's posts arrive. Touched on the reader's executor only.
class FeedReaders::Inbox {
 public:
  explicit Inbox(boost::asio::any_io_executor reader)
      : wake_(std::move(reader), boost::asio::steady_timer::time_point::max()) {}

  void deliver(FeedBatch batch) {
    batch_ = std::move(batch);
    wake_.cancel();
  }
  void close() {
    closed_ = true;
    wake_.cancel();
  }
  bool closed() const { return closed_; }
  Task<std::optional<FeedBatch>> take() {
    while (!batch_ && !closed_) {
      [[maybe_unused]] auto [error] = co_await wake_.async_wait(kAsValue);
    }
    co_return std::exchange(batch_, std::nullopt);
  }

 private:
  boost::asio::steady_timer wake_;
  std::optional<FeedBatch> batch_;
  bool closed_ = false;
};

class FeedReaders::Subscription final : public media::FeedSubscription {
 public:
  Subscription(boost::asio::any_io_executor home, std::weak_ptr<FeedReaders> readers,
               std::uint64_t id, std::shared_ptr<Inbox> inbox)
      : home_(std::move(home)), readers_(std::move(readers)), id_(id), inbox_(std::move(inbox)) {}
  ~Subscription() override { tell(&FeedReaders::remove); }

  Task<Result<FeedBatch>> next() override {
    if (!std::exchange(asked_, true)) tell(&FeedReaders::ask);
    auto batch = co_await inbox_->take();
    if (!batch || cancelled_) co_return fail(Errc::closed, "the channel gives nothing more");
    asked_ = false;
    co_return std::move(*batch);
  }
  void cancel() override {
    cancelled_ = true;
    inbox_->close();
  }

 private:
  void tell(void (FeedReaders::*what)(std::uint64_t)) {
    boost::asio::post(home_, [readers = readers_, id = id_, what] {
      if (const auto there = readers.lock()) (*there.*what)(id);
    });
  }

  boost::asio::any_io_executor home_;
  std::weak_ptr<FeedReaders> readers_;
  std::uint64_t id_;
  std::shared_ptr<Inbox> inbox_;
  bool asked_ = false;
  bool cancelled_ = false;
};

FeedReaders::~FeedReaders() {
  close();
}

Result<std::unique_ptr<media::FeedSubscription>> FeedReaders::add(
    boost::asio::any_io_executor reader, media::ReaderLimits limits) {
  if (readers_.size() >= kMaxReaders)
    return fail(Errc::limit, "more than {} readers of one channel", kMaxReaders);
  const auto inbox = std::make_shared<Inbox>(reader);
  const std::uint64_t id = next_id_++;
  Reader& entry = readers_[id];
  entry.executor = std::move(reader);
  entry.inbox = inbox;
  entry.limits = limits;
  series_.readers.set(static_cast<double>(readers_.size()));
  return std::make_unique<Subscription>(home_, weak_from_this(), id, inbox);
}

void FeedReaders::remove(std::uint64_t id) {
  readers_.erase(id);
  series_.readers.set(static_cast<double>(readers_.size()));
}

void FeedReaders::ask(std::uint64_t id) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  found->second.asked = true;
  give(found->second);
}

void FeedReaders::start() {
  tracks_.clear();
  for (auto& [id, reader] : readers_) begin(reader);
}

void FeedReaders::track(std::shared_ptr<const media::Track> track) {
  for (auto& [id, reader] : readers_)
    if (reader.reading) reader.queue.emplace_back(track);
  tracks_[track->id] = std::move(track);
}

void FeedReaders::begin(Reader& reader) {
  if (reader.has_begun) reader.queue.emplace_back(media::Discontinuity{});
  for (const auto& [id, track] : tracks_) reader.queue.emplace_back(track);
  reader.has_begun = true;
  reader.reading = true;
  reader.moved_on = false;
}

void FeedReaders::move_on(Reader& reader) {
  const auto lost =
      static_cast<std::uint64_t>(std::ranges::count_if(reader.queue, [](const FeedItem& item) {
        return std::holds_alternative<std::shared_ptr<const media::Packet>>(item);
      }));
  reader.queue.clear();
  reader.bytes = 0;
  reader.oldest.reset();
  reader.skipped += lost;
  series_.skipped.add(static_cast<double>(lost));
  reader.reading = false;
  reader.moved_on = true;
}

void FeedReaders::packet(const std::shared_ptr<const media::Packet>& packet, Place place) {
  for (auto& [id, reader] : readers_) {
    const bool full =
        reader.oldest &&
        (reader.bytes + packet->payload.size() > reader.limits.bytes ||
         packet->arrival - *reader.oldest > reader.limits.time || reader.queue.size() >= kMaxItems);
    if (full) move_on(reader);
    if (!reader.reading && place == Place::sync) begin(reader);
    if (!reader.reading) {
      if (!reader.moved_on) continue;
      ++reader.skipped;
      series_.skipped.increment();
      continue;
    }
    reader.queue.emplace_back(packet);
    reader.bytes += packet->payload.size();
    if (!reader.oldest) reader.oldest = packet->arrival;
    give(reader);
  }
}

void FeedReaders::give(Reader& reader) {
  if (!reader.asked || reader.queue.empty()) return;
  FeedBatch batch;
  batch.items.assign(std::make_move_iterator(reader.queue.begin()),
                     std::make_move_iterator(reader.queue.end()));
  batch.skipped = std::exchange(reader.skipped, 0);
  reader.queue.clear();
  reader.bytes = 0;
  reader.oldest.reset();
  reader.asked = false;
  boost::asio::post(reader.executor, [inbox = reader.inbox, batch = std::move(batch)]() mutable {
    if (const auto there = inbox.lock()) there->deliver(std::move(batch));
  });
}

void FeedReaders::end(media::FeedEnd reason) {
  tracks_.clear();
  for (auto& [id, reader] : readers_) {
    if (!std::exchange(reader.reading, false)) continue;
    reader.queue.emplace_back(media::EndOfFeed{reason});
    give(reader);
  }
}

void FeedReaders::close() {
  for (auto& [id, reader] : std::exchange(readers_, {}))
    boost::asio::post(reader.executor, [inbox = reader.inbox] {
      if (const auto there = inbox.lock()) there->close();
    });
  series_.readers.set(0);
}

}  // namespace kapok::channel
